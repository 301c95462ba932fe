//! What the policy requires of an account at a PAM service, asked without a login, as `postern
//! check` shows it.

use crate::account::name::UserName;
use crate::account::second_factor::Enrolled;
use crate::credential::completed_methods::CompletedMethods;
use crate::engine::{AccountPolicy, PolicyError};
use crate::policy::requirement::{PolicySubject, Requirement};

impl AccountPolicy<'_> {
    /// Returns the requirement at `service` from no known address, and whether the account has a
    /// second factor.
    pub fn requirement_at_service(
        &mut self,
        name: &UserName,
        service: &str,
        completed_methods: &CompletedMethods,
    ) -> Result<(Requirement, Enrolled), PolicyError> {
        let facts = self.engine.load_policy_facts(name)?;
        let groups = self.load_policy_groups(name, &facts.groups)?;
        let subject = PolicySubject {
            name,
            groups: &groups,
            service,
            address: None,
            completed_methods,
            host: None,
        };
        let policy = &self.engine.config.policy;
        let requirement = policy.evaluate_requirement(&subject, facts.enrolled);
        Ok((requirement, facts.enrolled))
    }
}
