//! The programs: what each is called, takes, and runs on.

mod between;
mod body;
mod commands;
mod http_over_nats;
mod hyper;
mod instances;
mod lattice_caller;
mod least;
mod load;
mod messages;
mod nats_caller;
mod nats_responder;
mod server;

use std::fmt::Display;

use anyhow::Context as _;
use futures::future::LocalBoxFuture;
use tokio::runtime::Builder;

/// One program.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Its arguments, as its usage shows them.
    takes: &'static str,
    threads: Threads,
    run: fn(&[String]) -> LocalBoxFuture<'_, anyhow::Result<()>>,
}

/// What a program runs on.
enum Threads {
    /// Its first thread.
    One,
    Two,
    /// As many as a host has.
    Processors,
}

/// All programs. Some print one line in the end, the others serve until they are ended.
pub(crate) const PROGRAMS: &[Program] = &[
    Program {
        name: "load",
        takes: "ADDRESS PATH CONNECTIONS SECONDS",
        threads: Threads::One,
        run: |args| Box::pin(prints(load::run(args))),
    },
    Program {
        name: "hyper",
        takes: "127.0.0.1:PORT",
        threads: Threads::Processors,
        run: |args| Box::pin(prints(hyper::run(args))),
    },
    Program {
        name: "least",
        takes: "127.0.0.1:PORT ACTOR.wasm",
        threads: Threads::Processors,
        run: |args| Box::pin(prints(least::run(args))),
    },
    Program {
        name: "instances",
        takes: "ACTOR.wasm ROUNDS",
        threads: Threads::Two,
        run: |args| Box::pin(prints(instances::run(args))),
    },
    Program {
        name: "between",
        takes: "TRANSLATOR.wasm ROUNDS",
        threads: Threads::Two,
        run: |args| Box::pin(prints(between::run(args))),
    },
    Program {
        name: "commands",
        takes: "ROUNDS",
        threads: Threads::One,
        run: |args| Box::pin(prints(std::future::ready(commands::run(args)))),
    },
    Program {
        name: "nats-responder",
        takes: "nats://127.0.0.1:PORT SUBJECT echo|add|http [ACTOR.wasm]",
        threads: Threads::Two,
        run: |args| Box::pin(nats_responder::run(args)),
    },
    Program {
        name: "nats-caller",
        takes: "nats://127.0.0.1:PORT SUBJECT IN_FLIGHT SECONDS",
        threads: Threads::Two,
        run: |args| Box::pin(prints(nats_caller::run(args))),
    },
    Program {
        name: "http-over-nats",
        takes: "127.0.0.1:PORT nats://127.0.0.1:PORT SUBJECT",
        threads: Threads::Processors,
        run: |args| Box::pin(prints(http_over_nats::run(args))),
    },
    Program {
        name: "lattice-caller",
        takes: "nats://127.0.0.1:PORT SOURCE HOST TARGET IN_FLIGHT SECONDS|CALLSx [CREDS]",
        threads: Threads::Two,
        run: |args| Box::pin(prints(lattice_caller::run(args))),
    },
    Program {
        name: "messages",
        takes: "nats://127.0.0.1:PORT SOURCE HOST TARGET CALLS",
        threads: Threads::Two,
        run: |args| Box::pin(prints(messages::run(args))),
    },
    Program {
        name: "body",
        takes: "127.0.0.1:PORT PATH MEBIBYTES",
        threads: Threads::One,
        run: |args| Box::pin(prints(body::run(args))),
    },
];

impl Program {
    pub(crate) fn usage(&self) -> String {
        format!("lattice-bench {} {}", self.name, self.takes)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Arguments that make no sense, and whatever it meets.
    pub(crate) fn run(&self, args: &[String]) -> anyhow::Result<()> {
        let mut builder = match self.threads {
            Threads::One => Builder::new_current_thread(),
            Threads::Two | Threads::Processors => Builder::new_multi_thread(),
        };
        if let Threads::Two = self.threads {
            builder.worker_threads(2);
        }
        let runtime = builder.enable_all().build().context("its threads cannot be started")?;
        runtime.block_on((self.run)(args))
    }
}

async fn prints<T: Display>(program: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<()> {
    println!("{}", program.await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_name_of_its_own_and_says_what_it_lacks() {
        for (at, program) in PROGRAMS.iter().enumerate() {
            assert!(PROGRAMS[..at].iter().all(|other| other.name != program.name), "{}", program.name);
            assert!(program.run(&[]).is_err(), "{} has no arguments", program.name);
        }
    }
}
