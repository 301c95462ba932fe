//! Who acts on an account, and how the event log writes that.

use super::{AdministrationError, COMMAND, SERVICE};
use crate::account::event::{Event, What};
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
pub enum Actor<'a> {
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

impl Actor<'_> {
    /// The session in which someone acts.
    pub(super) fn session(self) -> Option<SessionId> {
        match self {
            Actor::Session(_, _, id) => Some(id),
            Actor::Command(_) | Actor::Browser(..) | Actor::Service(..) | Actor::Program(_) => None,
        }
    }

    /// Refuses whoever acts in a session that has ended, also since the act was begun.
    pub(super) fn refuse_ended(
        self,
        tx: &mut dyn Transaction,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let Actor::Session(name, _, id) = self else {
            return Ok(());
        };
        let own = tx.account(name)?.map_or(AccountId(0), |own| own.id);
        match tx.session(own, id, now)? {
            Some(_) => Ok(()),
            None => Err(AdministrationError::Stale),
        }
    }
}

impl<'a> From<&'a str> for Actor<'a> {
    fn from(name: &'a str) -> Actor<'a> {
        Actor::Command(name)
    }
}

impl<'a> From<&'a String> for Actor<'a> {
    fn from(name: &'a String) -> Actor<'a> {
        Actor::Command(name)
    }
}

/// What someone did to an account.
pub(super) fn event(name: &UserName, what: What, actor: Actor<'_>, now: Timestamp) -> Event {
    let (door, origin, actor) = match actor {
        Actor::Service(actor, origin, service) => (service, origin.to_string(), actor),
        Actor::Command(actor) => (COMMAND, Origin::Local(actor.to_owned()).to_string(), actor),
        Actor::Browser(actor, origin) | Actor::Session(actor, origin, _) => {
            (SERVICE, origin.to_string(), actor.as_str())
        }
        Actor::Program(origin) => (SERVICE, origin.to_string(), ADMINISTRATION),
    };
    Event {
        at: now,
        account: name.clone(),
        what,
        door: door.to_owned(),
        origin,
        actor: actor.to_owned(),
        cause: String::new(),
    }
}
