//! Dates and times as other systems write them, as seconds since 1970. Only the formats of imports
//! are parsed.

use crate::system::clock::Timestamp;

/// Parses `2026-11-21T17:34:54` as UTC; Go and SQL print a blank instead of the `T`.
pub(super) fn parse_civil(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let punctuated = bytes.len() == 19
        && [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')]
            .iter()
            .all(|(index, mark)| bytes[*index] == *mark)
        && matches!(bytes[10], b'T' | b't' | b' ');
    if !punctuated {
        return None;
    }
    let part = |from, to| number(text, from, to);
    let date = [part(0, 4)?, part(5, 7)?, part(8, 10)?];
    let time = [part(11, 13)?, part(14, 16)?, part(17, 19)?];
    Timestamp::from_civil(date, time)
}

/// Parses RFC 3339: a date and time with any fraction and its offset from UTC.
pub(super) fn parse_rfc3339(text: &str) -> Option<Timestamp> {
    let local = parse_civil(text.get(..19)?)?;
    let rest = text.get(19..)?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    if zone.eq_ignore_ascii_case("Z") {
        return Some(local);
    }
    let bytes = zone.as_bytes();
    if bytes.len() != 6 || bytes[3] != b':' {
        return None;
    }
    let (hours, minutes) = (number(zone, 1, 3)?, number(zone, 4, 6)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = hours * 3600 + minutes * 60;
    match bytes[0] {
        b'+' => Some(local.minus(offset)),
        b'-' => Some(local.plus(offset)),
        _ => None,
    }
}

fn number(text: &str, from: usize, to: usize) -> Option<u64> {
    let digits = text.get(from..to)?;
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_timestamps_are_parsed_to_the_same_value() {
        for seconds in (0..4_102_444_800).step_by(86_399 * 7) {
            let time = Timestamp(seconds);
            assert_eq!(parse_rfc3339(&time.to_string()), Some(time));
        }
    }

    #[test]
    fn offsets_and_fractions_are_parsed() {
        for text in [
            "2026-11-21T16:34:54Z",
            "2026-11-21T17:34:54.123456789+01:00",
            "2026-11-21T07:04:54-09:30",
            "2026-11-21 16:34:54.5z",
        ] {
            let time = Some(Timestamp(1_795_278_894));
            assert_eq!(parse_rfc3339(text), time, "{text}");
        }
    }

    #[test]
    fn malformed_times_are_refused() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T17:34:54",
            "2026-11-21T17:34:54.Z",
            "2026-11-21T17:34:54+1:00",
            "2026-11-21T17:34:54*01:00",
            "2026-02-29T17:34:54Z",
            "2026-13-01T17:34:54Z",
            "1969-12-31T23:59:59Z",
            "2026-11-21T24:34:54Z",
            "2026-11-21T+7:34:54Z",
            "2026-11-21T17:34:54ü",
            "üüüüüüüüüü17:34:54Z",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
