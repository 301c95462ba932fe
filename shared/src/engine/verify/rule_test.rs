//! What the rules and the policy would say of someone's request, told beforehand.

use crate::account::name::UserName;
use crate::config::rule::Access;
use crate::engine::{Door, PolicyError, SERVICE};
use crate::policy::requirement::{Need, Subject};
use crate::policy::rule::{self, Decision, Person, Request};
use crate::policy::session_groups::AskedGroups;

/// What a request of someone's would meet after a sign-in.
#[derive(Debug)]
pub struct Rehearsed {
    /// The groups that rules and policy go by: Postern's, and those of the host that are asked about.
    pub groups: Vec<String>,
    /// What the rules say.
    pub decision: Decision,
    /// What the policy says where the code is asked.
    pub need: Option<Need>,
}

impl Door {
    /// Says what a request would meet. Nothing is written, and no account needs to exist.
    pub fn rehearse(
        &mut self,
        name: &UserName,
        request: &Request<'_>,
    ) -> Result<Rehearsed, PolicyError> {
        let membership = self.membership(name)?;
        let asked = AskedGroups::of(&self.config);
        let host = self.host_groups(name)?;
        let known = host.known(&asked);
        let declared = self
            .config
            .declared(name)
            .map_or(&[][..], |declared| &declared.groups);
        let of_host = known.answer(&asked);
        let person = Person {
            name,
            groups: [declared, &membership.groups],
            of_host,
        };
        let decision = rule::decide(&self.config.gate.rule, request, Some(&person));
        let need = match decision.access {
            Access::Code => {
                let groups = self.policy_groups(name, &membership.groups)?;
                let earlier = self.config.gate.first_factor.earlier();
                let address = request.address;
                let subject = Subject {
                    name,
                    groups: &groups,
                    service: SERVICE,
                    address,
                    earlier,
                };
                Some(self.config.policy.need(&subject, membership.enrolled))
            }
            Access::Open | Access::Password | Access::Deny => None,
        };
        let ours = self
            .config
            .memberships(name, &membership.groups)
            .map(|group| group.as_str().to_owned());
        let groups = ours
            .chain(
                of_host
                    .iter()
                    .flat_map(|of_host| of_host.held().map(str::to_owned)),
            )
            .collect();
        Ok(Rehearsed {
            groups,
            decision,
            need,
        })
    }
}
