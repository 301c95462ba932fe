//! The module's side of the protocol with posternd. It connects to the daemon, or starts `posternd
//! --stdio` where none listens, sends the transaction, and follows instructions within limits of
//! its own. A host whose effective user is not root has no fallback: it can read neither store nor
//! key.
//!
//! MUST NOT trust a socket on which another user than root listens.
//! MUST NOT let the stacked password leave the host process unless the module's own options ask for
//! it.

mod error;
#[cfg(test)]
mod tests;

use crate::connection::{ConnectError, LocalConnection, Timed};
use crate::fallback;
use crate::host::{HostCalls, PamItemType};
use crate::log;
use error::{Absent, RelayError, RelayServer};
use postern_shared::protocol::{
    DecodeError, Denial, FrameError, Greeting, GreetingState, Instruction, Opening, PamFunction,
    PamFunctionResult, PamTransaction, RelayReply, common_version, receive, send,
};
use postern_shared::system::process::TransactionId;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Prompts of one hook, at most.
const PROMPTS: u32 = 32;
/// Instructions of one hook, prompts included, at most.
const INSTRUCTIONS: u32 = 512;
/// Time limit of posternd for its greeting.
const GREETED: Duration = Duration::from_secs(2);
/// Time limit of a busy posternd for admitting the conversation.
const ADMITTED: Duration = Duration::from_secs(10);
/// The pause before the module connects to a busy posternd again.
const PAUSE: Duration = Duration::from_millis(200);
/// Time limit of posternd between two instructions.
const SILENT: Duration = Duration::from_secs(10);
/// Time limit of posternd from one input to the next prompt or the result.
const VERIFIED: Duration = Duration::from_secs(30);

/// The variable in which sshd states the completed methods.
const SSH_AUTH_INFO: &str = "SSH_AUTH_INFO_0";

/// The effective user of the PAM host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostUser {
    /// Root: posternd trusts what the host states, and the fallback decides where no daemon
    /// listens.
    Root,
    /// Another user, who can read neither store nor key.
    User,
}

impl HostUser {
    fn open(
        self,
        version: u16,
        transaction: Box<PamTransaction>,
        id: Option<TransactionId>,
    ) -> Opening {
        match self {
            HostUser::Root => Opening::Host {
                version,
                transaction,
                id,
            },
            // posternd would not trust an id of a user's host
            HostUser::User => Opening::UserHost {
                version,
                transaction,
            },
        }
    }
}

/// Relays a hook to posternd at `socket`; for a host of root's to the fallback, where no daemon
/// listens.
pub(crate) fn relay(
    user: HostUser,
    socket: &Path,
    hook: PamFunction,
    host: &dyn HostCalls,
    options: &[String],
) -> PamFunctionResult {
    if hook == PamFunction::Auth {
        if let Err(error) = host.remove_mark() {
            return deny_unavailable(host, &error);
        }
    }
    // before the module connects: libpam may prompt for the name, and a connection would count
    // against the limit meanwhile
    let transaction = collect_transaction(hook, host, options);
    let id = match hook {
        PamFunction::Auth => host.name_transaction(),
        PamFunction::Account | PamFunction::Password => host.transaction_id(),
    };
    let (server, connection, version) = match connect(user, socket, options) {
        Ok(connected) => connected,
        Err(error) => return deny_unavailable(host, &error),
    };
    let mut conversation = ConversationRelay {
        host,
        hook,
        options,
        server,
        connection,
        sent_input: false,
        mark: None,
    };
    match conversation.follow_instructions(&user.open(version, Box::new(transaction), id)) {
        Err(error) => deny_failed(host, &error, conversation.sent_input),
        Ok(PamFunctionResult::Passed) if hook == PamFunction::Account => match host.remove_mark() {
            Ok(()) => PamFunctionResult::Passed,
            Err(error) => deny_unavailable(host, &error),
        },
        Ok(result) => result,
    }
}

fn deny_unavailable(host: &dyn HostCalls, why: &dyn fmt::Display) -> PamFunctionResult {
    log::log_denied(host, "unavailable", why);
    PamFunctionResult::Denied(Denial::Unavailable)
}

fn deny_failed(host: &dyn HostCalls, error: &RelayError, sent_input: bool) -> PamFunctionResult {
    match sent_input {
        true => deny_unavailable(
            host,
            &format_args!("{error}; a code that was entered may be consumed"),
        ),
        false => deny_unavailable(host, error),
    }
}

/// One type for both streams, so that the codec is compiled once.
type Stream = Box<dyn Timed>;
type RelayConnection = (RelayServer, Stream, u16);

/// Connects to the daemon or starts the fallback; with the version to speak. A full backlog or a
/// busy daemon is no reason for the fallback; an option `config=` is one.
fn connect(
    user: HostUser,
    socket: &Path,
    options: &[String],
) -> Result<RelayConnection, RelayError> {
    let until = Instant::now() + ADMITTED;
    if user == HostUser::Root && fallback::own_configuration(options).is_some() {
        return start_fallback(options, until);
    }
    loop {
        match receive_greeting(socket, until) {
            Ok(Some((connection, version))) => {
                return Ok((RelayServer::Daemon, connection, version));
            }
            // a full backlog, a busy daemon, or a slow name service
            Ok(None) | Err(Absent::NameUnavailable) if Instant::now() + PAUSE < until => {
                std::thread::sleep(PAUSE);
            }
            Ok(None) => return Err(RelayError::Busy),
            Err(_) if user == HostUser::Root => return start_fallback(options, until),
            Err(absent) => return Err(RelayError::Absent(socket.to_owned(), absent)),
        }
    }
}

fn start_fallback(options: &[String], until: Instant) -> Result<RelayConnection, RelayError> {
    let helper = fallback::start(options, until).map_err(RelayError::Fallback)?;
    let mut helper: Stream = Box::new(helper);
    helper.wait_until(until);
    let greeting = receive::<Greeting>(&mut helper)
        .map_err(|error| RelayError::from_frame(RelayServer::Stdio, error))?;
    let version = common_version(&greeting.versions).ok_or(RelayError::Version)?;
    Ok((RelayServer::Stdio, helper, version))
}

/// Connects to a posternd and reads its greeting. Returns the version to speak, or `None` where
/// posternd is busy.
fn receive_greeting(socket: &Path, until: Instant) -> Result<Option<(Stream, u16)>, Absent> {
    let mut connection: Stream = match LocalConnection::open(socket, until) {
        Ok(connection) => Box::new(connection),
        Err(ConnectError::Full) => return Ok(None),
        Err(ConnectError::Absent) => return Err(Absent::NotListening),
        Err(ConnectError::NotRoot) => return Err(Absent::NotRoot),
    };
    connection.wait_until(Instant::now() + GREETED);
    let greeting: Greeting = receive(&mut connection).map_err(Absent::NoGreeting)?;
    let version = common_version(&greeting.versions).ok_or(Absent::OtherVersion)?;
    match greeting.state {
        GreetingState::Ready => Ok(Some((connection, version))),
        GreetingState::Busy => Ok(None),
        GreetingState::NoAccount => Err(Absent::NoAccount),
        GreetingState::NameUnavailable => Err(Absent::NameUnavailable),
    }
}

struct ConversationRelay<'a> {
    host: &'a dyn HostCalls,
    hook: PamFunction,
    options: &'a [String],
    server: RelayServer,
    connection: Stream,
    /// Whether something was sent that may contain a code.
    sent_input: bool,
    /// The mark, which is kept once posternd has granted access and not before: a connection that
    /// is lost in between denies access.
    mark: Option<Zeroizing<Vec<u8>>>,
}

impl ConversationRelay<'_> {
    fn follow_instructions(&mut self, opening: &Opening) -> Result<PamFunctionResult, RelayError> {
        self.connection.wait_until(Instant::now() + SILENT);
        send(&mut self.connection, opening)
            .map_err(|error| RelayError::from_frame(self.server, error))?;
        let (mut prompts, mut verifying) = (0, Instant::now());
        for _ in 0..INSTRUCTIONS {
            let latest = verifying + VERIFIED;
            self.connection
                .wait_until(latest.min(Instant::now() + SILENT));
            let instruction = receive(&mut self.connection)
                .map_err(|error| RelayError::from_frame(self.server, error))?;
            if Instant::now() >= latest {
                return Err(RelayError::TooLong(self.server));
            }
            match instruction {
                Instruction::Ask { prompt, echo } => {
                    prompts += 1;
                    if prompts > PROMPTS
                        || self.hook != PamFunction::Auth
                        || is_proven(self.options)
                    {
                        return Err(self.not_allowed("a prompt"));
                    }
                    let reply = self
                        .host
                        .ask(&prompt, echo)
                        .map_or(RelayReply::NoInput, RelayReply::Typed);
                    self.send_reply(&reply)?;
                    verifying = Instant::now();
                }
                Instruction::GetStacked => {
                    if !self.may_read_stacked() {
                        return Err(self.not_allowed("the password of an earlier module"));
                    }
                    self.send_reply(&RelayReply::Stacked(self.host.stacked()))?;
                }
                Instruction::SetStacked(password) if self.may_read_stacked() => {
                    self.host.set_stacked(&password);
                }
                Instruction::SetStacked(_) => {
                    return Err(self.not_allowed("to set the password for later modules"));
                }
                Instruction::Tell(text) => self.host.tell(&text),
                Instruction::Log { severity, line } => {
                    self.host.log(severity, &replace_control_characters(&line))
                }
                Instruction::DelayFailure(seconds) => {
                    self.host.delay_failure(u64::from(seconds.min(60)))
                }
                Instruction::KeepMark(mark) if self.hook == PamFunction::Auth => {
                    self.mark = Some(mark)
                }
                Instruction::KeepMark(_) => return Err(self.not_allowed("a mark")),
                Instruction::StillWorking => {}
                Instruction::End(result) if !self.hook.may_end(result) => {
                    return Err(self.not_allowed("the result of another hook"));
                }
                Instruction::End(PamFunctionResult::Passed) if !self.may_pass() => {
                    return Err(self.not_allowed("success without a completed method"));
                }
                Instruction::End(denied @ PamFunctionResult::Denied(_)) => return Ok(denied),
                Instruction::End(result) => {
                    if let Some(mark) = self.mark.take() {
                        self.host.keep_mark(mark.to_vec());
                    }
                    return Ok(result);
                }
            }
        }
        Err(self.not_allowed("more than is allowed"))
    }

    fn send_reply(&mut self, reply: &RelayReply) -> Result<(), RelayError> {
        self.sent_input |= matches!(reply, RelayReply::Typed(_) | RelayReply::Stacked(Some(_)));
        self.connection.wait_until(Instant::now() + SILENT);
        send(&mut self.connection, reply).map_err(|error| match error {
            FrameError::TooLong { .. } => {
                RelayError::Frame(self.server, DecodeError("an input that is too long").into())
            }
            error => RelayError::from_frame(self.server, error),
        })
    }

    fn not_allowed(&self, what: &'static str) -> RelayError {
        RelayError::Bounds(self.server, what)
    }

    /// Returns whether the hook may succeed. `auth` with the option `proven`, which prompts for
    /// nothing, succeeds only where sshd states completed methods.
    fn may_pass(&self) -> bool {
        self.hook != PamFunction::Auth
            || !is_proven(self.options)
            || self
                .host
                .variable(SSH_AUTH_INFO)
                .is_some_and(|methods| !methods.trim_ascii().is_empty())
    }

    fn may_read_stacked(&self) -> bool {
        let words = ["try_first_pass", "use_first_pass", "forward_pass"];
        self.hook == PamFunction::Auth
            && self
                .options
                .iter()
                .any(|option| words.contains(&option.as_str()))
    }
}

fn is_proven(options: &[String]) -> bool {
    options.iter().any(|option| option == "proven")
}

/// Collects what posternd needs to know of the transaction.
fn collect_transaction(
    hook: PamFunction,
    host: &dyn HostCalls,
    options: &[String],
) -> PamTransaction {
    let mark = match hook {
        PamFunction::Account => host.mark().map(Zeroizing::new),
        PamFunction::Auth | PamFunction::Password => None,
    };
    PamTransaction {
        hook,
        options: options.to_vec(),
        service: host.item(PamItemType::Service),
        // a hook with the option never prompts, not even for the name
        user: if is_proven(options) {
            host.known_user()
        } else {
            host.item(PamItemType::User)
        },
        remote_host: host.item(PamItemType::RemoteHost),
        terminal: host.item(PamItemType::Terminal),
        ssh_connection: host.variable("SSH_CONNECTION"),
        ssh_auth_info: host.variable(SSH_AUTH_INFO),
        real_uid: nix::unistd::getuid().as_raw(),
        mark,
    }
}

/// Replaces control characters of a log line, whatever posternd sent.
fn replace_control_characters(line: &str) -> String {
    line.chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect()
}
