//! Tasks with a name, so that whoever looks at a running host or its log sees whose they are.

use std::future::Future;

use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, debug_span};

/// Runs `task` under `tasks`, whose owner stops it, in a span `task` with its name.
pub(crate) fn spawn(
    tasks: &TaskTracker,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    tasks.spawn(task.instrument(debug_span!(parent: None, "task", name)));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::{Metadata, Subscriber, field, span};

    use super::*;

    /// Notes the spans that are made.
    #[derive(Clone, Default)]
    struct Made(Arc<Mutex<Vec<String>>>);

    impl Subscriber for Made {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
            let mut made = self.0.lock().unwrap();
            let mut text = span.metadata().name().to_owned();
            span.record(&mut |field: &field::Field, value: &dyn std::fmt::Debug| {
                text.push_str(&format!(" {field}={value:?}"));
            });
            made.push(text);
            span::Id::from_u64(made.len() as u64)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn event(&self, _: &tracing::Event<'_>) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[tokio::test]
    async fn a_task_has_its_name() {
        let made = Made::default();
        let _set = tracing::subscriber::set_default(made.clone());
        let tasks = TaskTracker::new();
        spawn(&tasks, "inbox", async {});
        tasks.close();
        tasks.wait().await;
        assert_eq!(*made.0.lock().unwrap(), [r#"task name="inbox""#]);
    }
}
