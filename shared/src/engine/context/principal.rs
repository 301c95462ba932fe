//! Who acts on an account: the requester of a command, the principal of an act, and how the audit
//! log names it.
//! This file grants no rights: it refuses a requester of another account, and a principal whose
//! session has ended.

use crate::account::event::{AuditEvent, EventKind};
use crate::account::host::JoinedHost;
use crate::account::name::UserName;
use crate::account::record::AccountId;
use crate::engine::enrollment::pending::AccountSnapshot;
use crate::engine::{AdministrationError, COMMAND, SERVICE};
use crate::store::Transaction;
use crate::system::clock::Timestamp;
use crate::token::session::{Session, SessionId};
use crate::token::{TokenHolder, TokenParent, TokenRecipient};
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
    /// The account of a session whose factors are known. Its acts are refused once the session has
    /// ended.
    SignedIn(&'a Session, &'a Origin),
    /// A program that showed the gate's administration secret.
    Program(&'a Origin),
}

/// Who sends a request, by the peer credentials or the certificate of a host.
#[derive(Clone, Copy, Debug)]
pub enum Requester<'a> {
    /// Root, with the name for the audit log. Root may change any account, without a code.
    Root(&'a str),
    /// A local user, who may change the account of the same name.
    Owner { name: &'a UserName, uid: u32 },
    /// A host of a fleet, for a PAM conversation. What it states counts on that host only, and it may
    /// change no account.
    Host(&'a JoinedHost),
    /// A user of a host of a fleet, for a PAM conversation of a process of the user's own, about the
    /// account of the same name. The user may change no account.
    HostUser {
        host: &'a JoinedHost,
        name: &'a UserName,
        uid: u32,
    },
}

impl Requester<'_> {
    pub(in crate::engine) fn name(&self) -> &str {
        match self {
            Requester::Root(name) => name,
            Requester::Owner { name, .. } => name.as_str(),
            Requester::Host(host) | Requester::HostUser { host, .. } => host.name.as_str(),
        }
    }

    pub(in crate::engine) fn actor(&self) -> Principal<'_> {
        match self {
            Requester::Root(actor) => Principal::Command(actor),
            Requester::Owner { name, .. } => Principal::Command(name.as_str()),
            Requester::Host(host) | Requester::HostUser { host, .. } => {
                Principal::Command(host.name.as_str())
            }
        }
    }

    /// Returns whether the requester is a user of this host, or of one of a fleet, and the account is
    /// the user's own.
    pub(in crate::engine) fn owns(&self, account: &UserName) -> bool {
        matches!(self, Requester::Owner { name, .. } | Requester::HostUser { name, .. } if *name == account)
    }

    /// Returns an error unless the requester is root or owns the account.
    pub(in crate::engine) fn check_account(
        &self,
        account: &UserName,
    ) -> Result<(), AdministrationError> {
        match self {
            Requester::Owner { name, .. } if *name != account => {
                Err(AdministrationError::NotOwn((*name).clone()))
            }
            Requester::Host(host) | Requester::HostUser { host, .. } => {
                Err(AdministrationError::NotOnHost(host.name.clone()))
            }
            Requester::Owner { .. } | Requester::Root(_) => Ok(()),
        }
    }

    /// Returns the recipient of the token that the next step returns.
    pub(in crate::engine) fn token_recipient<'b>(
        &self,
        account: &'b UserName,
        snapshot: &AccountSnapshot,
    ) -> TokenRecipient<'b> {
        TokenRecipient {
            account,
            at: snapshot.at(),
            holder: self.holder(),
            parent: TokenParent::Peer,
        }
    }

    pub(in crate::engine) fn holder(&self) -> TokenHolder {
        match self {
            Requester::Root(_) => TokenHolder::Root,
            Requester::Owner { uid, .. } => TokenHolder::User(*uid),
            Requester::Host(host) => TokenHolder::Host(host.number),
            Requester::HostUser { host, uid, .. } => TokenHolder::HostUser(host.number, *uid),
        }
    }
}

impl Principal<'_> {
    pub(in crate::engine) fn session(self) -> Option<SessionId> {
        match self {
            Principal::Session(_, _, id) => Some(id),
            Principal::SignedIn(session, _) => Some(session.id),
            Principal::Command(_)
            | Principal::Browser(..)
            | Principal::Service(..)
            | Principal::Program(_) => None,
        }
    }

    /// Refuses a principal whose session has ended, including since the act began.
    pub(in crate::engine) fn refuse_ended_session(
        self,
        tx: &mut Transaction<'_>,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let (name, id) = match self {
            Principal::Session(name, _, id) => (name, id),
            Principal::SignedIn(session, _) => (&session.name, session.id),
            Principal::Command(_)
            | Principal::Browser(..)
            | Principal::Service(..)
            | Principal::Program(_) => return Ok(()),
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
pub(in crate::engine) fn audit_event(
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
        Principal::SignedIn(session, origin) => {
            (SERVICE, origin.to_string(), session.name.as_str())
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
