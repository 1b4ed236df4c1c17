//! Every attempt, in the order in which they are made.

use crate::{
    attempt::{Attempt, Open, Place, Run},
    attempts::{
        archives, calls, commands, control, doors, facts, images, neighbours, packed, presence, processes,
        prowler, roles, sandbox, secrets, subjects, sweep, tales, text, viewer, visitor,
    },
    scene::{Mole, Vera},
};

use Open::{Refused, Succeeds};
use Place::{
    Actor, Archive, Disk, Host, Image, Listener, Manifest, Person, Provider, Registry, Stranger, Thief,
    Viewer, Visitor,
};

const fn attempt(number: u16, place: Place, tried: &'static str, open: Open, run: Run) -> Attempt {
    Attempt { number, place, tried, open, run }
}

/// All of them. The numbers are their places; a test holds that.
#[rustfmt::skip]
pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt(1, Stranger, "connects without credentials", Succeeds, doors::nothing),
    attempt(2, Stranger, "connects with a guessed password", Succeeds, doors::password),
    attempt(3, Stranger, "`PUB` by hand into the port, without logging in", Succeeds, doors::raw),
    attempt(4, Stranger, "a user token that it signed itself", Succeeds, doors::own_token),
    attempt(5, Stranger, "a token rewritten to allow everything, old signature kept", Succeeds, doors::rewritten_token),
    attempt(6, Stranger, "a token whose time is over", Succeeds, doors::expired_token),
    attempt(7, Stranger, "a token that was revoked a moment ago", Succeeds, doors::revoked_user),
    attempt(8, Stranger, "joins with a host of its own", Succeeds, doors::own_host),
    attempt(9, Stranger, "as another user of the machine: keys, credentials, logs on disk", Refused, doors::files),

    attempt(10, Provider, "control: hosts, inventory, links, configs, claims, trust, roles, names of secrets read", Succeeds, control::look),
    attempt(11, Provider, "control: configuration put and deleted", Succeeds, control::put_config),
    attempt(12, Provider, "control: link put and deleted", Succeeds, control::put_link),
    attempt(13, Provider, "control: actor started, updated, called, stopped", Succeeds, control::scale_actors),
    attempt(14, Provider, "control: provider started and stopped", Succeeds, control::start_provider),
    attempt(15, Provider, "control: label put and deleted", Succeeds, control::put_label),
    attempt(16, Provider, "control: account of its own trusted", Succeeds, control::put_trust),
    attempt(17, Provider, "control: itself made an admin", Refused, control::put_role),
    attempt(18, Provider, "control: living host forgotten, registry password planted", Refused, control::others),
    attempt(19, Provider, "calls an actor in the name of another one", Succeeds, calls::as_an_actor),
    attempt(20, Provider, "calls an actor in the name of wash, which needs no link", Succeeds, calls::as_wash),
    attempt(21, Provider, "calls an actor in its own name, without a link", Refused, calls::without_link),
    attempt(22, Provider, "answers in the name of others, and into their inboxes", Succeeds, calls::reply_as_others::<Mole>),
    attempt(23, Provider, "reads what comes back to others, and their inboxes", Succeeds, calls::read_replies::<Mole>),
    attempt(24, Provider, "reads calls of others, and takes them away by queue group", Succeeds, calls::read_calls::<Mole>),
    attempt(25, Provider, "reads events", Succeeds, subjects::read_events),
    attempt(26, Provider, "reads control requests, and takes them away by queue group", Succeeds, subjects::read_control::<Mole>),
    attempt(27, Provider, "reads logs", Succeeds, subjects::read_logs::<Mole>),
    attempt(28, Provider, "reads everything by the widest wildcards", Succeeds, subjects::read_everything::<Mole>),
    attempt(29, Provider, "writes an event of every kind", Succeeds, subjects::write_events::<Mole>),
    attempt(30, Provider, "writes logs", Succeeds, subjects::write_logs::<Mole>),
    attempt(31, Provider, "tells other providers links, health and their end", Succeeds, subjects::steer_providers::<Mole>),
    attempt(32, Provider, "writes a fact of every kind", Succeeds, facts::write::<Mole>),
    attempt(33, Provider, "fills the stream of facts", Succeeds, facts::fill::<Mole>),
    attempt(34, Provider, "reads the facts through JetStream", Succeeds, facts::read::<Mole>),
    attempt(35, Provider, "makes a stream that keeps what others are answered", Succeeds, facts::eavesdrop::<Mole>),
    attempt(36, Provider, "purges and deletes the stream of facts", Succeeds, facts::delete::<Mole>),
    attempt(37, Provider, "plays a host that is not there", Succeeds, presence::fake_host::<Mole>),
    attempt(38, Provider, "starts a provider by the control subjects of 2021", Refused, text::control_of_2021::<Mole>),

    attempt(39, Viewer, "changes whatever can be changed", Succeeds, viewer::control),
    attempt(40, Thief, "an operator's NATS password: unsigned commands of every kind", Succeeds, commands::unsigned),
    attempt(41, Thief, "a flood of unsigned commands", Succeeds, commands::flood),
    attempt(42, Person, "signs with a key that has no role", Succeeds, roles::no_role),
    attempt(43, Person, "signs with a viewer's key", Succeeds, roles::viewer_signs),
    attempt(44, Person, "signs for an actor that its role does not reach", Succeeds, roles::out_of_reach),
    attempt(45, Person, "an operator makes itself an admin", Refused, roles::own_admin),
    attempt(46, Host, "a host's NATS password: writes itself an admin, its account trusted", Succeeds, facts::past_all_hosts),
    attempt(47, Host, "beats in the name of another host", Succeeds, presence::as_another_host),

    attempt(48, Listener, "sends a captured command again, within its life", Succeeds, commands::again),
    attempt(49, Listener, "sends it with one byte of the body changed", Succeeds, commands::changed_body),
    attempt(50, Listener, "sends it with one byte of the signature changed", Succeeds, commands::changed_token),
    attempt(51, Listener, "sends it to another host", Succeeds, commands::elsewhere),
    attempt(52, Listener, "sends it as another command", Succeeds, commands::another_command),

    attempt(53, Image, "not signed", Refused, images::unsigned),
    attempt(54, Image, "signed by a stranger", Refused, images::by_a_stranger),
    attempt(55, Image, "signed by a key that was revoked", Refused, images::by_a_revoked_key),
    attempt(56, Image, "signed, and its time is over", Refused, images::expired),
    attempt(57, Image, "signed, then one byte changed", Refused, images::changed_byte),
    attempt(58, Image, "with the signature of another image", Refused, images::stolen_signature),
    attempt(59, Image, "with two signature sections", Refused, images::two_signatures),
    attempt(60, Image, "with a second module inside, or behind its end", Refused, images::second_module),
    attempt(61, Registry, "other bytes under the same digest, on the registry's disk", Refused, packed::other_bytes),
    attempt(62, Registry, "the tag moved to an image that it signed itself", Refused, packed::moved_tag),
    attempt(63, Registry, "more bytes than it promised", Refused, packed::more_than_promised),
    attempt(64, Archive, "path tricks, links and devices in a tar", Refused, archives::path_tricks),
    attempt(65, Archive, "a decompression bomb", Refused, archives::decompression_bomb),
    attempt(66, Archive, "a provider as in 2021: a program of a stranger's, run as it is", Refused, archives::foreign_provider),
    attempt(67, Disk, "compiled code poisoned in the cache", Refused, packed::poisoned_code),

    attempt(68, Actor, "files, environment, arguments, sockets of the machine", Refused, sandbox::machine),
    attempt(69, Actor, "SSRF: private addresses, NATS, the cloud's metadata", Refused, sandbox::by_address),
    attempt(70, Actor, "SSRF: by DNS, and numbers that a resolver takes for addresses", Refused, sandbox::by_name),
    attempt(71, Actor, "SSRF: by the many forms of IPv6", Refused, sandbox::by_ipv6),
    attempt(72, Actor, "SSRF: by a redirect of a server that may be asked", Refused, sandbox::by_redirect),
    attempt(73, Actor, "a key-value store that no link gives", Refused, sandbox::without_link),
    attempt(74, Actor, "endless time, memory and stack", Refused, sandbox::limits),
    attempt(75, Actor, "log lines with line breaks and control characters", Refused, text::actor_log),
    attempt(76, Visitor, "a request smuggled past the http-server by two lengths", Refused, visitor::smuggling),
    attempt(77, Visitor, "header fields with line breaks, two hosts, a proxy's fields", Refused, visitor::fields),
    attempt(78, Manifest, "a YAML bomb: a billion laughs", Refused, text::laughs),
    attempt(79, Manifest, "a YAML bomb: nesting deeper than any stack", Refused, text::deep),
    attempt(80, Person, "control characters for the operator's terminal and the host's log", Refused, text::terminal),

    attempt(81, Provider, "control: secret put and deleted", Succeeds, control::put_secret),
    attempt(82, Provider, "the sealed secrets, out of the bucket", Succeeds, secrets::as_provider),
    attempt(83, Viewer, "the sealed secrets, out of the bucket; what the list of secrets tells", Succeeds, secrets::as_viewer),
    attempt(84, Thief, "an operator's NATS password: the sealed secrets, out of the bucket", Succeeds, secrets::as_operator),
    attempt(85, Host, "a host's NATS password: opens the sealed secrets with a key of its own", Refused, secrets::boxes_as_host),
    attempt(86, Host, "the same: writes the boxes of one secret under the name of another", Refused, secrets::under_another_name),
    attempt(87, Person, "puts a captured box, of an earlier value, as another secret", Refused, secrets::put_under_another_name),
    attempt(88, Stranger, "joins with a host of its own, to be given the secrets", Succeeds, secrets::own_host),
    attempt(89, Actor, "secrets that it was not given, by every name that might lead there", Refused, secrets::not_given),
    attempt(90, Listener, "a secret's value in all that is sent, kept, logged and printed", Refused, secrets::leaks),
    attempt(91, Provider, "from inside its process: environment, arguments, open files, what it is told", Refused, processes::surroundings),
    attempt(92, Provider, "its own token with the name of another provider in it", Succeeds, processes::another_name),
    attempt(93, Provider, "hears what another provider's process is told, takes its calls away", Succeeds, processes::hears_a_neighbour),
    attempt(94, Provider, "tells another provider's process to end", Succeeds, processes::ends_a_neighbour),
    attempt(95, Provider, "tells its host of links and contracts of others", Refused, tales::of_others),
    attempt(96, Provider, "floods an actor with calls", Refused, processes::flood),
    attempt(97, Provider, "keeps its token when it was stopped", Succeeds, processes::after_its_stop),

    attempt(98, Listener, "puts an earlier value of a secret back by the captured command, after its life", Succeeds, secrets::earlier_value),
    attempt(99, Listener, "sends a captured command again, after its life", Succeeds, commands::later),
    attempt(100, Provider, "beats for a host that was killed", Succeeds, presence::dead_host),
    attempt(101, Viewer, "asks a host what it may ask, to be answered over a fact, as an event, as a command", Refused, viewer::answered_elsewhere),
    attempt(102, Archive, "one byte of its program changed; programs beside it that nobody signed", Refused, archives::changed),
    attempt(103, Archive, "with two signatures, or two programs of one name", Refused, archives::twice),
    attempt(104, Archive, "not signed, expired, with the signature of another, its claims rewritten", Refused, archives::badly_signed),
    attempt(105, Archive, "signed by a key that was revoked", Refused, archives::by_a_revoked_key),

    attempt(106, Provider, "calls another provider's process in its own name, without a link", Refused, neighbours::without_link),
    attempt(107, Provider, "calls another provider's process in the name of somebody with a link", Succeeds, neighbours::as_a_friend),
    attempt(108, Provider, "publishes wherever anybody else may", Succeeds, sweep::publish_all::<Mole>),
    attempt(109, Provider, "listens wherever anybody else may", Succeeds, sweep::listen_to_all::<Mole>),

    attempt(110, Viewer, "publishes wherever anybody else may", Succeeds, sweep::publish_all::<Vera>),
    attempt(111, Viewer, "listens wherever anybody else may", Succeeds, sweep::listen_to_all::<Vera>),
    attempt(112, Viewer, "calls an actor and a provider, in its own name and in those of others", Succeeds, viewer::calls),
    attempt(113, Viewer, "answers in the name of others, and into their inboxes", Succeeds, calls::reply_as_others::<Vera>),
    attempt(114, Viewer, "reads what comes back to others, and their inboxes", Succeeds, calls::read_replies::<Vera>),
    attempt(115, Viewer, "reads calls of others, and takes them away by queue group", Succeeds, calls::read_calls::<Vera>),
    attempt(116, Viewer, "reads control requests, and takes them away by queue group", Succeeds, subjects::read_control::<Vera>),
    attempt(117, Viewer, "reads logs, and what is copied of calls", Succeeds, subjects::read_logs::<Vera>),
    attempt(118, Viewer, "reads everything by the widest wildcards", Succeeds, subjects::read_everything::<Vera>),
    attempt(119, Viewer, "writes an event of every kind", Succeeds, subjects::write_events::<Vera>),
    attempt(120, Viewer, "writes logs", Succeeds, subjects::write_logs::<Vera>),
    attempt(121, Viewer, "tells providers links, health and their end", Succeeds, subjects::steer_providers::<Vera>),
    attempt(122, Viewer, "writes a fact of every kind", Succeeds, facts::write::<Vera>),
    attempt(123, Viewer, "fills the stream of facts", Succeeds, facts::fill::<Vera>),
    attempt(124, Viewer, "reads the facts through JetStream", Succeeds, facts::read::<Vera>),
    attempt(125, Viewer, "makes a stream that keeps what others are answered", Succeeds, facts::eavesdrop::<Vera>),
    attempt(126, Viewer, "purges and deletes the stream of facts", Succeeds, facts::delete::<Vera>),
    attempt(127, Viewer, "plays a host that is not there", Succeeds, presence::fake_host::<Vera>),
    attempt(128, Viewer, "starts a provider by the control subjects of 2021", Refused, text::control_of_2021::<Vera>),
    attempt(129, Viewer, "control: host stopped", Succeeds, viewer::stop_host),
    attempt(130, Provider, "its host's keys, credentials, memory and end, from its process", Refused, prowler::prowling),
    attempt(131, Provider, "control: host stopped", Succeeds, control::stop_host),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places_and_every_place_is_taken() {
        for (at, attempt) in ATTEMPTS.iter().enumerate() {
            assert_eq!(usize::from(attempt.number), at + 1, "{}", attempt.tried);
        }
        for place in [Stranger, Provider, Viewer, Actor, Registry, Archive] {
            assert!(ATTEMPTS.iter().any(|attempt| attempt.place == place), "{place}");
        }
    }
}
