//! Greets over HTTP, with the words of another actor: `/Anna?language=french&hour=20`, where everything may be left out.
//!
//! Which actor translates is decided by the link from this one for `demo:translate`. The call looks like any other function;
//! it stays in the host where the translator runs there too, and crosses the lattice where it does not.

use actor_http::{query_value, respond, split_target};
use bindings::demo::translate::translator::{
    Audience, Everything, Greeting, Language, Manner, Numbers, Refusal, Translation, repeat, translate,
};
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

#[allow(missing_docs, unreachable_pub, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../wit/translate"],
        inline: "
            package examples:greeter;
            world greeter {
                import demo:translate/translator@0.1.0;
            }
        ",
        generate_all,
        additional_derives: [PartialEq, Clone],
    });
}

wasip2::http::proxy::export!(Greeter);

struct Greeter;

impl Guest for Greeter {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        let (path, query) = split_target(&request);
        let (status, text) = match path.as_str() {
            "/everything" => every_kind_of_value(),
            path => greet(path.trim_start_matches('/'), &query),
        };
        respond(response_out, status, "text/plain; charset=utf-8", format!("{text}\n").as_bytes());
    }
}

fn greet(names: &str, query: &str) -> (u16, String) {
    let Some(greeting) = greeting(names, query) else {
        return (400, "languages are english, french and german, and an hour is a number".to_owned());
    };
    match translate(&greeting) {
        Ok(Translation { text, .. }) => (200, text),
        Err(Refusal::NobodyToGreet) => (404, "there is nobody to greet".to_owned()),
        Err(Refusal::NoSuchHour(hour)) => (400, format!("no day has an hour {hour}")),
    }
}

/// What the request asks for; `None` where it makes no sense.
fn greeting(names: &str, query: &str) -> Option<Greeting> {
    let language = match query_value(query, "language").as_deref() {
        None | Some("english") => Language::English,
        Some("french") => Language::French,
        Some("german") => Language::German,
        Some(_) => return None,
    };
    let mut manner = Manner::empty();
    manner.set(Manner::FORMAL, query_value(query, "formal").is_some());
    manner.set(Manner::LOUD, query_value(query, "loud").is_some());
    let hour = query_value(query, "hour").map(|hour| hour.parse()).transpose().ok()?;
    let mut names: Vec<String> =
        names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let audience = match names.len() {
        0 => Audience::Nobody,
        1 => Audience::One(names.remove(0)),
        _ => Audience::Many(names),
    };
    Some(Greeting { language, manner, audience, hour })
}

/// Sends one of everything, and looks whether it comes back as it was.
fn every_kind_of_value() -> (u16, String) {
    let all = everything();
    if repeat(&all) == all {
        (200, "every kind of value came back as it went".to_owned())
    } else {
        (500, "something came back as something else".to_owned())
    }
}

fn everything() -> Everything {
    let greeting = |audience| Greeting {
        language: Language::German,
        manner: Manner::FORMAL | Manner::LOUD,
        audience,
        hour: Some(23),
    };
    Everything {
        truth: true,
        letter: '\u{10ffff}',
        numbers: Numbers {
            bytes: (u8::MAX, i8::MIN),
            shorts: (u16::MAX, i16::MIN),
            words: (u32::MAX, i32::MIN),
            longs: (u64::MAX, i64::MIN),
            floats: (f32::MIN_POSITIVE, f64::NEG_INFINITY),
        },
        greetings: vec![
            greeting(Audience::Nobody),
            greeting(Audience::One("\u{e4}\u{20ac}\u{1f600}".to_owned())),
            Greeting { hour: None, manner: Manner::empty(), ..greeting(Audience::Many(Vec::new())) },
        ],
        answers: vec![
            Ok(Translation { text: String::new(), words: 0 }),
            Err(Refusal::NobodyToGreet),
            Err(Refusal::NoSuchHour(24)),
        ],
        bare: (Err(()), Ok(0), Err("no".to_owned())),
        nested: Some(Some(vec![None, Some(("bytes".to_owned(), (0..=255).collect()))])),
        manners: vec![Manner::empty(), Manner::LOUD],
    }
}
