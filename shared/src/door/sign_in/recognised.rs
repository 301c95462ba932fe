//! The browser that signs in: whether the account trusts it.

use super::{Browser, SERVICE};
use crate::clock::Timestamp;
use crate::config::Config;
use crate::door::notice;
use crate::event::{Event, What};
use crate::name::UserName;
use crate::store::{StoreError, Token, Transaction};
use crate::vault::Vault;

/// What the store says of a browser's cookie.
pub(super) enum Recognised {
    /// It is trusted: the number of the browser.
    Trusted(i64),
    /// It was, until the newest cookie that it was given: a code makes it trusted again.
    Behind(i64),
    /// Its cookie was stolen; the browser is trusted no longer.
    Stolen,
    /// Nothing.
    Stranger,
}

/// Looks a browser's cookie up. A stolen one revokes the browser, which the caller must commit; one of another
/// account's says nothing.
pub(super) fn recognise(
    config: &Config,
    vault: &Vault,
    tx: &mut dyn Transaction,
    browser: &Browser<'_>,
    name: &UserName,
    now: Timestamp,
) -> Result<Recognised, StoreError> {
    let Some(value) = browser.cookie else { return Ok(Recognised::Stranger) };
    let hash = vault.browser_hash(value.as_bytes());
    let Some((record, token)) = tx.browser_of(&hash, now)? else { return Ok(Recognised::Stranger) };
    let owner = tx.account(name)?.filter(|account| account.id == record.account);
    let Some(owner) = owner else { return Ok(Recognised::Stranger) };
    match token {
        Token::Newest => return Ok(Recognised::Trusted(record.number)),
        Token::Older => return Ok(Recognised::Behind(record.number)),
        Token::Stolen => {}
    }
    tx.remove_browser(record.number)?;
    let event = Event {
        at: now,
        account: owner.name,
        what: What::BrowserRevoked,
        door: SERVICE.to_owned(),
        origin: browser.origin.to_string(),
        actor: name.to_string(),
        cause: "an old cookie was used after a newer one".to_owned(),
    };
    notice::log(config, tx, &event)?;
    Ok(Recognised::Stolen)
}
