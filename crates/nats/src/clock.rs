//! The time of day, as facts and events write it.

use std::time::Duration;

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Now, RFC 3339, UTC.
#[must_use]
pub fn now_rfc3339() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).expect("the years 0 to 9999 can be written")
}

/// The time so long ago, in the same form. Texts of this form sort as the times they mean, but for parts of a second.
pub(crate) fn rfc3339_before(ago: Duration) -> String {
    let then = OffsetDateTime::now_utc() - ago;
    then.format(&Rfc3339).expect("the years 0 to 9999 can be written")
}
