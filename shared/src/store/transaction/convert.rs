//! Conversions between columns and values. A text or blob that this program did not write is
//! reported as damage of the store, with what it belongs to; never with its content.

use crate::account::email::EmailAddress;
use crate::account::name::{Group, UserName};
use crate::credential::totp::{Algorithm, OtpKind, OtpParameters};
use crate::crypto::vault::MailedFor;
use crate::store::{MailAddresses, StoreError, StoreResult};
use crate::system::clock::Timestamp;
use rusqlite::Row;

/// Converts to SQLite's signed integers, which hold every time and step that occurs.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

pub(super) fn time(row: &Row<'_>, column: usize) -> StoreResult<Timestamp> {
    Ok(Timestamp(unsigned(row.get(column)?)))
}

pub(super) fn optional_time(row: &Row<'_>, column: usize) -> StoreResult<Option<Timestamp>> {
    let time: Option<i64> = row.get(column)?;
    Ok(time.map(|time| Timestamp(unsigned(time))))
}

pub(super) fn bytes<const N: usize>(
    row: &Row<'_>,
    column: usize,
    what: &str,
) -> StoreResult<[u8; N]> {
    let bytes: Vec<u8> = row.get(column)?;
    bytes.try_into().map_err(|_| damaged(what))
}

pub(super) fn account_name(row: &Row<'_>, column: usize) -> StoreResult<UserName> {
    let name: String = row.get(column)?;
    UserName::from_store(&name).map_err(|_| damaged("an account's name"))
}

/// Parses group names, one per line.
pub(super) fn groups(row: &Row<'_>, column: usize) -> StoreResult<Vec<Group>> {
    let lines: String = row.get(column)?;
    let group =
        |name: &str| Group::from_store(name.to_owned()).map_err(|_| damaged("an account's groups"));
    lines.lines().map(group).collect()
}

pub(super) fn address(text: String) -> StoreResult<EmailAddress> {
    EmailAddress::try_from(text).map_err(|_| damaged("an e-mail address"))
}

/// Reads the confirmed address from column `first`, and the pending one from the next.
pub(super) fn mail_addresses(row: &Row<'_>, first: usize) -> StoreResult<MailAddresses> {
    let (confirmed, pending): (Option<String>, _) = (row.get(first)?, row.get(first + 1)?);
    Ok(MailAddresses {
        confirmed: confirmed.map(address).transpose()?,
        pending: Option::map(pending, address).transpose()?,
    })
}

pub(super) fn mail_purpose(row: &Row<'_>, column: usize) -> StoreResult<MailedFor> {
    let name: String = row.get(column)?;
    MailedFor::from_name(&name).ok_or_else(|| damaged("a mailed code"))
}

/// Reads algorithm, digits and period from column `first` on.
pub(super) fn otp_parameters(row: &Row<'_>, first: usize) -> StoreResult<OtpParameters> {
    let algorithm: String = row.get(first)?;
    let parameters = OtpParameters {
        algorithm: Algorithm::from_name(&algorithm).ok_or_else(|| damaged("an authenticator"))?,
        digits: row.get(first + 1)?,
        moving: OtpKind::from_period(unsigned(row.get(first + 2)?)),
    };
    parameters.check().map_err(|_| damaged("an authenticator"))
}
