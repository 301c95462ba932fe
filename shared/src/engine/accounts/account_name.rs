//! Names of new accounts. A sign-in, a command, an import and an administrator at the web all check
//! the name here, in the transaction that adds the account. Of two spellings that arrive at once,
//! one becomes an account.

use crate::account::name::{Distinct, NewName, OtherSpelling, UserName};
use crate::config::Config;
use crate::store::{StoreError, Transaction};

/// Returns the name for a new or renamed account. Refuses it if another account, stored or
/// declared, or a user named in the configuration has another spelling of it. A name declared by
/// root is always permitted.
pub(in crate::engine) fn check_new_name(
    config: &Config,
    tx: &mut Transaction<'_>,
    name: &UserName,
    distinct: Distinct,
) -> Result<Result<NewName, OtherSpelling>, StoreError> {
    if distinct == Distinct::Yes || config.find_declared_account(name).is_some() {
        return Ok(Ok(NewName::accept_distinct(name)));
    }
    let stored = tx.find_names_by_key(&name.key())?;
    Ok(check_spellings(config, &stored, name))
}

/// Returns the stored, declared or configured account of which `name` is another spelling; `None`
/// if `name` itself is an account.
pub(in crate::engine) fn find_other_spelling(
    config: &Config,
    tx: &mut Transaction<'_>,
    name: &UserName,
) -> Result<Option<OtherSpelling>, StoreError> {
    let stored = tx.find_names_by_key(&name.key())?;
    if config.find_declared_account(name).is_some() || stored.contains(name) {
        return Ok(None);
    }
    Ok(check_spellings(config, &stored, name).err())
}

/// Rules and policies may name users who have no account yet, and apply to every spelling of the
/// name. A name that root has written in the configuration itself is permitted.
fn check_spellings(
    config: &Config,
    stored: &[UserName],
    name: &UserName,
) -> Result<NewName, OtherSpelling> {
    let declared = config.account.iter().map(|declared| &declared.name);
    let mut named = config.named_users();
    if named.contains(name) {
        named.clear();
    }
    NewName::check_spelling(name, stored.iter().chain(declared).chain(&named))
}
