//! What the gate and a program that administers through it say to each other, in JSON: the gate writes it, `postern --gate`
//! reads it, and prints what it would print beside the store. With the feature `schema`, which the gate has, the types say
//! themselves what they look like.

use super::command_request::TypedText;
use super::status::{AccountStatus, SecondFactorState};
use crate::account::email::EmailAddress;
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;
use serde::{Deserialize, Serialize};

/// Below the gate's address.
pub const PATH: &str = "api/v1/administration/";
/// The most accounts, or events, that one answer has.
pub const PAGE: usize = 200;
/// The largest answer, in bytes.
pub const LARGEST_ANSWER: u64 = 1024 * 1024;
/// The shortest secret, in bytes.
pub const SHORTEST_SECRET: usize = 32;
/// The most that is read of a secret's file, in bytes.
pub const LARGEST_SECRET: u64 = 4096;

/// How one account stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AccountState {
    /// The account.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub account: UserName,
    /// Its second factor.
    pub state: SecondFactorState,
    /// Since when.
    pub since: Option<String>,
    /// Live authenticators.
    pub authenticators: u64,
    /// The last sign-in with a second factor.
    pub last_sign_in: Option<String>,
    /// Recovery codes left.
    pub recovery_codes: u64,
    /// Where codes are mailed.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub email: Option<EmailAddress>,
    /// Where they will be, once that is confirmed.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub email_unconfirmed: Option<EmailAddress>,
    /// Whether a place is locked.
    pub locked: bool,
}

impl From<&AccountStatus> for AccountState {
    fn from(AccountStatus { state, tally }: &AccountStatus) -> AccountState {
        AccountState {
            account: tally.name.clone(),
            state: *state,
            since: tally.since.map(|at| at.to_string()),
            authenticators: tally.authenticators,
            last_sign_in: tally.last_sign_in.map(|at| at.to_string()),
            recovery_codes: tally.recovery_codes,
            email: tally.addresses.confirmed.clone(),
            email_unconfirmed: tally.addresses.pending.clone(),
            locked: tally.locks > 0,
        }
    }
}

/// How accounts stand, in the order of their names.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Accounts {
    /// One page of them.
    pub accounts: Vec<AccountState>,
}

/// An act that is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OperationDone {
    /// Always; as `postern --json` says it.
    pub success: bool,
    /// What was done, in English.
    pub message: String,
}

impl OperationDone {
    /// Says what was done.
    pub fn that(message: String) -> OperationDone {
        OperationDone {
            success: true,
            message,
        }
    }
}

/// A one-time code, shown once.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct IssuedCode {
    /// For whom.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub account: UserName,
    /// The code, in groups.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub one_time_code: TypedText,
    /// Until when it is good.
    pub expires: String,
}

/// Why nothing was done (RFC 9457): what is read of it.
#[derive(Deserialize)]
pub struct AdminProblem {
    /// Stable, in snake case.
    pub code: String,
    /// What is wrong, and what to do.
    pub detail: String,
}

/// What an act is told, beside whose account it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Unlock {
    /// Whether codes are to be accepted again after the host's clock was set back, instead.
    pub clock: bool,
}

/// What is revoked; all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Revoked {
    /// Sessions.
    Sessions,
    /// Trusted browsers.
    Browsers,
}

/// The body of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Revoke {
    /// What is revoked.
    pub what: Revoked,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EventEntry {
    /// Its number: `before` of the next page.
    pub number: i64,
    /// When.
    pub time: String,
    /// Whose account.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub account: UserName,
    /// What, as the event log names it.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub event: EventKind,
    /// A PAM service, the web, or the command.
    pub service: String,
    /// From where.
    pub origin: String,
    /// Who did it.
    pub principal: String,
    /// Why, or by what.
    pub cause: String,
}

impl From<(i64, AuditEvent)> for EventEntry {
    fn from((number, event): (i64, AuditEvent)) -> EventEntry {
        let AuditEvent {
            at,
            account,
            kind: what,
            service: door,
            origin,
            principal: actor,
            cause,
        } = event;
        EventEntry {
            number,
            time: at.to_string(),
            account,
            event: what,
            service: door,
            origin,
            principal: actor,
            cause,
        }
    }
}

/// Events, newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Events {
    /// One page of them.
    pub events: Vec<EventEntry>,
}

/// Whether a text can be the secret: long enough, and fit for a header as it stands.
pub fn is_secret(text: &[u8]) -> bool {
    text.len() >= SHORTEST_SECRET && text.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_what_is_meant_and_nothing_else() {
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
    fn what_a_gate_says_beside_is_passed_over() {
        let said = "{\"type\":\"about:blank\",\"title\":\"Too Many Requests\",\"status\":429,\"detail\":\"wait\",\"code\":\"too_many_attempts\",\"retry_after\":60}";
        let problem: AdminProblem = serde_json::from_str(said).unwrap();
        assert_eq!(
            (problem.code.as_str(), problem.detail.as_str()),
            ("too_many_attempts", "wait")
        );
    }

    #[test]
    fn a_secret_is_long_and_fits_a_header() {
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
