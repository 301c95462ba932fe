//! Evaluates the rules of the gate: which access a web request requires. A pure function of the
//! rules, the request and its user.
//!
//! The first rule that matches decides. Whether a rule matches can be uncertain: host, path or
//! method have two readings, or the rule depends on groups that are not known. Every rule that may
//! be the first match is then a candidate, and the strictest candidate decides, so that no reading
//! grants what another denies. A request without a session may come from any user: if that makes a
//! difference, a sign-in is required first.

use super::groups::GroupMembership;
use super::session_groups::RecordedGroups;
use crate::account::name::{Group, UserName};
use crate::config::rule::{GateRule, RuleAccess};
use crate::network::address::Address;
use crate::network::web_address::{self, AmbiguousPath, WebPath};
use std::cell::OnceCell;
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
enum RuleFit {
    No,
    Perhaps(RuleReason),
    Yes,
}

impl RuleFit {
    fn when(holds: bool) -> RuleFit {
        if holds { RuleFit::Yes } else { RuleFit::No }
    }

    /// Combines two conditions that must both hold.
    fn and(self, other: impl FnOnce() -> RuleFit) -> RuleFit {
        match self {
            RuleFit::No => RuleFit::No,
            RuleFit::Yes => other(),
            RuleFit::Perhaps(_) => match other() {
                RuleFit::No => RuleFit::No,
                // an unknown user comes first: the rest is evaluated again after the sign-in
                RuleFit::Perhaps(RuleReason::NotSignedIn) => {
                    RuleFit::Perhaps(RuleReason::NotSignedIn)
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
    person: Option<&RuleUser<'_>>,
) -> RuleDecision {
    let reading = UrlReading {
        request,
        is_host: OnceCell::new(),
        path: OnceCell::new(),
    };
    let mut could = Could::default();
    for (rule, position) in rules.iter().zip(1..) {
        let why = match rule.fits(&reading).and(|| rule.fits_person(person)) {
            RuleFit::No => continue,
            RuleFit::Perhaps(why) => why,
            RuleFit::Yes => RuleReason::FirstMatch,
        };
        could.be(RuleDecision {
            access: rule.then,
            rule: Some(position),
            reason: why,
        });
        if why == RuleReason::FirstMatch {
            return could.decide();
        }
    }
    could.be(RuleDecision {
        access: RuleAccess::Code,
        rule: None,
        reason: RuleReason::FirstMatch,
    });
    could.decide()
}

/// The decisions of all rules that may be the first match.
#[derive(Default)]
struct Could {
    strictest: Option<RuleDecision>,
    /// The first decision that depends on an unknown user.
    nobody: Option<RuleDecision>,
    differ: bool,
}

impl Could {
    fn be(&mut self, decision: RuleDecision) {
        if decision.reason == RuleReason::NotSignedIn {
            self.nobody = self.nobody.or(Some(decision));
        }
        match self.strictest {
            Some(so_far) => {
                self.differ |= so_far.access != decision.access;
                if so_far.access < decision.access {
                    self.strictest = Some(decision);
                }
            }
            None => self.strictest = Some(decision),
        }
    }

    fn decide(self) -> RuleDecision {
        // no candidate: the default
        let strictest = self.strictest.unwrap_or(RuleDecision {
            access: RuleAccess::Code,
            rule: None,
            reason: RuleReason::FirstMatch,
        });
        match self.nobody {
            _ if !self.differ && strictest.reason != RuleReason::FirstMatch => RuleDecision {
                reason: RuleReason::SameAccess,
                ..strictest
            },
            // this decision may apply whichever user signs in
            Some(first) if strictest.access == RuleAccess::Deny && strictest.rule < first.rule => {
                strictest
            }
            // also if a later candidate denies: it is evaluated again for the user who has signed
            // in
            Some(first) => RuleDecision {
                access: RuleAccess::Password,
                ..first
            },
            // the strictest decides even if a less strict one is certain
            None => strictest,
        }
    }
}

/// A request whose parts are parsed at most once for all rules.
struct UrlReading<'a> {
    request: &'a RuleRequest<'a>,
    is_host: OnceCell<bool>,
    path: OnceCell<Result<WebPath, AmbiguousPath>>,
}

impl GateRule {
    /// Whether the rule matches the request, apart from its user.
    fn fits(&self, reading: &UrlReading<'_>) -> RuleFit {
        let request = reading.request;
        let in_network = || {
            let inside = |address| {
                self.networks
                    .iter()
                    .any(|network| network.contains(address))
            };
            self.networks.is_empty() || request.address.is_some_and(inside)
        };
        self.at_host(reading)
            .and(|| self.by_method(request.method))
            .and(|| RuleFit::when(in_network()))
            .and(|| self.on_path(reading))
    }

    /// Compares methods as sent. A difference in case alone is ambiguous, because an application
    /// may treat `get` as GET.
    fn by_method(&self, method: &str) -> RuleFit {
        match () {
            () if self.methods.is_empty() || self.methods.iter().any(|m| m.as_str() == method) => {
                RuleFit::Yes
            }
            () if self
                .methods
                .iter()
                .any(|m| m.as_str().eq_ignore_ascii_case(method)) =>
            {
                RuleFit::Perhaps(RuleReason::AmbiguousRequest)
            }
            () => RuleFit::No,
        }
    }

    fn at_host(
        &self,
        UrlReading {
            request, is_host, ..
        }: &UrlReading<'_>,
    ) -> RuleFit {
        match () {
            () if self.hosts.is_empty() => RuleFit::Yes,
            () if !is_host.get_or_init(|| web_address::is_host(request.host)) => {
                RuleFit::Perhaps(RuleReason::AmbiguousRequest)
            }
            () => RuleFit::when(
                self.hosts
                    .iter()
                    .any(|hosts| hosts.matches_host(request.host)),
            ),
        }
    }

    fn on_path(&self, UrlReading { request, path, .. }: &UrlReading<'_>) -> RuleFit {
        if self.paths.is_empty() {
            return RuleFit::Yes;
        }
        match path.get_or_init(|| WebPath::parse(request.target)) {
            Ok(path) => RuleFit::when(self.paths.iter().any(|top| path.is_below(top))),
            Err(AmbiguousPath) => RuleFit::Perhaps(RuleReason::AmbiguousRequest),
        }
    }

    /// Whether the rule matches the user.
    fn fits_person(&self, person: Option<&RuleUser<'_>>) -> RuleFit {
        if self.users.is_empty() && self.groups.is_empty() {
            return RuleFit::Yes;
        }
        let Some(person) = person else {
            return RuleFit::Perhaps(RuleReason::NotSignedIn);
        };
        let named = self.users.is_empty() || self.users.contains(person.name);
        RuleFit::when(named).and(|| self.fits_groups(person))
    }

    fn fits_groups(&self, person: &RuleUser<'_>) -> RuleFit {
        let known = |group: &Group| person.groups.iter().any(|groups| groups.contains(group));
        if self.groups.is_empty() || self.groups.iter().any(known) {
            return RuleFit::Yes;
        }
        match person.host_groups {
            Some(of_host) => {
                let of = |wanted| {
                    self.groups
                        .iter()
                        .any(|group| of_host.membership(group.as_str()) == wanted)
                };
                match (of(GroupMembership::Yes), of(GroupMembership::Unknown)) {
                    (true, _) => RuleFit::Yes,
                    (false, true) => RuleFit::Perhaps(RuleReason::GroupUnresolved),
                    (false, false) => RuleFit::No,
                }
            }
            None => RuleFit::Perhaps(RuleReason::GroupsUnknown),
        }
    }
}

#[cfg(test)]
mod tests;
