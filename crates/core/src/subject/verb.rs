//! What control subjects ask for, and what that does.

use crate::{ConfigName, HostId};

/// What a control subject asks for. `component` is v1's word for actor.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CtlVerb {
    /// Every host answers with its description.
    HostPing,
    /// That host's inventory.
    HostGet(HostId),
    /// That host stops.
    HostStop(HostId),
    /// Ours: one host takes away what the lattice knows of a host that is lost.
    HostForget,
    /// Every host that could run the actor answers.
    ComponentAuction,
    /// Start, stop or resize an actor there.
    ComponentScale(HostId),
    /// Replace an actor's image there.
    ComponentUpdate(HostId),
    /// Ours: call a function of an actor there, by hand.
    ComponentCall(HostId),
    /// Every host that could run the provider answers.
    ProviderAuction,
    /// Start a provider there.
    ProviderStart(HostId),
    /// Stop a provider there.
    ProviderStop(HostId),
    /// Set a label of that host.
    LabelPut(HostId),
    /// Remove a label of that host.
    LabelDel(HostId),
    /// One host of the lattice writes a link.
    LinkPut,
    /// One host deletes a link.
    LinkDel,
    /// One host tells all links.
    LinkGet,
    /// One host tells all claims.
    ClaimsGet,
    /// One host writes a configuration.
    ConfigPut(ConfigName),
    /// One host tells a configuration.
    ConfigGet(ConfigName),
    /// One host deletes a configuration.
    ConfigDel(ConfigName),
    /// Every host takes registry credentials.
    RegistryPut,
    /// Ours: one host writes that signatures of an account, or of a key that signs for it, count.
    TrustPut,
    /// Ours: one host writes that they count no more.
    TrustDel,
    /// Ours: one host tells whose signatures count in the lattice.
    TrustGet,
    /// Ours: one host writes what a person may command.
    RolePut,
    /// Ours: one host deletes that.
    RoleDel,
    /// Ours: one host tells who may command what.
    RoleGet,
    /// Ours: one host writes a secret, which came to it sealed.
    SecretPut,
    /// Ours: one host deletes a secret.
    SecretDel,
    /// Ours: one host tells which secrets there are, and which hosts have them; never what they hold.
    SecretList,
}

macro_rules! every {
    ($host:ident, $config:ident: $($variant:ident $(($value:ident))?,)*) => {
        /// One request of every verb, about `host` and `config` where it is about one.
        #[must_use]
        pub fn every($host: &HostId, $config: &ConfigName) -> Vec<Self> {
            // A verb that is missing below does not compile, so whoever goes through all of them misses none.
            let _complete = |verb: &Self| match verb { $(Self::$variant { .. } => (),)* };
            vec![$(Self::$variant $(($value.clone()))?,)*]
        }
    };
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It changes nothing.
    Reads,
    /// It changes one host, or what runs there.
    ChangesHost,
    /// It changes facts that are of all hosts.
    ChangesLattice,
    /// It changes whom the lattice trusts, or who may do what.
    ChangesWhoMay,
}

impl CtlVerb {
    every! {
        host, config:
        HostPing, HostGet(host), HostStop(host), HostForget,
        ComponentAuction, ComponentScale(host), ComponentUpdate(host), ComponentCall(host),
        ProviderAuction, ProviderStart(host), ProviderStop(host),
        LabelPut(host), LabelDel(host),
        LinkPut, LinkDel, LinkGet,
        ClaimsGet,
        ConfigPut(config), ConfigGet(config), ConfigDel(config),
        RegistryPut,
        TrustPut, TrustDel, TrustGet,
        RolePut, RoleDel, RoleGet,
        SecretPut, SecretDel, SecretList,
    }

    /// What the request does.
    #[must_use]
    pub fn effect(&self) -> Effect {
        use CtlVerb::{
            ClaimsGet, ComponentAuction, ComponentCall, ComponentScale, ComponentUpdate, ConfigDel,
            ConfigGet, ConfigPut, HostForget, HostGet, HostPing, HostStop, LabelDel, LabelPut, LinkDel,
            LinkGet, LinkPut, ProviderAuction, ProviderStart, ProviderStop, RegistryPut, RoleDel, RoleGet,
            RolePut, SecretDel, SecretList, SecretPut, TrustDel, TrustGet, TrustPut,
        };
        match self {
            HostPing | HostGet(_) | ComponentAuction | ProviderAuction | LinkGet | ClaimsGet
            | ConfigGet(_) | TrustGet | RoleGet | SecretList => Effect::Reads,
            HostStop(_) | ComponentScale(_) | ComponentUpdate(_) | ComponentCall(_) | ProviderStart(_)
            | ProviderStop(_) | LabelPut(_) | LabelDel(_) => Effect::ChangesHost,
            HostForget | LinkPut | LinkDel | ConfigPut(_) | ConfigDel(_) | RegistryPut | SecretPut
            | SecretDel => Effect::ChangesLattice,
            TrustPut | TrustDel | RolePut | RoleDel => Effect::ChangesWhoMay,
        }
    }

    /// Noun and verb of the subject, as `component.scale`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            CtlVerb::HostPing => "host.ping",
            CtlVerb::HostGet(_) => "host.get",
            CtlVerb::HostStop(_) => "host.stop",
            CtlVerb::HostForget => "host.forget",
            CtlVerb::ComponentAuction => "component.auction",
            CtlVerb::ComponentScale(_) => "component.scale",
            CtlVerb::ComponentUpdate(_) => "component.update",
            CtlVerb::ComponentCall(_) => "component.call",
            CtlVerb::ProviderAuction => "provider.auction",
            CtlVerb::ProviderStart(_) => "provider.start",
            CtlVerb::ProviderStop(_) => "provider.stop",
            CtlVerb::LabelPut(_) => "label.put",
            CtlVerb::LabelDel(_) => "label.del",
            CtlVerb::LinkPut => "link.put",
            CtlVerb::LinkDel => "link.del",
            CtlVerb::LinkGet => "link.get",
            CtlVerb::ClaimsGet => "claims.get",
            CtlVerb::ConfigPut(_) => "config.put",
            CtlVerb::ConfigGet(_) => "config.get",
            CtlVerb::ConfigDel(_) => "config.del",
            CtlVerb::RegistryPut => "registry.put",
            CtlVerb::TrustPut => "trust.put",
            CtlVerb::TrustDel => "trust.del",
            CtlVerb::TrustGet => "trust.get",
            CtlVerb::RolePut => "role.put",
            CtlVerb::RoleDel => "role.del",
            CtlVerb::RoleGet => "role.get",
            CtlVerb::SecretPut => "secret.put",
            CtlVerb::SecretDel => "secret.del",
            CtlVerb::SecretList => "secret.list",
        }
    }

    /// The host that is asked, where it is a certain one.
    #[must_use]
    pub fn host(&self) -> Option<&HostId> {
        match self {
            CtlVerb::HostGet(host)
            | CtlVerb::HostStop(host)
            | CtlVerb::ComponentScale(host)
            | CtlVerb::ComponentUpdate(host)
            | CtlVerb::ComponentCall(host)
            | CtlVerb::ProviderStart(host)
            | CtlVerb::ProviderStop(host)
            | CtlVerb::LabelPut(host)
            | CtlVerb::LabelDel(host) => Some(host),
            _ => None,
        }
    }

    /// The configuration that is asked for.
    #[must_use]
    pub fn config(&self) -> Option<&ConfigName> {
        match self {
            CtlVerb::ConfigPut(name) | CtlVerb::ConfigGet(name) | CtlVerb::ConfigDel(name) => Some(name),
            _ => None,
        }
    }
}
