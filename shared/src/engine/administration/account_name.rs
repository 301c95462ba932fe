//! Names of new accounts. Whatever makes an account, a sign-in, a command, an import or an administrator at the web, has its
//! name checked here, in the transaction that makes it: of two spellings that come at once, one makes an account.

use crate::account::name::{Distinct, NewName, OtherSpelling, UserName};
use crate::config::Config;
use crate::store::{StoreError, Transaction};

/// The name for a new account or, of an account that there is, a new name; refused if another account, stored or declared,
/// or a person whom the configuration names has another spelling of it. A declaration is root's word.
pub(in crate::engine) fn new_name(
    config: &Config,
    tx: &mut dyn Transaction,
    name: &UserName,
    distinct: Distinct,
) -> Result<Result<NewName, OtherSpelling>, StoreError> {
    if distinct == Distinct::Yes || config.find_declared_account(name).is_some() {
        return Ok(Ok(NewName::accept_distinct(name)));
    }
    let stored = tx.find_names_by_key(&name.key())?;
    Ok(among(config, &stored, name))
}

/// The account, stored, declared or named by the configuration, of which a name that is none itself is another spelling.
pub(in crate::engine) fn spelled_otherwise(
    config: &Config,
    tx: &mut dyn Transaction,
    name: &UserName,
) -> Result<Option<OtherSpelling>, StoreError> {
    let stored = tx.find_names_by_key(&name.key())?;
    if config.find_declared_account(name).is_some() || stored.contains(name) {
        return Ok(None);
    }
    Ok(among(config, &stored, name).err())
}

/// Rules and policies name people who may have no account yet, and must mean them in every spelling; unless root has
/// named this one, too.
fn among(config: &Config, stored: &[UserName], name: &UserName) -> Result<NewName, OtherSpelling> {
    let declared = config.account.iter().map(|declared| &declared.name);
    let mut named = config.named_users();
    if named.contains(name) {
        named.clear();
    }
    NewName::check_spelling(name, stored.iter().chain(declared).chain(&named))
}
