//! Passkeys that the configuration demands. Password and code MUST NOT suffice to replace one: they
//! would be worth as much as the passkey.

use super::error::PasskeyError;
use super::relying_party::RelyingParty;
use crate::account::name::UserName;
use crate::config::Config;
use crate::config::gate::rule::RuleAccess;
use crate::engine::Principal;
use crate::engine::login::groups::requires_passkey;
use crate::policy::session_groups::RequestedGroups;
use crate::store::PasskeyRecord;
use crate::token::session::Session;

/// Refuses a principal that is the owner of the passkeys in a session that is too weak to change
/// them. Administrators are not refused.
pub(in crate::engine) fn refuse_weak_owner(
    config: &Config,
    account: &UserName,
    kept: &[PasskeyRecord],
    actor: Principal<'_>,
) -> Result<(), PasskeyError> {
    let session = match actor {
        Principal::SignedIn(session, _) if session.name == *account => Some(session),
        // its factors are not known
        Principal::Session(own, ..) | Principal::Browser(own, _) if own == account => None,
        Principal::Command(_)
        | Principal::Browser(..)
        | Principal::Service(..)
        | Principal::Session(..)
        | Principal::SignedIn(..)
        | Principal::Program(_) => return Ok(()),
    };
    refuse_weak_session(config, account, kept, session)
}

/// Refuses a change of an account's passkeys by its owner, where a passkey is demanded of the account
/// and it has one, in a session whose second factor is weaker than a passkey, or is not known.
pub(in crate::engine) fn refuse_weak_session(
    config: &Config,
    account: &UserName,
    kept: &[PasskeyRecord],
    session: Option<&Session>,
) -> Result<(), PasskeyError> {
    let Some(party) = RelyingParty::from_config(config) else {
        return Ok(());
    };
    let is_strong = session.is_some_and(|session| session.passed.second.may_change_passkeys());
    let has_one = kept.iter().any(|kept| kept.rp_id == party.id());
    match has_one && !is_strong && is_demanded(config, session) {
        true => Err(PasskeyError::WeakSession(account.clone())),
        false => Ok(()),
    }
}

/// Whether a rule demands a passkey, or the policy does of this session's account. Exemptions of
/// addresses do not count: the passkey would be used elsewhere. Where a group is not known, one is
/// demanded.
fn is_demanded(config: &Config, session: Option<&Session>) -> bool {
    let rules = &config.gate.rule;
    if rules.iter().any(|rule| rule.then == RuleAccess::Passkey) {
        return true;
    }
    let requested = RequestedGroups::from_config(config);
    let known =
        session.and_then(|session| Some((session, session.policy_groups(config, &requested)?)));
    match known {
        Some((session, groups)) => requires_passkey(config, &session.name, &groups, None),
        None => config.policy.requires_some_passkey(),
    }
}
