//! The PAM host at the other end of a connection.
//!
//! MUST NOT continue a conversation whose connection has failed: a prompt then gets no input.

use super::hooks::{EngineAccess, MarkNotRemoved, NoAnswer, PamHost, PamItem, User};
use crate::daemon::configuration::CONFIGURATION;
use crate::workers::engines::Worker;
use nix::errno::Errno;
use nix::unistd::{self, Uid};
use postern_shared::account::name::{UserName, is_plain_name};
use postern_shared::config::file::{ConfigError, CurrentConfig};
use postern_shared::policy::groups::{self, GroupMembership, NamedGroups};
use postern_shared::protocol::fleet::{HostFacts, LookedUpUser};
use postern_shared::protocol::{
    DecodeError, Echo, FrameError, Instruction, PamFunctionResult, PamTransaction, RelayReply,
    Severity, receive, send,
};
use postern_shared::system::process::HostProcess;
use std::cell::{RefCell, RefMut};
use std::io::{Read, Write};
use std::path::Path;
use zeroize::Zeroizing;

/// The longest log line, and the longest text, in bytes: longer ones are cut.
const LINE: usize = 8 * 1024;
const TEXT: usize = 32 * 1024;
/// Bytes of instructions that wait for the next one; more are sent at once.
const MOST_WAITING: usize = 16 * 1024;

/// A function that writes a log line.
pub type WriteLog<'a> = Box<dyn Fn(Severity, &str) + 'a>;

/// A PAM host at the other end of a connection.
pub struct RemoteHost<'a, S> {
    transaction: PamTransaction,
    process: HostProcess,
    access: EngineAccess,
    configuration: RefCell<Option<Result<CurrentConfig, ConfigError>>>,
    /// Writes log lines; the module writes them where this is not set.
    log: Option<WriteLog<'a>>,
    /// What a host of a fleet has looked up.
    facts: Option<HostFacts>,
    connection: RefCell<ModuleConnection<S>>,
}

struct ModuleConnection<S> {
    stream: S,
    /// Instructions that are sent with the next one, so that the module wakes once for all of
    /// them.
    waiting: Vec<u8>,
    failed: Option<FrameError>,
}

impl<S: Read + Write> ModuleConnection<S> {
    /// Sends an instruction, after those that wait. Instructions that may contain a secret, such
    /// as prompts and texts, never wait in memory.
    fn send(&mut self, instruction: &Instruction) {
        self.flush();
        if self.failed.is_none() {
            self.failed = send(&mut self.stream, instruction).err();
        }
    }

    /// Sends an instruction at the latest with the next one, where no reply is expected.
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
    /// Returns the host of a transaction at the other end of `stream`, which is the process that
    /// the kernel names there.
    pub fn new(
        stream: S,
        transaction: PamTransaction,
        process: HostProcess,
        access: EngineAccess,
    ) -> RemoteHost<'a, S> {
        RemoteHost {
            transaction,
            process,
            access,
            configuration: RefCell::default(),
            log: None,
            facts: None,
            connection: RefCell::new(ModuleConnection {
                stream,
                waiting: Vec::new(),
                failed: None,
            }),
        }
    }

    /// Uses what a host of a fleet has looked up: its users and groups are not those of this machine.
    pub fn with_facts(self, facts: HostFacts) -> RemoteHost<'a, S> {
        RemoteHost {
            facts: Some(facts),
            ..self
        }
    }

    /// Uses a configuration that was loaded before, for one hook, which loads it once.
    pub fn with_configuration(
        self,
        configuration: Result<CurrentConfig, ConfigError>,
    ) -> RemoteHost<'a, S> {
        RemoteHost {
            configuration: RefCell::new(Some(configuration)),
            ..self
        }
    }

    /// Returns the host of a transaction that `user` runs. Address, terminal and completed methods
    /// are dropped unless `pam.socket_users` names the user. `log` writes the lines, since a
    /// user's process may log any text.
    pub fn of_user(
        stream: S,
        claimed: PamTransaction,
        process: HostProcess,
        (worker, user): (Worker, User),
        log: WriteLog<'a>,
    ) -> RemoteHost<'a, S> {
        let transaction = drop_claims(claimed, &user);
        let access = EngineAccess::User(worker, user);
        RemoteHost::new(stream, transaction, process, access).with_log(log)
    }

    /// Writes log lines by a function, instead of having the module write them.
    pub fn with_log(self, log: WriteLog<'a>) -> RemoteHost<'a, S> {
        RemoteHost {
            log: Some(log),
            ..self
        }
    }

    /// Returns the user whom the kernel names, where that is not root.
    fn user(&self) -> Option<&User> {
        match &self.access {
            EngineAccess::User(_, user) => Some(user),
            EngineAccess::Store | EngineAccess::Worker(_) | EngineAccess::Host(..) => None,
        }
    }

    pub fn transaction(&self) -> &PamTransaction {
        &self.transaction
    }

    /// Ends the hook. The result counts only if it arrives.
    ///
    /// # Errors
    /// The first error of the connection, at any time.
    pub fn end(self, result: PamFunctionResult) -> Result<(), FrameError> {
        let mut connection = self.connection.into_inner();
        connection.send_later(&Instruction::End(result));
        connection.flush();
        connection.failed.map_or(Ok(()), Err)
    }

    fn connection(&self) -> RefMut<'_, ModuleConnection<S>> {
        self.connection.borrow_mut()
    }

    /// Ends the conversation where a reply does not fit its instruction.
    fn out_of_order(&self, reply: Option<RelayReply>) {
        if reply.is_some() {
            let error = DecodeError("a reply to another instruction");
            self.connection().failed.get_or_insert(error.into());
        }
    }
}

impl<S: Read + Write> PamHost for RemoteHost<'_, S> {
    fn engine_access(&self) -> EngineAccess {
        self.access.clone()
    }

    fn load_configuration(&self, path: &Path) -> Result<CurrentConfig, ConfigError> {
        self.configuration
            .take()
            .unwrap_or_else(|| CONFIGURATION.load_config(path))
    }

    fn item(&self, item: PamItem) -> Option<Vec<u8>> {
        let item = match item {
            PamItem::Service => &self.transaction.service,
            PamItem::User => &self.transaction.user,
            PamItem::RemoteHost => &self.transaction.remote_host,
            PamItem::Terminal => &self.transaction.terminal,
        };
        item.clone()
    }

    fn real_user(&self) -> Result<Option<String>, Errno> {
        if let Some(user) = self.user() {
            return Ok(Some(user.name.to_string()));
        }
        if let Some(facts) = &self.facts {
            return looked_up(&facts.real_user);
        }
        let uid = Uid::from_raw(self.transaction.real_uid);
        if uid.is_root() {
            return Ok(None);
        }
        local_name(uid, groups::find_user_by_uid(uid)).map(Some)
    }

    fn own_spelling(&self, name: &UserName) -> Result<Option<String>, Errno> {
        match &self.facts {
            Some(facts) => looked_up(&facts.user),
            None => Ok(groups::find_user_by_name(name)?.map(|entry| entry.name)),
        }
    }

    fn process(&self) -> HostProcess {
        self.process.clone()
    }

    fn runs_as(&self) -> String {
        if let Some(user) = self.user() {
            return user.name.to_string();
        }
        if let Some(facts) = &self.facts {
            return facts.runs_as.clone();
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
        let prompt = Zeroizing::new(prompt.to_owned());
        let reply = self.connection().ask(&Instruction::Ask { prompt, echo });
        match reply {
            Some(RelayReply::Typed(typed)) => Ok(typed),
            Some(RelayReply::NoInput) => Err(NoAnswer),
            other => {
                self.out_of_order(other);
                Err(NoAnswer)
            }
        }
    }

    fn report_waiting(&self) -> bool {
        let mut connection = self.connection();
        connection.send(&Instruction::StillWorking);
        connection.failed.is_none()
    }

    fn show_message(&self, text: &str) {
        self.connection()
            .send(&Instruction::Tell(cut(text, TEXT).to_owned()));
    }

    fn stacked_password(&self) -> Option<Zeroizing<Vec<u8>>> {
        let reply = self.connection().ask(&Instruction::GetStacked);
        match reply {
            Some(RelayReply::Stacked(password)) => password,
            other => {
                self.out_of_order(other);
                None
            }
        }
    }

    fn set_stacked_password(&self, password: &[u8]) {
        self.connection()
            .send(&Instruction::SetStacked(Zeroizing::new(password.to_vec())));
    }

    fn delay_failure(&self, seconds: u64) {
        self.connection().send_later(&Instruction::DelayFailure(
            u32::try_from(seconds).unwrap_or(u32::MAX),
        ));
    }

    fn log(&self, severity: Severity, line: &str) {
        match &self.log {
            Some(log) => log(severity, cut(line, LINE)),
            None => self.connection().send_later(&Instruction::Log {
                severity,
                line: cut(line, LINE).to_owned(),
            }),
        }
    }

    fn known_user(&self) -> Option<Vec<u8>> {
        self.transaction.user.clone()
    }

    fn keep_mark(&self, mark: Vec<u8>) {
        self.connection()
            .send_later(&Instruction::KeepMark(Zeroizing::new(mark)));
    }

    fn kept_mark(&self) -> Option<Vec<u8>> {
        self.transaction.mark.as_ref().map(|mark| mark.to_vec())
    }

    /// Does nothing: the module removes the mark before every `auth`, and when `account` has
    /// passed.
    fn remove_mark(&self) -> Result<(), MarkNotRemoved> {
        Ok(())
    }
}

/// Drops address, terminal and completed methods, which a user's process claims, unless
/// `pam.socket_users` names the user.
pub(crate) fn drop_claims(claimed: PamTransaction, user: &User) -> PamTransaction {
    let claim = |item: Option<Vec<u8>>| item.filter(|_| user.is_service);
    PamTransaction {
        real_uid: user.uid,
        remote_host: claim(claimed.remote_host),
        terminal: claim(claimed.terminal),
        ssh_connection: claim(claimed.ssh_connection),
        ssh_auth_info: claim(claimed.ssh_auth_info),
        ..claimed
    }
}

/// Returns what a host of a fleet has looked up. A name that no user can have is a failed look-up.
fn looked_up(user: &LookedUpUser) -> Result<Option<String>, Errno> {
    match user {
        LookedUpUser::Absent => Ok(None),
        LookedUpUser::Failed => Err(Errno::EIO),
        LookedUpUser::Found(name) => match std::str::from_utf8(name) {
            Ok(name) if is_plain_name(name) => Ok(Some(name.to_owned())),
            _ => Err(Errno::EINVAL),
        },
    }
}

/// Looks up what a server cannot: the user who signs in, the users of the process, and who of the
/// groups that the policy names the user is in.
pub(crate) fn look_up_facts(transaction: &PamTransaction, groups: &[String]) -> HostFacts {
    let found = |entry: Result<Option<String>, Errno>| match entry {
        Ok(Some(name)) => LookedUpUser::Found(name.into_bytes()),
        Ok(None) => LookedUpUser::Absent,
        Err(_) => LookedUpUser::Failed,
    };
    let typed = UserName::parse(transaction.user.as_deref().unwrap_or_default()).ok();
    let entry = match &typed {
        Some(name) => groups::find_user_by_name(name).map(|entry| entry.map(|entry| entry.name)),
        None => Ok(None),
    };
    // a user whom this host does not know keeps the spelling of PAM_USER
    let name = match &entry {
        Ok(Some(name)) => UserName::parse(name.as_bytes()).ok(),
        _ => typed,
    };
    let uid = Uid::from_raw(transaction.real_uid);
    let real_user = match uid.is_root() {
        true => Ok(None),
        false => local_name(uid, groups::find_user_by_uid(uid)).map(Some),
    };
    let memberships = name.map(|name| {
        let named = groups.iter().map(String::as_str);
        NamedGroups::look_up_groups(named).find_memberships(&name)
    });
    let membership = |group: &String| {
        let found = memberships.as_ref().map(|found| found.membership(group));
        (group.clone(), found.unwrap_or(GroupMembership::Unknown))
    };
    HostFacts {
        user: found(entry),
        real_user: found(real_user),
        runs_as: user_of(uid).unwrap_or_else(|| format!("uid {uid}")),
        groups: groups.iter().map(membership).collect(),
    }
}

fn user_of(uid: Uid) -> Option<String> {
    plain_name(groups::find_user_by_uid(uid).ok().flatten())
}

fn plain_name(user: Option<unistd::User>) -> Option<String> {
    user.map(|user| user.name)
        .filter(|name| is_plain_name(name))
}

/// Returns the name under which wrong codes of a local user are counted: the user's name, or the
/// number of a user without one. A failed look-up is an error: under the number, the user would
/// have more tries than under the name.
fn local_name(uid: Uid, found: Result<Option<unistd::User>, Errno>) -> Result<String, Errno> {
    Ok(plain_name(found?).unwrap_or_else(|| format!("#{uid}")))
}

/// Returns the beginning of a text, at most `most` bytes.
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
    use crate::pam::hooks::EngineAccess;
    use std::io;

    /// The bytes that were sent, and the replies that follow.
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

    /// Waiting instructions are in memory that is not wiped. Prompts and texts of an enrollment
    /// contain its secret, and the password for later modules is one.
    #[test]
    fn what_may_hold_a_secret_is_sent_at_once_after_what_waited() {
        const SECRET: &str = "JBSWY3DPEHPK3PXP";
        type Act = fn(&RemoteHost<'_, &mut Recorded>);
        let acts: [Act; 3] = [
            |host| drop(PamHost::ask(host, SECRET, Echo::On)),
            |host| host.show_message(SECRET),
            |host| host.set_stacked_password(SECRET.as_bytes()),
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
