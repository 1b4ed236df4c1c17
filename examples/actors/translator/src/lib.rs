//! Greets in three languages. It answers no HTTP: other actors call it, through an interface of our own.

use bindings::exports::demo::translate::translator::{
    Audience, Everything, Greeting, Guest, Language, Manner, Refusal, Translation,
};

#[allow(missing_docs, unreachable_pub, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../wit/translate"],
        inline: "
            package examples:translator;
            world translator {
                export demo:translate/translator@0.1.0;
            }
        ",
        generate_all,
    });
}

bindings::export!(Translator with_types_in bindings);

struct Translator;

impl Guest for Translator {
    fn translate(greeting: Greeting) -> Result<Translation, Refusal> {
        let whom = match greeting.audience {
            Audience::Nobody => return Err(Refusal::NobodyToGreet),
            Audience::One(name) => name,
            Audience::Many(names) if names.is_empty() => return Err(Refusal::NobodyToGreet),
            Audience::Many(names) => names.join(", "),
        };
        let salute = salute(greeting.language, greeting.manner, greeting.hour)?;
        let text = format!("{salute}, {whom}!");
        let text = if greeting.manner.contains(Manner::LOUD) { text.to_uppercase() } else { text };
        let words = u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX);
        Ok(Translation { text, words })
    }

    fn repeat(all: Everything) -> Everything {
        all
    }
}

/// The words before the name.
fn salute(language: Language, manner: Manner, hour: Option<u8>) -> Result<&'static str, Refusal> {
    let evening = match hour {
        Some(hour @ 24..) => return Err(Refusal::NoSuchHour(hour)),
        Some(hour) => hour >= 18,
        None => false,
    };
    let formal = manner.contains(Manner::FORMAL);
    Ok(match (language, formal, evening) {
        (Language::English, false, false) => "Hello",
        (Language::English, true, false) => "Good day",
        (Language::English, _, true) => "Good evening",
        (Language::French, false, false) => "Salut",
        (Language::French, true, false) => "Bonjour",
        (Language::French, _, true) => "Bonsoir",
        (Language::German, false, false) => "Hallo",
        (Language::German, true, false) => "Guten Tag",
        (Language::German, _, true) => "Guten Abend",
    })
}
