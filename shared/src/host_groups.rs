//! What is known of a person's groups on the host where nobody can look them up, at a check: of the groups that the
//! configuration asks about there, those that the person was in when the session began.
//!
//! They MUST be known or not known, never guessed: whoever is in no group that was asked about then may well be in
//! one that is asked about now.

use crate::config::{Config, Required};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The most groups that can be asked about: a cookie has a bit for each.
pub const MOST_GROUPS: usize = 256;

/// The groups that rules and the policy name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedGroups {
    /// In order.
    names: Vec<String>,
    mark: Mark,
}

/// Stands for what was asked: a part of its hash.
type Mark = [u8; 8];

/// Which of the groups that were asked about someone was in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownGroups {
    mark: Mark,
    /// One for each, in order; the first is the lowest of the first byte.
    bits: Vec<u8>,
}

/// The same, beside the names.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    names: &'a [String],
    bits: &'a [u8],
}

impl AskedGroups {
    /// What a configuration asks about.
    pub fn of(config: &Config) -> AskedGroups {
        AskedGroups::named(groups_asked(config).into_iter())
    }

    /// These.
    pub fn named<'a>(names: impl Iterator<Item = &'a str>) -> AskedGroups {
        let names: BTreeSet<&str> = names.collect();
        let mut hash = Sha256::new();
        for name in &names {
            hash.update(name.len().to_be_bytes());
            hash.update(name);
        }
        let mut mark = Mark::default();
        mark.copy_from_slice(&hash.finalize()[..8]);
        AskedGroups { names: names.into_iter().map(str::to_owned).collect(), mark }
    }
}

/// The groups that rules, exemptions and `policy.required` name.
pub(crate) fn groups_asked(config: &Config) -> BTreeSet<&str> {
    let rules = config.gate.rule.iter().flat_map(|rule| rule.groups.iter().map(|group| group.as_str()));
    let exempt = config.policy.exempt.iter().flat_map(|exempt| exempt.groups.iter().map(String::as_str));
    let required = match &config.policy.required {
        Required::Listed(words) => words.as_slice(),
        Required::Enrolled | Required::All => &[],
    };
    let required = required.iter().filter_map(|word| word.trim_start_matches('!').strip_prefix('%'));
    rules.chain(exempt).chain(required).collect()
}

impl KnownGroups {
    /// Those that were asked about, of someone who is in all of `groups` and in no others.
    pub fn among(asked: &AskedGroups, groups: &[String]) -> KnownGroups {
        let mut bits = vec![0; asked.names.len().div_ceil(8)];
        for (position, name) in asked.names.iter().enumerate() {
            if groups.contains(name) {
                bits[position / 8] |= 1 << (position % 8);
            }
        }
        KnownGroups { mark: asked.mark, bits }
    }

    /// The answer, if it was these that were asked about.
    pub fn answer<'a>(&'a self, asked: &'a AskedGroups) -> Option<Answered<'a>> {
        (self.mark == asked.mark).then_some(Answered { names: &asked.names, bits: &self.bits })
    }

    /// As a cookie holds it.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [&self.mark, self.bits.as_slice()].concat()
    }

    /// Reads what [`KnownGroups::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<KnownGroups> {
        let (mark, bits) = bytes.split_first_chunk()?;
        Some(KnownGroups { mark: *mark, bits: bits.to_vec() })
    }
}

impl<'a> Answered<'a> {
    /// Whether someone was in a group that was asked about.
    pub fn holds(&self, group: &str) -> bool {
        let position = self.names.binary_search_by(|name| name.as_str().cmp(group));
        position.is_ok_and(|position| self.has(position))
    }

    /// All that someone was in.
    pub fn held(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let answered = *self;
        let all = answered.names.iter().enumerate();
        all.filter(move |(position, _)| answered.has(*position)).map(|(_, name)| name.as_str())
    }

    fn has(&self, position: usize) -> bool {
        self.bits.get(position / 8).is_some_and(|byte| byte >> (position % 8) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> AskedGroups {
        AskedGroups::of(&toml::from_str(text).unwrap())
    }

    #[test]
    fn of_the_hosts_groups_those_that_were_asked_about_are_known() {
        let rules = "[[gate.rule]]\ngroups = [\"ops\", \"staff\"]\nthen = \"deny\"\n[[policy.exempt]]\ngroups = [\"away\"]";
        let asked = asked(rules);
        let known = KnownGroups::among(&asked, &["users", "staff", "away"].map(str::to_owned));
        let answered = known.answer(&asked).unwrap();
        assert_eq!(answered.held().collect::<Vec<_>>(), ["away", "staff"]);
        assert!(answered.holds("staff") && !answered.holds("ops") && !answered.holds("users"));
        assert_eq!(KnownGroups::from_bytes(&known.to_bytes()), Some(known));
    }

    #[test]
    fn as_many_as_there_may_be_take_few_bytes() {
        let names: Vec<String> = (0..MOST_GROUPS).map(|number| format!("group {number}")).collect();
        let asked = AskedGroups::named(names.iter().map(String::as_str));
        let known = KnownGroups::among(&asked, &names[3..]);
        assert!(known.to_bytes().len() <= 40);
        for (number, name) in names.iter().enumerate() {
            assert_eq!(known.answer(&asked).unwrap().holds(name), number >= 3, "{name}");
        }
    }

    #[test]
    fn an_answer_to_other_questions_is_none() {
        let nothing = asked("");
        let [ab, a_b] = [["ab", "c"], ["a", "bc"]].map(|[one, other]| {
            asked(&format!("[[gate.rule]]\ngroups = [\"{one}\", \"{other}\"]\nthen = \"deny\""))
        });
        let known = KnownGroups::among(&nothing, &[]);
        assert!(known.answer(&nothing).is_some() && known.answer(&ab).is_none());
        assert!(KnownGroups::among(&ab, &[]).answer(&a_b).is_none());
        assert!(KnownGroups::default().answer(&nothing).is_none(), "what was never asked is not known");
    }
}
