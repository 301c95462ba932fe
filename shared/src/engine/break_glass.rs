//! What hosts of a fleet may decide while no server answers: break-glass codes, which an administrator
//! makes for one host, and the accesses that hosts report afterwards.
//!
//! MUST NOT take a report from, or grant anything to, a host that is revoked: it is read in the same
//! transaction.

use super::hosts::{HostError, log_event};
use crate::account::event::{AuditEvent, EventKind};
use crate::account::host::{HostName, JoinedHost};
use crate::credential::break_glass_code::{BreakGlassCode, BreakGlassHash};
use crate::engine::Hosts;
use crate::engine::transaction::EngineTransaction;
use crate::store::{BreakGlassRecord, Intent};
use crate::system::clock::Timestamp;
use crate::verify::break_glass::{OfflineAccess, OfflineGrant, OfflineMethod, codes_digest};

/// The beginning of the cause of an access by a code, in the audit log.
const BREAK_GLASS_CAUSE: &str = "break-glass";
const SECURITY_KEY_CAUSE: &str = "sk-key";
/// What follows for a code that is not one of the host's: it was replaced meanwhile, or the host lies.
const UNKNOWN_CODE: &str = " with a code that is not valid any more";

/// Break-glass codes of a host, as lists show them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BreakGlassTally {
    pub left: usize,
    pub issued: Option<Timestamp>,
    /// When the host had all of them.
    pub received: Option<Timestamp>,
}

/// What a server answers to a host that asks what it may decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfflineReply {
    pub grant: OfflineGrant,
    /// Whether the host has lost its codes, so that they were removed.
    pub lost: bool,
}

impl Hosts<'_> {
    /// Makes break-glass codes for a host. Earlier ones of the host are not granted any more. Returns
    /// the codes, which are shown once.
    pub fn issue_break_glass(
        &mut self,
        name: &HostName,
        count: u32,
        actor: &str,
        now: Timestamp,
    ) -> Result<Vec<BreakGlassCode>, HostError> {
        let codes: Result<Vec<_>, _> = (0..count).map(|_| BreakGlassCode::random()).collect();
        let codes = codes.map_err(HostError::Random)?;
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        let host = tx
            .find_host(name)?
            .ok_or_else(|| HostError::NoSuchHost(name.clone()))?;
        tx.remove_break_glass_codes(host.number)?;
        for (position, code) in (0..).zip(&codes) {
            let hash = code.hash(&host.fingerprint);
            tx.add_break_glass_code(host.number, position, &hash, now)?;
        }
        log_event(&mut tx, EventKind::BreakGlassIssued, name, actor)?;
        tx.commit()?;
        Ok(codes)
    }

    /// Removes the codes of a host that could not be shown.
    pub fn cancel_break_glass(&mut self, name: &HostName, now: Timestamp) -> Result<(), HostError> {
        let mut tx = self.engine.begin_act(Intent::Write, now)?;
        if let Some(host) = tx.find_host(name)? {
            tx.remove_break_glass_codes(host.number)?;
        }
        Ok(tx.commit()?)
    }

    /// Counts the break-glass codes of a host.
    pub fn count_break_glass(&mut self, host: i64) -> Result<BreakGlassTally, HostError> {
        let codes = self.engine.begin(Intent::Read)?.break_glass_codes(host)?;
        let received: Option<Vec<Timestamp>> = codes.iter().map(|code| code.received).collect();
        Ok(BreakGlassTally {
            left: unused(&codes).count(),
            issued: codes.first().map(|code| code.issued),
            received: received.and_then(|times| times.into_iter().max()),
        })
    }

    /// Returns what a host may decide while no server answers. `held` is the digest of the codes that
    /// it has, or none where it has no state that it can rely on. A host that once had these codes and
    /// lost them may have lost that some were used: they are removed.
    pub fn grant_offline(
        &mut self,
        host: &JoinedHost,
        held: Option<[u8; 32]>,
        now: Timestamp,
    ) -> Result<OfflineReply, HostError> {
        let tx = self.engine.begin_act(Intent::Read, now)?;
        let security_keys = tx.config.policy.sk_keys_without_server.contains(&host.name);
        let (codes, tx) = joined_codes(tx, host)?;
        drop(tx);
        let received = codes.iter().any(|code| code.received.is_some());
        let lost = received && held.is_none();
        let hashes: Vec<BreakGlassHash> = unused(&codes).map(|code| code.hash).collect();
        let is_complete = held == Some(codes_digest(hashes.iter()));
        if lost {
            let mut tx = self.engine.begin_act(Intent::Write, now)?;
            tx.remove_break_glass_codes(host.number)?;
            log_event(&mut tx, EventKind::BreakGlassLost, &host.name, "root")?;
            tx.commit()?;
        } else if is_complete && codes.iter().any(|code| code.received.is_none()) {
            let tx = self.engine.begin_act(Intent::Write, now)?;
            // they may have been replaced since
            let (current, mut tx) = joined_codes(tx, host)?;
            if unused(&current)
                .map(|code| code.hash)
                .eq(hashes.iter().copied())
            {
                tx.set_break_glass_received(host.number, now)?;
                tx.commit()?;
            }
        }
        let codes = if lost { Vec::new() } else { hashes };
        let grant = OfflineGrant {
            codes,
            security_keys,
        };
        Ok(OfflineReply { grant, lost })
    }

    /// Logs what a host has accepted while no server answered. A code that it has reported before is
    /// not logged again. A security key may be: a host whose connection broke reports again.
    pub fn report_offline(
        &mut self,
        host: &JoinedHost,
        accesses: &[OfflineAccess],
        now: Timestamp,
    ) -> Result<(), HostError> {
        let tx = self.engine.begin_act(Intent::Write, now)?;
        let (mut codes, mut tx) = joined_codes(tx, host)?;
        for access in accesses {
            let mut unknown = "";
            if let OfflineMethod::BreakGlass(hash) = &access.method {
                match codes.iter_mut().find(|code| code.hash == *hash) {
                    Some(code) if code.used.is_some() => continue,
                    Some(code) => {
                        code.used = Some(now);
                        tx.set_break_glass_used(host.number, hash, now)?;
                    }
                    None => unknown = UNKNOWN_CODE,
                }
            }
            tx.add_event(&event_of(host, access, unknown, now))?;
        }
        Ok(tx.commit()?)
    }
}

fn event_of(
    host: &JoinedHost,
    access: &OfflineAccess,
    unknown: &str,
    now: Timestamp,
) -> AuditEvent {
    let address = access.address.map(|address| address.to_string());
    let address = address.unwrap_or_else(|| "-".to_owned());
    let at = access.at;
    let cause = match &access.method {
        OfflineMethod::BreakGlass(_) => format!("{BREAK_GLASS_CAUSE}{unknown} at {at}"),
        OfflineMethod::SecurityKey(key) => format!("{SECURITY_KEY_CAUSE} {key} at {at}"),
    };
    AuditEvent {
        at: now,
        account: access.account.clone(),
        kind: EventKind::Accepted,
        service: access.service.to_string(),
        origin: format!("{address} on {}", host.name),
        principal: access.account.to_string(),
        cause,
    }
}

/// Returns the codes of a host that is not revoked.
fn joined_codes<'e>(
    mut tx: EngineTransaction<'e>,
    host: &JoinedHost,
) -> Result<(Vec<BreakGlassRecord>, EngineTransaction<'e>), HostError> {
    match tx.is_host_joined(host.number)? {
        true => Ok((tx.break_glass_codes(host.number)?, tx)),
        false => Err(HostError::NoSuchHost(host.name.clone())),
    }
}

fn unused(codes: &[BreakGlassRecord]) -> impl Iterator<Item = &BreakGlassRecord> {
    codes.iter().filter(|code| code.used.is_none())
}
