//! From inside a provider's process: what of its host's it gets at. Whoever got at it would be the host.

use anyhow::{Context as _, ensure};
use futures::{FutureExt as _, future::LocalBoxFuture};
use lattice_control_interface::StartProviderCommand;

use crate::{
    attempt::{By, Outcome},
    scene::{Scene, WITHIN},
};

type Attempted<'a> = LocalBoxFuture<'a, anyhow::Result<Outcome>>;

/// What the program says last of all that it did not get at.
const NOTHING: &str = "got at: nothing";

/// A program that tries, and says what it got at.
fn script(tries: &[(&str, String)]) -> String {
    let tries: Vec<String> = tries
        .iter()
        .map(|(what, command)| format!("{command} >/dev/null 2>&1 && got=\"$got {what},\"\n"))
        .collect();
    format!(
        "#!/bin/sh\nread -r line\ngot=\n{}echo \"error: got at:${{got:- nothing}}\" >&2\nexit 3\n",
        tries.concat()
    )
}

/// Keys and credentials, what the host keeps and believes, the memory of the host, its end.
pub(crate) fn prowling(scene: &mut Scene) -> Attempted<'_> {
    async move {
        let data = scene.data();
        let data = data.display();
        let tries = [
            ("its folders", format!("ls {data}/hosts/0")),
            ("its key", format!("/bin/cat {data}/hosts/*/*")),
            ("its credentials", format!("/bin/cat {data}/nats/*/*/*")),
            ("what it remembers", format!("/bin/rm -r {data}/hosts")),
            ("its environment", "/bin/cat /proc/$PPID/environ".to_owned()),
            ("its memory", "/bin/cat /proc/$PPID/maps".to_owned()),
            ("its end", "kill $PPID".to_owned()),
        ];
        for folder in ["hosts", "nats"] {
            let found = crate::scene::files_below(&scene.data().join(folder)).len();
            ensure!(found > 1, "there is nothing to be found in {folder}");
        }
        let image = scene.signer.provider("prowler.par", script(&tries).as_bytes())?;
        let command = StartProviderCommand::new("prowler".parse()?, image.display().to_string());
        let started = scene.client.start_provider_and_wait(&scene.host, &command, WITHIN).await;
        let said = started.err().context("a program that ends was taken for a provider")?.to_string();
        let got = said.split("it said: ").nth(1).with_context(|| format!("it did not run: {said}"))?;
        match got.contains(NOTHING) {
            true => Ok(Outcome::refused(By::Kernel, "nowhere", got)),
            false => Ok(Outcome::succeeded(got)),
        }
    }
    .boxed_local()
}
