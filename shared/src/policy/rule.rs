//! The rules of the gate together: what it takes to make a web request. A pure function of the rules, the request, and
//! whoever makes it.
//!
//! The first rule that fits decides. Of some it cannot be said whether they fit: the host or the path can be read in
//! two ways, or it hangs on groups that nobody knows of. Then every rule that could be the first counts, and the
//! strictest of them decides, so that no reading lets in what another keeps out. Who has not signed in could be
//! anybody: where that matters, they are asked.

use super::groups::InGroup;
use super::session_groups::Answered;
use crate::account::name::{Group, UserName};
use crate::config::rule::{Access, Rule};
use crate::network::address::Address;
use crate::network::web_address::{self, Ambiguous, WebPath};
use std::cell::OnceCell;
use std::fmt;

/// A web request, as far as rules go.
pub struct Request<'a> {
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
pub struct Person<'a> {
    /// The account's name.
    pub name: &'a UserName,
    /// The groups that Postern knows of: those declared, and those that the store keeps.
    pub groups: [&'a [Group]; 2],
    /// Of the host's groups that rules name, those that the person is in, if that is known.
    pub of_host: Option<Answered<'a>>,
}

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it takes.
    pub access: Access,
    /// The rule that says so, by its position (from 1) in postern.toml; none for the default.
    pub rule: Option<usize>,
    /// Why that one.
    pub why: Why,
}

/// Why a rule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is the first that matches.
    First,
    /// It is the strictest that could fit: host, path or method can be read in two ways.
    TwoReadings,
    /// Which is the first that matches cannot be said, and all that could be take the same.
    Alike,
    /// It hangs on who makes the request, and nobody has signed in. It takes [`Access::Password`], to begin with.
    Nobody,
    /// It is the strictest that could fit: it hangs on groups of the host, and which the person is in is not known.
    Groups,
    /// The same: it hangs on a group that no source knows, or whose source did not answer at the sign-in.
    GroupsInDoubt,
}

impl Why {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Why::First => "the first that matches",
            Why::Alike => "every rule that could match gives the same",
            Why::TwoReadings => "host, path or method is ambiguous; the strictest that could match",
            Why::Nobody => "depends on the user, and no one has signed in",
            Why::GroupsInDoubt => {
                "depends on a group that no source knows or answers for; the strictest that could match"
            }
            Why::Groups => {
                "depends on groups of the host that are not known; the strictest that could match"
            }
        }
    }
}

impl Decision {
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
enum Fit {
    No,
    Perhaps(Why),
    Yes,
}

impl Fit {
    fn when(holds: bool) -> Fit {
        if holds { Fit::Yes } else { Fit::No }
    }

    /// Both.
    fn and(self, other: impl FnOnce() -> Fit) -> Fit {
        match self {
            Fit::No => Fit::No,
            Fit::Yes => other(),
            Fit::Perhaps(_) => match other() {
                Fit::No => Fit::No,
                // who it is matters first: the rest is looked at again when that is known
                Fit::Perhaps(Why::Nobody) => Fit::Perhaps(Why::Nobody),
                _ => self,
            },
        }
    }
}

/// What it takes to make a request. No `person`: nobody has signed in.
pub fn decide(rules: &[Rule], request: &Request<'_>, person: Option<&Person<'_>>) -> Decision {
    let reading = Reading {
        request,
        is_host: OnceCell::new(),
        path: OnceCell::new(),
    };
    let mut could = Could::default();
    for (rule, position) in rules.iter().zip(1..) {
        let why = match rule.fits(&reading).and(|| rule.fits_person(person)) {
            Fit::No => continue,
            Fit::Perhaps(why) => why,
            Fit::Yes => Why::First,
        };
        could.be(Decision {
            access: rule.then,
            rule: Some(position),
            why,
        });
        if why == Why::First {
            return could.decide();
        }
    }
    could.be(Decision {
        access: Access::Code,
        rule: None,
        why: Why::First,
    });
    could.decide()
}

/// The decisions that could be meant.
#[derive(Default)]
struct Could {
    strictest: Option<Decision>,
    /// The first that hangs on who it is.
    nobody: Option<Decision>,
    differ: bool,
}

impl Could {
    fn be(&mut self, decision: Decision) {
        if decision.why == Why::Nobody {
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

    fn decide(self) -> Decision {
        // nothing is the default
        let strictest = self.strictest.unwrap_or(Decision {
            access: Access::Code,
            rule: None,
            why: Why::First,
        });
        match self.nobody {
            _ if !self.differ && strictest.why != Why::First => Decision {
                why: Why::Alike,
                ..strictest
            },
            // whoever it is, this one could be meant
            Some(first) if strictest.access == Access::Deny && strictest.rule < first.rule => {
                strictest
            }
            // also where a later one could deny: then it denies whoever has signed in
            Some(first) => Decision {
                access: Access::Password,
                ..first
            },
            // of the two, what is certain is strictest all the same
            None => strictest,
        }
    }
}

/// A request as rules read it: each part once, for however many rules.
struct Reading<'a> {
    request: &'a Request<'a>,
    is_host: OnceCell<bool>,
    path: OnceCell<Result<WebPath, Ambiguous>>,
}

impl Rule {
    /// Whether it fits a request, whoever makes it.
    fn fits(&self, reading: &Reading<'_>) -> Fit {
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
            .and(|| Fit::when(in_network()))
            .and(|| self.on_path(reading))
    }

    /// Methods are compared as they are; an application may take `get` for GET.
    fn by_method(&self, method: &str) -> Fit {
        match () {
            () if self.methods.is_empty() || self.methods.iter().any(|m| m.as_str() == method) => {
                Fit::Yes
            }
            () if self
                .methods
                .iter()
                .any(|m| m.as_str().eq_ignore_ascii_case(method)) =>
            {
                Fit::Perhaps(Why::TwoReadings)
            }
            () => Fit::No,
        }
    }

    fn at_host(
        &self,
        Reading {
            request, is_host, ..
        }: &Reading<'_>,
    ) -> Fit {
        match () {
            () if self.hosts.is_empty() => Fit::Yes,
            () if !is_host.get_or_init(|| web_address::is_host(request.host)) => {
                Fit::Perhaps(Why::TwoReadings)
            }
            () => Fit::when(self.hosts.iter().any(|hosts| hosts.covers(request.host))),
        }
    }

    fn on_path(&self, Reading { request, path, .. }: &Reading<'_>) -> Fit {
        if self.paths.is_empty() {
            return Fit::Yes;
        }
        match path.get_or_init(|| WebPath::read(request.target)) {
            Ok(path) => Fit::when(self.paths.iter().any(|top| path.is_below(top))),
            Err(Ambiguous) => Fit::Perhaps(Why::TwoReadings),
        }
    }

    /// Whether it fits whoever makes the request.
    fn fits_person(&self, person: Option<&Person<'_>>) -> Fit {
        if self.users.is_empty() && self.groups.is_empty() {
            return Fit::Yes;
        }
        let Some(person) = person else {
            return Fit::Perhaps(Why::Nobody);
        };
        let named = self.users.is_empty() || self.users.contains(person.name);
        Fit::when(named).and(|| self.fits_groups(person))
    }

    fn fits_groups(&self, person: &Person<'_>) -> Fit {
        let known = |group: &Group| person.groups.iter().any(|groups| groups.contains(group));
        if self.groups.is_empty() || self.groups.iter().any(known) {
            return Fit::Yes;
        }
        match person.of_host {
            Some(of_host) => {
                let of = |wanted| {
                    self.groups
                        .iter()
                        .any(|group| of_host.in_group(group.as_str()) == wanted)
                };
                match (of(InGroup::Yes), of(InGroup::Unknown)) {
                    (true, _) => Fit::Yes,
                    (false, true) => Fit::Perhaps(Why::GroupsInDoubt),
                    (false, false) => Fit::No,
                }
            }
            None => Fit::Perhaps(Why::Groups),
        }
    }
}

#[cfg(test)]
mod tests;
