//! A test of rules and policy: what a given request would get, for `postern check`.
//! Nothing is written, and no account needs to exist.

use crate::account::name::{Group, UserName};
use crate::config::gate::rule::RuleAccess;
use crate::engine::login::groups::web_requirement;
use crate::engine::{AccountPolicy, PolicyError};
use crate::policy::requirement::Requirement;
use crate::policy::rule::{RuleDecision, RuleRequest};
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
        let host = self.engine.login().load_host_groups(name)?;
        let decision = host.evaluate_rules(&self.engine.config, name, &facts.groups, request);
        let requirement = match decision.access {
            RuleAccess::Code => {
                let groups = self.load_policy_groups(name, &facts.groups)?;
                let (config, enrolled) = (&self.engine.config, facts.enrolled);
                Some(web_requirement(
                    config,
                    name,
                    &groups,
                    request.address,
                    enrolled,
                ))
            }
            RuleAccess::Open | RuleAccess::Password | RuleAccess::Passkey | RuleAccess::Deny => {
                None
            }
        };
        let config = &self.engine.config;
        let asked = RequestedGroups::from_config(config);
        let known = host.known(&asked);
        let of_host = known.read_for(&asked).into_iter();
        let of_host = of_host.flat_map(|of_host| of_host.confirmed());
        let own_groups = config.memberships(name, &facts.groups).map(Group::as_str);
        let groups = own_groups.chain(of_host).map(str::to_owned).collect();
        Ok(RuleTest {
            groups,
            decision,
            requirement,
        })
    }
}
