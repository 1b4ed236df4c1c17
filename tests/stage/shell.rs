//! `wash` and `wasmcloud` as they are typed.

use std::{ffi::OsString, time::Duration};

use lattice_testkit::{Launch, Process};
use serde_json::Value;

use crate::{Stage, lattice::ALLOW_FILES};

/// How long a command may take.
const WITHIN: Duration = Duration::from_secs(60);

/// What a command said, and how it ended.
#[derive(Debug, Clone)]
pub struct Said {
    /// The exit code.
    pub code: i32,
    /// Standard output and standard error.
    pub text: String,
}

impl Said {
    /// The output as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        // Notes for people, on standard error, may stand around it.
        let (start, end) = (self.text.find('{'), self.text.rfind('}').map(|last| last + 1));
        let json = &self.text[start.unwrap_or_default()..end.unwrap_or_default()];
        serde_json::from_str(json).unwrap_or_else(|error| panic!("no JSON ({error}): {}", self.text))
    }
}

impl Stage {
    /// One of our programs, with keys, data and caches in the stage's folder.
    ///
    /// # Panics
    /// If it is not built.
    #[must_use]
    pub fn program(&self, name: &str) -> Launch {
        let mut launch = Launch::binary(name).expect("our programs are built");
        for (variable, folder) in [
            ("WASMCLOUD_DATA_DIR", "data"),
            ("WASH_KEYS", "keys"),
            ("WASH_CONTEXTS", "contexts"),
            ("WASMCLOUD_CACHE_DIR", "cache"),
        ] {
            launch = launch.env(variable, self.folder().join(folder));
        }
        if name == "wasmcloud" {
            // Most tests are about something else than credentials.
            launch = launch.env("WASMCLOUD_OPEN", "true");
        }
        // No login of whoever runs the tests may help.
        launch.env("DOCKER_CONFIG", self.folder().join("docker"))
    }

    /// Runs a command to its end.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn run(&self, name: &str, args: &[&str]) -> Said {
        self.run_launch(self.program(name).args(args)).await
    }

    /// As [`run`](Self::run), with a variable of its own.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn run_with(&self, (variable, value): (&str, &str), name: &str, args: &[&str]) -> Said {
        self.run_launch(self.program(name).args(args).env(variable, value)).await
    }

    /// Runs `wash` against the stage's NATS server.
    ///
    /// # Panics
    /// If it does not end.
    pub async fn wash(&self, args: &[&str]) -> Said {
        let launch = self.program("wash").args(args).env("WASMCLOUD_NATS_URL", self.nats.url());
        self.run_launch(launch).await
    }

    async fn run_launch(&self, launch: Launch) -> Said {
        let mut process = Process::spawn(launch).expect("the program starts");
        let status = process.wait(WITHIN).await.unwrap_or_else(|error| panic!("{error}"));
        Said { code: status.code().unwrap_or(-1), text: process.output() }
    }

    /// Starts `wasmcloud` with the stage's data folder, trust and server, and waits until it is ready.
    ///
    /// # Panics
    /// If it does not become ready.
    pub async fn plain_host(&self, flags: &[&str]) -> Process {
        let mut args: Vec<OsString> = vec!["--nats-url".into(), self.nats.url().into()];
        args.extend(["--trust".into(), self.signer.account().into()]);
        args.extend(flags.iter().map(Into::into));
        let (name, value) = ALLOW_FILES;
        let launch = self.program("wasmcloud").env(name, value).args(args).ready("wasmcloud ready", WITHIN);
        launch.start().await.unwrap_or_else(|error| panic!("{error}"))
    }
}
