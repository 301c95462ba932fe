//! `[policy]`: who must have a second factor, and where no code is asked. What it means is for
//! [`crate::policy`] to say.

use crate::name::UserName;
use crate::place::Network;
use serde::{Deserialize, Serialize};

/// `[policy]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Who must have a second factor.
    pub required: Required,
    /// Who, where, need not give a code.
    pub exempt: Vec<Exempt>,
}

/// `policy.required`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "toml::Value", into = "toml::Value")]
pub enum Required {
    /// Whoever has a second factor.
    #[default]
    Enrolled,
    /// Everyone.
    All,
    /// Names, `%groups`, and exceptions with `!`.
    Listed(Vec<String>),
}

impl TryFrom<toml::Value> for Required {
    type Error = &'static str;

    fn try_from(value: toml::Value) -> Result<Required, Self::Error> {
        const WHAT: &str =
            "must be \"enrolled\", \"all\", or a list of names, \"%groups\" and exceptions with \"!\"";
        match value {
            toml::Value::String(word) if word == "enrolled" => Ok(Required::Enrolled),
            toml::Value::String(word) if word == "all" => Ok(Required::All),
            toml::Value::Array(words) => words
                .into_iter()
                .map(|word| match word {
                    toml::Value::String(word) if is_name(&word) => Ok(word),
                    _ => Err(WHAT),
                })
                .collect::<Result<_, _>>()
                .map(Required::Listed),
            _ => Err(WHAT),
        }
    }
}

/// Whether a word can be a name or `%group`, perhaps with `!`.
fn is_name(word: &str) -> bool {
    let word = word.strip_prefix('!').unwrap_or(word);
    let word = word.strip_prefix('%').unwrap_or(word);
    UserName::parse(word.as_bytes()).is_ok() && !word.starts_with(['!', '%', '@', '+'])
}

impl From<Required> for toml::Value {
    fn from(required: Required) -> toml::Value {
        match required {
            Required::Enrolled => "enrolled".into(),
            Required::All => "all".into(),
            Required::Listed(words) => words.into(),
        }
    }
}

/// `[[policy.exempt]]`: every condition given must hold; of each, one alternative.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exempt {
    /// Groups of the host.
    pub groups: Vec<String>,
    /// PAM services.
    pub services: Vec<String>,
    /// Networks of the remote address.
    pub networks: Vec<Network>,
}
