//! What a conversation asks of the engine, and as whom: as root where the PAM host is root's, else as the user whom the
//! kernel names.
//!
//! MUST take who asks from the kernel, and nothing about it from the host.

use super::auth_token::HostMark;
use crate::workers::engines::{Worker, WorkerError};
use shared::account::name::{Service, UserName};
use shared::account::second_factor::MailStatus;
use shared::config::{Config, GracePeriod};
use shared::credential::completed_methods::CompletedMethods;
use shared::credential::input::{InputReading, LONGEST};
use shared::engine::{
    AdministrationError, Engine, EngineError, MailRequest, NotMailed, Requester,
    VerificationRequest, messages, report_waiting,
};
use shared::policy::groups::{NamedGroups, PersonGroups};
use shared::policy::requirement::{EnrollmentGrace, Requirement};
use shared::protocol::command_request::{
    EngineReply, MarkRefusal, PromptEnrollment, ReplyBody, TypedText, VerifyOperation, VerifyReply,
    VerifyRequest,
};
use shared::system::admission::Busy;
use shared::system::clock::{self, ClockError, Timestamp};
use shared::system::process::HostProcess;
use shared::verify::decision::WithinGrace;
use shared::verify::throttle::Phase;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::time::{Duration, Instant};
use std::{fmt, thread};
use zeroize::Zeroizing;

/// Who asks, where root's own hosts ask.
const ROOT: Requester<'static> = Requester::Root("root");

/// How often it is looked what became of a letter.
const LOOK: Duration = Duration::from_millis(50);
/// How long a letter is waited for that is being sent. The module gives up after 30 s, which denies access; `[email]
/// timeout` may be longer.
const LONGEST_LETTER: Duration = Duration::from_secs(20);
const STILL_ON_ITS_WAY: &str =
    "the mail is still being sent after 20 seconds; the log of posternd will show the result";

/// Which engine decides for a PAM host, and who the host is.
#[derive(Clone)]
pub enum EngineAccess {
    /// One of its own, for a host of root's.
    Store,
    /// One of posternd's, for a host of root's.
    Worker(Worker),
    /// One of posternd's, for a host of this user's.
    User(Worker, User),
}

/// A user of this host, as the kernel says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user's number.
    pub uid: u32,
    /// The user's name.
    pub name: UserName,
    /// Whether `pam.socket_users` names it.
    pub is_service: bool,
}

/// Where a line asks.
pub(crate) struct EngineClient {
    /// The host process.
    process: HostProcess,
    config: Box<Config>,
    /// Whose engine it is; one of its own if it is nobody's.
    worker: Option<Worker>,
    /// Who the host is, if not root.
    user: Option<User>,
    /// What nobody knew of groups, for the log.
    doubts: RefCell<Vec<String>>,
}

/// What came of an answer; each with the bytes at the end of what was typed that it took.
pub(crate) enum Ruled {
    /// It opens.
    Accepted {
        granted: Granted,
        /// What the success brings, told at once.
        told: Vec<String>,
        taken: usize,
    },
    /// It does not.
    Refused { refusal: PamRefusal, taken: usize },
}

/// Access is granted, as far as this line goes: what lets a line pass asks for it. Only this file makes one, from what was
/// decided.
#[derive(Debug)]
pub(crate) struct Granted {
    by: String,
    mark: Option<HostMark>,
}

impl Granted {
    /// By what, as logs name it; and the mark for the guard, none where nothing tells the host process from others.
    pub(crate) fn into_parts(self) -> (String, Option<HostMark>) {
        (self.by, self.mark)
    }
}

/// What the policy says of a person.
pub(crate) struct PolicyReply {
    pub(crate) need: Requirement,
    /// Whether codes are mailed to the account.
    pub(crate) mail: MailStatus,
    /// The mark for the guard, where no code is needed.
    pub(crate) mark: Option<HostMark>,
}

/// Who signs in, and as which visitor of an account.
pub(crate) struct PamUser<'a> {
    pub(crate) user: &'a UserName,
    pub(crate) visitor: VerificationRequest<'a>,
}

impl<'a> Deref for PamUser<'a> {
    type Target = VerificationRequest<'a>;

    fn deref(&self) -> &VerificationRequest<'a> {
        &self.visitor
    }
}

/// Why an answer opens nothing, or what was asked for is not done.
#[derive(Debug)]
pub(crate) struct PamRefusal {
    /// As logs name it.
    pub(crate) cause: String,
    /// As people read it.
    pub(crate) words: String,
}

/// What came of a question.
struct InputResult {
    judged: VerifyReply,
    /// What there is to tell beside it.
    told: Vec<String>,
    /// What lets the guard pass, where this lets the line pass.
    mark: Option<TypedText>,
}

/// What came of the first step of a setup.
pub(crate) enum Begun {
    /// A new authenticator, shown once.
    Setup {
        secret: TypedText,
        url: TypedText,
        recovery_codes: Vec<TypedText>,
        ticket: TypedText,
    },
    /// It takes an administrator's one-time code.
    OneTimeCodeNeeded,
    /// That was none.
    Refused(PamRefusal),
}

impl EngineClient {
    /// For a host process.
    pub(crate) fn of(reach: EngineAccess, process: HostProcess, config: &Config) -> EngineClient {
        let (worker, user) = match reach {
            EngineAccess::Store => (None, None),
            EngineAccess::Worker(worker) => (Some(worker), None),
            EngineAccess::User(worker, user) => (Some(worker), Some(user)),
        };
        EngineClient {
            process,
            config: Box::new(config.clone()),
            worker,
            user,
            doubts: RefCell::default(),
        }
    }

    /// Whether an exemption may go by what the host says of itself: its service, and where the person is.
    pub(crate) fn believes_claims(&self) -> bool {
        self.user.as_ref().is_none_or(|user| user.is_service)
    }

    /// What nobody knew of groups since this was asked last.
    pub(crate) fn take_doubts(&self) -> BTreeSet<String> {
        self.doubts.take().into_iter().collect()
    }

    /// What the policy says, and whether codes are mailed to the account.
    pub(crate) fn need(
        &self,
        person: &PamUser<'_>,
        earlier: &CompletedMethods,
    ) -> Result<PolicyReply, EngineClientError> {
        let InputResult { judged, mark, .. } =
            self.ask_as(ROOT, person, earlier.clone(), VerifyOperation::Need)?;
        match judged {
            VerifyReply::Need { need, mail } => Ok(PolicyReply {
                need,
                mail,
                mark: mark.map(HostMark::sealed),
            }),
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// Has an answer judged. One that opens is spent when this returns.
    pub(crate) fn judge(
        &self,
        person: &PamUser<'_>,
        typed: &[u8],
        reading: InputReading,
    ) -> Result<Ruled, EngineClientError> {
        let typed = text(typed, reading);
        let InputResult { judged, told, mark } =
            self.ask(person, VerifyOperation::Answer { typed, reading })?;
        match (judged, mark) {
            (VerifyReply::Accepted { by, taken }, mark) => {
                // before the first factor the guard tells what it brings
                let told = if person.phase == Phase::After {
                    told
                } else {
                    Vec::new()
                };
                Ok(Ruled::Accepted {
                    granted: Granted {
                        by,
                        mark: self.sealed(mark)?,
                    },
                    told,
                    taken,
                })
            }
            (
                VerifyReply::Refused {
                    cause,
                    words,
                    taken,
                },
                _,
            ) => Ok(Ruled::Refused {
                refusal: PamRefusal { cause, words },
                taken,
            }),
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// Whether a mark is good, now that the whole transaction has passed; what there is to tell.
    pub(crate) fn check_mark(
        &self,
        person: &PamUser<'_>,
        mark: &HostMark,
    ) -> Result<Result<Vec<String>, MarkRefusal>, EngineClientError> {
        let InputResult { judged, told, .. } =
            self.ask(person, VerifyOperation::Account(mark.text().clone()))?;
        match judged {
            VerifyReply::Marked => Ok(Ok(told)),
            VerifyReply::NotMarked(refusal) => Ok(Err(refusal)),
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// The mark of who passes, which every one has whose host process can be told from others.
    fn sealed(&self, mark: Option<TypedText>) -> Result<Option<HostMark>, EngineClientError> {
        match mark {
            None if self.process.binding().is_ok() => Err(EngineClientError::Nonsense),
            mark => Ok(mark.map(HostMark::sealed)),
        }
    }

    /// Whether someone who must have a second factor, and has none, may come in without; the mark for the guard.
    pub(crate) fn waive(
        &self,
        person: &PamUser<'_>,
    ) -> Result<Option<(EnrollmentGrace, Option<HostMark>)>, EngineClientError> {
        let InputResult { judged, mark, .. } = self.ask(person, VerifyOperation::Waive)?;
        match (judged, mark) {
            (VerifyReply::Waived(None), _) => Ok(None),
            (VerifyReply::Waived(Some(waiver)), mark) => Ok(Some((waiver, self.sealed(mark)?))),
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// Whether an earlier code spares the next.
    pub(crate) fn grace(
        &self,
        person: &PamUser<'_>,
        grace: GracePeriod,
    ) -> Result<Option<Granted>, EngineClientError> {
        let InputResult { judged, mark, .. } = self.ask(person, VerifyOperation::Grace(grace))?;
        match (judged, mark) {
            (VerifyReply::Grace(WithinGrace::Yes), mark) => Ok(Some(Granted {
                by: "grace-period".to_owned(),
                mark: self.sealed(mark)?,
            })),
            (VerifyReply::Grace(WithinGrace::No), _) => Ok(None),
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// Ends what a new password of the host's ends, at every gate when this returns; what there is to tell, if there is
    /// an account.
    pub(crate) fn password_changed(
        &self,
        person: &PamUser<'_>,
        actor: &str,
    ) -> Result<Option<Vec<String>>, EngineClientError> {
        let passing = self.ask_as(
            Requester::Root(actor),
            person,
            CompletedMethods::default(),
            VerifyOperation::PasswordChanged,
        )?;
        match passing.judged {
            VerifyReply::Done => Ok(Some(passing.told)),
            VerifyReply::NothingToEnd => Ok(None),
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// Has a code mailed; what there is to tell. Waits until the letter is sent, for as long as the module waits, and holds
    /// no worker meanwhile.
    pub(crate) fn mail(
        &self,
        person: &PamUser<'_>,
    ) -> Result<Result<String, PamRefusal>, EngineClientError> {
        let asked = self
            .act(|door, now| Ok(door.post_code_for(self.caller(ROOT), &person.visitor, now)?))?;
        let posted = match asked {
            MailRequest::Queued(posted) => posted,
            MailRequest::Refused(refusal) => {
                return Ok(Err(PamRefusal {
                    cause: refusal.to_string(),
                    words: messages::mail_refusal(refusal),
                }));
            }
        };
        let began = Instant::now();
        loop {
            thread::sleep(LOOK);
            report_waiting();
            let waited = began.elapsed();
            let sent = match self.act(|door, _| Ok(door.check_mail_delivery(&posted, waited)))? {
                Some(sent) => sent,
                None if waited < LONGEST_LETTER => continue,
                None => return Ok(Err(not_mailed(&STILL_ON_ITS_WAY, messages::MAIL_SLOW))),
            };
            return match sent {
                Ok(()) => Ok(Ok(messages::code_mailed_text(
                    &posted.to,
                    self.config.email.code_ttl.seconds(),
                ))),
                Err(NotMailed::Engine(error)) => Err(error.into()),
                Err(error @ NotMailed::Queued) => Ok(Err(not_mailed(&error, messages::MAIL_WAITS))),
                Err(error) => Ok(Err(not_mailed(&error, messages::NOT_MAILED))),
            };
        }
    }

    /// Begins a first setup.
    pub(crate) fn begin_setup(
        &self,
        person: &PamUser<'_>,
        one_time_code: Option<&[u8]>,
    ) -> Result<Begun, EngineClientError> {
        let code = one_time_code.map(|typed| text(typed, InputReading::Whole));
        match self
            .ask(
                person,
                VerifyOperation::Setup(PromptEnrollment::Begin(code)),
            )?
            .judged
        {
            VerifyReply::Setup {
                secret,
                url,
                recovery_codes,
                ticket,
            } => Ok(Begun::Setup {
                secret,
                url,
                recovery_codes,
                ticket,
            }),
            VerifyReply::OneTimeCodeNeeded => Ok(Begun::OneTimeCodeNeeded),
            VerifyReply::Refused { cause, words, .. } => {
                Ok(Begun::Refused(PamRefusal { cause, words }))
            }
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// A code confirms it: what activates it.
    pub(crate) fn confirm_setup(
        &self,
        person: &PamUser<'_>,
        ticket: &TypedText,
        typed: &[u8],
    ) -> Result<Result<TypedText, PamRefusal>, EngineClientError> {
        let code = text(typed, InputReading::Whole);
        let step = PromptEnrollment::Confirm {
            ticket: ticket.clone(),
            code,
        };
        match self.ask(person, VerifyOperation::Setup(step))?.judged {
            VerifyReply::Confirmed { ticket } => Ok(Ok(ticket)),
            VerifyReply::Refused { cause, words, .. } => Ok(Err(PamRefusal { cause, words })),
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// Makes a confirmed authenticator active; what there is to tell.
    pub(crate) fn activate_setup(
        &self,
        person: &PamUser<'_>,
        ticket: &TypedText,
    ) -> Result<(Granted, Vec<String>), EngineClientError> {
        let activate = VerifyOperation::Setup(PromptEnrollment::Activate(ticket.clone()));
        let InputResult { judged, told, mark } = self.ask(person, activate)?;
        match (judged, mark) {
            (VerifyReply::Done, mark) => Ok((
                Granted {
                    by: messages::ENROLLED_CAUSE.to_owned(),
                    mark: self.sealed(mark)?,
                },
                told,
            )),
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// One question.
    fn ask(
        &self,
        person: &PamUser<'_>,
        question: VerifyOperation,
    ) -> Result<InputResult, EngineClientError> {
        self.ask_as(ROOT, person, CompletedMethods::default(), question)
    }

    /// The same, where it matters who asks, or what passed before.
    fn ask_as(
        &self,
        root: Requester<'_>,
        person: &PamUser<'_>,
        earlier: CompletedMethods,
        question: VerifyOperation,
    ) -> Result<InputResult, EngineClientError> {
        let judging = self.judging(person, earlier, question);
        // where nobody waits for the worker that is taken then
        let groups = self.policy_groups(person.name, &judging.question);
        let EngineReply {
            messages: told,
            answer,
            mark,
        } = self.act(|door, now| {
            door.preload_groups(groups);
            let judged = door.judge_for(self.caller(root), person.name, &judging, now);
            door.preload_groups(None);
            Ok(judged?)
        })?;
        match answer {
            ReplyBody::Judged(judged) => Ok(InputResult { judged, told, mark }),
            _ => Err(EngineClientError::Nonsense),
        }
    }

    /// What the host knows of the groups that the policy names, where a question turns on them. Who may not ask about an
    /// account has no look-up of it either.
    fn policy_groups(
        &self,
        account: &UserName,
        question: &VerifyOperation,
    ) -> Option<(UserName, PersonGroups)> {
        let turns_on_groups = matches!(
            question,
            VerifyOperation::Need | VerifyOperation::Waive | VerifyOperation::Setup(_)
        );
        let may_ask = self
            .user
            .as_ref()
            .is_none_or(|user| user.is_service || user.name == *account);
        if self.worker.is_none() || !turns_on_groups || !may_ask {
            return None;
        }
        Some((
            account.clone(),
            NamedGroups::look_up_groups(self.config.policy.named_groups())
                .find_memberships(account),
        ))
    }

    fn judging(
        &self,
        person: &PamUser<'_>,
        earlier: CompletedMethods,
        question: VerifyOperation,
    ) -> VerifyRequest {
        VerifyRequest {
            service: Service::from_pam(person.service.as_bytes()),
            user: person.user.clone(),
            process: self.process.clone(),
            origin: person.origin.clone(),
            stage: person.phase,
            earlier,
            question,
        }
    }

    /// Who asks: root under the name that the host goes by, or the user that the host runs as.
    fn caller<'a>(&'a self, root: Requester<'a>) -> Requester<'a> {
        match &self.user {
            None => root,
            Some(User { uid, name, .. }) => Requester::Owner { name, uid: *uid },
        }
    }

    /// An act at the engine, when it is its turn.
    fn act<R>(
        &self,
        act: impl FnOnce(&mut Engine, Timestamp) -> Result<R, EngineClientError>,
    ) -> Result<R, EngineClientError> {
        let act = |door: &mut Engine| {
            let acted = clock::now()
                .map_err(EngineClientError::from)
                .and_then(|now| act(door, now));
            self.doubts.borrow_mut().extend(door.take_group_warnings());
            acted
        };
        match &self.worker {
            None => act(&mut Engine::open((*self.config).clone())?),
            Some(worker) => worker.run(&self.config, act)?,
        }
    }
}

fn not_mailed(cause: &dyn fmt::Display, words: &str) -> PamRefusal {
    PamRefusal {
        cause: format!("not-mailed: {cause}"),
        words: words.to_owned(),
    }
}

/// What was typed as text. What is none is no code, and costs what an empty answer does; of a password before a code
/// it does not matter here what it says.
fn text(typed: &[u8], reading: InputReading) -> TypedText {
    let text = match (std::str::from_utf8(typed), reading) {
        _ if typed.len() > LONGEST => String::new(),
        (Ok(text), _) => text.to_owned(),
        (Err(_), InputReading::Whole) => String::new(),
        (Err(_), InputReading::CodeAtEnd) => String::from_utf8_lossy(typed).into_owned(),
    };
    TypedText::from(Zeroizing::new(text))
}

/// Why nothing was decided.
#[derive(Debug)]
pub(crate) enum EngineClientError {
    /// The store, the key, or what the host knows of groups.
    Store(AdministrationError),
    /// The clock.
    Clock(ClockError),
    /// posternd's workers have too much to do.
    Busy(Busy),
    /// The engine answered something else than was asked.
    Nonsense,
}

impl From<AdministrationError> for EngineClientError {
    fn from(error: AdministrationError) -> EngineClientError {
        EngineClientError::Store(error)
    }
}

impl From<EngineError> for EngineClientError {
    fn from(error: EngineError) -> EngineClientError {
        EngineClientError::Store(error.into())
    }
}

impl From<WorkerError> for EngineClientError {
    fn from(error: WorkerError) -> EngineClientError {
        match error {
            WorkerError::Busy(busy) => EngineClientError::Busy(busy),
            WorkerError::Open(error) => error.into(),
        }
    }
}

impl From<ClockError> for EngineClientError {
    fn from(error: ClockError) -> EngineClientError {
        EngineClientError::Clock(error)
    }
}

impl fmt::Display for EngineClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineClientError::Store(error) => error.fmt(f),
            EngineClientError::Clock(error) => error.fmt(f),
            EngineClientError::Busy(busy) => write!(f, "posternd is busy: {busy}"),
            EngineClientError::Nonsense => {
                f.write_str("unexpected reply of the engine; please report it")
            }
        }
    }
}

impl std::error::Error for EngineClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            EngineClientError::Store(error) => Some(error),
            EngineClientError::Clock(error) => Some(error),
            EngineClientError::Busy(busy) => Some(busy),
            EngineClientError::Nonsense => None,
        }
    }
}
