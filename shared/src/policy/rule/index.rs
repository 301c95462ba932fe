//! The rules of the gate by host, so that a request costs the same with ten thousand rules for other
//! hosts.
//!
//! MUST decide as [`evaluate_rules`](super::evaluate_rules) does: it leaves out only rules that
//! cannot match the host.

use super::{RuleDecision, RuleRequest, RuleUser, decide};
use crate::config::gate::rule::{GateRule, HostPattern};
use crate::system::network::web_address;
use std::collections::HashMap;

/// Positions of rules, from 0 in ascending order.
type Positions = Vec<usize>;

/// Rules that are found by the host of a request.
#[derive(Clone, Debug, Default)]
pub struct IndexedRules {
    rules: Vec<GateRule>,
    of_any_host: Positions,
    by_host: HashMap<String, Positions>,
    /// By the host that the rule's hosts are below.
    by_parent: HashMap<String, Positions>,
}

impl IndexedRules {
    pub fn new(rules: &[GateRule]) -> IndexedRules {
        let mut index = IndexedRules {
            rules: rules.to_owned(),
            ..IndexedRules::default()
        };
        for (position, rule) in rules.iter().enumerate() {
            if rule.hosts.is_empty() {
                index.of_any_host.push(position);
            }
            for pattern in &rule.hosts {
                let index = match pattern {
                    HostPattern::Exact(_) => &mut index.by_host,
                    HostPattern::Subdomains(_) => &mut index.by_parent,
                };
                let host = pattern.base().as_str().to_owned();
                index.entry(host).or_default().push(position);
            }
        }
        index
    }

    /// Returns the access that a request requires. `None` as the user: no user has signed in.
    pub fn evaluate(&self, request: &RuleRequest<'_>, user: Option<&RuleUser<'_>>) -> RuleDecision {
        // A host with two readings may match any rule.
        let is_host =
            self.of_any_host.len() == self.rules.len() || web_address::is_host(request.host);
        match is_host {
            true => decide(self.candidates(request.host), request, user),
            false => decide(self.rules.iter().zip(1..), request, user),
        }
    }

    /// Returns the rules that may match a host, each once, with their positions from 1.
    fn candidates(&self, host: &str) -> impl Iterator<Item = (&GateRule, usize)> {
        let child = if self.by_parent.is_empty() { "" } else { host };
        let parents = child.match_indices('.').map(|(dot, _)| &child[dot + 1..]);
        let lists = [Some(&self.of_any_host), self.by_host.get(host)];
        let below = parents.map(|parent| self.by_parent.get(parent));
        let lists = lists.into_iter().chain(below).flatten();
        let lists = lists.filter(|list| !list.is_empty());
        let mut rest: Vec<&[usize]> = lists.map(Vec::as_slice).collect();
        std::iter::from_fn(move || {
            let next = *rest.iter().filter_map(|list| list.first()).min()?;
            for list in &mut rest {
                // One rule may name a host and a parent of it.
                while list.first() == Some(&next) {
                    *list = &list[1..];
                }
            }
            Some((&self.rules[next], next + 1))
        })
    }
}
