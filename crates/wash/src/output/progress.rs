//! Something that goes on, shown on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Slow enough not to flicker.
const TICK: Duration = Duration::from_millis(120);

/// Shown until dropped; then its line is gone.
#[derive(Debug)]
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    pub(super) fn moving(doing: String) -> Progress {
        let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})")
            .expect("the template is a constant that a test reads");
        let bar = ProgressBar::new_spinner().with_style(style).with_message(doing);
        bar.enable_steady_tick(TICK);
        Progress(Some(bar))
    }

    pub(super) fn still() -> Progress {
        Progress(None)
    }

    /// Changes what it says.
    pub(crate) fn set(&self, doing: impl Into<String>) {
        if let Some(bar) = &self.0 {
            bar.set_message(doing.into());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_sound() {
        let progress = Progress::moving("working".to_owned());
        progress.set("working on");
    }
}
