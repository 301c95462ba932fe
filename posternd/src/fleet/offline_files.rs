//! The file with what this host may decide itself, the keys that seal it, and the mark of a transaction
//! that passed while no server answered.

use postern_shared::account::name::{Service, UserName};
use postern_shared::config::FleetConfig;
use postern_shared::crypto::fleet::host_key::{HostSealKey, HostSealPurpose};
use postern_shared::protocol::PamTransaction;
use postern_shared::protocol::fleet::files::{HostFiles, RENEWED};
use postern_shared::store::sealed_file::{FileState, LockedFile, OFFLINE_STATE, OfflineFile};
use postern_shared::system::clock::{self, Timestamp};
use postern_shared::system::process::TransactionId;
use postern_shared::verify::break_glass::{OfflineRefusal, OfflineState};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Lifetime of a mark, in seconds.
const MARK: u64 = 600;
/// The beginning of such a mark; those of servers have another.
const MARK_PREFIX: &[u8] = b"host:";

/// The file of this host, with its keys.
pub(super) struct OfflineFiles {
    file: OfflineFile,
    key: HostSealKey,
    mark: HostSealKey,
    fingerprint: [u8; 32],
}

/// What the `account` hook needs to know of the `auth` hook of the same transaction.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfflineMark {
    pub(super) id: [u8; TransactionId::LENGTH],
    pub(super) user: UserName,
    pub(super) service: Service,
    pub(super) issued: Timestamp,
}

impl OfflineFiles {
    /// Reads the key of this host.
    ///
    /// # Errors
    /// Why it cannot be used, as text.
    pub(super) fn open(fleet: &FleetConfig) -> Result<OfflineFiles, String> {
        OfflineFiles::open_at(fleet, Path::new(OFFLINE_STATE))
    }

    pub(super) fn open_at(fleet: &FleetConfig, path: &Path) -> Result<OfflineFiles, String> {
        let files = HostFiles::read(fleet, Some(Path::new(RENEWED)));
        let files = files.map_err(|error| error.to_string())?;
        let fingerprint = files.fingerprint();
        Ok(OfflineFiles {
            file: OfflineFile::at(path),
            key: files.derive_seal_key(HostSealPurpose::BreakGlass),
            mark: files.derive_seal_key(HostSealPurpose::Mark),
            fingerprint: fingerprint
                .ok_or("the certificate of this host is for no key of a host")?,
        })
    }

    /// Returns the fingerprint of the host's key.
    pub(super) fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// Locks the file.
    ///
    /// # Errors
    /// Why it cannot be used, as text.
    pub(super) fn lock(&self) -> Result<LockedFile<'_>, String> {
        self.file.lock(&self.key).map_err(|error| error.to_string())
    }

    /// Returns the state that is in force.
    ///
    /// # Errors
    /// Why there is none, as text.
    pub(super) fn read(&self) -> Result<OfflineState, String> {
        in_force(&self.lock()?)
    }

    /// Changes the state, durably before this returns. A change that is refused leaves the file as it
    /// is. Returns the new state.
    ///
    /// # Errors
    /// Why there is no state, or why it cannot be written, as text.
    pub(super) fn change(
        &self,
        change: impl FnOnce(&mut OfflineState) -> Result<(), OfflineRefusal>,
    ) -> Result<Result<OfflineState, OfflineRefusal>, String> {
        let mut locked = self.lock()?;
        let mut state = in_force(&locked)?;
        if let Err(refusal) = change(&mut state) {
            return Ok(Err(refusal));
        }
        let written = locked.write(state.clone());
        written.map_err(|error| error.to_string())?;
        Ok(Ok(state))
    }

    pub(super) fn seal_mark(&self, mark: &OfflineMark) -> Option<Vec<u8>> {
        let sealed = self.mark.seal(&serde_json::to_vec(mark).ok()?).ok()?;
        Some([MARK_PREFIX, &sealed].concat())
    }

    /// Returns whether the `auth` hook of this transaction has passed on this host.
    pub(super) fn has_mark(&self, transaction: &PamTransaction, id: Option<TransactionId>) -> bool {
        let mark = transaction.mark.as_ref().and_then(|mark| {
            let sealed = mark.strip_prefix(MARK_PREFIX)?;
            serde_json::from_slice::<OfflineMark>(&self.mark.unseal(sealed)?).ok()
        });
        let user = transaction.user.as_deref().map(UserName::parse);
        let (Some(mark), Some(id), Some(Ok(user)), Ok(now)) = (mark, id, user, clock::now()) else {
            return false;
        };
        let service = Service::from_pam(transaction.service.as_deref().unwrap_or_default());
        let is_recent = mark.issued <= now && now.since(mark.issued) < MARK;
        is_recent && (mark.id, mark.user, mark.service) == (id.0, user, service)
    }
}

/// Returns whether a mark looks like one of a host.
pub(super) fn is_of_host(transaction: &PamTransaction) -> bool {
    let mark = transaction.mark.as_ref();
    mark.is_some_and(|mark| mark.starts_with(MARK_PREFIX))
}

fn in_force(locked: &LockedFile<'_>) -> Result<OfflineState, String> {
    match &locked.state {
        FileState::InForce(state) => Ok(state.clone()),
        FileState::Empty => Ok(OfflineState::default()),
        FileState::Replaced(_) => Err(format!(
            "{OFFLINE_STATE} was replaced by a copy, or was changed by another program, so its codes are not valid"
        )),
        FileState::Altered => Err(format!(
            "{OFFLINE_STATE} does not open with the key of this host"
        )),
    }
}
