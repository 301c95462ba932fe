//! What the rules and the policy would say of someone's request, told beforehand.

use crate::account::name::UserName;
use crate::config::gate::rule::RuleAccess;
use crate::engine::{Engine, PolicyError, SERVICE};
use crate::policy::requirement::{PolicySubject, Requirement};
use crate::policy::rule::{self, RuleDecision, RuleRequest, RuleUser};
use crate::policy::session_groups::RequestedGroups;

/// What a request of someone's would meet after a sign-in.
#[derive(Debug)]
pub struct RuleTest {
    /// The groups that rules and policy go by: Postern's, and those of the host that are asked about.
    pub groups: Vec<String>,
    /// What the rules say.
    pub decision: RuleDecision,
    /// What the policy says where the code is asked.
    pub requirement: Option<Requirement>,
}

impl Engine {
    /// Says what a request would meet. Nothing is written, and no account needs to exist.
    pub fn test_rules(
        &mut self,
        name: &UserName,
        request: &RuleRequest<'_>,
    ) -> Result<RuleTest, PolicyError> {
        let membership = self.load_policy_facts(name)?;
        let asked = RequestedGroups::from_config(&self.config);
        let host = self.load_host_groups(name)?;
        let known = host.known(&asked);
        let declared = self
            .config
            .find_declared_account(name)
            .map_or(&[][..], |declared| &declared.groups);
        let of_host = known.read_for(&asked);
        let person = RuleUser {
            name,
            groups: [declared, &membership.groups],
            host_groups: of_host,
        };
        let decision = rule::evaluate_rules(&self.config.gate.rule, request, Some(&person));
        let need = match decision.access {
            RuleAccess::Code => {
                let groups = self.load_policy_groups(name, &membership.groups)?;
                let earlier = self.config.gate.first_factor.completed_methods();
                let address = request.address;
                let subject = PolicySubject {
                    name,
                    groups: &groups,
                    service: SERVICE,
                    address,
                    completed_methods: earlier,
                };
                Some(
                    self.config
                        .policy
                        .evaluate_requirement(&subject, membership.enrolled),
                )
            }
            RuleAccess::Open | RuleAccess::Password | RuleAccess::Deny => None,
        };
        let ours = self
            .config
            .memberships(name, &membership.groups)
            .map(|group| group.as_str().to_owned());
        let groups = ours
            .chain(
                of_host
                    .iter()
                    .flat_map(|of_host| of_host.confirmed().map(str::to_owned)),
            )
            .collect();
        Ok(RuleTest {
            groups,
            decision,
            requirement: need,
        })
    }
}
