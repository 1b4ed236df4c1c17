//! Quantities as people write them: `256MiB`, `10s`.

use std::time::Duration;

const SIZES: &[(&str, u64)] = &[
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
    ("", 1),
];

const TIMES: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];

/// Bytes of `256MiB`, `64KB` or `65536`.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    quantity(text, SIZES, "a size is a number and KiB, MiB, GiB, kB, MB or GB, as in 256MiB")
}

/// The duration of `250ms`, `10s`, `5m` or `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    quantity(text, TIMES, "a time is a number and ms, s, m or h, as in 10s").map(Duration::from_millis)
}

fn quantity(text: &str, units: &[(&str, u64)], form: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim_start());
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let number =
        number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    match number {
        Some(0) => Err("must be more than nothing".to_owned()),
        Some(number) => Ok(number),
        None => Err(form.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        for (text, want) in [("256MiB", 256 << 20), ("64 KiB", 65_536), ("1GB", 1_000_000_000), ("512", 512)]
        {
            assert_eq!(bytes(text), Ok(want), "{text}");
        }
        for (text, want) in [("10s", 10_000), ("250ms", 250), ("5m", 300_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(want)), "{text}");
        }
        for bad in ["", "MiB", "0", "-1", "1.5GiB", "1TB", "99999999999999999999", "99999999999GiB"] {
            assert!(bytes(bad).is_err(), "{bad}");
        }
        for bad in ["10", "s", "0s", "10sec"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
