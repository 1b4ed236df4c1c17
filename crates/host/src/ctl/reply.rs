//! Answers in the envelope of the v1 protocol.

use bytes::Bytes;
use lattice_control_interface::CtlResponse;
use serde::{Serialize, de::DeserializeOwned};

/// An answer; `Err` holds the text of a refusal.
pub(super) type Outcome<T = ()> = Result<Answer<T>, String>;

/// What a command that was carried out says.
pub(super) enum Answer<T> {
    /// Data.
    Data(T),
    /// A sentence.
    Said(String),
    /// No answer at all: an auction this host does not bid in.
    Silence,
}

/// A sentence as an outcome.
pub(super) fn said(text: impl Into<String>) -> Outcome {
    Ok(Answer::Said(text.into()))
}

/// Refuses for the disk's sake: what was asked for happens, and would be forgotten with the next restart.
pub(super) fn not_kept(why: String) -> String {
    format!(
        "it is done, but this host could not note it, so that a restart would undo it: {why}; mend that and try again"
    )
}

/// Writes an outcome; `None` for silence.
pub(super) fn write<T: Serialize>(outcome: Outcome<T>) -> Option<Bytes> {
    let response = match outcome {
        Ok(Answer::Data(data)) => CtlResponse::ok(data),
        Ok(Answer::Said(text)) => CtlResponse::success(text),
        Ok(Answer::Silence) => return None,
        Err(why) => CtlResponse::error(why),
    };
    let bytes = serde_json::to_vec(&response).unwrap_or_else(|error| {
        let refused = CtlResponse::<()>::error(format!("the answer cannot be written: {error}"));
        serde_json::to_vec(&refused).unwrap_or_default()
    });
    Some(Bytes::from(bytes))
}

/// Reads a command. An empty body reads as `{}`, as some v1 clients send none.
pub(super) fn read<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, String> {
    let body = if body.is_empty() { b"{}" } else { body };
    // serde reads a struct from a list as well: `[]` would stop a host, whose command has no mandatory field.
    if matches!(body.trim_ascii_start().first(), Some(first) if *first != b'{') {
        return Err(format!(
            "cannot read the {what} command: it is no JSON object; docs/control.md shows what to send"
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        format!("cannot read the {what} command: {error}; docs/control.md shows what to send")
    })
}
