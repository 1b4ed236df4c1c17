//! What an operator had started on this host, as it stands on disk.
//!
//! Unknown fields are kept when the file is written again: a later version may have put them there.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use lattice_core::{ActorId, ConfigName, ImageRef, ImageRefError, ProviderId, QUEUE_MAX, SecretName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    actors::{ActorSpec, Limits},
    providers::ProviderSpec,
};

/// Everything, by id. Missing parts are empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Started {
    #[serde(default)]
    pub(crate) actors: BTreeMap<ActorId, StartedActor>,
    #[serde(default)]
    pub(crate) providers: BTreeMap<ProviderId, StartedProvider>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// One actor with all its start parameters. The image is required; what else is missing is as when nobody asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StartedActor {
    /// The image as it was given.
    image: String,
    /// Where the image is, if it is a file: the host may be started again in another folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(default = "one")]
    concurrency: u32,
    /// Calls that may wait, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<u32>,
    #[serde(default = "one")]
    reuse: u32,
    #[serde(default)]
    limits: StartedLimits,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(default)]
    config: Vec<ConfigName>,
    /// Secrets by name; what they hold is never on disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<SecretName>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// Limits that were asked for; a missing one is the host's default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct StartedLimits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wall_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cpu_ms: Option<u64>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// One provider with all its start parameters. The image is required; what else is missing is empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StartedProvider {
    /// The image as it was given.
    image: String,
    /// Where the image is, if it is a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(default)]
    config: Vec<ConfigName>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

fn one() -> u32 {
    1
}

impl Started {
    /// True if nothing was started.
    pub(crate) fn is_empty(&self) -> bool {
        self.actors.is_empty() && self.providers.is_empty()
    }
}

/// The file an image is, wherever this process is started from.
fn file_of(image: &ImageRef) -> Option<PathBuf> {
    match image {
        ImageRef::File(path) => std::path::absolute(path).ok(),
        _ => None,
    }
}

fn image_of(text: &str, file: Option<&Path>) -> Result<ImageRef, ImageRefError> {
    file.map_or_else(|| text.parse(), |file| Ok(ImageRef::File(file.to_owned())))
}

impl StartedActor {
    pub(crate) fn of(spec: &ActorSpec) -> Self {
        let Limits { memory_bytes, wall_ms, cpu_ms } = spec.limits.clone();
        Self {
            image: spec.image_text.clone(),
            file: file_of(&spec.image),
            concurrency: spec.concurrency,
            queue: spec.queue,
            reuse: spec.reuse,
            limits: StartedLimits { memory_bytes, wall_ms, cpu_ms, more: Map::new() },
            annotations: spec.annotations.clone(),
            config: spec.config.clone(),
            secrets: spec.secrets.clone(),
            more: Map::new(),
        }
    }

    /// What to ask for, to have it again.
    pub(crate) fn spec(&self, id: &ActorId) -> Result<ActorSpec, ImageRefError> {
        let StartedLimits { memory_bytes, wall_ms, cpu_ms, .. } = self.limits;
        Ok(ActorSpec {
            id: id.clone(),
            image: image_of(&self.image, self.file.as_deref())?,
            image_text: self.image.clone(),
            concurrency: self.concurrency.max(1),
            queue: self.queue.map(|queue| queue.min(QUEUE_MAX)),
            reuse: self.reuse.max(1),
            limits: Limits { memory_bytes, wall_ms, cpu_ms },
            annotations: self.annotations.clone(),
            config: self.config.clone(),
            secrets: self.secrets.clone(),
        })
    }
}

impl StartedProvider {
    pub(crate) fn of(spec: &ProviderSpec) -> Self {
        Self {
            image: spec.image_text.clone(),
            file: file_of(&spec.image),
            config: spec.config.clone(),
            annotations: spec.annotations.clone(),
            more: Map::new(),
        }
    }

    /// What to ask for, to have it again.
    pub(crate) fn spec(&self, id: &ProviderId) -> Result<ProviderSpec, ImageRefError> {
        Ok(ProviderSpec {
            id: id.clone(),
            image: image_of(&self.image, self.file.as_deref())?,
            image_text: self.image.clone(),
            config: self.config.clone(),
            annotations: self.annotations.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn actor() -> ActorSpec {
        ActorSpec {
            id: ActorId::new("hello").unwrap(),
            image: ImageRef::File("/srv/hello.wasm".into()),
            image_text: "file:///srv/hello.wasm".into(),
            concurrency: 7,
            queue: Some(9),
            reuse: 3,
            limits: Limits { memory_bytes: Some(1 << 20), wall_ms: None, cpu_ms: Some(5) },
            annotations: [("a".to_owned(), "b".to_owned())].into(),
            config: vec![ConfigName::new("one").unwrap()],
            secrets: vec![SecretName::new("token").unwrap()],
        }
    }

    fn provider() -> ProviderSpec {
        ProviderSpec {
            id: ProviderId::new("http").unwrap(),
            image: "builtin://http-server".parse().unwrap(),
            image_text: "builtin://http-server".into(),
            config: vec![ConfigName::new("two").unwrap()],
            annotations: BTreeMap::new(),
        }
    }

    #[test]
    fn as_it_is_written() {
        let mut started = Started::default();
        started.actors.insert(actor().id, StartedActor::of(&actor()));
        started.providers.insert(provider().id, StartedProvider::of(&provider()));
        insta::assert_json_snapshot!(started, @r#"
        {
          "actors": {
            "hello": {
              "image": "file:///srv/hello.wasm",
              "file": "/srv/hello.wasm",
              "concurrency": 7,
              "queue": 9,
              "reuse": 3,
              "limits": {
                "memory_bytes": 1048576,
                "cpu_ms": 5
              },
              "annotations": {
                "a": "b"
              },
              "config": [
                "one"
              ],
              "secrets": [
                "token"
              ]
            }
          },
          "providers": {
            "http": {
              "image": "builtin://http-server",
              "config": [
                "two"
              ],
              "annotations": {}
            }
          }
        }
        "#);
        let text = serde_json::to_string(&started).unwrap();
        let again: Started = serde_json::from_str(&text).unwrap();
        assert_eq!(
            again.actors[&actor().id].spec(&actor().id).unwrap(),
            actor(),
            "every parameter comes back"
        );
        assert_eq!(again.providers[&provider().id].spec(&provider().id).unwrap(), provider());
    }

    #[test]
    fn missing_and_unknown_fields() {
        let written = json!({
            "actors": {"a": {"image": "builtin://http-server", "mood": "good", "limits": {"fuel": 3}}},
            "handlers": [1],
        });
        let started: Started = serde_json::from_value(written).unwrap();
        let id = ActorId::new("a").unwrap();
        let spec = started.actors[&id].spec(&id).unwrap();
        assert_eq!((spec.concurrency, spec.queue, spec.reuse), (1, None, 1));
        assert_eq!(spec.limits, Limits::default());
        let text = serde_json::to_string(&started).unwrap();
        for kept in [r#""mood":"good""#, r#""fuel":3"#, r#""handlers":[1]"#] {
            assert!(text.contains(kept), "{text}");
        }
        let nothing: Started = serde_json::from_str("{}").unwrap();
        assert_eq!(nothing, Started::default());
    }

    #[test]
    fn a_file_is_found_again_from_another_folder() {
        let here = ActorSpec {
            image: ImageRef::File("hello.wasm".into()),
            image_text: "hello.wasm".into(),
            ..actor()
        };
        let spec = StartedActor::of(&here).spec(&here.id).unwrap();
        let expected = std::env::current_dir().unwrap().join("hello.wasm");
        assert_eq!((spec.image, spec.image_text.as_str()), (ImageRef::File(expected), "hello.wasm"));
    }
}
