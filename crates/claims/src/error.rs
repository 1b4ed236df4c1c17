//! Why something is not signed well enough, and what mends it.

use crate::{
    keys::{KeyError, KeyKind},
    section::SectionError,
};

/// Why a signature was not accepted. Every variant is a refusal; none is worth a retry with the same bytes, except
/// `NotYetValid`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// There is no claims section.
    #[error("it is not signed")]
    Unsigned,
    /// The bytes are no usable wasm.
    #[error(transparent)]
    Wasm(#[from] SectionError),
    /// The token is not three base64url segments of well-formed JSON with the required fields.
    #[error("its token is malformed: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The token's header names another type or algorithm.
    #[error("its token's header says typ {typ:?} and alg {alg:?}, where \"jwt\" and \"Ed25519\" are wanted")]
    WrongHeader {
        /// The `typ` field.
        typ: String,
        /// The `alg` field.
        alg: String,
    },
    /// `iss` is not a public key.
    #[error("the issuer in its token is not a key: {reason}")]
    BadIssuer {
        /// What is wrong with it.
        #[source]
        reason: KeyError,
    },
    /// `sub` is not a public key.
    #[error("the subject in its token is not a key: {reason}")]
    BadSubject {
        /// What is wrong with it.
        #[source]
        reason: KeyError,
    },
    /// `iss` is a key of a kind that issues no such claims.
    #[error("{issuer} is a key of kind {kind}, which issues no such claims")]
    WrongIssuerKind {
        /// The issuer.
        issuer: String,
        /// Its kind.
        kind: KeyKind,
    },
    /// `sub` is a key of another kind, for example a provider's token in an actor.
    #[error("its token is about {subject}, a key of kind {actual}, where one of kind {expected} is wanted")]
    WrongSubjectKind {
        /// The subject.
        subject: String,
        /// Its kind.
        actual: KeyKind,
        /// The wanted kind.
        expected: KeyKind,
    },
    /// The token was not signed by the key that it names as issuer, or was changed since.
    #[error("the signature is wrong: {issuer} did not sign this token")]
    BadSignature {
        /// The claimed issuer.
        issuer: String,
    },
    /// The signed hash is another one: the code was changed after signing.
    #[error("it was changed after it was signed: the signed hash is {expected}, the file's is {actual}")]
    Tampered {
        /// The hash in the claims.
        expected: String,
        /// The hash of the bytes.
        actual: String,
    },
    /// Signed before hashes were enforced, and the hash does not fit.
    #[error(
        "it was signed by an old tool (revision {revision}) and its hash cannot be confirmed: \
         signed {expected}, found {actual}"
    )]
    HashNotConfirmed {
        /// The hash in the claims.
        expected: String,
        /// The canonical hash of the bytes.
        actual: String,
        /// The revision of the claims; 0 when they name none.
        revision: u32,
    },
    /// The token's time is over.
    #[error("its signature expired at {}, now it is {}", utc_text(*at), utc_text(*now))]
    Expired {
        /// `exp`, unix seconds.
        at: u64,
        /// The clock, unix seconds.
        now: u64,
    },
    /// The token's time has not come.
    #[error(
        "its signature is valid from {} on, now it is {} (a clock may be {slack} s behind)",
        utc_text(*at),
        utc_text(*now)
    )]
    NotYetValid {
        /// `nbf`, unix seconds.
        at: u64,
        /// The clock, unix seconds.
        now: u64,
        /// How many seconds of clock difference were already allowed.
        slack: u64,
    },
    /// Well signed, by somebody who is not trusted.
    #[error("it is well signed, but its issuer {issuer} is not trusted here")]
    UntrustedIssuer {
        /// The issuer's `A…` key.
        issuer: String,
    },
    /// Well signed, by a key that signs for an account who is not trusted.
    #[error(
        "it is well signed, but its issuer {issuer} signs for account {account}, which is not trusted here"
    )]
    UntrustedAccount {
        /// The issuer's `A…` key.
        issuer: String,
        /// The account that it signs for.
        account: String,
    },
    /// Well signed, by a key that the lattice revoked, or whose account it revoked.
    #[error(
        "it is well signed, but {} was revoked in this lattice",
        match account {
            Some(account) => format!("account {account}, for which its issuer {issuer} signs,"),
            None => format!("its issuer {issuer}"),
        }
    )]
    RevokedIssuer {
        /// The issuer's `A…` key.
        issuer: String,
        /// The account that it signs for, where that is what was revoked.
        account: Option<String>,
    },
}

impl VerifyError {
    /// What to type to mend it; `FILE` stands for the file in question.
    pub fn remedy(&self) -> String {
        const SIGN: &str = "wash claims sign FILE --name NAME";
        match self {
            VerifyError::Unsigned => {
                format!("sign it: {SIGN}  (or, for development only: wasmcloud --allow-unsigned)")
            }
            VerifyError::Wasm(SectionError::NotWasm { .. }) => {
                "give a WebAssembly component, for example one built by: cargo build --target wasm32-wasip2"
                    .to_owned()
            }
            VerifyError::Wasm(SectionError::SeveralClaims { .. }) => {
                format!("sign it again, which leaves one signature: {SIGN}")
            }
            VerifyError::Wasm(_) => {
                "build it again, or fetch it again, whole; then: wash inspect FILE".to_owned()
            }
            VerifyError::Malformed { .. }
            | VerifyError::WrongHeader { .. }
            | VerifyError::BadIssuer { .. }
            | VerifyError::BadSubject { .. }
            | VerifyError::BadSignature { .. } => format!("sign it again: {SIGN}"),
            VerifyError::WrongIssuerKind { .. } => {
                format!("sign it with an account key (wash keys gen account): {SIGN} --issuer SEED")
            }
            VerifyError::WrongSubjectKind { expected, .. } => {
                format!("sign it with a key of kind {expected} as its subject: {SIGN} --subject SEED")
            }
            VerifyError::Tampered { .. } => {
                format!("fetch the original again; if the change is yours, sign it again: {SIGN}")
            }
            VerifyError::HashNotConfirmed { .. } => {
                format!("if you know where it comes from, sign it yourself: {SIGN}")
            }
            VerifyError::Expired { .. } => format!("sign it again with a later end: {SIGN} --expires DAYS"),
            VerifyError::NotYetValid { .. } => {
                format!("wait, set this machine's clock, or sign it again without --nbf: {SIGN}")
            }
            VerifyError::UntrustedIssuer { issuer: account }
            | VerifyError::UntrustedAccount { account, .. } => {
                format!(
                    "if you trust it: wash trust add {account}  (or where a host starts: wash up --trust {account}, \
                     wasmcloud --trust {account})"
                )
            }
            VerifyError::RevokedIssuer { issuer, account } => {
                let revoked = account.as_ref().unwrap_or(issuer);
                format!(
                    "sign it with a key that counts (wash trust list); if it was revoked by mistake: wash trust add {revoked}"
                )
            }
        }
    }
}

/// Why something could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The bytes are no usable wasm.
    #[error(transparent)]
    Wasm(#[from] SectionError),
    /// A key is of a kind that cannot do this.
    #[error("{role} {key} is a key of kind {actual}, where one of kind {expected} is wanted")]
    KeyKind {
        /// `issuer` or `subject`.
        role: &'static str,
        /// The public key.
        key: String,
        /// Its kind.
        actual: KeyKind,
        /// The wanted kinds, joined by "or".
        expected: String,
    },
    /// The claims name another issuer than the key that is to sign them.
    #[error("the claims name {claims} as issuer, but the signing key is {key}")]
    IssuerMismatch {
        /// The issuer in the claims.
        claims: String,
        /// The signing key.
        key: String,
    },
    /// A time in the claims is beyond the year 2106, which readers of tokens do not agree on.
    #[error("{field} is {value} s since 1970, more than a token can carry ({})", u32::MAX)]
    Time {
        /// `iat`, `exp` or `nbf`.
        field: &'static str,
        /// Unix seconds.
        value: u64,
    },
    /// The claims end before they begin, or have ended already.
    #[error("the signature would never be valid: it begins at {} and ends at {}", utc_text(*begins), utc_text(*ends))]
    NeverValid {
        /// `nbf` or now, unix seconds.
        begins: u64,
        /// `exp`, unix seconds.
        ends: u64,
    },
    /// A name in the claims is not usable.
    #[error("call alias {alias:?} is not usable: {reason}")]
    CallAlias {
        /// The alias, normalised.
        alias: String,
        /// Why.
        reason: &'static str,
    },
    /// The token would be too long.
    #[error(
        "the token would be {bytes} bytes long, more than {max}; shorten tags, names or the config schema"
    )]
    TooLong {
        /// How long.
        bytes: usize,
        /// The most.
        max: usize,
    },
    /// The signing library refused.
    #[error("signing failed: {reason}")]
    Library {
        /// Its words.
        reason: String,
    },
}

/// Unix seconds as `2026-11-21 01:17:37 UTC`; far beyond the year 9999 as the bare number.
pub fn utc_text(unix_seconds: u64) -> String {
    const YEAR_10000: u64 = 253_402_300_800;
    if unix_seconds >= YEAR_10000 {
        return format!("{unix_seconds} s since 1970");
    }
    let (days, rest) = (unix_seconds / 86_400, unix_seconds % 86_400);
    // Days to civil date: years counted from March, so that the leap day comes last (Hinnant's algorithm).
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02} UTC", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_399, "2000-02-28 23:59:59 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_609_459_199, "2020-12-31 23:59:59 UTC"),
            (1_795_223_857, "2026-11-21 01:17:37 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (u64::MAX, "18446744073709551615 s since 1970"),
        ] {
            assert_eq!(utc_text(seconds), text);
        }
    }

    #[test]
    fn a_remedy_names_a_command_and_the_issuer() {
        let untrusted = VerifyError::UntrustedIssuer { issuer: "ABC".to_owned() };
        assert!(untrusted.remedy().contains("wash up --trust ABC"));
        assert!(untrusted.remedy().contains("wasmcloud --trust ABC"));
        assert!(VerifyError::Unsigned.remedy().contains("wash claims sign FILE --name NAME"));
        let early = VerifyError::NotYetValid { at: 100, now: 10, slack: 60 };
        assert!(early.to_string().contains("60 s"), "{early}");
    }
}
