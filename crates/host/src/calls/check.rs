//! Whether a call from another host may be made: by its link, as this host knows it.

use std::time::Duration;

use lattice_contracts::CallContext;
use lattice_core::{Contract, Distance, EntityId, ErrorCode, Link, LinkKey, RESERVED_IDS};
use lattice_nats::Version;
use tokio::time::Instant;

use crate::{lattice::Lattice, signal::Changed};

/// How long a link that the caller knows may take to get here.
const LINK_WITHIN: Duration = Duration::from_millis(250);

/// Why a call is not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotAllowed {
    pub(super) code: ErrorCode,
    pub(super) reason: String,
}

/// Splits `wasi:http/incoming-handler@0.2.0` into its contract and the interface's bare name; `None` for a name without a
/// package.
fn parts(interface: &str) -> Option<(Contract, &str)> {
    let (package, name) = interface.split_once('/')?;
    let name = name.split('@').next().unwrap_or(name);
    Some((package.parse().ok()?, name))
}

/// The link by whose right a call is made; `None` where its interface is of no package.
fn link_of(call: &CallContext, interface: &str) -> Option<LinkKey> {
    let (contract, _) = parts(interface)?;
    Some(LinkKey {
        source: call.source.clone(),
        target: call.target.clone(),
        contract,
        name: call.link.clone(),
    })
}

/// Judges a call by the link there is for it.
pub(super) fn judge(call: &CallContext, interface: &str, link: Option<&Link>) -> Result<(), NotAllowed> {
    let CallContext { source, target, .. } = call;
    let fail = |code, reason| Err(NotAllowed { code, reason });
    let Some((contract, name)) = parts(interface) else {
        let reason = format!("{source} called {interface:?} of {target}, which is no interface of a package");
        return fail(ErrorCode::NoLink, reason);
    };
    match link {
        None => {
            let reason = format!(
                "{source} has no link to {target} for {contract}; make one: wash link put {source} {target} {contract}"
            );
            fail(ErrorCode::NoLink, reason)
        }
        Some(link) if !link.grants(name) => {
            let granted = link.interfaces.join(", ");
            let reason =
                format!("the link of {source} to {target} does not grant {contract}/{name}, only {granted}");
            fail(ErrorCode::Denied, reason)
        }
        Some(link) if link.distance == Distance::Local => {
            let reason =
                format!("the link of {source} to {target} keeps calls in their own host (distance local)");
            fail(ErrorCode::Denied, reason)
        }
        Some(_) => Ok(()),
    }
}

/// Checks a call's link, waiting a moment for a version that the caller knows and this host does not.
pub(super) async fn check(
    lattice: &Lattice,
    call: &CallContext,
    interface: &str,
    version: Option<&Version>,
) -> Result<(), NotAllowed> {
    if is_reserved(&call.source) {
        return Ok(());
    }
    let key = link_of(call, interface);
    if let (Some(key), Some(version)) = (&key, version) {
        wait_for(lattice, key, version).await;
    }
    let view = lattice.view();
    judge(call, interface, key.as_ref().and_then(|key| view.links.get(key)))
}

fn is_reserved(source: &EntityId) -> bool {
    // Nothing that runs is called so, and brokers let nobody use the name of another.
    RESERVED_IDS.contains(&source.as_str())
}

/// Waits until this host has seen `version` of the link, or a newer one, but not for long: then what it has counts.
async fn wait_for(lattice: &Lattice, key: &LinkKey, version: &Version) {
    let seen = || lattice.link_version(key).is_some_and(|known| known >= *version);
    wait_until(seen, lattice.changed()).await;
}

/// Waits for what a change brings, at most [`LINK_WITHIN`].
async fn wait_until(seen: impl Fn() -> bool, changed: &Changed) {
    if seen() {
        return;
    }
    let until = Instant::now() + LINK_WITHIN;
    let mut changed = changed.listen();
    while !seen() {
        match tokio::time::timeout_at(until, changed.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use lattice_core::{InvocationId, LinkName};

    use super::*;

    fn call() -> CallContext {
        CallContext {
            id: InvocationId::from_bits(1),
            source: "cart".parse().unwrap(),
            target: "kv".parse().unwrap(),
            link: LinkName::default(),
            deadline: Instant::now(),
            depth: 0,
            trace: None,
        }
    }

    fn link(more: &str) -> Link {
        let json = format!(
            r#"{{"source_id":"cart","target":"kv","wit_namespace":"wasi","wit_package":"keyvalue"{more}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn no_link_no_call() {
        let of = |interface: &str, link: Option<&Link>| {
            judge(&call(), interface, link).map_err(|why| (why.code, why.reason))
        };
        assert_eq!(of("wasi:keyvalue/store@0.2.0-draft", Some(&link(""))), Ok(()));
        let (code, why) = of("wasi:keyvalue/store", None).unwrap_err();
        assert_eq!(code, ErrorCode::NoLink);
        assert!(why.ends_with("wash link put cart kv wasi:keyvalue"), "{why}");
        let only = link(r#","interfaces":["store"]"#);
        assert_eq!(of("wasi:keyvalue/store", Some(&only)), Ok(()));
        assert_eq!(of("wasi:keyvalue/atomics", Some(&only)).unwrap_err().0, ErrorCode::Denied);
        let near = link(r#","distance":"local""#);
        assert_eq!(of("wasi:keyvalue/store", Some(&near)).unwrap_err().0, ErrorCode::Denied);
        for odd in ["", "store", "wasi/store", ":/", "a:b:c/d"] {
            assert_eq!(of(odd, Some(&link(""))).unwrap_err().0, ErrorCode::NoLink, "{odd}");
        }
    }

    #[tokio::test]
    async fn a_version_on_its_way_is_waited_for_and_not_for_long() {
        let (changed, version) = (Changed::new(), AtomicU64::new(1));
        let wait = async |wanted| {
            let began = Instant::now();
            wait_until(|| version.load(Ordering::Relaxed) >= wanted, &changed).await;
            (version.load(Ordering::Relaxed) >= wanted, began.elapsed())
        };
        assert!(wait(1).await.0);
        let arrives = async {
            tokio::task::yield_now().await;
            changed.tell();
            tokio::task::yield_now().await;
            version.store(2, Ordering::Relaxed);
            changed.tell();
        };
        let ((seen, _), ()) = tokio::join!(wait(2), arrives);
        assert!(seen, "it came while it was waited for");
        let (seen, took) = wait(3).await;
        assert!(!seen && took >= LINK_WITHIN, "{took:?}");
    }

    #[test]
    fn the_link_is_that_of_source_target_contract_and_name() {
        let key = link_of(&call(), "wasi:keyvalue/store@0.2.0").unwrap();
        assert_eq!(key, link("").key().unwrap());
        assert_eq!(link_of(&call(), "store"), None);
    }
}
