//! The kinds of values in postern.toml. Each type checks its range, and its message states the
//! range.

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};

/// A whole number from `MIN` to `MAX`, and the default of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundedInteger<const MIN: u32, const MAX: u32, const DEFAULT: u32 = MIN>(u32);

impl<const MIN: u32, const MAX: u32, const DEFAULT: u32> BoundedInteger<MIN, MAX, DEFAULT> {
    /// Builds a value in the range; the range is checked at compile time.
    pub const fn new(value: u32) -> Self {
        assert!(MIN <= value && value <= MAX);
        Self(value)
    }

    pub fn value(self) -> u32 {
        self.0
    }
}

impl<const MIN: u32, const MAX: u32, const DEFAULT: u32> Default
    for BoundedInteger<MIN, MAX, DEFAULT>
{
    fn default() -> Self {
        const { Self::new(DEFAULT) }
    }
}

impl<'de, const MIN: u32, const MAX: u32, const DEFAULT: u32> Deserialize<'de>
    for BoundedInteger<MIN, MAX, DEFAULT>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntegerVisitor<const MIN: u32, const MAX: u32>;
        impl<const MIN: u32, const MAX: u32> Visitor<'_> for IntegerVisitor<MIN, MAX> {
            type Value = u32;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number from {MIN} to {MAX}")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                match u32::try_from(value) {
                    Ok(value) if (MIN..=MAX).contains(&value) => Ok(value),
                    _ => Err(E::custom(format_args!(
                        "must be a whole number from {MIN} to {MAX}"
                    ))),
                }
            }
        }
        let value = deserializer.deserialize_i64(IntegerVisitor::<MIN, MAX>)?;
        Ok(Self(value))
    }
}

impl<const MIN: u32, const MAX: u32, const DEFAULT: u32> Serialize
    for BoundedInteger<MIN, MAX, DEFAULT>
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

/// A duration from `MIN` to `MAX` seconds, and the default of its key: a number of seconds, or text
/// such as "90s", "5m", "12h", "30d".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration<const MIN: u64, const MAX: u64, const DEFAULT: u64 = MIN>(u64);

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

impl<const MIN: u64, const MAX: u64, const DEFAULT: u64> Duration<MIN, MAX, DEFAULT> {
    /// Builds a value in the range; the range is checked at compile time.
    pub const fn new(seconds: u64) -> Self {
        assert!(MIN <= seconds && seconds <= MAX);
        Self(seconds)
    }

    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64, const DEFAULT: u64> Default for Duration<MIN, MAX, DEFAULT> {
    fn default() -> Self {
        const { Self::new(DEFAULT) }
    }
}

/// Parses a duration; the unit may be missing, because an option of a PAM module is text without a
/// type.
impl<const MIN: u64, const MAX: u64, const DEFAULT: u64> std::str::FromStr
    for Duration<MIN, MAX, DEFAULT>
{
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = if is_number {
            text.parse().ok()
        } else {
            parse_with_unit(text)
        };
        seconds
            .filter(|s| (MIN..=MAX).contains(s))
            .map(Self)
            .ok_or(())
    }
}

/// Parses a number with a unit into seconds.
fn parse_with_unit(text: &str) -> Option<u64> {
    UNITS.iter().find_map(|(unit, length)| {
        let number = text.strip_suffix(unit)?.trim_end();
        let digits_only = number.bytes().all(|b| b.is_ascii_digit());
        number
            .parse::<u64>()
            .ok()
            .filter(|_| digits_only)?
            .checked_mul(*length)
    })
}

/// Formats seconds in the largest unit that gives a whole number.
fn format_seconds(seconds: u64) -> String {
    let fitting = UNITS
        .iter()
        .find(|(_, length)| seconds > 0 && seconds % length == 0);
    let (unit, length) = fitting.unwrap_or(&("s", 1));
    format!("{}{unit}", seconds / length)
}

impl<'de, const MIN: u64, const MAX: u64, const DEFAULT: u64> Deserialize<'de>
    for Duration<MIN, MAX, DEFAULT>
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Returns the seconds, if the text or number is a duration.
        struct DurationVisitor<const MIN: u64, const MAX: u64>;
        impl<const MIN: u64, const MAX: u64> Visitor<'_> for DurationVisitor<MIN, MAX> {
            type Value = Option<u64>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&duration_range(MIN, MAX))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
                Ok(u64::try_from(value).ok())
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
                Ok(parse_with_unit(value))
            }
        }
        let seconds = deserializer.deserialize_any(DurationVisitor::<MIN, MAX>)?;
        match seconds {
            Some(seconds) if (MIN..=MAX).contains(&seconds) => Ok(Self(seconds)),
            _ => Err(D::Error::custom(format_args!(
                "must be {}",
                duration_range(MIN, MAX)
            ))),
        }
    }
}

fn duration_range(min: u64, max: u64) -> String {
    format!(
        "a duration from {} to {}",
        format_seconds(min),
        format_seconds(max)
    )
}

impl<const MIN: u64, const MAX: u64, const DEFAULT: u64> Serialize for Duration<MIN, MAX, DEFAULT> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_seconds(self.0))
    }
}

/// The number of digits of a code, 6 or 8. The default is 6, which every authenticator app
/// supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Digits(u32);

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DigitsVisitor;
        impl Visitor<'_> for DigitsVisitor {
            type Value = Digits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("6 or 8")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Digits, E> {
                Digits::try_from(value).map_err(E::custom)
            }
        }
        deserializer.deserialize_i64(DigitsVisitor)
    }
}

impl Default for Digits {
    fn default() -> Digits {
        Digits(6)
    }
}

impl Digits {
    pub fn value(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Digits {
    type Error = &'static str;

    fn try_from(value: i64) -> Result<Digits, Self::Error> {
        match value {
            6 => Ok(Digits(6)),
            8 => Ok(Digits(8)),
            _ => Err("must be 6 or 8"),
        }
    }
}

/// One line of visible text, 1 to 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct SingleLine(String);

impl SingleLine {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SingleLine {
    type Error = &'static str;

    fn try_from(text: String) -> Result<SingleLine, Self::Error> {
        let visible = !text.trim().is_empty() && !text.chars().any(char::is_control);
        if visible && text.chars().count() <= 64 {
            Ok(SingleLine(text))
        } else {
            Err("must be 1 to 64 characters on one line, not all blank")
        }
    }
}

/// Name in a QR code. A colon separates it from the account there, so it has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Issuer(SingleLine);

impl Issuer {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<String> for Issuer {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Issuer, Self::Error> {
        if text.contains(':') {
            return Err("must have no colon: authenticator apps split the name there");
        }
        SingleLine::try_from(text).map(Issuer)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(try_from = "PathBuf")]
pub struct AbsolutePath(pub(super) PathBuf);

impl AbsolutePath {
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl TryFrom<PathBuf> for AbsolutePath {
    type Error = &'static str;

    fn try_from(path: PathBuf) -> Result<AbsolutePath, Self::Error> {
        if path.is_absolute() {
            Ok(AbsolutePath(path))
        } else {
            Err("must be an absolute path")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Serialize, Debug)]
    struct Doc {
        d: Duration<15, 86_400>,
    }

    fn seconds(text: &str) -> Option<u64> {
        toml::from_str::<Doc>(&format!("d = {text}"))
            .ok()
            .map(|doc| doc.d.seconds())
    }

    #[test]
    fn durations_are_numbers_of_seconds_or_have_a_unit() {
        for (text, value) in [
            ("30", 30),
            ("\"30s\"", 30),
            ("\"5m\"", 300),
            ("\"2 h\"", 7200),
            ("\"1d\"", 86_400),
        ] {
            assert_eq!(seconds(text), Some(value), "{text}");
        }
        for text in [
            "14",
            "86401",
            "-1",
            "\"\"",
            "\"s\"",
            "\"+30s\"",
            "\"1w\"",
            "1.5",
            "\"99999999999999999d\"",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn text_outside_of_files_needs_no_unit() {
        let seconds = |text: &str| {
            text.parse::<Duration<15, 86_400>>()
                .ok()
                .map(Duration::seconds)
        };
        for (text, value) in [("30", 30), ("30s", 30), ("5m", 300), ("1d", 86_400)] {
            assert_eq!(seconds(text), Some(value), "{text}");
        }
        for text in [
            "",
            "14",
            "86401",
            "-1",
            "+30",
            "s",
            "1w",
            "1.5",
            "99999999999999999999",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn a_refusal_states_the_range() {
        let error = toml::from_str::<Doc>("d = 5").unwrap_err();
        assert_eq!(error.message(), "must be a duration from 15s to 1d");
    }
}
