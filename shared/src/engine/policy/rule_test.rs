//! A test of rules and policy: what a given request would get, for `postern check`.
//! Nothing is written, and no account needs to exist.

use crate::account::name::UserName;
use crate::config::gate::rule::RuleAccess;
use crate::engine::AccountPolicy;
use crate::engine::{PolicyError, SERVICE};
use crate::policy::requirement::{PolicySubject, Requirement};
use crate::policy::rule::{self, RuleDecision, RuleRequest, RuleUser};
use crate::policy::session_groups::RequestedGroups;

/// What a request would get after a login.
#[derive(Debug)]
pub struct RuleTest {
    /// Groups on which rules and policy decide: those of Postern, and those of the host that the
    /// configuration names.
    pub groups: Vec<String>,
    pub decision: RuleDecision,
    /// The policy's requirement, where the rule asks for a code.
    pub requirement: Option<Requirement>,
}

impl AccountPolicy<'_> {
    /// Returns what a request would get.
    pub fn test_rules(
        &mut self,
        name: &UserName,
        request: &RuleRequest<'_>,
    ) -> Result<RuleTest, PolicyError> {
        let facts = self.engine.load_policy_facts(name)?;
        let asked = RequestedGroups::from_config(&self.engine.config);
        let host = self.engine.login().load_host_groups(name)?;
        let known = host.known(&asked);
        let declared = self
            .engine
            .config
            .find_declared_account(name)
            .map_or(&[][..], |declared| &declared.groups);
        let of_host = known.read_for(&asked);
        let person = RuleUser {
            name,
            groups: [declared, &facts.groups],
            host_groups: of_host,
        };
        let decision = rule::evaluate_rules(&self.engine.config.gate.rule, request, Some(&person));
        let requirement = match decision.access {
            RuleAccess::Code => {
                let groups = self.load_policy_groups(name, &facts.groups)?;
                let completed_methods = self.engine.config.gate.first_factor.completed_methods();
                let address = request.address;
                let subject = PolicySubject {
                    name,
                    groups: &groups,
                    service: SERVICE,
                    address,
                    completed_methods,
                };
                Some(
                    self.engine
                        .config
                        .policy
                        .evaluate_requirement(&subject, facts.enrolled),
                )
            }
            RuleAccess::Open | RuleAccess::Password | RuleAccess::Deny => None,
        };
        let own_groups = self
            .engine
            .config
            .memberships(name, &facts.groups)
            .map(|group| group.as_str().to_owned());
        let groups = own_groups
            .chain(
                of_host
                    .iter()
                    .flat_map(|of_host| of_host.confirmed().map(str::to_owned)),
            )
            .collect();
        Ok(RuleTest {
            groups,
            decision,
            requirement,
        })
    }
}
