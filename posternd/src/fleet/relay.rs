//! One PAM conversation of a host of a fleet: between the module here and a server.
//!
//! MUST NOT try another server once a prompt was shown: its input may be consumed already.
//! MUST NOT let a result through that the hook cannot have.

use super::cut_input::InputCut;
use super::offline::{self, OfflineConversation};
use super::offline_files::{OfflineFiles, is_of_host};
use super::servers::{FleetServers, ServerConnection};
use crate::pam::hooks::EngineAccess;
use crate::pam::remote_host::{RemoteHost, look_up_facts};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use postern_shared::config::FleetConfig;
use postern_shared::protocol::fleet::{HostRequest, RelayedConversation};
use postern_shared::protocol::{
    Denial, FrameError, Instruction, PamFunction, PamFunctionResult, PamTransaction, RelayReply,
    receive, send,
};
use postern_shared::system::process::{HostProcess, TransactionId};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Time limit of a server for its first instruction, and for each later one. The module waits longer.
const FIRST: Duration = Duration::from_secs(3);
const LATER: Duration = Duration::from_secs(25);
/// Time limit of trying servers.
const TRIES: Duration = Duration::from_secs(8);

/// Why a conversation has no result of a server.
enum RelayFailure {
    /// The module has gone, or has sent an invalid frame.
    Module(FrameError),
    /// The server has gone, or was silent. Whether anything was shown.
    Server { error: String, shown: bool },
}

/// Returns whether this conversation is relayed: one that only checks the completed methods needs no
/// server.
pub fn relay_here(fleet: &FleetConfig, transaction: &PamTransaction) -> bool {
    let mut options = transaction.options.iter();
    let is_proof =
        transaction.hook == PamFunction::Auth && options.any(|option| option == "proven");
    fleet.is_host() && !is_proof
}

/// Relays a conversation, and sends its result.
///
/// # Errors
/// Those of the module's connection.
pub fn relay(
    module: &UnixStream,
    mut transaction: PamTransaction,
    id: Option<TransactionId>,
    fleet: &FleetConfig,
    servers: &FleetServers,
) -> Result<(), FrameError> {
    if transaction.hook == PamFunction::Password {
        // a password of this host is no password of Postern's
        let ignored = Instruction::End(PamFunctionResult::NotNeeded);
        return send(&mut &*module, &ignored);
    }
    // it names a file of this host
    transaction
        .options
        .retain(|option| !option.starts_with("config="));
    module.set_read_timeout(None)?;
    if transaction.hook == PamFunction::Account && has_own_mark(fleet, &transaction, id) {
        return send(&mut &*module, &Instruction::End(PamFunctionResult::Passed));
    }
    let until = Instant::now() + TRIES;
    let mut may_decide = true;
    let mut last = "no server is configured".to_owned();
    let mut urls = servers.in_order(fleet).into_iter();
    let mut again = None;
    while let Some(url) = again.take().or_else(|| urls.next()) {
        if Instant::now() >= until {
            break;
        }
        send(&mut &*module, &Instruction::StillWorking)?;
        let mut connection = match servers.connect(fleet, &url) {
            Ok(connection) => connection,
            Err(error) => {
                last = format!("{url}: {error}");
                may_decide &= !error.is_answer();
                continue;
            }
        };
        match converse(module, &transaction, id, &mut connection) {
            Ok(result) => {
                servers.report(&url, None);
                servers.keep(connection);
                return send(&mut &*module, &Instruction::End(result));
            }
            Err(RelayFailure::Module(error)) => return Err(error),
            Err(RelayFailure::Server { error, shown }) => {
                connection.connection.close();
                last = format!("{url}: {error}");
                if shown {
                    servers.set_back(&url);
                    let process = HostProcess::find(0);
                    let host = RemoteHost::new(module, transaction, process, EngineAccess::Store);
                    offline::deny_ended(&host, &last);
                    return host.end(PamFunctionResult::Denied(Denial::Unavailable));
                }
                match connection.was_idle {
                    // the server may have restarted since
                    true => again = Some(url),
                    false => servers.report(&url, Some(&error)),
                }
            }
        }
    }
    let process = HostProcess::find(0);
    let host = RemoteHost::new(module, transaction, process, EngineAccess::Store);
    let may_decide = may_decide && servers.have_all_failed(fleet);
    let result = match OfflineFiles::open(fleet) {
        Ok(files) if may_decide => OfflineConversation {
            host: &host,
            id,
            files: &files,
            wrong: servers.wrong_codes(),
            error: &last,
        }
        .decide(),
        // a server has answered, or there is no key: the last error says so
        Ok(_) | Err(_) => {
            offline::deny(&host, &last);
            PamFunctionResult::Denied(Denial::Unavailable)
        }
    };
    host.end(result)
}

/// Returns whether the `auth` hook of this transaction has passed here, while no server answered.
fn has_own_mark(
    fleet: &FleetConfig,
    transaction: &PamTransaction,
    id: Option<TransactionId>,
) -> bool {
    is_of_host(transaction)
        && OfflineFiles::open(fleet).is_ok_and(|files| files.has_mark(transaction, id))
}

/// Runs the conversation with one server. Returns its result.
fn converse(
    module: &UnixStream,
    transaction: &PamTransaction,
    id: Option<TransactionId>,
    server: &mut ServerConnection,
) -> Result<PamFunctionResult, RelayFailure> {
    let mut shown = false;
    let lost = |shown| {
        move |error: FrameError| RelayFailure::Server {
            error: error.to_string(),
            shown,
        }
    };
    let relayed = RelayedConversation {
        version: server.version,
        transaction: transaction.clone(),
        id,
        facts: look_up_facts(transaction, &server.groups),
    };
    let stream = &server.connection;
    let begun = stream.set_timeout(Some(FIRST)).map_err(FrameError::from);
    begun.map_err(lost(shown))?;
    let request = HostRequest::Conversation(Box::new(relayed));
    send(&mut &*stream, &request).map_err(lost(shown))?;
    let mut cut = InputCut::new(transaction);
    loop {
        let instruction: Instruction = receive(&mut &*stream).map_err(lost(shown))?;
        let later = stream.set_timeout(Some(LATER)).map_err(FrameError::from);
        later.map_err(lost(shown))?;
        match instruction {
            Instruction::End(result) if transaction.hook.may_end(result) => return Ok(result),
            Instruction::End(_) => {
                return Err(RelayFailure::Server {
                    error: "a result that this hook cannot have".to_owned(),
                    shown: true,
                });
            }
            Instruction::SetStacked(rest) => {
                if let Some(password) = cut.restore_password(&rest) {
                    forward(module, &Instruction::SetStacked(password))?;
                }
            }
            Instruction::Ask { .. } | Instruction::GetStacked => {
                shown = true;
                forward(module, &instruction)?;
                let reply = wait_for_reply(module, server)?;
                send(&mut &*stream, &cut.cut_reply(reply)).map_err(lost(shown))?;
            }
            Instruction::Tell(_)
            | Instruction::Log { .. }
            | Instruction::DelayFailure(_)
            | Instruction::KeepMark(_)
            | Instruction::StillWorking => {
                shown |= !matches!(instruction, Instruction::StillWorking);
                forward(module, &instruction)?;
            }
        }
    }
}

fn forward(module: &UnixStream, instruction: &Instruction) -> Result<(), RelayFailure> {
    send(&mut &*module, instruction).map_err(RelayFailure::Module)
}

/// Waits for the module's reply. A server sends nothing meanwhile: if it does, it has closed the
/// connection, such as when this host was revoked. PAM cannot interrupt a prompt, and a module that
/// still sends its reply would lose what follows if this end were closed: so the reply is read, and
/// stays here.
fn wait_for_reply(
    module: &UnixStream,
    server: &ServerConnection,
) -> Result<RelayReply, RelayFailure> {
    let gone = |error: &str| RelayFailure::Server {
        error: error.to_owned(),
        shown: true,
    };
    let socket = server
        .connection
        .socket()
        .map_err(|error| gone(&error.to_string()))?;
    let mut waiting = [
        PollFd::new(module.as_fd(), PollFlags::POLLIN),
        PollFd::new(socket.as_fd(), PollFlags::POLLIN),
    ];
    let mut is_lost = false;
    loop {
        let open = if is_lost { 1 } else { waiting.len() };
        match poll(&mut waiting[..open], PollTimeout::NONE) {
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(gone(error.desc())),
            Ok(_) => {}
        }
        if waiting[0].any().unwrap_or(true) {
            let reply = receive(&mut &*module).map_err(RelayFailure::Module)?;
            return match is_lost {
                true => Err(gone("it has closed the connection")),
                false => Ok(reply),
            };
        }
        is_lost |= waiting[1].any().unwrap_or(true);
    }
}
