//! What a host tells the lattice of itself: the fact under `host.{id}`.

use serde::{Deserialize, Serialize};

use crate::{ActorId, CurveKey, EntityId, FactKey, Labels, LinkKey, ProviderId, State};

/// Who a host is and what runs on it. Each host writes its own, and nobody else's but as a tombstone.
///
/// Everything but the ids has a default, so that hosts of other versions read it: a missing text reads as empty, a missing number
/// as 0, missing lists and labels as empty; unknown fields are ignored. A fact with an entry that has no id, or one that is none, is
/// no fact: nothing is known of that host. It tells what the host last said of itself: whether
/// the host still lives is presence's to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFact {
    /// A name for people.
    #[serde(default)]
    pub name: String,
    /// Labels, the host's own (`hostcore.*`) among them.
    #[serde(default)]
    pub labels: Labels,
    /// Version of the host program.
    #[serde(default)]
    pub version: String,
    /// Which life of the host this is: a later start has a greater one. 0 where it is missing.
    #[serde(default)]
    pub epoch: u64,
    /// When this life began, RFC 3339, for people.
    #[serde(default)]
    pub started: String,
    /// To which secrets are sealed for it; none of a host that takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xkey: Option<CurveKey>,
    /// Actors, by id.
    #[serde(default)]
    pub actors: Vec<HostedActor>,
    /// Providers, by id.
    #[serde(default)]
    pub providers: Vec<HostedProvider>,
}

/// An actor on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedActor {
    /// Its id.
    pub id: ActorId,
    /// The image, as it was asked for.
    #[serde(default)]
    pub image: String,
    /// `sha256:` and the hash of its bytes; left out where it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Calls it serves at once; 0 where it does not run.
    #[serde(default)]
    pub concurrency: u32,
    /// How it is.
    #[serde(flatten)]
    pub state: HostedState,
    /// Interfaces it exports, as `wasi:http/incoming-handler@0.2.6`; left out where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exports: Option<Vec<String>>,
}

/// A provider on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedProvider {
    /// Its id.
    pub id: ProviderId,
    /// The image, as it was asked for.
    #[serde(default)]
    pub image: String,
    /// How it is.
    #[serde(flatten)]
    pub state: HostedState,
    /// Interfaces by which actors call it, as `wasi:keyvalue/store`; left out where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<String>>,
    /// Those of its links that are not ready there; the others fare as the provider does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<HostedLink>,
    /// True if more links are not ready than stand in `links`: of a link that does not stand there, nothing is known but
    /// how the provider is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more_links: bool,
    /// True if it is a process of its own: it takes its calls itself, whoever makes them, and not by its host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub process: bool,
}

/// A link of a provider on a host, where it is not simply ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedLink {
    /// The key of the link's fact, as `link.http.hello.wasi.http.default`; a text that is none speaks of no link.
    #[serde(default)]
    pub link: String,
    /// How it is.
    #[serde(flatten)]
    pub state: HostedState,
}

impl HostedLink {
    /// Puts a link and its state together.
    #[must_use]
    pub fn new(link: &LinkKey, state: &State) -> Self {
        Self { link: FactKey::Link(link.clone()).to_string(), state: state.into() }
    }

    /// The link, where the text names one.
    #[must_use]
    pub fn key(&self) -> Option<LinkKey> {
        match FactKey::parse(&self.link) {
            Ok(FactKey::Link(key)) => Some(key),
            _ => None,
        }
    }
}

/// A state as a fact holds it. A word of a later version is kept and stands for no [`State`] that we know, so that one of
/// them does not make the whole fact unreadable; a missing word reads as empty and is such a word too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostedState {
    /// The word, as `ready`.
    #[serde(default, rename = "state")]
    pub word: String,
    /// Why, where it is not simply ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl HostedState {
    /// The state, where the word is one we know.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        State::from_parts(&self.word, self.reason.as_deref())
    }
}

impl From<&State> for HostedState {
    fn from(state: &State) -> Self {
        Self { word: state.word().to_owned(), reason: state.reason().map(str::to_owned) }
    }
}

impl HostedActor {
    /// True if it answers calls. One that waits for a link of its own (`pending`) does, too.
    #[must_use]
    pub fn answers(&self) -> bool {
        let state = self.state.state();
        self.concurrency > 0
            && state.is_some_and(|state| state.serves() || matches!(state, State::Pending(_)))
    }
}

impl HostedProvider {
    /// True if it answers calls.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.state.state().is_some_and(|state| state.serves())
    }
}

impl HostFact {
    /// True if `target` is in this fact and answers calls.
    #[must_use]
    pub fn answers_for(&self, target: &EntityId) -> bool {
        let actor = self.actors.iter().find(|actor| actor.id.as_str() == target.as_str());
        let provider = self.providers.iter().find(|provider| provider.id.as_str() == target.as_str());
        actor.is_some_and(HostedActor::answers) || provider.is_some_and(HostedProvider::answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_as_it_is_written() {
        let link = LinkKey {
            source: "http".parse().unwrap(),
            target: "hello".parse().unwrap(),
            contract: crate::Contract::http(),
            name: crate::LinkName::default(),
        };
        let in_use = State::Failed("address in use".into());
        let fact = HostFact {
            name: "calm-otter-0042".into(),
            labels: Labels([("zone".to_owned(), "lab".to_owned())].into()),
            version: "0.1.0".into(),
            epoch: 7,
            started: "2026-01-01T00:00:00Z".into(),
            xkey: None,
            actors: vec![HostedActor {
                id: "hello".parse().unwrap(),
                image: "localhost:5000/hello:1".into(),
                digest: Some("sha256:00".into()),
                concurrency: 100,
                state: (&State::Ready).into(),
                exports: Some(vec!["wasi:http/incoming-handler@0.2.6".into()]),
            }],
            providers: vec![HostedProvider {
                id: "http".parse().unwrap(),
                image: "builtin://http-server".into(),
                state: (&in_use).into(),
                interfaces: None,
                links: vec![HostedLink::new(&link, &in_use)],
                more_links: false,
                process: false,
            }],
        };
        insta::assert_json_snapshot!(fact, @r#"
        {
          "name": "calm-otter-0042",
          "labels": {
            "zone": "lab"
          },
          "version": "0.1.0",
          "epoch": 7,
          "started": "2026-01-01T00:00:00Z",
          "actors": [
            {
              "id": "hello",
              "image": "localhost:5000/hello:1",
              "digest": "sha256:00",
              "concurrency": 100,
              "state": "ready",
              "exports": [
                "wasi:http/incoming-handler@0.2.6"
              ]
            }
          ],
          "providers": [
            {
              "id": "http",
              "image": "builtin://http-server",
              "state": "failed",
              "reason": "address in use",
              "links": [
                {
                  "link": "link.http.hello.wasi.http.default",
                  "state": "failed",
                  "reason": "address in use"
                }
              ]
            }
          ]
        }
        "#);
        assert_eq!(fact.providers[0].links[0].key(), Some(link));
        let text = serde_json::to_string(&fact).unwrap();
        assert_eq!(serde_json::from_str::<HostFact>(&text).unwrap(), fact);
        let target = |id: &str| fact.answers_for(&id.parse().unwrap());
        assert_eq!((target("hello"), target("http"), target("other")), (true, false, false));
    }

    #[test]
    fn of_another_version() {
        let empty: HostFact = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, HostFact::default());
        let text = r#"{"actors":[{"id":"a","concurrency":1,"state":"dreaming"},{"id":"b"}],"more":1}"#;
        let later: HostFact = serde_json::from_str(text).unwrap();
        assert_eq!(later.actors[0].state.word, "dreaming");
        assert!(!later.actors[0].answers() && !later.actors[1].answers());
        assert!(later.actors[0].state.state().is_none() && later.actors[1].exports.is_none());
        let text = r#"{"providers":[{"id":"p","state":"ready","links":[{"link":"rumour.x","mood":1},{}]}]}"#;
        let later: HostFact = serde_json::from_str(text).unwrap();
        assert!(later.providers[0].answers() && !later.providers[0].more_links);
        assert!(later.providers[0].links.iter().all(|link| link.key().is_none()));
    }
}
