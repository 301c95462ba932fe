//! What the policy requires of an account: its groups, exemptions from the code, rules as `postern
//! check` tests them, and the administrators.

pub(super) mod exemption;
pub(super) mod groups;
pub(super) mod rule_test;
