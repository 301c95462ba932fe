//! Names of new accounts. Whatever makes an account, a sign-in, a command, an import or an administrator at the web, has its
//! name checked here, in the transaction that makes it: of two spellings that come at once, one makes an account.

use crate::config::Config;
use crate::name::{Distinct, NewName, OtherSpelling, UserName};
use crate::store::{StoreError, Transaction};

/// The name for a new account or, of an account that there is, a new name; refused if another account, stored or declared,
/// has another spelling of it. A declaration is root's word.
pub(super) fn new_name(
    config: &Config,
    tx: &mut dyn Transaction,
    name: &UserName,
    distinct: Distinct,
) -> Result<Result<NewName, OtherSpelling>, StoreError> {
    if distinct == Distinct::Yes || config.declared(name).is_some() {
        return Ok(Ok(NewName::by_root(name)));
    }
    let stored = tx.spelled_like(&name.key())?;
    let declared = config.account.iter().map(|declared| &declared.name);
    Ok(NewName::among(name, stored.iter().chain(declared)))
}

/// The account, stored or declared, of which a name that is none itself is another spelling.
pub(super) fn spelled_otherwise(
    config: &Config,
    tx: &mut dyn Transaction,
    name: &UserName,
) -> Result<Option<OtherSpelling>, StoreError> {
    let stored = tx.spelled_like(&name.key())?;
    if config.declared(name).is_some() || stored.contains(name) {
        return Ok(None);
    }
    let declared = config.account.iter().map(|declared| &declared.name);
    Ok(NewName::among(name, stored.iter().chain(declared)).err())
}
