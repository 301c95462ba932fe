//! The PAM host at the other end of a connection, as a conversation sees it.
//!
//! MUST NOT run a conversation further once the connection has failed: whoever asks then gets no input.

use super::conversation::{EngineAccess, NoAnswer, NotForgotten, PamHost, PamItem, User};
use crate::daemon::configuration::CONFIGURATION;
use crate::workers::engines::Worker;
use nix::errno::Errno;
use nix::unistd::{self, Uid};
use shared::account::name::is_plain_name;
use shared::config::file::{ConfigError, CurrentConfig};
use shared::policy::groups;
use shared::protocol::{
    Echo, FrameError, Instruction, PamFunctionResult, PamTransaction, RelayReply, Severity,
    receive, send,
};
use shared::system::process::HostProcess;
use std::cell::RefCell;
use std::io::{Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// The longest log line and the longest text, in bytes: what is longer is cut.
const LINE: usize = 8 * 1024;
const TEXT: usize = 32 * 1024;
/// Bytes that wait for the next instruction; more are sent at once.
const MOST_WAITING: usize = 16 * 1024;

/// Writes a line of the log.
pub type WriteLog<'a> = Box<dyn Fn(Severity, &str) + 'a>;

/// A PAM host that a connection leads to.
pub struct RemoteHost<'a, S> {
    transaction: PamTransaction,
    process: HostProcess,
    reach: EngineAccess,
    configuration: RefCell<Option<Result<CurrentConfig, ConfigError>>>,
    /// What writes log lines; the module, if this is not given.
    log: Option<WriteLog<'a>>,
    connection: RefCell<ModuleConnection<S>>,
}

struct ModuleConnection<S> {
    stream: S,
    /// Frames that go with the next one: the module is woken once for all of them.
    waiting: Vec<u8>,
    failed: Option<FrameError>,
}

impl<S: Read + Write> ModuleConnection<S> {
    /// Sends an instruction, after those that wait: secrets, which prompts and texts may hold, never wait in memory.
    fn send(&mut self, instruction: &Instruction) {
        self.flush();
        if self.failed.is_none() {
            self.failed = send(&mut self.stream, instruction).err();
        }
    }

    /// Sends an instruction, at the latest with the next one: for what nobody waits for.
    fn send_later(&mut self, instruction: &Instruction) {
        if self.failed.is_none() {
            self.failed = send(&mut self.waiting, instruction).err();
        }
        if self.waiting.len() > MOST_WAITING {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        if self.failed.is_none() {
            self.failed = self.stream.write_all(&waiting).err().map(FrameError::from);
        }
    }

    fn ask(&mut self, instruction: &Instruction) -> Option<RelayReply> {
        self.send(instruction);
        if self.failed.is_some() {
            return None;
        }
        receive(&mut self.stream)
            .map_err(|error| self.failed = Some(error))
            .ok()
    }
}

impl<'a, S: Read + Write> RemoteHost<'a, S> {
    /// The host of a transaction, at the other end of `stream`: the process that the kernel names there.
    pub fn new(
        stream: S,
        transaction: PamTransaction,
        process: HostProcess,
        reach: EngineAccess,
    ) -> RemoteHost<'a, S> {
        let connection = RefCell::new(ModuleConnection {
            stream,
            waiting: Vec::new(),
            failed: None,
        });
        let configuration = RefCell::default();
        RemoteHost {
            transaction,
            process,
            reach,
            configuration,
            log: None,
            connection,
        }
    }

    /// The same, with a configuration that was read before; for one hook, which asks once.
    pub fn with_configuration(
        self,
        configuration: Result<CurrentConfig, ConfigError>,
    ) -> RemoteHost<'a, S> {
        RemoteHost {
            configuration: RefCell::new(Some(configuration)),
            ..self
        }
    }

    /// The host of a transaction that `user` runs. What it says of where the person is and of what has passed counts only
    /// where `pam.socket_users` names the user; `log` writes the lines, since a user's process may write what it likes.
    pub fn of_user(
        stream: S,
        claimed: PamTransaction,
        process: HostProcess,
        (worker, user): (Worker, User),
        log: WriteLog<'a>,
    ) -> RemoteHost<'a, S> {
        let real_uid = user.uid;
        let transaction = match user.is_service {
            true => PamTransaction {
                real_uid,
                ..claimed
            },
            false => PamTransaction {
                real_uid,
                remote_host: None,
                terminal: None,
                ssh_connection: None,
                ssh_auth_info: None,
                ..claimed
            },
        };
        let host = RemoteHost::new(
            stream,
            transaction,
            process,
            EngineAccess::User(worker, user),
        );
        RemoteHost {
            log: Some(log),
            ..host
        }
    }

    /// The user whom the kernel names, where it is not root.
    fn user(&self) -> Option<&User> {
        match &self.reach {
            EngineAccess::User(_, user) => Some(user),
            EngineAccess::Store | EngineAccess::Worker(_) => None,
        }
    }

    /// What the transaction is about.
    pub fn transaction(&self) -> &PamTransaction {
        &self.transaction
    }

    /// Ends the hook. The result counts only if it arrives.
    ///
    /// # Errors
    /// What went wrong with the connection first, at any time.
    pub fn end(self, result: PamFunctionResult) -> Result<(), FrameError> {
        let mut connection = self.connection.into_inner();
        connection.send_later(&Instruction::End(result));
        connection.flush();
        connection.failed.map_or(Ok(()), Err)
    }

    fn send(&self, instruction: &Instruction) {
        self.connection.borrow_mut().send(instruction);
    }

    fn send_later(&self, instruction: &Instruction) {
        self.connection.borrow_mut().send_later(instruction);
    }

    fn ask(&self, instruction: &Instruction) -> Option<RelayReply> {
        self.connection.borrow_mut().ask(instruction)
    }

    /// Refuses a reply to something else than what was asked, and all that comes after it.
    fn out_of_order(&self, reply: Option<RelayReply>) {
        if reply.is_some() {
            let error = shared::protocol::DecodeError("a reply to another instruction");
            self.connection
                .borrow_mut()
                .failed
                .get_or_insert(error.into());
        }
    }
}

impl<S: Read + Write> PamHost for RemoteHost<'_, S> {
    fn reach(&self) -> EngineAccess {
        self.reach.clone()
    }

    fn configuration(&self, path: &Path) -> Result<CurrentConfig, ConfigError> {
        self.configuration
            .take()
            .unwrap_or_else(|| CONFIGURATION.load_config(path))
    }

    fn item(&self, item: PamItem) -> Option<Vec<u8>> {
        let PamTransaction {
            service,
            user,
            remote_host,
            terminal,
            ..
        } = &self.transaction;
        match item {
            PamItem::Service => service.clone(),
            PamItem::User => user.clone(),
            PamItem::RemoteHost => remote_host.clone(),
            PamItem::Terminal => terminal.clone(),
        }
    }

    fn real_user(&self) -> Result<Option<String>, Errno> {
        if let Some(user) = self.user() {
            return Ok(Some(user.name.to_string()));
        }
        let uid = Uid::from_raw(self.transaction.real_uid);
        if uid.is_root() {
            return Ok(None);
        }
        local_name(uid, groups::find_user_by_uid(uid)).map(Some)
    }

    fn process(&self) -> HostProcess {
        self.process.clone()
    }

    fn runs_as(&self) -> String {
        if let Some(user) = self.user() {
            return user.name.to_string();
        }
        let uid = Uid::from_raw(self.transaction.real_uid);
        user_of(uid).unwrap_or_else(|| format!("uid {uid}"))
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        match name {
            "SSH_CONNECTION" => self.transaction.ssh_connection.clone(),
            "SSH_AUTH_INFO_0" => self.transaction.ssh_auth_info.clone(),
            _ => None,
        }
    }

    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
        match self.ask(&Instruction::Ask {
            prompt: Zeroizing::new(prompt.to_owned()),
            echo,
        }) {
            Some(RelayReply::Typed(typed)) => Ok(typed),
            Some(RelayReply::NoInput) => Err(NoAnswer),
            other => {
                self.out_of_order(other);
                Err(NoAnswer)
            }
        }
    }

    fn tell(&self, text: &str) {
        self.send(&Instruction::Tell(cut(text, TEXT).to_owned()));
    }

    fn stacked(&self) -> Option<Zeroizing<Vec<u8>>> {
        match self.ask(&Instruction::GetStacked) {
            Some(RelayReply::Stacked(password)) => password,
            other => {
                self.out_of_order(other);
                None
            }
        }
    }

    fn hand_on(&self, password: &[u8]) {
        self.send(&Instruction::SetStacked(Zeroizing::new(password.to_vec())));
    }

    fn delay_failure(&self, seconds: u64) {
        self.send_later(&Instruction::DelayFailure(
            u32::try_from(seconds).unwrap_or(u32::MAX),
        ));
    }

    fn log(&self, severity: Severity, line: &str) {
        match &self.log {
            Some(log) => log(severity, cut(line, LINE)),
            None => self.send_later(&Instruction::Log {
                severity,
                line: cut(line, LINE).to_owned(),
            }),
        }
    }

    fn known_user(&self) -> Option<Vec<u8>> {
        self.transaction.user.clone()
    }

    fn remember(&self, mark: Vec<u8>) {
        self.send_later(&Instruction::KeepMark(Zeroizing::new(mark)));
    }

    fn recall(&self) -> Option<Vec<u8>> {
        self.transaction.mark.as_ref().map(|mark| mark.to_vec())
    }

    /// Does nothing: the module removes the mark before every `auth`, and when `account` has passed.
    fn forget(&self) -> Result<(), NotForgotten> {
        Ok(())
    }
}

fn user_of(uid: Uid) -> Option<String> {
    plain_name(groups::find_user_by_uid(uid).ok().flatten())
}

fn plain_name(user: Option<unistd::User>) -> Option<String> {
    user.map(|user| user.name)
        .filter(|name| is_plain_name(name))
}

/// Under what wrong codes of a local user are counted: the name, or the number of one who has none. A look-up that failed
/// is a doubt: under the number the user would have tries beside those under the name.
fn local_name(uid: Uid, found: Result<Option<unistd::User>, Errno>) -> Result<String, Errno> {
    Ok(plain_name(found?).unwrap_or_else(|| format!("#{uid}")))
}

/// The beginning of a text, of at most `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::transaction_of;
    use crate::pam::conversation::EngineAccess;
    use std::io;

    /// What was sent, and the replies that come.
    #[derive(Default)]
    struct Recorded {
        sent: Vec<u8>,
        replies: Vec<u8>,
    }

    impl Read for &mut Recorded {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.replies.as_slice().read(buffer)?;
            self.replies.drain(..length);
            Ok(length)
        }
    }

    impl Write for &mut Recorded {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sent.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Frames wait in memory that nothing wipes; a prompt or a text of a setup holds its secret, and a password that is
    /// handed on is one.
    #[test]
    fn what_may_hold_a_secret_is_sent_at_once_after_what_waited() {
        const SECRET: &str = "JBSWY3DPEHPK3PXP";
        type Act = fn(&RemoteHost<'_, &mut Recorded>);
        let acts: [Act; 3] = [
            |host| drop(PamHost::ask(host, SECRET, Echo::On)),
            |host| host.tell(SECRET),
            |host| host.hand_on(SECRET.as_bytes()),
        ];
        for act in acts {
            let mut recorded = Recorded::default();
            send(&mut recorded.replies, &RelayReply::NoInput).unwrap();
            let process = HostProcess::find(0);
            let host = RemoteHost::new(
                &mut recorded,
                transaction_of("sudo"),
                process,
                EngineAccess::Store,
            );
            host.log(Severity::Info, "a line");
            assert!(
                !host.connection.borrow().waiting.is_empty(),
                "a line waits for the next instruction"
            );
            act(&host);
            let connection = host.connection.borrow();
            assert_eq!(connection.waiting.capacity(), 0);
            let sent = String::from_utf8_lossy(&connection.stream.sent);
            let places = [sent.find("a line"), sent.find(SECRET)];
            assert!(places[0].is_some() && places[0] < places[1], "{sent:?}");
        }
    }

    #[test]
    fn a_failed_look_up_of_a_user_is_no_user_with_a_number() {
        let uid = Uid::from_raw(4711);
        assert_eq!(local_name(uid, Ok(None)).unwrap(), "#4711");
        for error in [Errno::EIO, Errno::ETIMEDOUT] {
            assert_eq!(local_name(uid, Err(error)), Err(error));
        }
    }
}
