//! The hosts of a fleet: invited by an administrator, joined with the one-time code of the invitation,
//! revoked. A host is known by the fingerprint of its key.
//!
//! MUST NOT return a host that is revoked. What a host states is refused in the transaction that
//! decides ([`super::verify::evaluation::refuse_revoked_host`]).

use crate::account::event::{AuditEvent, EventKind};
use crate::account::host::{HostName, JoinedHost};
use crate::credential::invitation::Invitation;
use crate::crypto::fleet::authority::{
    CertificateError, FleetAuthority, HostPublicKey, OF_HOST, TlsIdentity,
};
use crate::crypto::vault::AuthorityBinding;
use crate::engine::transaction::EngineTransaction;
use crate::engine::{COMMAND, EngineError, Hosts};
use crate::store::{AuthorityRecord, HostRecord, Intent, InvitationRecord};
use crate::system::clock::Timestamp;
use crate::system::random::RandomError;
use std::collections::BTreeSet;
use std::fmt;

/// Lifetime of an invitation, in seconds.
const INVITATION: u64 = 3600;
/// Service name in the audit log.
const SERVICE: &str = "fleet";

/// What a host receives that has joined. Certificates are DER.
pub struct JoinedFleet {
    pub host: JoinedHost,
    pub certificate: Vec<u8>,
    pub authority: Vec<u8>,
}

/// Why an act on hosts is refused.
#[derive(Debug)]
pub enum HostError {
    Engine(EngineError),
    Certificate(CertificateError),
    /// The key of the authority does not belong to its certificate.
    AuthorityAltered,
    /// There is no such invitation: it was used, or replaced, or never made.
    NoInvitation,
    InvitationExpired,
    /// The key is of another kind, or of a host that has joined already.
    Key,
    NoSuchHost(HostName),
    Random(RandomError),
}

impl<E: Into<EngineError>> From<E> for HostError {
    fn from(error: E) -> HostError {
        HostError::Engine(error.into())
    }
}

impl From<CertificateError> for HostError {
    fn from(error: CertificateError) -> HostError {
        HostError::Certificate(error)
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostError::Engine(error) => error.fmt(f),
            HostError::Certificate(error) => error.fmt(f),
            HostError::AuthorityAltered => f.write_str(
                "the sealed key of the fleet's authority was altered in the store; restore the store",
            ),
            HostError::NoInvitation => f.write_str(
                "the invitation is not valid: each is valid once; make another with postern host invite NAME on a server",
            ),
            HostError::InvitationExpired => f.write_str(
                "the invitation has expired; make another with postern host invite NAME on a server",
            ),
            HostError::Key => f.write_str(
                "the key of the host is of a kind that a fleet does not use, or has joined already; remove its file and join again",
            ),
            HostError::NoSuchHost(name) => {
                write!(f, "no host {name} has joined; postern host list shows them")
            }
            HostError::Random(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for HostError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            HostError::Engine(error) => Some(error),
            HostError::Certificate(error) => Some(error),
            HostError::Random(error) => Some(error),
            _ => None,
        }
    }
}

impl Hosts<'_> {
    /// Invites a host. Makes the authority of the fleet, if there is none. An earlier invitation of
    /// the name is not valid any more. Returns the invitation, and when it expires.
    pub fn invite_host(
        &mut self,
        name: &HostName,
        actor: &str,
        now: Timestamp,
    ) -> Result<(Invitation, Timestamp), HostError> {
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        let authority = match open_authority(&mut tx)? {
            Some(authority) => authority,
            None => make_authority(&mut tx, now)?,
        };
        let invitation = Invitation::random(authority.fingerprint())?;
        let expires = now.plus(INVITATION);
        let hash = tx.vault.invitation_hash(invitation.secret());
        tx.set_host_invitation(&InvitationRecord {
            name: name.clone(),
            hash,
            issued: now,
            expires,
        })?;
        log_event(&mut tx, EventKind::HostInvited, name, actor)?;
        tx.commit()?;
        Ok((invitation, expires))
    }

    /// Has a host join, which consumes its invitation. An earlier host of the name is revoked.
    pub fn join_host(
        &mut self,
        secret: &[u8],
        public_key: &[u8],
        now: Timestamp,
    ) -> Result<JoinedFleet, HostError> {
        let key = HostPublicKey::parse(public_key).ok_or(HostError::Key)?;
        let fingerprint = key.fingerprint();
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        let hash = tx.vault.invitation_hash(secret);
        let invitation = tx
            .take_host_invitation(&hash)?
            .ok_or(HostError::NoInvitation)?;
        if invitation.expires <= now || invitation.issued > now.plus(CLOCK_SLACK) {
            return Err(HostError::InvitationExpired);
        }
        if tx.find_host_by_key(&fingerprint)?.is_some() {
            return Err(HostError::Key);
        }
        let authority = open_authority(&mut tx)?.ok_or(HostError::NoInvitation)?;
        let name = invitation.name;
        if let Some(earlier) = tx.find_host(&name)? {
            tx.revoke_host(earlier.number, now)?;
        }
        let certificate = authority.issue_to_host(&name, &key, now)?;
        let number = tx.add_host(&name, &fingerprint, now, now.plus(OF_HOST))?;
        log_event(&mut tx, EventKind::HostJoined, &name, "root")?;
        tx.commit()?;
        Ok(JoinedFleet {
            host: JoinedHost { number, name },
            certificate: certificate.to_vec(),
            authority: authority.certificate().to_vec(),
        })
    }

    /// Issues another certificate to a host for its key.
    pub fn renew_certificate(
        &mut self,
        key: &HostPublicKey,
        now: Timestamp,
    ) -> Result<Vec<u8>, HostError> {
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        let host = tx.find_host_by_key(&key.fingerprint())?;
        let host = host
            .filter(|host| host.revoked.is_none())
            .ok_or(HostError::Key)?;
        let authority = open_authority(&mut tx)?.ok_or(HostError::Key)?;
        let certificate = authority.issue_to_host(&host.name, key, now)?;
        tx.set_host_expiry(host.number, now.plus(OF_HOST))?;
        tx.commit()?;
        Ok(certificate.to_vec())
    }

    /// Returns the host with this key, unless it was revoked.
    pub fn find_joined_host(
        &mut self,
        key: &HostPublicKey,
    ) -> Result<Option<HostRecord>, EngineError> {
        let found = self
            .engine
            .begin(Intent::Read)?
            .find_host_by_key(&key.fingerprint())?;
        Ok(found.filter(|host| host.revoked.is_none()))
    }

    /// Returns every host that ever joined, by name.
    pub fn list_hosts(&mut self) -> Result<Vec<HostRecord>, EngineError> {
        Ok(self.engine.begin(Intent::Read)?.hosts()?)
    }

    /// Returns the numbers of the hosts that are not revoked.
    pub fn joined_numbers(&mut self) -> Result<BTreeSet<i64>, EngineError> {
        let joined = self.list_hosts()?.into_iter();
        let joined = joined.filter(|host| host.revoked.is_none());
        Ok(joined.map(|host| host.number).collect())
    }

    /// Revokes a host. When this returns, no server accepts anything through it.
    pub fn revoke_host(
        &mut self,
        name: &HostName,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), HostError> {
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        let host = tx
            .find_host(name)?
            .ok_or_else(|| HostError::NoSuchHost(name.clone()))?;
        tx.revoke_host(host.number, now)?;
        log_event(&mut tx, EventKind::HostRevoked, name, actor)?;
        Ok(tx.commit()?)
    }

    /// Returns the certificate (DER) of the authority, if there is one.
    pub fn authority_certificate(&mut self) -> Result<Option<Vec<u8>>, EngineError> {
        let record = self.engine.begin(Intent::Read)?.fleet_authority()?;
        Ok(record.map(|record| record.certificate))
    }

    /// Issues a certificate to this server, with a new key. Makes the authority of the fleet, if there
    /// is none.
    pub fn server_identity(&mut self, now: Timestamp) -> Result<TlsIdentity, HostError> {
        let found = open_authority(&mut self.engine.begin_act(Intent::Read, now)?)?;
        let authority = match found {
            Some(authority) => authority,
            None => {
                let mut tx = self.engine.begin_act(Intent::Write, now)?;
                // another server may have been faster
                match open_authority(&mut tx)? {
                    Some(authority) => authority,
                    None => {
                        let made = make_authority(&mut tx, now)?;
                        tx.commit()?;
                        made
                    }
                }
            }
        };
        Ok(authority.issue_to_server(now)?)
    }
}

/// How far the clocks of servers may differ, in seconds.
const CLOCK_SLACK: u64 = 300;

fn open_authority(tx: &mut EngineTransaction<'_>) -> Result<Option<FleetAuthority>, HostError> {
    let Some(record) = tx.fleet_authority()? else {
        return Ok(None);
    };
    let binding = AuthorityBinding(&record.certificate);
    let key = tx.vault.unseal_authority_key(&record.sealed, &binding);
    let key = key.ok_or(HostError::AuthorityAltered)?;
    Ok(Some(FleetAuthority::open(record.certificate, &key)?))
}

fn make_authority(
    tx: &mut EngineTransaction<'_>,
    now: Timestamp,
) -> Result<FleetAuthority, HostError> {
    let authority = FleetAuthority::create(now)?;
    let certificate = authority.certificate().to_vec();
    let binding = AuthorityBinding(&certificate);
    let sealed = tx.vault.seal_authority_key(authority.key(), &binding)?;
    tx.add_fleet_authority(&AuthorityRecord {
        certificate,
        sealed,
    })?;
    Ok(authority)
}

pub(super) fn log_event(
    tx: &mut EngineTransaction<'_>,
    kind: EventKind,
    host: &HostName,
    actor: &str,
) -> Result<(), EngineError> {
    let root = || "root".parse().expect("root is a name");
    let is_join = matches!(kind, EventKind::HostJoined | EventKind::BreakGlassLost);
    let event = AuditEvent {
        at: tx.now,
        account: actor.parse().unwrap_or_else(|_| root()),
        kind,
        service: if is_join { SERVICE } else { COMMAND }.to_owned(),
        origin: match is_join {
            true => format!("host {host}"),
            false => format!("local user {actor}"),
        },
        principal: actor.to_owned(),
        cause: host.to_string(),
    };
    tx.add_event(&event)?;
    Ok(())
}
