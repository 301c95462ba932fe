//! Evaluates the rules of the gate: which access a web request requires. A pure function of the
//! rules, the request and its user.
//!
//! The first rule that matches decides. Whether a rule matches can be uncertain: host, path or
//! method have two readings, or the rule depends on groups that are not known. Every rule that may
//! be the first match is then a candidate, and the strictest candidate decides, so that no reading
//! grants what another denies. A request without a session may come from any user: if that makes a
//! difference, a sign-in is required first.

mod index;

pub use index::IndexedRules;

use super::groups::GroupMembership;
use super::session_groups::RecordedGroups;
use crate::account::name::{Group, UserName};
use crate::config::gate::rule::{GateRule, RuleAccess};
use crate::config::value::Duration;
use crate::system::network::address::Address;
use crate::system::network::web_address::{self, AmbiguousPath, WebPath};
use std::cell::OnceCell;
use std::cmp::Reverse;
use std::fmt;

/// The parts of a web request that rules depend on.
pub struct RuleRequest<'a> {
    /// In lower case, without port and trailing dot.
    pub host: &'a str,
    /// Path with or without a query.
    pub target: &'a str,
    pub method: &'a str,
    pub address: Option<Address>,
}

/// A user who has signed in.
pub struct RuleUser<'a> {
    pub name: &'a UserName,
    /// Groups declared for the account, and groups that the store keeps.
    pub groups: [&'a [Group]; 2],
    /// Memberships in groups of the host that rules name, if they are known.
    pub host_groups: Option<RecordedGroups<'a>>,
}

/// The result of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleDecision {
    pub access: RuleAccess,
    /// Greatest age in seconds of the proof that the access requires.
    pub within: Option<u64>,
    /// Position (from 1) of the deciding rule in postern.toml; `None` for the default.
    pub rule: Option<usize>,
    pub reason: RuleReason,
}

/// Why a rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleReason {
    /// The rule is the first match.
    FirstMatch,
    /// Host, path or method has two readings; the rule is the strictest candidate.
    AmbiguousRequest,
    /// Several rules may be the first match, and all of them give the same access.
    SameAccess,
    /// The decision depends on the user, and no user has signed in. The access is
    /// [`RuleAccess::Password`], which requires a sign-in.
    NotSignedIn,
    /// The decision depends on groups of the host that are not known; the rule is the strictest
    /// candidate.
    GroupsUnknown,
    /// The decision depends on a group that no source knows, or whose source did not answer at the
    /// sign-in; the rule is the strictest candidate.
    GroupUnresolved,
}

impl RuleReason {
    /// Returns the reason as `postern check` prints it.
    pub fn text(self) -> &'static str {
        match self {
            RuleReason::FirstMatch => "the first that matches",
            RuleReason::SameAccess => "every rule that could match gives the same",
            RuleReason::AmbiguousRequest => {
                "host, path or method is ambiguous; the strictest that could match"
            }
            RuleReason::NotSignedIn => "depends on the user, and no one has signed in",
            RuleReason::GroupUnresolved => {
                "depends on a group that no source knows or answers for; the strictest that could match"
            }
            RuleReason::GroupsUnknown => {
                "depends on groups of the host that are not known; the strictest that could match"
            }
        }
    }
}

impl RuleDecision {
    /// The decision where no rule matches.
    const DEFAULT: RuleDecision = RuleDecision {
        access: RuleAccess::Code,
        within: None,
        rule: None,
        reason: RuleReason::FirstMatch,
    };

    /// Returns the strictness of access and age, in ascending order.
    fn strictness(&self) -> (RuleAccess, Reverse<u64>) {
        (self.access, Reverse(self.within.unwrap_or(u64::MAX)))
    }

    /// Requires a passkey in the place of a code.
    #[must_use]
    pub fn with_passkey(self) -> RuleDecision {
        RuleDecision {
            access: RuleAccess::Passkey,
            ..self
        }
    }

    /// Returns the name of the rule in logs.
    pub fn name(&self) -> RuleName {
        RuleName(self.rule)
    }
}

/// The name of a rule in logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleName(pub Option<usize>);

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(position) => write!(f, "gate.rule-{position}"),
            None => f.write_str("default"),
        }
    }
}

/// Whether a rule matches a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RuleMatch {
    No,
    Possible(RuleReason),
    Yes,
}

impl RuleMatch {
    fn from_bool(holds: bool) -> RuleMatch {
        if holds { RuleMatch::Yes } else { RuleMatch::No }
    }

    /// Combines two conditions that must both hold.
    fn and(self, other: impl FnOnce() -> RuleMatch) -> RuleMatch {
        match self {
            RuleMatch::No => RuleMatch::No,
            RuleMatch::Yes => other(),
            RuleMatch::Possible(_) => match other() {
                RuleMatch::No => RuleMatch::No,
                // an unknown user comes first: the rest is evaluated again after the sign-in
                RuleMatch::Possible(RuleReason::NotSignedIn) => {
                    RuleMatch::Possible(RuleReason::NotSignedIn)
                }
                _ => self,
            },
        }
    }
}

/// Returns the access that a request requires. `None` as the user: no user has signed in.
pub fn evaluate_rules(
    rules: &[GateRule],
    request: &RuleRequest<'_>,
    user: Option<&RuleUser<'_>>,
) -> RuleDecision {
    decide(rules.iter().zip(1..), request, user)
}

/// Evaluates rules, each with its position (from 1), in the order in which they are listed.
fn decide<'a>(
    rules: impl Iterator<Item = (&'a GateRule, usize)>,
    request: &RuleRequest<'_>,
    user: Option<&RuleUser<'_>>,
) -> RuleDecision {
    let parsed = ParsedRequest {
        request,
        is_host: OnceCell::new(),
        path: OnceCell::new(),
    };
    let mut candidates = CandidateDecisions::default();
    for (rule, position) in rules {
        let reason = match rule
            .matches_request(&parsed)
            .and(|| rule.matches_user(user))
        {
            RuleMatch::No => continue,
            RuleMatch::Possible(reason) => reason,
            RuleMatch::Yes => RuleReason::FirstMatch,
        };
        candidates.add(RuleDecision {
            access: rule.then,
            within: rule.within.map(Duration::seconds),
            rule: Some(position),
            reason,
        });
        if reason == RuleReason::FirstMatch {
            return candidates.select();
        }
    }
    candidates.add(RuleDecision::DEFAULT);
    candidates.select()
}

/// The decisions of all rules that may be the first match.
#[derive(Default)]
struct CandidateDecisions {
    strictest: Option<RuleDecision>,
    /// The first decision that depends on an unknown user.
    not_signed_in: Option<RuleDecision>,
    /// The smallest age that any of them sets.
    within: Option<u64>,
    differ: bool,
}

impl CandidateDecisions {
    fn add(&mut self, decision: RuleDecision) {
        if decision.reason == RuleReason::NotSignedIn {
            self.not_signed_in = self.not_signed_in.or(Some(decision));
        }
        self.within = self.within.into_iter().chain(decision.within).min();
        match self.strictest {
            Some(current) => {
                self.differ |= current.strictness() != decision.strictness();
                if current.strictness() < decision.strictness() {
                    self.strictest = Some(decision);
                }
            }
            None => self.strictest = Some(decision),
        }
    }

    fn select(self) -> RuleDecision {
        // no candidate: the default
        let strictest = self.strictest.unwrap_or(RuleDecision::DEFAULT);
        // The age that a less strict candidate sets holds for the stricter proof too.
        let strictest = RuleDecision {
            within: match strictest.access {
                RuleAccess::Password | RuleAccess::Code | RuleAccess::Passkey => self.within,
                RuleAccess::Open | RuleAccess::Deny => None,
            },
            ..strictest
        };
        match self.not_signed_in {
            _ if !self.differ && strictest.reason != RuleReason::FirstMatch => RuleDecision {
                reason: RuleReason::SameAccess,
                ..strictest
            },
            // this decision may apply whichever user signs in
            Some(first) if strictest.access == RuleAccess::Deny && strictest.rule < first.rule => {
                strictest
            }
            // also if a later candidate denies: rules are evaluated again after the sign-in
            Some(first) => RuleDecision {
                access: RuleAccess::Password,
                within: None,
                ..first
            },
            // the strictest decides even if a less strict one is certain
            None => strictest,
        }
    }
}

/// A request whose parts are parsed at most once for all rules.
struct ParsedRequest<'a> {
    request: &'a RuleRequest<'a>,
    is_host: OnceCell<bool>,
    path: OnceCell<Result<WebPath, AmbiguousPath>>,
}

impl GateRule {
    /// Whether the rule matches the request, apart from its user.
    fn matches_request(&self, parsed: &ParsedRequest<'_>) -> RuleMatch {
        let request = parsed.request;
        let in_network = || {
            let inside = |address| {
                self.networks
                    .iter()
                    .any(|network| network.contains(address))
            };
            self.networks.is_empty() || request.address.is_some_and(inside)
        };
        self.matches_host(parsed)
            .and(|| self.matches_method(request.method))
            .and(|| RuleMatch::from_bool(in_network()))
            .and(|| self.matches_path(parsed))
    }

    /// Compares methods as sent. A difference in case alone is ambiguous, because an application
    /// may treat `get` as GET.
    fn matches_method(&self, method: &str) -> RuleMatch {
        let mut methods = self.methods.iter().map(|listed| listed.as_str());
        if self.methods.is_empty() || methods.clone().any(|listed| listed == method) {
            RuleMatch::Yes
        } else if methods.any(|listed| listed.eq_ignore_ascii_case(method)) {
            RuleMatch::Possible(RuleReason::AmbiguousRequest)
        } else {
            RuleMatch::No
        }
    }

    fn matches_host(&self, parsed: &ParsedRequest<'_>) -> RuleMatch {
        let host = parsed.request.host;
        if self.hosts.is_empty() {
            RuleMatch::Yes
        } else if !parsed.is_host.get_or_init(|| web_address::is_host(host)) {
            RuleMatch::Possible(RuleReason::AmbiguousRequest)
        } else {
            RuleMatch::from_bool(self.hosts.iter().any(|listed| listed.matches_host(host)))
        }
    }

    fn matches_path(&self, ParsedRequest { request, path, .. }: &ParsedRequest<'_>) -> RuleMatch {
        if self.paths.is_empty() {
            return RuleMatch::Yes;
        }
        match path.get_or_init(|| WebPath::parse(request.target)) {
            Ok(path) => RuleMatch::from_bool(self.paths.iter().any(|top| path.is_below(top))),
            Err(AmbiguousPath) => RuleMatch::Possible(RuleReason::AmbiguousRequest),
        }
    }

    /// Whether the rule matches the user.
    fn matches_user(&self, user: Option<&RuleUser<'_>>) -> RuleMatch {
        if self.users.is_empty() && self.groups.is_empty() {
            return RuleMatch::Yes;
        }
        let Some(user) = user else {
            return RuleMatch::Possible(RuleReason::NotSignedIn);
        };
        let named = self.users.is_empty() || self.users.contains(user.name);
        RuleMatch::from_bool(named).and(|| self.matches_groups(user))
    }

    fn matches_groups(&self, user: &RuleUser<'_>) -> RuleMatch {
        let is_member = |group: &Group| user.groups.iter().any(|groups| groups.contains(group));
        if self.groups.is_empty() || self.groups.iter().any(is_member) {
            return RuleMatch::Yes;
        }
        match user.host_groups {
            Some(host_groups) => {
                let any_is = |wanted| {
                    self.groups
                        .iter()
                        .any(|group| host_groups.membership(group.as_str()) == wanted)
                };
                match (
                    any_is(GroupMembership::Yes),
                    any_is(GroupMembership::Unknown),
                ) {
                    (true, _) => RuleMatch::Yes,
                    (false, true) => RuleMatch::Possible(RuleReason::GroupUnresolved),
                    (false, false) => RuleMatch::No,
                }
            }
            None => RuleMatch::Possible(RuleReason::GroupsUnknown),
        }
    }
}

#[cfg(test)]
mod tests;
