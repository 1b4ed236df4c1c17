//! The time of day, as facts and events write it.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Now, RFC 3339, UTC.
#[must_use]
pub fn now_rfc3339() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).expect("the years 0 to 9999 can be written")
}
