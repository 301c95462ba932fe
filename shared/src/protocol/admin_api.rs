//! The administration API: JSON that the gate writes and `postern --gate` reads, which prints the
//! same as on the host of the store. With the feature `schema`, which the gate enables, the doc
//! comments of these types are the descriptions in the OpenAPI document.

use super::command_request::TypedText;
use super::status::{AccountStatus, SecondFactorState};
use crate::account::email::EmailAddress;
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::{Label, UserName};
use serde::{Deserialize, Serialize};

/// Path below the URL of the gate.
pub const PATH: &str = "api/v1/administration/";
/// Most accounts or events in one reply.
pub const PAGE: usize = 200;
/// Largest reply in bytes.
pub const LARGEST_REPLY: u64 = 1024 * 1024;
/// Shortest secret in bytes.
pub const SHORTEST_SECRET: usize = 32;
/// Most bytes that are read of a secret's file.
pub const LARGEST_SECRET: u64 = 4096;

/// Status of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AccountState {
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub account: UserName,
    /// State of the second factor.
    pub state: SecondFactorState,
    /// Time of the last change of that state.
    pub since: Option<String>,
    /// Number of active authenticators.
    pub authenticators: u64,
    /// Number of passkeys.
    pub passkeys: u64,
    /// Time of the last login with a second factor.
    pub last_sign_in: Option<String>,
    /// Number of unused recovery codes.
    pub recovery_codes: u64,
    /// Confirmed e-mail address, to which codes are mailed.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub email: Option<EmailAddress>,
    /// E-mail address that is not confirmed yet.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub email_unconfirmed: Option<EmailAddress>,
    /// Whether a throttle scope of the account is locked.
    pub locked: bool,
}

impl From<&AccountStatus> for AccountState {
    fn from(AccountStatus { state, tally }: &AccountStatus) -> AccountState {
        AccountState {
            account: tally.name.clone(),
            state: *state,
            since: tally.since.map(|at| at.to_string()),
            authenticators: tally.authenticators,
            passkeys: tally.passkeys,
            last_sign_in: tally.last_sign_in.map(|at| at.to_string()),
            recovery_codes: tally.recovery_codes,
            email: tally.addresses.confirmed.clone(),
            email_unconfirmed: tally.addresses.pending.clone(),
            locked: tally.locks > 0,
        }
    }
}

/// Status of accounts in the order of their names.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AccountList {
    /// One page of the list.
    pub accounts: Vec<AccountState>,
}

/// Reply to a completed operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OperationDone {
    /// Always true, as in the output of `postern --json`.
    pub success: bool,
    /// What was done, in English.
    pub message: String,
}

impl OperationDone {
    /// Makes the reply to a completed operation.
    pub fn new(message: String) -> OperationDone {
        OperationDone {
            success: true,
            message,
        }
    }
}

/// A one-time code, which is shown once.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct IssuedCode {
    /// Account that may use the code.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub account: UserName,
    /// The code in groups of four characters.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub one_time_code: TypedText,
    /// Time at which the code expires.
    pub expires: String,
}

/// Error of the API (RFC 9457), as far as it is read.
#[derive(Deserialize)]
pub struct AdminProblem {
    /// Stable identifier in snake case.
    pub code: String,
    /// The cause, and what to do.
    pub detail: String,
}

/// Body of a request to unlock an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Unlock {
    /// Whether to accept codes again after the host's clock was set back, instead of removing a
    /// lock.
    pub clock: bool,
}

/// What is revoked as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Revoked {
    /// All sessions of the account.
    Sessions,
    /// All trusted browsers of the account.
    Browsers,
}

/// Body of a request to revoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Revoke {
    /// What is revoked of the account.
    pub what: Revoked,
}

/// Body of a request to remove a passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RemovePasskey {
    /// Name of the passkey, as the list shows it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub passkey: Label,
}

/// One event of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EventEntry {
    /// Number of the event: `before` in the request of the next page.
    pub number: i64,
    /// Time of the event.
    pub time: String,
    /// Account that the event concerns.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub account: UserName,
    /// Kind of the event, as the audit log names it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub event: EventKind,
    /// A PAM service, the web, or the command.
    pub service: String,
    /// Origin of the request.
    pub origin: String,
    /// Principal that caused the event.
    pub principal: String,
    /// Cause, or authentication method.
    pub cause: String,
}

impl From<(i64, AuditEvent)> for EventEntry {
    fn from((number, event): (i64, AuditEvent)) -> EventEntry {
        EventEntry {
            number,
            time: event.at.to_string(),
            account: event.account,
            event: event.kind,
            service: event.service,
            origin: event.origin,
            principal: event.principal,
            cause: event.cause,
        }
    }
}

/// Audit events, newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Events {
    /// One page of the list.
    pub events: Vec<EventEntry>,
}

/// Returns whether a text can be the secret: long enough, and valid in a header without encoding.
pub fn is_secret(text: &[u8]) -> bool {
    text.len() >= SHORTEST_SECRET && text.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_known_fields_only() {
        fn read<T: serde::de::DeserializeOwned>(body: &str) -> Option<T> {
            serde_json::from_str(body).ok()
        }
        assert_eq!(read("{}"), Some(Unlock { clock: false }));
        assert_eq!(read("{\"clock\": true}"), Some(Unlock { clock: true }));
        assert_eq!(
            read("{\"what\": \"browsers\"}"),
            Some(Revoke {
                what: Revoked::Browsers
            })
        );
        for body in ["{\"clok\": true}", "[]x", "{\"clock\": 1}"] {
            assert_eq!(read::<Unlock>(body), None, "{body}");
        }
        assert_eq!(read::<Revoke>("{}"), None, "never all by leaving it out");
    }

    #[test]
    fn unknown_fields_of_a_problem_are_ignored() {
        let body = "{\"type\":\"about:blank\",\"title\":\"Too Many Requests\",\"status\":429,\"detail\":\"wait\",\"code\":\"too_many_attempts\",\"retry_after\":60}";
        let problem: AdminProblem = serde_json::from_str(body).unwrap();
        assert_eq!(
            (problem.code.as_str(), problem.detail.as_str()),
            ("too_many_attempts", "wait")
        );
    }

    #[test]
    fn a_secret_is_long_and_valid_in_a_header() {
        assert!(is_secret(&[b'a'; 32]));
        for text in [
            &b""[..],
            &[b'a'; 31],
            &[b' '; 32],
            &[0xc3; 40],
            b"0123456789012345678901234567890123\r\nX: y",
        ] {
            assert!(!is_secret(text), "{text:?}");
        }
    }
}
