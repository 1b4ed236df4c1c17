//! How much of an answer a host reads: a process is somebody else's program, and may say whatever it likes.

use std::{collections::BTreeSet, fmt};

use lattice_core::{HostedState, shortened};

use super::{HealthAnswer, LinkAnswer, RefusalAnswer, ServedInterface};

/// The longest answer, in bytes; a longer one is not read at all.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most characters of a text that people read; the rest is cut off.
pub const TEXT_CHARS_MAX: usize = 512;
/// The most interfaces that a provider takes part in; further ones do not count.
pub const SERVES_MAX: usize = 64;
/// The most links in one answer; of further ones nothing is known.
pub const LINKS_TOLD_MAX: usize = 1000;
/// The most askers in one answer of which a host hears that something was refused to them.
pub const REFUSALS_MAX: usize = 65;
/// The most bytes of a name of an interface or an asker, and of a word for a state.
const NAME_BYTES_MAX: usize = 128;
/// The most bytes of what names a link: five names and what stands between them.
const LINK_BYTES_MAX: usize = 1024;

/// What of an answer was over its bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Over {
    /// A text that people read; it was cut.
    Text,
    /// The list of interfaces; it was cut.
    Serves,
    /// The name of an interface, which does not count.
    Interface,
    /// The list of links; it was cut.
    Links,
    /// The name of a link, which does not count.
    Link,
    /// The word for a state, or the name of the process; it reads as empty.
    Word,
    /// The list of refusals; it was cut, or the name of an asker reads as empty.
    Refusals,
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Over::Text => write!(f, "a text of more than {TEXT_CHARS_MAX} characters, which is cut"),
            Over::Serves => write!(f, "more than {SERVES_MAX} interfaces, of which the first count"),
            Over::Interface => {
                write!(
                    f,
                    "an interface with a name of more than {NAME_BYTES_MAX} bytes, which does not count"
                )
            }
            Over::Links => write!(f, "more than {LINKS_TOLD_MAX} links, of which the first count"),
            Over::Link => {
                write!(f, "a link with a name of more than {LINK_BYTES_MAX} bytes, which does not count")
            }
            Over::Refusals => {
                write!(
                    f,
                    "refusals of more than {REFUSALS_MAX} askers, or to one with a name of more than {NAME_BYTES_MAX} bytes"
                )
            }
            Over::Word => write!(f, "a word of more than {NAME_BYTES_MAX} bytes, which reads as none"),
        }
    }
}

impl HealthAnswer {
    /// The same with no more in it than a host reads, texts in one line, and what was over that.
    #[must_use]
    pub fn bounded(mut self) -> (Self, BTreeSet<Over>) {
        let mut over = BTreeSet::new();
        self.message = self.message.map(|message| text(&message, &mut over));
        word(&mut self.instance_id, &mut over);
        self.state = state(self.state, &mut over);
        self.serves.retain(|served| counts(served, &mut over));
        if self.serves.len() > SERVES_MAX {
            self.serves.truncate(SERVES_MAX);
            over.insert(Over::Serves);
        }
        if self.links.len() > LINKS_TOLD_MAX {
            self.links.truncate(LINKS_TOLD_MAX);
            self.more_links = true;
            over.insert(Over::Links);
        }
        self.links = self.links.into_iter().filter_map(|link| bounded(link, &mut over)).collect();
        if self.refusals.len() > REFUSALS_MAX {
            self.refusals.truncate(REFUSALS_MAX);
            over.insert(Over::Refusals);
        }
        self.refusals.iter_mut().for_each(|refusal| of_refusal(refusal, &mut over));
        (self, over)
    }
}

impl LinkAnswer {
    /// The same with no more in it than a host reads, texts in one line, and what was over that; none where it speaks of no link.
    #[must_use]
    pub fn bounded(self) -> (Option<Self>, BTreeSet<Over>) {
        let mut over = BTreeSet::new();
        (bounded(self, &mut over), over)
    }
}

fn bounded(mut answer: LinkAnswer, over: &mut BTreeSet<Over>) -> Option<LinkAnswer> {
    if answer.link.link.len() > LINK_BYTES_MAX {
        over.insert(Over::Link);
        return None;
    }
    answer.link.state = state(answer.link.state, over);
    Some(answer)
}

fn state(mut state: HostedState, over: &mut BTreeSet<Over>) -> HostedState {
    word(&mut state.word, over);
    state.reason = state.reason.map(|reason| text(&reason, over));
    state
}

fn of_refusal(refusal: &mut RefusalAnswer, over: &mut BTreeSet<Over>) {
    let RefusalAnswer { source, code, interface, message, count: _ } = refusal;
    for name in [source, code, interface] {
        if name.len() > NAME_BYTES_MAX {
            name.clear();
            over.insert(Over::Refusals);
        }
        *name = shortened(name, NAME_BYTES_MAX).into_owned();
    }
    *message = text(message, over);
}

fn text(text: &str, over: &mut BTreeSet<Over>) -> String {
    if text.chars().nth(TEXT_CHARS_MAX).is_some() {
        over.insert(Over::Text);
    }
    shortened(text, TEXT_CHARS_MAX).into_owned()
}

fn word(word: &mut String, over: &mut BTreeSet<Over>) {
    if word.len() > NAME_BYTES_MAX {
        word.clear();
        over.insert(Over::Word);
    }
}

fn counts(served: &ServedInterface, over: &mut BTreeSet<Over>) -> bool {
    let ServedInterface { namespace, package, interface, calls_actors: _ } = served;
    let fits = [namespace, package, interface].iter().all(|name| name.len() <= NAME_BYTES_MAX);
    if !fits {
        over.insert(Over::Interface);
    }
    fits
}

#[cfg(test)]
mod tests {
    use lattice_core::{Contract, HostedLink, LinkKey, LinkName, State};

    use super::*;

    fn link(source: &str, reason: &str) -> LinkAnswer {
        let key = LinkKey {
            source: source.parse().unwrap(),
            target: "kv".parse().unwrap(),
            contract: Contract::keyvalue(),
            name: LinkName::default(),
        };
        LinkAnswer::new(&key, &State::Failed(reason.to_owned()), 1)
    }

    fn serves(interface: String) -> ServedInterface {
        ServedInterface {
            namespace: "wasi".to_owned(),
            package: "keyvalue".to_owned(),
            interface,
            calls_actors: false,
        }
    }

    #[test]
    fn what_is_within_bounds_stays_as_it_is() {
        let answer = HealthAnswer {
            message: Some("größer".to_owned()),
            instance_id: "i".to_owned(),
            state: (&State::Degraded("ä".repeat(TEXT_CHARS_MAX))).into(),
            serves: (0..SERVES_MAX).map(|number| serves(number.to_string())).collect(),
            links: (0..LINKS_TOLD_MAX).map(|number| link(&number.to_string(), "full")).collect(),
            ..HealthAnswer::default()
        };
        assert_eq!(answer.clone().bounded(), (answer, BTreeSet::new()));
    }

    #[test]
    fn whatever_a_process_says_a_host_reads_no_more_than_so_much() {
        let (long, forged) = ("ä".repeat(100_000), "full\n\u{1b}[2Jready".to_owned());
        let names_nothing = HostedLink { link: "link.".repeat(1000), state: HostedState::default() };
        let mut links = vec![link("a", &long), link("b", &forged)];
        links.push(LinkAnswer { link: names_nothing, generation: 1 });
        links.extend((0..LINKS_TOLD_MAX).map(|number| link(&number.to_string(), "")));
        let refusal = RefusalAnswer {
            source: long.clone(),
            count: u64::MAX,
            interface: "a\u{1b}[2J".to_owned(),
            message: long.clone(),
            ..RefusalAnswer::default()
        };
        let answer = HealthAnswer {
            message: Some(long.clone()),
            instance_id: long.clone(),
            state: HostedState { word: long.clone(), reason: Some(long.clone()) },
            serves: std::iter::once(serves(long.clone()))
                .chain((0..1000).map(|number| serves(number.to_string())))
                .collect(),
            links,
            refusals: (0..100).map(|_| refusal.clone()).collect(),
            ..HealthAnswer::default()
        };
        let (read, over) = answer.bounded();
        let all =
            [Over::Text, Over::Serves, Over::Interface, Over::Links, Over::Link, Over::Word, Over::Refusals];
        assert_eq!(over, all.into());
        let RefusalAnswer { source, count, interface, message, .. } = &read.refusals[0];
        assert_eq!((read.refusals.len(), &**source, *count), (REFUSALS_MAX, "", u64::MAX));
        assert_eq!((&**interface, message.chars().count()), ("a\\u{1b}[2J", TEXT_CHARS_MAX + 1));
        let cut = format!("{}…", "ä".repeat(TEXT_CHARS_MAX));
        assert_eq!(read.message.as_deref(), Some(&*cut));
        assert_eq!((&*read.instance_id, &*read.state.word), ("", ""));
        assert_eq!(read.state.reason.as_deref(), Some(&*cut));
        assert_eq!((read.serves.len(), &*read.serves[0].interface), (SERVES_MAX, "0"));
        assert!(read.more_links && read.links.len() == LINKS_TOLD_MAX - 1, "{}", read.links.len());
        let reason = |at: usize| read.links[at].link.state.reason.clone().unwrap();
        assert_eq!((reason(0), reason(1)), (cut, "full\\n\\u{1b}[2Jready".to_owned()));
    }

    #[test]
    fn the_answer_about_one_link_is_bounded_likewise() {
        let (read, over) = link("a", &"x".repeat(600)).bounded();
        assert_eq!(over, [Over::Text].into());
        assert_eq!(read.unwrap().link.state.reason.unwrap().chars().count(), TEXT_CHARS_MAX + 1);
        let nothing = HostedLink { link: "x".repeat(2000), state: HostedState::default() };
        assert_eq!(LinkAnswer { link: nothing, generation: 0 }.bounded(), (None, [Over::Link].into()));
    }
}
