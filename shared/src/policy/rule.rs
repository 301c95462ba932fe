//! The rules of the gate together: what it takes to make a web request. A pure function of the rules, the request, and
//! whoever makes it.
//!
//! The first rule that fits decides. Of some it cannot be said whether they fit: the host or the path can be read in
//! two ways, or it hangs on groups that nobody knows of. Then every rule that could be the first counts, and the
//! strictest of them decides, so that no reading lets in what another keeps out. Who has not signed in could be
//! anybody: where that matters, they are asked.

use super::groups::GroupMembership;
use super::session_groups::RecordedGroups;
use crate::account::name::{Group, UserName};
use crate::config::rule::{GateRule, RuleAccess};
use crate::network::address::Address;
use crate::network::web_address::{self, AmbiguousPath, WebPath};
use std::cell::OnceCell;
use std::fmt;

/// A web request, as far as rules go.
pub struct RuleRequest<'a> {
    /// In lower case, without port and trailing dot.
    pub host: &'a str,
    /// The path, with or without a query.
    pub target: &'a str,
    /// The method.
    pub method: &'a str,
    /// The client's address.
    pub address: Option<Address>,
}

/// Someone who has signed in.
pub struct RuleUser<'a> {
    /// The account's name.
    pub name: &'a UserName,
    /// The groups that Postern knows of: those declared, and those that the store keeps.
    pub groups: [&'a [Group]; 2],
    /// Of the host's groups that rules name, those that the person is in, if that is known.
    pub host_groups: Option<RecordedGroups<'a>>,
}

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleDecision {
    /// What it takes.
    pub access: RuleAccess,
    /// The rule that says so, by its position (from 1) in postern.toml; none for the default.
    pub rule: Option<usize>,
    /// Why that one.
    pub reason: RuleReason,
}

/// Why a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleReason {
    /// It is the first that matches.
    FirstMatch,
    /// It is the strictest that could fit: host, path or method can be read in two ways.
    AmbiguousRequest,
    /// Which is the first that matches cannot be said, and all that could be take the same.
    SameAccess,
    /// It hangs on who makes the request, and nobody has signed in. It takes [`Access::Password`], to begin with.
    NotSignedIn,
    /// It is the strictest that could fit: it hangs on groups of the host, and which the person is in is not known.
    GroupsUnknown,
    /// The same: it hangs on a group that no source knows, or whose source did not answer at the sign-in.
    GroupUnresolved,
}

impl RuleReason {
    /// In words.
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
    /// The rule's name in logs.
    pub fn name(&self) -> RuleName {
        RuleName(self.rule)
    }
}

/// A rule, as logs name it.
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

/// Whether a rule fits.
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

    /// Both.
    fn and(self, other: impl FnOnce() -> RuleFit) -> RuleFit {
        match self {
            RuleFit::No => RuleFit::No,
            RuleFit::Yes => other(),
            RuleFit::Perhaps(_) => match other() {
                RuleFit::No => RuleFit::No,
                // who it is matters first: the rest is looked at again when that is known
                RuleFit::Perhaps(RuleReason::NotSignedIn) => {
                    RuleFit::Perhaps(RuleReason::NotSignedIn)
                }
                _ => self,
            },
        }
    }
}

/// What it takes to make a request. No `person`: nobody has signed in.
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

/// The decisions that could be meant.
#[derive(Default)]
struct Could {
    strictest: Option<RuleDecision>,
    /// The first that hangs on who it is.
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
        // nothing is the default
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
            // whoever it is, this one could be meant
            Some(first) if strictest.access == RuleAccess::Deny && strictest.rule < first.rule => {
                strictest
            }
            // also where a later one could deny: then it denies whoever has signed in
            Some(first) => RuleDecision {
                access: RuleAccess::Password,
                ..first
            },
            // of the two, what is certain is strictest all the same
            None => strictest,
        }
    }
}

/// A request as rules read it: each part once, for however many rules.
struct UrlReading<'a> {
    request: &'a RuleRequest<'a>,
    is_host: OnceCell<bool>,
    path: OnceCell<Result<WebPath, AmbiguousPath>>,
}

impl GateRule {
    /// Whether it fits a request, whoever makes it.
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

    /// Methods are compared as they are; an application may take `get` for GET.
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

    /// Whether it fits whoever makes the request.
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
