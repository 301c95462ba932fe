//! What passes between host and server about the time when no server answers: the host reports what it
//! has accepted, and receives what it may decide next time.
//!
//! MUST NOT hold the lock of the file while it waits for a server.

use super::offline_files::OfflineFiles;
use super::servers::ServerConnection;
use crate::daemon::log::log;
use postern_shared::config::FleetConfig;
use postern_shared::protocol::break_glass::MOST_REPORTED;
use postern_shared::protocol::fleet::{BREAK_GLASS_VERSION, HostRequest, ServerReply};
use postern_shared::protocol::{receive, send};
use postern_shared::store::sealed_file::FileState;
use postern_shared::verify::break_glass::{OfflineGrant, OfflineState};

/// Reports, and takes over what the server grants.
///
/// # Errors
/// Why it did not succeed, as text.
pub(super) fn synchronize(fleet: &FleetConfig, server: &ServerConnection) -> Result<(), String> {
    if server.version < BREAK_GLASS_VERSION {
        return Ok(());
    }
    let files = OfflineFiles::open(fleet)?;
    while report(&files, server)? {}
    let held = held_digest(&files)?;
    let grant = request_grant(server, held)?;
    if let Some(digest) = take_over(&files, &grant, server)? {
        // the server sees that this host has the codes
        request_grant(server, Some(digest))?;
    }
    Ok(())
}

/// Reports some uses. Returns whether there were any.
fn report(files: &OfflineFiles, server: &ServerConnection) -> Result<bool, String> {
    let uses = match &files.lock()?.state {
        FileState::InForce(state) | FileState::Replaced(state) => state.unreported().to_vec(),
        FileState::Empty | FileState::Altered => Vec::new(),
    };
    let uses: Vec<_> = uses.into_iter().take(MOST_REPORTED).collect();
    if uses.is_empty() {
        return Ok(false);
    }
    match ask(server, &HostRequest::Report(uses.clone()))? {
        ServerReply::Reported => {}
        ServerReply::Refused(why) => return Err(why),
        _ => return Err("an unexpected reply of the server".to_owned()),
    }
    let count = uses.len();
    log(format_args!(
        "{count} sign-ins, from the time when no server answered, were reported to {}",
        server.url
    ));
    let mut locked = files.lock()?;
    match &locked.state {
        FileState::InForce(state) => {
            let mut state = state.clone();
            state.remove_reported(&uses);
            let written = locked.write(state);
            written.map_err(|error| error.to_string())?;
            Ok(true)
        }
        // what the server grants next replaces it
        _ => Ok(false),
    }
}

fn held_digest(files: &OfflineFiles) -> Result<Option<[u8; 32]>, String> {
    let locked = files.lock()?;
    if let FileState::Replaced(_) | FileState::Altered = locked.state {
        log(
            "the file with the break-glass codes of this host was replaced by a copy, or was changed by another program: the codes are not valid any more; make others on a server, with postern host break-glass",
        );
    }
    Ok(locked.in_force().map(OfflineState::digest))
}

fn request_grant(
    server: &ServerConnection,
    held: Option<[u8; 32]>,
) -> Result<OfflineGrant, String> {
    match ask(server, &HostRequest::BreakGlass { held })? {
        ServerReply::Granted(grant) => Ok(grant),
        ServerReply::Refused(why) => Err(why),
        _ => Err("an unexpected reply of the server".to_owned()),
    }
}

/// Writes what the server grants. Returns the digest of the codes, if it was written.
fn take_over(
    files: &OfflineFiles,
    grant: &OfflineGrant,
    server: &ServerConnection,
) -> Result<Option<[u8; 32]>, String> {
    let mut locked = files.lock()?;
    let is_nothing = *grant == OfflineGrant::default();
    let (before, is_in_force) = match &locked.state {
        FileState::InForce(state) => (state.clone(), true),
        FileState::Empty if is_nothing => return Ok(None),
        // what it held was reported before
        FileState::Empty | FileState::Replaced(_) | FileState::Altered => {
            (OfflineState::default(), false)
        }
    };
    let mut state = before.clone();
    state.take_grant(grant, server.expires);
    if is_in_force && state == before {
        return Ok(None);
    }
    let (left, digest) = (state.codes_left(), state.digest());
    let is_other = digest != before.digest() || !is_in_force;
    locked.write(state).map_err(|error| error.to_string())?;
    if is_other {
        log(format_args!("this host has {left} break-glass codes"));
    }
    Ok(Some(digest))
}

/// Removes what this host may decide: it was revoked.
pub(super) fn remove_grant(fleet: &FleetConfig) -> Result<(), String> {
    let files = OfflineFiles::open(fleet)?;
    let mut locked = files.lock()?;
    let has_nothing = match &locked.state {
        FileState::Empty => true,
        FileState::InForce(state) => *state == OfflineState::default(),
        FileState::Replaced(_) | FileState::Altered => false,
    };
    if has_nothing {
        return Ok(());
    }
    log("this host was revoked: its break-glass codes are removed");
    let removed = locked.write(OfflineState::default());
    removed.map_err(|error| error.to_string())
}

fn ask(server: &ServerConnection, request: &HostRequest) -> Result<ServerReply, String> {
    let stream = &server.connection;
    send(&mut &*stream, request).map_err(|error| error.to_string())?;
    receive(&mut &*stream).map_err(|error| error.to_string())
}
