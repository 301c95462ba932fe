//! What is known of a person's groups on the host where nobody can look them up, at a check: of the groups that the
//! configuration asks about there, those that the person was in when the session began.
//!
//! They MUST be known or not known, never guessed: whoever is in no group that was asked about then may well be in
//! one that is asked about now.

use crate::config::Config;
use crate::groups::{self, GroupsError};
use crate::name::UserName;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// The groups that rules and exemptions name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedGroups {
    names: BTreeSet<String>,
    mark: Mark,
}

/// Stands for what was asked: a part of its hash.
type Mark = [u8; 8];

/// Of the groups that were asked about, those that someone was in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostGroups {
    mark: Mark,
    held: Vec<String>,
}

impl AskedGroups {
    /// What a configuration asks about.
    pub fn of(config: &Config) -> AskedGroups {
        let rules = config.gate.rule.iter().flat_map(|rule| rule.groups.iter().map(|group| group.as_str()));
        let exempt = config.policy.exempt.iter().flat_map(|exempt| exempt.groups.iter().map(String::as_str));
        let names: BTreeSet<String> = rules.chain(exempt).map(str::to_owned).collect();
        let mut hash = Sha256::new();
        for name in &names {
            hash.update(name.len().to_be_bytes());
            hash.update(name);
        }
        let mut mark = Mark::default();
        mark.copy_from_slice(&hash.finalize()[..8]);
        AskedGroups { names, mark }
    }

    /// Asks the host.
    pub fn look_up(&self, name: &UserName) -> Result<HostGroups, GroupsError> {
        let groups = if self.names.is_empty() { Vec::new() } else { groups::of(name)? };
        Ok(HostGroups::known(self, groups))
    }
}

impl HostGroups {
    /// Those that were asked about, among all that someone is in.
    pub fn known(asked: &AskedGroups, groups: impl IntoIterator<Item = String>) -> HostGroups {
        let held = groups.into_iter().filter(|group| asked.names.contains(group)).collect();
        HostGroups { mark: asked.mark, held }
    }

    /// Those that someone was in, if it was these that were asked about.
    pub fn answers(&self, asked: &AskedGroups) -> Option<&[String]> {
        (self.mark == asked.mark).then_some(&self.held)
    }

    /// As a cookie holds it: no name of a group has a line break.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [&self.mark, self.held.join("\n").as_bytes()].concat()
    }

    /// Reads what [`HostGroups::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<HostGroups> {
        let (mark, held) = bytes.split_first_chunk()?;
        let held = std::str::from_utf8(held).ok()?.lines().map(str::to_owned).collect();
        Some(HostGroups { mark: *mark, held })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> AskedGroups {
        AskedGroups::of(&toml::from_str(text).unwrap())
    }

    #[test]
    fn of_the_hosts_groups_those_that_were_asked_about_are_kept() {
        let rules = "[[gate.rule]]\ngroups = [\"ops\", \"staff\"]\nthen = \"deny\"\n[[policy.exempt]]\ngroups = [\"away\"]";
        let asked = asked(rules);
        let groups = ["users", "staff", "away"].map(str::to_owned);
        let held = HostGroups::known(&asked, groups);
        assert_eq!(held.answers(&asked), Some(&["staff".to_owned(), "away".to_owned()][..]));
        assert_eq!(HostGroups::from_bytes(&held.to_bytes()), Some(held));
    }

    #[test]
    fn an_answer_to_other_questions_is_none() {
        let nothing = asked("");
        let [ab, a_b] = [["ab", "c"], ["a", "bc"]].map(|[one, other]| {
            asked(&format!("[[gate.rule]]\ngroups = [\"{one}\", \"{other}\"]\nthen = \"deny\""))
        });
        let known = HostGroups::known(&nothing, Vec::new());
        assert_eq!(known.answers(&nothing), Some(&[][..]));
        assert_eq!(known.answers(&ab), None);
        assert_eq!(HostGroups::known(&ab, Vec::new()).answers(&a_b), None);
        assert_eq!(HostGroups::default().answers(&nothing), None, "what was never asked is not known");
    }
}
