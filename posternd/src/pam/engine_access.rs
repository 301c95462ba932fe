//! The engine's operations for a PAM conversation, and the requester of each: root where the PAM
//! host is root's, else the user whom the host runs as.
//!
//! MUST take the requester from the kernel, and nothing about it from the host.

use crate::workers::engines::Worker;
use postern_shared::account::host::{HostName, JoinedHost};
use postern_shared::account::name::UserName;
use postern_shared::config::{Config, GracePeriod};
use postern_shared::credential::input::{InputReading, LONGEST};
use postern_shared::engine::messages::UserMessage;
use postern_shared::engine::{
    AdministrationError, Engine, EngineWarning, MailRequest, MarkRefusal, NotMailed, PamContext,
    PamGrant, PamRefusal, PamRequirement, PamVerification, PendingApproval, PromptEnrollment,
    Requester, messages, report_waiting,
};
use postern_shared::policy::groups::{GroupMembership, NamedGroups, PersonGroups, UnresolvedGroup};
use postern_shared::policy::requirement::EnrollmentGrace;
use postern_shared::protocol::command_request::TypedText;
use postern_shared::system::clock::{self, ClockError, Timestamp};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, thread};
use zeroize::Zeroizing;

/// The requester where the PAM host is root's.
const ROOT: Requester<'static> = Requester::Root("root");

/// How often the result of sending a mail is read.
const MAIL_INTERVAL: Duration = Duration::from_millis(50);
/// How long a conversation waits until a mail is sent. The module gives up after 30 s, which denies
/// access; `[email] timeout` may be longer.
const LONGEST_MAIL: Duration = Duration::from_secs(20);
const STILL_ON_ITS_WAY: &str =
    "the mail is still being sent after 20 seconds; the log of posternd will show the result";

/// The engine that decides for a PAM host, and the user whom the host runs as.
#[derive(Clone)]
pub enum EngineAccess {
    /// An engine that the conversation opens, for a host of root's.
    Store,
    /// An engine of posternd's, for a host of root's.
    Worker(Worker),
    /// An engine of posternd's, for a host of this user's.
    User(Worker, User),
    /// An engine of posternd's, for a host of a fleet.
    Host(Worker, Arc<FleetHost>),
}

/// A host of a fleet, and what it states of the user who signs in.
#[derive(Clone, Debug)]
pub struct FleetHost {
    pub host: JoinedHost,
    /// The user whose groups these are.
    pub user: Option<UserName>,
    /// Memberships in the groups that the policy named when the host asked.
    pub groups: Vec<(String, GroupMembership)>,
    /// The user whose own process the PAM host is, if it does not run as root there.
    pub owner: Option<User>,
}

impl FleetHost {
    /// Returns the memberships of an account in these groups. What the host does not state is
    /// unknown.
    fn find_memberships<'a>(
        &self,
        account: &UserName,
        named: impl IntoIterator<Item = &'a str>,
    ) -> PersonGroups {
        let mut groups = PersonGroups::default();
        for name in named {
            let stated = self.groups.iter().find(|(stated, _)| stated == name);
            let stated = stated.filter(|_| self.user.as_ref() == Some(account));
            groups = match stated.map(|(_, membership)| *membership) {
                Some(GroupMembership::Yes) => groups.with_groups([name]),
                Some(GroupMembership::No) => groups,
                // another account may be in a group of Postern's own
                Some(GroupMembership::Unknown) | None => {
                    groups.with_unresolved([name], UnresolvedGroup::NoSuchGroup)
                }
            };
        }
        groups
    }
}

/// A user of this host, as the kernel states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub name: UserName,
    /// Whether `pam.socket_users` names the user.
    pub is_service: bool,
}

/// The engine of one hook.
pub(crate) struct EngineClient {
    config: Box<Config>,
    /// `None` where the hook opens an engine of its own.
    worker: Option<Worker>,
    /// The user whom the host runs as, if not root.
    user: Option<User>,
    /// The host of a fleet that asks.
    fleet_host: Option<Arc<FleetHost>>,
    /// Warnings for the log.
    warnings: RefCell<Vec<EngineWarning>>,
}

/// A result of the engine; the error is of the store, the key, the clock, the groups, or of a worker
/// that was not free in time.
type ClientResult<R> = Result<R, Box<dyn Error>>;

impl EngineClient {
    pub(crate) fn new(access: EngineAccess, config: &Config) -> EngineClient {
        let (worker, user, fleet_host) = match access {
            EngineAccess::Store => (None, None, None),
            EngineAccess::Worker(worker) => (Some(worker), None, None),
            EngineAccess::User(worker, user) => (Some(worker), Some(user), None),
            EngineAccess::Host(worker, host) => (Some(worker), None, Some(host)),
        };
        EngineClient {
            config: Box::new(config.clone()),
            worker,
            user,
            fleet_host,
            warnings: RefCell::default(),
        }
    }

    /// Returns whether an exemption may depend on what the host states: its service, and the user's
    /// address.
    pub(crate) fn trusts_claims(&self) -> bool {
        let is_of_user = |fleet: &Arc<FleetHost>| fleet.owner.is_some();
        !self.fleet_host.as_ref().is_some_and(is_of_user)
            && self.user.as_ref().is_none_or(|user| user.is_service)
    }

    /// Returns the host of a fleet that asks.
    pub(crate) fn fleet_host(&self) -> Option<&HostName> {
        self.fleet_host.as_ref().map(|fleet| &fleet.host.name)
    }

    /// Returns the warnings since the last call.
    pub(crate) fn take_warnings(&self) -> BTreeSet<EngineWarning> {
        self.warnings.take().into_iter().collect()
    }

    /// Returns the user whom the host runs as, as the kernel states.
    pub(crate) fn requester(&self) -> Requester<'_> {
        self.requester_named(ROOT)
    }

    /// Returns the same, with another name of root for the audit log.
    pub(crate) fn requester_named<'a>(&'a self, root: Requester<'a>) -> Requester<'a> {
        match (&self.user, &self.fleet_host) {
            (Some(User { uid, name, .. }), _) => Requester::Owner { name, uid: *uid },
            (None, Some(fleet)) => match &fleet.owner {
                Some(User { uid, name, .. }) => Requester::HostUser {
                    host: &fleet.host,
                    name,
                    uid: *uid,
                },
                None => Requester::Host(&fleet.host),
            },
            (None, None) => root,
        }
    }

    pub(crate) fn find_requirement(&self, context: PamContext<'_>) -> ClientResult<PamRequirement> {
        self.run_with_groups(context, |engine, now| {
            engine.verification().find_pam_requirement(context, now)
        })
    }

    /// Verifies an input. What an accepted input consumes is committed when this returns.
    pub(crate) fn verify_input(
        &self,
        context: PamContext<'_>,
        input: &[u8],
        reading: InputReading,
    ) -> ClientResult<PamVerification> {
        let input = text(input, reading);
        self.run(|engine, now| {
            engine
                .verification()
                .verify_pam_input(context, &input, reading, now)
        })
    }

    /// Verifies the mark of the `auth` hook, now that the whole stack has passed. Returns messages
    /// for the user.
    pub(crate) fn verify_mark(
        &self,
        context: PamContext<'_>,
        mark: &str,
    ) -> ClientResult<Result<Vec<String>, MarkRefusal>> {
        self.run(|engine, now| engine.verification().verify_auth_mark(context, mark, now))
    }

    /// Returns why a user without a required second factor is granted access, if so, and the mark
    /// for the `account` hook.
    pub(crate) fn waive_requirement(
        &self,
        context: PamContext<'_>,
    ) -> ClientResult<Option<(EnrollmentGrace, Option<TypedText>)>> {
        self.run_with_groups(context, |engine, now| {
            engine.verification().exempt_pam_user(context, now)
        })
    }

    pub(crate) fn grant_grace_period(
        &self,
        context: PamContext<'_>,
        period: GracePeriod,
    ) -> ClientResult<Option<PamGrant>> {
        self.run(|engine, now| {
            engine
                .verification()
                .grant_grace_period(context, period, now)
        })
    }

    /// Ends what a changed password ends, at every gate when this returns. Returns messages for the
    /// user, or `None` where there is no account.
    pub(crate) fn end_for_changed_password(
        &self,
        context: PamContext<'_>,
    ) -> ClientResult<Option<Vec<String>>> {
        self.run(|engine, now| engine.verification().end_for_changed_password(context, now))
    }

    /// Mails a code. Returns a message for the user. Waits until the mail is sent, for as long as
    /// the module waits, and holds no worker meanwhile.
    pub(crate) fn mail_code(
        &self,
        context: PamContext<'_>,
    ) -> ClientResult<Result<String, PamRefusal>> {
        let queued =
            match self.run(|engine, now| engine.verification().mail_pam_code(context, now))? {
                MailRequest::Queued(queued) => queued,
                MailRequest::Refused(refusal) => {
                    return Ok(Err(PamRefusal {
                        cause: refusal.to_string(),
                        message: UserMessage::from(refusal).to_string(),
                    }));
                }
            };
        let began = Instant::now();
        loop {
            thread::sleep(MAIL_INTERVAL);
            report_waiting();
            let waited = began.elapsed();
            let check = |engine: &mut Engine, _| {
                let sent = engine.mail().check_mail_delivery(&queued, waited);
                Ok::<_, ClockError>(sent)
            };
            let sent = match self.run(check)? {
                Some(sent) => sent,
                None if waited < LONGEST_MAIL => continue,
                None => return Ok(Err(not_mailed(&STILL_ON_ITS_WAY, messages::MAIL_SLOW))),
            };
            return match sent {
                Ok(()) => {
                    let life = self.config.email.code_ttl.seconds();
                    Ok(Ok(messages::code_mailed(&queued.to, life).to_string()))
                }
                Err(NotMailed::Engine(error)) => Err(error.into()),
                Err(error @ NotMailed::Queued) => Ok(Err(not_mailed(&error, messages::MAIL_WAITS))),
                Err(error) => Ok(Err(not_mailed(&error, messages::NOT_MAILED))),
            };
        }
    }

    /// Returns whether the account can approve a prompt.
    pub(crate) fn offers_approval(&self, context: PamContext<'_>) -> ClientResult<bool> {
        self.run(|engine, now| engine.approvals().is_available(context, now))
    }

    pub(crate) fn request_approval(
        &self,
        context: PamContext<'_>,
    ) -> ClientResult<Result<PendingApproval, PamRefusal>> {
        self.run(|engine, now| engine.approvals().request_approval(context, now))
    }

    /// Returns whether a request still waits for its approval.
    pub(crate) fn is_approval_open(
        &self,
        context: PamContext<'_>,
        pending: &PendingApproval,
    ) -> ClientResult<bool> {
        self.run(|engine, now| engine.approvals().is_open(context, pending, now))
    }

    /// Consumes an approval. It is committed when this returns.
    pub(crate) fn grant_approval(
        &self,
        context: PamContext<'_>,
        pending: &PendingApproval,
    ) -> ClientResult<Result<PamGrant, PamRefusal>> {
        self.run(|engine, now| engine.approvals().grant_access(context, pending, now))
    }

    pub(crate) fn end_approval(
        &self,
        context: PamContext<'_>,
        pending: &PendingApproval,
    ) -> ClientResult<()> {
        self.run(|engine, now| engine.approvals().end_request(context, pending, now))
    }

    pub(crate) fn begin_enrollment(
        &self,
        context: PamContext<'_>,
        one_time_code: Option<&[u8]>,
    ) -> ClientResult<PromptEnrollment> {
        let code = one_time_code.map(|typed| text(typed, InputReading::Whole));
        self.run_with_groups(context, |engine, now| {
            engine
                .enrollment()
                .begin_prompt_enrollment(context, code.as_deref(), now)
        })
    }

    /// Confirms an authenticator by one of its codes. Returns the token for its activation.
    pub(crate) fn confirm_enrollment(
        &self,
        context: PamContext<'_>,
        token: &TypedText,
        input: &[u8],
    ) -> ClientResult<Result<TypedText, PamRefusal>> {
        let code = text(input, InputReading::Whole);
        self.run_with_groups(context, |engine, now| {
            engine
                .enrollment()
                .confirm_prompt_enrollment(context, token, &code, now)
        })
    }

    /// Activates a confirmed authenticator.
    pub(crate) fn activate_enrollment(
        &self,
        context: PamContext<'_>,
        token: &TypedText,
    ) -> ClientResult<PamGrant> {
        self.run_with_groups(context, |engine, now| {
            engine
                .enrollment()
                .activate_prompt_enrollment(context, token, now)
        })
    }

    /// Runs an operation that depends on groups. They are looked up before, while no worker is
    /// held.
    fn run_with_groups<R>(
        &self,
        context: PamContext<'_>,
        operation: impl FnOnce(&mut Engine, Timestamp) -> Result<R, AdministrationError>,
    ) -> ClientResult<R> {
        let groups = self.look_up_groups(context.account);
        self.run(|engine, now| {
            engine.policy().preload_groups(groups);
            let result = operation(engine, now);
            engine.policy().preload_groups(None);
            result
        })
    }

    /// Looks up the account's groups among those that the policy names. A requester who may not ask
    /// about the account causes no look-up of it either.
    fn look_up_groups(&self, account: &UserName) -> Option<(UserName, PersonGroups)> {
        let may_ask = self
            .user
            .as_ref()
            .is_none_or(|user| user.is_service || user.name == *account);
        if let Some(host) = &self.fleet_host {
            let named = self.config.policy.named_groups();
            return Some((account.clone(), host.find_memberships(account, named)));
        }
        if self.worker.is_none() || !may_ask {
            return None;
        }
        Some((
            account.clone(),
            NamedGroups::look_up_groups(self.config.policy.named_groups())
                .find_memberships(account),
        ))
    }

    /// Runs an operation at the engine, in turn.
    fn run<R, E: Into<Box<dyn Error>>>(
        &self,
        operation: impl FnOnce(&mut Engine, Timestamp) -> Result<R, E>,
    ) -> ClientResult<R> {
        let operation = |engine: &mut Engine| {
            let result = match clock::now() {
                Ok(now) => operation(engine, now).map_err(Into::into),
                Err(error) => Err(error.into()),
            };
            self.warnings.borrow_mut().extend(engine.take_warnings());
            result
        };
        match &self.worker {
            None => operation(&mut Engine::open((*self.config).clone())?),
            Some(worker) => worker.run_operation(&self.config, operation)?,
        }
    }
}

fn not_mailed(cause: &dyn fmt::Display, message: &str) -> PamRefusal {
    PamRefusal {
        cause: format!("not-mailed: {cause}"),
        message: message.to_owned(),
    }
}

/// Converts an input to text. An input that is not UTF-8, or too long, counts as an empty one. Of a
/// password before the code only the end matters, so its other bytes may be replaced.
fn text(typed: &[u8], reading: InputReading) -> TypedText {
    let text = match (std::str::from_utf8(typed), reading) {
        _ if typed.len() > LONGEST => String::new(),
        (Ok(text), _) => text.to_owned(),
        (Err(_), InputReading::Whole) => String::new(),
        (Err(_), InputReading::CodeAtEnd) => String::from_utf8_lossy(typed).into_owned(),
    };
    TypedText::from(Zeroizing::new(text))
}
