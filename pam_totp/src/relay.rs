//! The module's side of the protocol with posternd: connects to the daemon, or starts `posternd --stdio` where none listens,
//! says what the transaction is about, and does what it is told within bounds of its own. A host whose effective user is not
//! root has no fallback: it can read neither store nor key.
//!
//! MUST believe no socket on which another user than root listens.
//! MUST NOT let the stacked password leave the host process unless the line's own options ask for it.

use crate::connection::{ConnectError, LocalConnection, Timed};
use crate::fallback::{self, FallbackError};
use crate::host::{HostCalls, PamItemType};
use crate::log;
use shared::protocol::{
    DecodeError, Denial, FrameError, Greeting, Instruction, Opening, PamFunction,
    PamFunctionResult, PamTransaction, RelayReply, ServerState, common_version, receive, send,
};
use shared::system::process::TransactionId;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Prompts of one hook.
const PROMPTS: u32 = 32;
/// Instructions of one hook, prompts included.
const INSTRUCTIONS: u32 = 512;
/// How long posternd may take to accept and greet, and to have room.
const GREETED: Duration = Duration::from_secs(2);
const ADMITTED: Duration = Duration::from_secs(10);
/// The pause before a busy posternd is asked again.
const PAUSE: Duration = Duration::from_millis(200);
/// How long posternd may be silent, and how long it may take in all, while it verifies.
const SILENT: Duration = Duration::from_secs(10);
const VERIFIED: Duration = Duration::from_secs(30);

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RelayServer {
    /// The daemon, at its socket.
    Daemon,
    /// `posternd --stdio`.
    Stdio,
}

impl fmt::Display for RelayServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RelayServer::Daemon => "posternd",
            RelayServer::Stdio => "posternd --stdio",
        })
    }
}

/// Why nobody decided.
#[derive(Debug)]
enum RelayError {
    /// No daemon that may be believed, and that has a greeting for this host, listens at the socket.
    Absent(PathBuf, Absent),
    /// No daemon listens, and the fallback does not start.
    Fallback(FallbackError),
    /// Every place is taken.
    Busy,
    /// No protocol version is shared with the fallback.
    Version,
    /// The host may have no more memory.
    Memory,
    /// The connection failed, or a frame came that has no place there.
    Frame(RelayServer, FrameError),
    /// An instruction beyond the module's bounds.
    Bounds(RelayServer, &'static str),
    /// It took longer than it may.
    TooLong(RelayServer),
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RelayError::Absent(socket, absent) => {
                write!(f, "{}: {absent}; {}", socket.display(), absent.remedy())
            }
            RelayError::Fallback(error) => error.fmt(f),
            RelayError::Busy => f.write_str("posternd has no room for another conversation; see its log"),
            RelayError::Version => f.write_str(
                "posternd --stdio and pam_totp.so have different versions; install both of one version",
            ),
            RelayError::Memory => f.write_str(
                "no memory is left in the PAM host; raise RLIMIT_AS and RLIMIT_DATA (ulimit -v, ulimit -d)",
            ),
            RelayError::Frame(RelayServer::Daemon, FrameError::Stream(error)) => {
                write!(f, "posternd ended the conversation: {error}; see its log")
            }
            RelayError::Frame(RelayServer::Stdio, FrameError::Stream(error)) => {
                write!(f, "posternd --stdio ended the conversation: {error}; was it killed?")
            }
            RelayError::Frame(server, error) => write!(
                f,
                "{server} and pam_totp.so have different versions ({error}); install both of one version, and restart posternd"
            ),
            RelayError::Bounds(server, what) => write!(f, "{server} sent an instruction that is not allowed: {what}"),
            RelayError::TooLong(RelayServer::Daemon) => {
                f.write_str("posternd did not answer in time; see its log")
            }
            RelayError::TooLong(RelayServer::Stdio) => {
                f.write_str("posternd --stdio did not answer in time; is it stopped, or the disk slow?")
            }
        }
    }
}

impl RelayError {
    fn of_frame(server: RelayServer, error: FrameError) -> RelayError {
        match error {
            FrameError::Stream(error) if error.kind() == ErrorKind::TimedOut => {
                RelayError::TooLong(server)
            }
            FrameError::Stream(error) if error.kind() == ErrorKind::OutOfMemory => {
                RelayError::Memory
            }
            error => RelayError::Frame(server, error),
        }
    }
}

/// As whose host the module runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostOf {
    /// Root's: posternd believes what it says, and the fallback decides where no daemon listens.
    Root,
    /// Another user's, who can read neither store nor key.
    User,
}

impl HostOf {
    fn open(
        self,
        version: u16,
        transaction: Box<PamTransaction>,
        id: Option<TransactionId>,
    ) -> Opening {
        match self {
            HostOf::Root => Opening::Host {
                version,
                transaction,
                id,
            },
            // nobody believes it
            HostOf::User => Opening::UserHost {
                version,
                transaction,
            },
        }
    }
}

/// Has a hook decided by whoever listens at `socket`; for a host of root's, else by the fallback.
pub(crate) fn relay(
    of: HostOf,
    socket: &Path,
    hook: PamFunction,
    host: &dyn HostCalls,
    options: &[String],
) -> PamFunctionResult {
    if hook == PamFunction::Auth {
        if let Err(error) = host.remove_mark() {
            return unavailable(host, &error);
        }
    }
    // libpam may ask who signs in: posternd has no place for whoever still types a name
    let transaction = transaction(hook, host, options);
    let id = match hook {
        PamFunction::Auth => host.name_transaction(),
        PamFunction::Account | PamFunction::Password => host.transaction_id(),
    };
    let (server, connection, version) = match connect(of, socket, options) {
        Ok(connected) => connected,
        Err(error) => return unavailable(host, &error),
    };
    let mut conversation = RelayedConversation {
        host,
        hook,
        options,
        server,
        connection,
        sent_input: false,
        mark: None,
    };
    match conversation.run(&of.open(version, Box::new(transaction), id)) {
        Err(error) => denied(host, &error, conversation.sent_input),
        Ok(PamFunctionResult::Passed) if hook == PamFunction::Account => match host.remove_mark() {
            Ok(()) => PamFunctionResult::Passed,
            Err(error) => unavailable(host, &error),
        },
        Ok(result) => result,
    }
}

fn unavailable(host: &dyn HostCalls, why: &dyn fmt::Display) -> PamFunctionResult {
    log::denied(host, "unavailable", why);
    PamFunctionResult::Denied(Denial::Unavailable)
}

fn denied(host: &dyn HostCalls, error: &RelayError, sent_input: bool) -> PamFunctionResult {
    match sent_input {
        true => unavailable(
            host,
            &format_args!("{error}; a code that was entered may be consumed"),
        ),
        false => unavailable(host, error),
    }
}

/// One type for whatever the stream is, so that the codec is compiled once.
type Stream = Box<dyn Timed>;
type RelayConnection = (RelayServer, Stream, u16);

/// Whoever decides, and the version to speak. A full backlog, or a daemon without room, is no reason for the fallback; a
/// configuration of the line's own is.
fn connect(of: HostOf, socket: &Path, options: &[String]) -> Result<RelayConnection, RelayError> {
    let until = Instant::now() + ADMITTED;
    if of == HostOf::Root && fallback::own_configuration(options).is_some() {
        return start_fallback(options, until);
    }
    loop {
        match greeted(socket, until) {
            Ok(Some((connection, version))) => {
                return Ok((RelayServer::Daemon, connection, version));
            }
            // a full backlog, or no room; or a name service that takes its time
            Ok(None) | Err(Absent::NameUnavailable) if Instant::now() + PAUSE < until => {
                std::thread::sleep(PAUSE);
            }
            Ok(None) => return Err(RelayError::Busy),
            Err(_) if of == HostOf::Root => return start_fallback(options, until),
            Err(absent) => return Err(RelayError::Absent(socket.to_owned(), absent)),
        }
    }
}

fn start_fallback(options: &[String], until: Instant) -> Result<RelayConnection, RelayError> {
    let helper = fallback::start(options, until).map_err(RelayError::Fallback)?;
    let mut helper: Stream = Box::new(helper);
    helper.wait_until(until);
    let greeting = receive::<Greeting>(&mut helper)
        .map_err(|error| RelayError::of_frame(RelayServer::Stdio, error))?;
    let version = common_version(&greeting.versions).ok_or(RelayError::Version)?;
    Ok((RelayServer::Stdio, helper, version))
}

/// Why nobody listens at a socket who may be believed and has a greeting for this host.
#[derive(Debug)]
enum Absent {
    Nobody,
    NotRoot,
    /// It did not greet, or not in time.
    NoGreeting(FrameError),
    OtherVersion,
    /// The host's user has no name that an account could have.
    NoAccount,
    NameUnavailable,
}

impl Absent {
    fn remedy(&self) -> &'static str {
        match self {
            Absent::Nobody => {
                "start posternd.socket, or bind-mount the socket where the service runs"
            }
            Absent::NotRoot => "find out who made it, and start posternd.socket",
            Absent::NoGreeting(_) | Absent::OtherVersion => "restart posternd and this service",
            Absent::NoAccount => "run the service as a user of this host",
            Absent::NameUnavailable => "see getent passwd",
        }
    }
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Absent::Nobody => f.write_str("posternd does not listen there"),
            Absent::NotRoot => f.write_str("does not belong to root; nothing was sent"),
            Absent::NoGreeting(error) => write!(f, "posternd does not answer ({error})"),
            Absent::OtherVersion => f.write_str("posternd and pam_totp.so have different versions"),
            Absent::NoAccount => {
                f.write_str("posternd finds no name for the user that runs this service")
            }
            Absent::NameUnavailable => {
                f.write_str("posternd cannot look up the user that runs this service")
            }
        }
    }
}

/// A connection to a posternd that has room, and the version to speak; `None` if it has none now.
fn greeted(socket: &Path, until: Instant) -> Result<Option<(Stream, u16)>, Absent> {
    let mut connection: Stream = match LocalConnection::open(socket, until) {
        Ok(connection) => Box::new(connection),
        Err(ConnectError::Full) => return Ok(None),
        Err(ConnectError::Nobody) => return Err(Absent::Nobody),
        Err(ConnectError::NotRoot) => return Err(Absent::NotRoot),
    };
    connection.wait_until(Instant::now() + GREETED);
    let greeting: Greeting = receive(&mut connection).map_err(Absent::NoGreeting)?;
    let version = common_version(&greeting.versions).ok_or(Absent::OtherVersion)?;
    match greeting.state {
        ServerState::Ready => Ok(Some((connection, version))),
        ServerState::Busy => Ok(None),
        ServerState::NoAccount => Err(Absent::NoAccount),
        ServerState::NameUnavailable => Err(Absent::NameUnavailable),
    }
}

struct RelayedConversation<'a> {
    host: &'a dyn HostCalls,
    hook: PamFunction,
    options: &'a [String],
    server: RelayServer,
    connection: Stream,
    /// Whether anything was sent that a code may be in.
    sent_input: bool,
    /// What to keep once posternd has granted access, and not before: a connection that is lost in between denies.
    mark: Option<Zeroizing<Vec<u8>>>,
}

impl RelayedConversation<'_> {
    fn run(&mut self, opening: &Opening) -> Result<PamFunctionResult, RelayError> {
        self.connection.wait_until(Instant::now() + SILENT);
        send(&mut self.connection, opening)
            .map_err(|error| RelayError::of_frame(self.server, error))?;
        let (mut prompts, mut verifying) = (0, Instant::now());
        for _ in 0..INSTRUCTIONS {
            let latest = verifying + VERIFIED;
            self.connection
                .wait_until(latest.min(Instant::now() + SILENT));
            let instruction = receive(&mut self.connection)
                .map_err(|error| RelayError::of_frame(self.server, error))?;
            if Instant::now() >= latest {
                return Err(RelayError::TooLong(self.server));
            }
            match instruction {
                Instruction::Ask { prompt, echo } => {
                    prompts += 1;
                    if prompts > PROMPTS || self.hook != PamFunction::Auth {
                        return Err(self.beyond_bounds("a prompt"));
                    }
                    let reply = self
                        .host
                        .ask(&prompt, echo)
                        .map_or(RelayReply::NoInput, RelayReply::Typed);
                    self.reply(&reply)?;
                    verifying = Instant::now();
                }
                Instruction::GetStacked => {
                    if !self.may_read_stacked() {
                        return Err(self.beyond_bounds("the password of an earlier module"));
                    }
                    self.reply(&RelayReply::Stacked(self.host.stacked()))?;
                }
                Instruction::SetStacked(password) if self.may_read_stacked() => {
                    self.host.set_stacked(&password);
                }
                Instruction::SetStacked(_) => {
                    return Err(self.beyond_bounds("to set the password for later modules"));
                }
                Instruction::Tell(text) => self.host.tell(&text),
                Instruction::Log { severity, line } => self.host.log(severity, &printable(&line)),
                Instruction::DelayFailure(seconds) => {
                    self.host.delay_failure(u64::from(seconds.min(60)))
                }
                Instruction::KeepMark(mark) if self.hook == PamFunction::Auth => {
                    self.mark = Some(mark)
                }
                Instruction::KeepMark(_) => return Err(self.beyond_bounds("a mark")),
                Instruction::StillWorking => {}
                Instruction::End(result) if self.hook.may_end(result) => {
                    let mark = self
                        .mark
                        .take()
                        .filter(|_| !matches!(result, PamFunctionResult::Denied(_)));
                    if let Some(mark) = mark {
                        self.host.keep_mark(mark.to_vec());
                    }
                    return Ok(result);
                }
                Instruction::End(_) => return Err(self.beyond_bounds("the result of another hook")),
            }
        }
        Err(self.beyond_bounds("more than is allowed"))
    }

    fn reply(&mut self, reply: &RelayReply) -> Result<(), RelayError> {
        self.sent_input |= matches!(reply, RelayReply::Typed(_) | RelayReply::Stacked(Some(_)));
        self.connection.wait_until(Instant::now() + SILENT);
        send(&mut self.connection, reply).map_err(|error| match error {
            FrameError::TooLong { .. } => {
                RelayError::Frame(self.server, DecodeError("an input that is too long").into())
            }
            error => RelayError::of_frame(self.server, error),
        })
    }

    fn beyond_bounds(&self, what: &'static str) -> RelayError {
        RelayError::Bounds(self.server, what)
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

/// What the transaction is about, as posternd is told.
fn transaction(hook: PamFunction, host: &dyn HostCalls, options: &[String]) -> PamTransaction {
    let asks_nobody = options.iter().any(|option| option == "proven");
    let mark = match hook {
        PamFunction::Account => host.mark().map(Zeroizing::new),
        PamFunction::Auth | PamFunction::Password => None,
    };
    PamTransaction {
        hook,
        options: options.to_vec(),
        service: host.item(PamItemType::Service),
        user: match asks_nobody {
            true => host.known_user(),
            false => host.item(PamItemType::User),
        },
        remote_host: host.item(PamItemType::RemoteHost),
        terminal: host.item(PamItemType::Terminal),
        ssh_connection: host.variable("SSH_CONNECTION"),
        ssh_auth_info: host.variable("SSH_AUTH_INFO_0"),
        real_uid: nix::unistd::getuid().as_raw(),
        mark,
    }
}

/// A log line without control characters, whatever posternd sent.
fn printable(line: &str) -> String {
    line.chars()
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests;
