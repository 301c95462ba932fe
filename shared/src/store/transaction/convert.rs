//! Conversions between the values of columns and the types of this program. A text or blob that this program did not write is reported as damage of
//! the store, with what it belongs to; never with its content.

use crate::account::email::EmailAddress;
use crate::account::event::EventKind;
use crate::account::host::HostName;
use crate::account::name::{Group, Label, UserName};
use crate::account::record::AccountId;
use crate::credential::otp::totp::{Algorithm, OtpKind, OtpParameters, Step};
use crate::credential::scope::AppPasswordScope;
use crate::crypto::password::PasswordHash;
use crate::crypto::vault::{
    AppPasswordHash, ApprovalHash, BrowserHash, MailedFor, MailedHash, OneTimeHash, RecoveryHash,
    SecretFingerprint,
};
use crate::store::{ApprovalState, MailAddresses, StoreError};
use crate::system::clock::Timestamp;
use crate::token::TokenId;
use crate::token::session::SessionId;

pub(super) use crate::store::StoreResult as ColumnResult;
pub(super) use crate::store::column::{FromColumn, Row, ToColumn, Value, damaged};

/// Converts to the signed integers of databases, which hold every time and step that occurs.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// Implements the conversions of a type: what it belongs to, its column, and the value of a column,
/// `None` if the column is damaged.
macro_rules! column {
    ($type:ty, $what:literal, $value:ident => $column:expr, $read:ident: $raw:ty => $load:expr) => {
        impl ToColumn for $type {
            fn to_column(&self) -> Value<'_> {
                let $value = self;
                $column
            }
        }

        impl FromColumn for $type {
            fn from_column(value: Value<'_>) -> ColumnResult<$type> {
                let loaded = <$raw>::from_column(value).ok().and_then(|$read| $load);
                loaded.ok_or_else(|| damaged($what))
            }
        }
    };
}

/// Implements the conversions of a type that holds an array of bytes.
macro_rules! bytes_column {
    ($type:ident, $what:literal) => {
        column!($type, $what, value => Value::Blob(&value.0), bytes: Vec<u8> => bytes.try_into().ok().map($type));
    };
}

column!(AccountId, "an account", id => Value::Integer(id.0), id: i64 => Some(AccountId(id)));
column!(Timestamp, "a time", at => Value::Integer(signed(at.0)), at: i64 => Some(Timestamp(unsigned(at))));
column!(Step, "a step", step => Value::Integer(signed(step.0)), step: i64 => Some(Step(unsigned(step))));
column!(UserName, "an account's name", name => name.as_str().to_column(), text: String => UserName::from_store(&text).ok());
column!(HostName, "a host's name", name => name.as_str().to_column(), text: String => HostName::try_from(text).ok());
column!(Label, "a name", name => name.as_str().to_column(), text: String => Label::from_store(text).ok());
column!(EmailAddress, "an e-mail address", to => to.as_str().to_column(), text: String => EmailAddress::try_from(text).ok());
column!(EventKind, "an event", kind => kind.name().to_column(), name: String => EventKind::from_name(&name));
column!(MailedFor, "a mailed code", purpose => purpose.name().to_column(), name: String => MailedFor::from_name(&name));
column!(ApprovalState, "a request for an approval", state => state.name().to_column(), name: String => ApprovalState::from_name(&name));
column!(Algorithm, "an authenticator", algorithm => algorithm.name().to_column(), name: String => Algorithm::from_name(&name));
column!(AppPasswordScope, "an app password's scope", scope => Value::Text(scope.to_string().into()), text: String => text.parse().ok());
column!(PasswordHash, "a password", hash => hash.0.as_str().to_column(), text: String => Some(PasswordHash(text)));
bytes_column!(SecretFingerprint, "a step floor");
bytes_column!(RecoveryHash, "a recovery code");
bytes_column!(OneTimeHash, "a one-time code");
bytes_column!(MailedHash, "a mailed code");
bytes_column!(AppPasswordHash, "an app password");
bytes_column!(ApprovalHash, "a request for an approval");
bytes_column!(BrowserHash, "a trusted browser");
bytes_column!(SessionId, "a session");
bytes_column!(TokenId, "a login token");

/// Says of a damaged value what it belongs to here.
pub(super) fn named<T>(read: ColumnResult<T>, what: &str) -> ColumnResult<T> {
    read.map_err(|error| match error {
        StoreError::Damaged(_) => damaged(what),
        error => error,
    })
}

/// Turns the error of a damaged value into `None`.
pub(super) fn readable<T>(read: ColumnResult<T>) -> ColumnResult<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Damaged(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Parses group names, one per line.
pub(super) fn groups(row: &Row<'_>, column: usize) -> ColumnResult<Vec<Group>> {
    let lines: String = row.get(column)?;
    let group =
        |name: &str| Group::from_store(name.to_owned()).map_err(|_| damaged("an account's groups"));
    lines.lines().map(group).collect()
}

/// Reads the confirmed address from column `first`, and the pending one from the next.
pub(super) fn mail_addresses(row: &Row<'_>, first: usize) -> ColumnResult<MailAddresses> {
    Ok(MailAddresses {
        confirmed: row.get(first)?,
        pending: row.get(first + 1)?,
    })
}

/// Reads algorithm, digits and period from column `first` on.
pub(super) fn otp_parameters(row: &Row<'_>, first: usize) -> ColumnResult<OtpParameters> {
    let parameters = OtpParameters {
        algorithm: row.get(first)?,
        digits: row.get(first + 1)?,
        moving: OtpKind::from_period(unsigned(row.get(first + 2)?)),
    };
    parameters.check().map_err(|_| damaged("an authenticator"))
}
