//! The version of the Postern at the other end, for operators.

/// Version of a Postern, such as `0.1.0`: 1 to 32 letters, digits, dots, dashes, plus signs and tildes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseName(String);

impl ReleaseName {
    /// Longest version, in bytes.
    pub(super) const LONGEST: usize = 32;

    /// Returns the version of this program.
    pub fn own() -> ReleaseName {
        ReleaseName(env!("CARGO_PKG_VERSION").to_owned())
    }

    pub fn parse(text: &str) -> Option<ReleaseName> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-+~".contains(&byte);
        let is_release = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(is_allowed);
        is_release.then(|| ReleaseName(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_a_short_word() {
        assert!(ReleaseName::parse(ReleaseName::own().as_str()).is_some());
        for text in ["", "1 2", "1\n", "1\u{1b}[2J", "ä", &"1".repeat(33)] {
            assert_eq!(ReleaseName::parse(text), None, "{text:?}");
        }
    }
}
