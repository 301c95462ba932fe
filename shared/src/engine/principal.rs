//! Who acts on an account, and how the audit log names that principal.
//! This file grants no rights: it only refuses a principal whose session has ended.

use super::{AdministrationError, COMMAND, SERVICE};
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::store::Transaction;
use crate::system::clock::Timestamp;
use crate::token::session::SessionId;
use crate::verify::origin::Origin;

/// Actor in the audit log for a program that showed the administration secret, which is shared and
/// names no person.
const ADMINISTRATION_ACTOR: &str = "administration";

/// Who acts on an account.
#[derive(Clone, Copy, Debug)]
pub enum Principal<'a> {
    /// A user of this host who runs the `postern` command.
    Command(&'a str),
    /// The named account, in a browser without a session.
    Browser(&'a UserName, &'a Origin),
    /// A user of this host at a PAM service: actor, origin, service.
    Service(&'a str, &'a Origin, &'a str),
    /// The named account in a session. Its acts are refused once the session has ended.
    Session(&'a UserName, &'a Origin, SessionId),
    /// A program that showed the gate's administration secret.
    Program(&'a Origin),
}

impl Principal<'_> {
    pub(super) fn session(self) -> Option<SessionId> {
        match self {
            Principal::Session(_, _, id) => Some(id),
            Principal::Command(_)
            | Principal::Browser(..)
            | Principal::Service(..)
            | Principal::Program(_) => None,
        }
    }

    /// Refuses a principal whose session has ended, including since the act began.
    pub(super) fn refuse_ended_session(
        self,
        tx: &mut Transaction<'_>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let Principal::Session(name, _, id) = self else {
            return Ok(());
        };
        let own = tx.find_account(name)?.map_or(AccountId(0), |own| own.id);
        match tx.find_session(own, id, now)? {
            Some(_) => Ok(()),
            None => Err(AdministrationError::Stale),
        }
    }
}

impl<'a> From<&'a str> for Principal<'a> {
    fn from(name: &'a str) -> Principal<'a> {
        Principal::Command(name)
    }
}

impl<'a> From<&'a String> for Principal<'a> {
    fn from(name: &'a String) -> Principal<'a> {
        Principal::Command(name)
    }
}

/// Returns the audit event for what a principal did to an account.
pub(super) fn audit_event(
    name: &UserName,
    kind: EventKind,
    actor: Principal<'_>,
    now: Timestamp,
) -> AuditEvent {
    let (service, origin, actor) = match actor {
        Principal::Service(actor, origin, service) => (service, origin.to_string(), actor),
        Principal::Command(actor) => (COMMAND, Origin::Local(actor.to_owned()).to_string(), actor),
        Principal::Browser(actor, origin) | Principal::Session(actor, origin, _) => {
            (SERVICE, origin.to_string(), actor.as_str())
        }
        Principal::Program(origin) => (SERVICE, origin.to_string(), ADMINISTRATION_ACTOR),
    };
    AuditEvent {
        at: now,
        account: name.clone(),
        kind,
        service: service.to_owned(),
        origin,
        principal: actor.to_owned(),
        cause: String::new(),
    }
}
