//! The configuration of a nats-server that knows the operator.

/// What it says. Paths in it are as they are given: a server takes relative ones from where it is started.
#[derive(Debug, Clone)]
pub(crate) struct ServerConfig<'a> {
    /// The server's name, which its messages bear.
    pub(crate) server_name: &'a str,
    /// `HOST:PORT` for clients.
    pub(crate) listen: &'a str,
    /// The folder of its JetStream store.
    pub(crate) store: &'a str,
    /// The folder in which it keeps tokens of accounts that are pushed to it.
    pub(crate) accounts: &'a str,
    /// Its JetStream domain.
    pub(crate) domain: Option<&'a str>,
    /// The operator's token.
    pub(crate) operator: &'a str,
    /// Key and token of the system account, then of the account of all lattices.
    pub(crate) system_account: (&'a str, &'a str),
    /// The same of the account of all lattices.
    pub(crate) account: (&'a str, &'a str),
    /// TLS for all who connect.
    pub(crate) tls: Option<TlsFiles<'a>>,
    /// `HOST:PORT` for the servers of further sites.
    pub(crate) leaf_listen: Option<&'a str>,
    /// The server that this one joins.
    pub(crate) remote: Option<Remote<'a>>,
}

/// Certificate and key of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TlsFiles<'a> {
    pub(crate) cert: &'a str,
    pub(crate) key: &'a str,
}

/// The server of another site, joined by a leaf connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remote<'a> {
    pub(crate) url: &'a str,
    pub(crate) creds: &'a str,
    /// The authority that vouches for its certificate, where it is a private one.
    pub(crate) ca: Option<&'a str>,
}

impl ServerConfig<'_> {
    /// The text of the file.
    pub(crate) fn text(&self) -> String {
        let ((system, system_token), (account, account_token)) = (self.system_account, self.account);
        let domain = self.domain.map(|domain| format!("\n  domain: {}", quoted(domain))).unwrap_or_default();
        // The lattice finds a dead host as fast as the server finds a dead connection: two pings of a second. A connect line
        // has the user's token in it, and a host of a lattice with a long name needs more than the 4 KB that are usual.
        let mut text = format!(
            "server_name: {}\n\
             listen: {}\n\
             ping_interval: \"1s\"\n\
             ping_max: 2\n\
             max_control_line: 32KB\n\
             jetstream {{\n  store_dir: {}{domain}\n}}\n\
             operator: {}\n\
             system_account: {system}\n\
             resolver {{\n  type: full\n  dir: {}\n  allow_delete: false\n}}\n\
             resolver_preload {{\n  {system}: {}\n  {account}: {}\n}}\n",
            quoted(self.server_name),
            quoted(self.listen),
            quoted(self.store),
            quoted(self.operator),
            quoted(self.accounts),
            quoted(system_token),
            quoted(account_token),
        );
        let tls = self.tls.map(|tls| {
            format!("tls {{\n  cert_file: {}\n  key_file: {}\n}}\n", quoted(tls.cert), quoted(tls.key))
        });
        text.extend(tls.clone());
        text.extend(self.leafnodes(tls.as_deref()));
        text
    }

    fn leafnodes(&self, tls: Option<&str>) -> Option<String> {
        let listen = self.leaf_listen.map(|listen| {
            let tls = tls.map(|tls| indented(tls, 2)).unwrap_or_default();
            format!("  listen: {}\n{tls}", quoted(listen))
        });
        let remote = self.remote.map(|remote| {
            let ca = remote.ca.map(|ca| format!("    tls {{ ca_file: {} }}\n", quoted(ca)));
            format!(
                "  remotes [ {{\n    url: {}\n    credentials: {}\n    account: {}\n{}  }} ]\n",
                quoted(remote.url),
                quoted(remote.creds),
                self.account.0,
                ca.unwrap_or_default()
            )
        });
        let inside: String = listen.into_iter().chain(remote).collect();
        (!inside.is_empty()).then(|| format!("leafnodes {{\n{inside}}}\n"))
    }
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(by))).collect()
}

/// As the configuration reads strings.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_and_one_that_joins_it() {
        let first = ServerConfig {
            server_name: "hub",
            listen: "0.0.0.0:4222",
            store: "store \"1\"",
            accounts: "accounts",
            domain: Some("hub"),
            operator: "o.p.q",
            system_account: ("ASYS", "s.t.u"),
            account: ("AAPP", "a.b.c"),
            tls: Some(TlsFiles { cert: "cert.pem", key: "key.pem" }),
            leaf_listen: Some("0.0.0.0:7422"),
            remote: None,
        };
        insta::assert_snapshot!(first.text());
        let site = ServerConfig {
            server_name: "plant",
            tls: None,
            leaf_listen: None,
            remote: Some(Remote { url: "tls://hub:7422", creds: "leaf.creds", ca: Some("ca.pem") }),
            ..first
        };
        insta::assert_snapshot!(site.text());
    }
}
