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
use postern_shared::protocol::fleet::{HostRequest, RelayedConversation, USER_PROCESS_VERSION};
use postern_shared::protocol::{
    Denial, FrameError, Instruction, PamFunction, PamFunctionResult, PamTransaction, RelayReply,
    Severity, receive, send,
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

/// A function that writes a log line of a user's own process.
pub(super) type WriteUserLine<'m> = &'m dyn Fn(Severity, &str);

/// The module of a conversation that is relayed.
#[derive(Clone, Copy)]
pub struct RelayedModule<'m> {
    pub stream: &'m UnixStream,
    pub id: Option<TransactionId>,
    /// Writes log lines, where the PAM host is a user's own process. Where it runs as root, the module
    /// writes them.
    pub user_log: Option<WriteUserLine<'m>>,
}

impl<'m> RelayedModule<'m> {
    fn is_users(&self) -> bool {
        self.user_log.is_some()
    }

    /// Returns the PAM host, for a result that no server decides.
    fn into_host(self, transaction: PamTransaction) -> RemoteHost<'m, &'m UnixStream> {
        let (process, access) = (HostProcess::find(0), EngineAccess::Store);
        let host = RemoteHost::new(self.stream, transaction, process, access);
        match self.user_log {
            Some(log) => host.with_log(Box::new(log)),
            None => host,
        }
    }

    fn forward(&self, instruction: &Instruction) -> Result<(), RelayFailure> {
        if let (Instruction::Log { severity, line }, Some(log)) = (instruction, self.user_log) {
            log(*severity, line);
            return Ok(());
        }
        send(&mut &*self.stream, instruction).map_err(RelayFailure::Module)
    }
}

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
    module: RelayedModule<'_>,
    mut transaction: PamTransaction,
    fleet: &FleetConfig,
    servers: &FleetServers,
) -> Result<(), FrameError> {
    let stream = module.stream;
    if transaction.hook == PamFunction::Password {
        // a password of this host is no password of Postern's
        let ignored = Instruction::End(PamFunctionResult::NotNeeded);
        return send(&mut &*stream, &ignored);
    }
    // it names a file of this host
    transaction
        .options
        .retain(|option| !option.starts_with("config="));
    stream.set_read_timeout(None)?;
    if !module.is_users() && has_own_mark(fleet, &transaction, module.id) {
        return send(&mut &*stream, &Instruction::End(PamFunctionResult::Passed));
    }
    let until = Instant::now() + TRIES;
    // no process of a user's own has this host accept anything
    let mut may_decide = !module.is_users();
    let mut last = "no server is configured".to_owned();
    let mut urls = servers.in_order(fleet).into_iter();
    let mut again = None;
    while let Some(url) = again.take().or_else(|| urls.next()) {
        if Instant::now() >= until {
            break;
        }
        send(&mut &*stream, &Instruction::StillWorking)?;
        let mut connection = match servers.connect(fleet, &url) {
            Ok(connection) => connection,
            Err(error) => {
                last = format!("{url}: {error}");
                may_decide &= !error.is_answer();
                continue;
            }
        };
        if module.is_users() && connection.version < USER_PROCESS_VERSION {
            servers.keep(connection);
            last = format!("{url}: it relays PAM hosts that run as root only; upgrade the server");
            continue;
        }
        match converse(&module, &transaction, &mut connection) {
            Ok(result) => {
                servers.report(&url, None);
                servers.keep(connection);
                return send(&mut &*stream, &Instruction::End(result));
            }
            Err(RelayFailure::Module(error)) => return Err(error),
            Err(RelayFailure::Server { error, shown }) => {
                connection.connection.close();
                last = format!("{url}: {error}");
                if shown {
                    servers.set_back(&url);
                    let host = module.into_host(transaction);
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
    let id = module.id;
    let host = module.into_host(transaction);
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
    transaction.hook == PamFunction::Account
        && is_of_host(transaction)
        && OfflineFiles::open(fleet).is_ok_and(|files| files.has_mark(transaction, id))
}

/// Runs the conversation with one server. Returns its result.
fn converse(
    module: &RelayedModule<'_>,
    transaction: &PamTransaction,
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
        is_users: module.is_users(),
        transaction: transaction.clone(),
        id: module.id,
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
                    module.forward(&Instruction::SetStacked(password))?;
                }
            }
            Instruction::Ask { .. } | Instruction::GetStacked => {
                shown = true;
                module.forward(&instruction)?;
                let reply = wait_for_reply(module.stream, server)?;
                send(&mut &*stream, &cut.cut_reply(reply)).map_err(lost(shown))?;
            }
            Instruction::Tell(_)
            | Instruction::Log { .. }
            | Instruction::DelayFailure(_)
            | Instruction::KeepMark(_)
            | Instruction::StillWorking => {
                shown |= !matches!(instruction, Instruction::StillWorking);
                module.forward(&instruction)?;
            }
        }
    }
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
