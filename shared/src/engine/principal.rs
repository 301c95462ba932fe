//! Who acts on an account, and how the event log writes that.

use super::{AdministrationError, COMMAND, SERVICE};
use crate::account::event::{AuditEvent, EventKind};
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::store::Transaction;
use crate::system::clock::Timestamp;
use crate::token::session::SessionId;
use crate::verify::origin::Origin;

/// The actor of what a program does with the secret: nobody has one of their own.
const ADMINISTRATION: &str = "administration";

/// Who acts, for the log.
#[derive(Clone, Copy, Debug)]
pub enum Principal<'a> {
    /// A user of this host, by the command.
    Command(&'a str),
    /// The person of that name, in a browser that has no session yet.
    Browser(&'a UserName, &'a Origin),
    /// A user of this host, at this PAM service.
    Service(&'a str, &'a Origin, &'a str),
    /// In a session: acts end with it.
    Session(&'a UserName, &'a Origin, SessionId),
    /// A program that showed the gate's secret for administration.
    Program(&'a Origin),
}

impl Principal<'_> {
    /// The session in which someone acts.
    pub(super) fn session(self) -> Option<SessionId> {
        match self {
            Principal::Session(_, _, id) => Some(id),
            Principal::Command(_)
            | Principal::Browser(..)
            | Principal::Service(..)
            | Principal::Program(_) => None,
        }
    }

    /// Refuses whoever acts in a session that has ended, also since the act was begun.
    pub(super) fn refuse_ended_session(
        self,
        tx: &mut dyn Transaction,
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

/// What someone did to an account.
pub(super) fn audit_event(
    name: &UserName,
    what: EventKind,
    actor: Principal<'_>,
    now: Timestamp,
) -> AuditEvent {
    let (door, origin, actor) = match actor {
        Principal::Service(actor, origin, service) => (service, origin.to_string(), actor),
        Principal::Command(actor) => (COMMAND, Origin::Local(actor.to_owned()).to_string(), actor),
        Principal::Browser(actor, origin) | Principal::Session(actor, origin, _) => {
            (SERVICE, origin.to_string(), actor.as_str())
        }
        Principal::Program(origin) => (SERVICE, origin.to_string(), ADMINISTRATION),
    };
    AuditEvent {
        at: now,
        account: name.clone(),
        kind: what,
        service: door.to_owned(),
        origin,
        principal: actor.to_owned(),
        cause: String::new(),
    }
}
