//! App passwords of accounts: changes by the owner or an administrator, and their verification.

pub(super) mod changes;
pub(super) mod verification;
