//! The command line of `wasmcloud`. Bare, or with host flags, it is a host; with a subcommand it is the functions client.

use clap::{Parser, Subcommand};

use crate::{
    config::HostArgs,
    providers::{CONFINE, Confined},
};

/// A host of the lattice: runs signed WebAssembly actors, links them to capability providers, and is steered with `wash`
/// from anywhere NATS reaches.
#[derive(Debug, Parser)]
#[command(
    name = "wasmcloud",
    version,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Logs go to standard error; when the host answers its control subjects it prints one line that starts \
                  with `wasmcloud ready` to standard output. Ctrl-C or SIGTERM stops it in order, a second one at once."
)]
pub struct Cli {
    /// What to be; nothing means a host.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of the host.
    #[command(flatten)]
    pub host: HostArgs,
}

/// Commands of the functions client. Their names are taken already, so that no manifest or flag ever means something
/// else by them.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Functions: log in.
    #[command(hide = true)]
    Login(Rest),
    /// Functions: who is logged in.
    #[command(hide = true)]
    Whoami(Rest),
    /// Functions: upload a handler.
    #[command(hide = true)]
    Create(Rest),
    /// Functions: replace a handler.
    #[command(hide = true)]
    Update(Rest),
    /// Functions: remove a handler.
    #[command(hide = true)]
    Delete(Rest),
    /// Functions: list handlers.
    #[command(hide = true)]
    List(Rest),
    /// Functions: logs of a handler.
    #[command(hide = true)]
    Logs(Rest),
    /// Functions: make up a name.
    #[command(hide = true)]
    Namegen(Rest),
    /// Functions: run a handler here.
    #[command(hide = true)]
    Run(Rest),
    /// Functions: list commands.
    #[command(hide = true)]
    Commands(Rest),
    /// Functions: list flags.
    #[command(hide = true)]
    Flags(Rest),
    /// Help, as `--help`.
    #[command(hide = true)]
    Help(Rest),
    /// What a host starts a provider's process with.
    #[command(hide = true)]
    ConfineProvider(Confined),
}

/// Whatever follows a command that this version does not have.
#[derive(Debug, clap::Args)]
pub struct Rest {
    /// Taken so that the refusal names the command and not its flags.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<String>,
}

impl Command {
    /// The name as it was typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Command::Login(_) => "login",
            Command::Whoami(_) => "whoami",
            Command::Create(_) => "create",
            Command::Update(_) => "update",
            Command::Delete(_) => "delete",
            Command::List(_) => "list",
            Command::Logs(_) => "logs",
            Command::Namegen(_) => "namegen",
            Command::Run(_) => "run",
            Command::Commands(_) => "commands",
            Command::Flags(_) => "flags",
            Command::Help(_) => "help",
            Command::ConfineProvider(_) => CONFINE,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bare_and_with_host_flags_it_is_a_host() {
        for args in
            [&["wasmcloud"][..], &["wasmcloud", "-m", "app.yaml"], &["wasmcloud", "--label", "zone=lab"]]
        {
            assert!(Cli::try_parse_from(args).unwrap().command.is_none(), "{args:?}");
        }
    }

    #[test]
    fn names_of_the_functions_client_are_known() {
        let cli = Cli::try_parse_from(["wasmcloud", "create", "handler.wasm", "--name", "x"]).unwrap();
        assert_eq!(cli.command.map(|c| c.name()), Some("create"));
        assert!(Cli::try_parse_from(["wasmcloud", "createe"]).is_err());
    }
}
