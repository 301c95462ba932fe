//! What a conversation asks of the engine, and as whom: as root where the PAM host is root's, else as the user whom the
//! kernel names.
//!
//! MUST take who asks from the kernel, and nothing about it from the host.

use super::auth_token::Mark;
use crate::workers::engines::{Worker, WorkerError};
use shared::account::name::{Service, UserName};
use shared::account::second_factor::Mail;
use shared::config::{Config, Grace};
use shared::credential::completed_methods::Earlier;
use shared::credential::input::{LONGEST, Reading};
use shared::engine::{
    AdministrationError, Asked, Caller, Door, DoorError, NotMailed, Visitor, messages,
    still_waiting,
};
use shared::policy::groups::{NamedGroups, PersonGroups};
use shared::policy::requirement::{Need, Waiver};
use shared::protocol::command_request::{
    Answer, AtPrompt, Judged, Judging, MarkRefusal, Question, Reply, Typed,
};
use shared::system::admission::Busy;
use shared::system::clock::{self, ClockError, Timestamp};
use shared::system::process::HostProcess;
use shared::verify::decision::Spared;
use shared::verify::throttle::Stage;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::time::{Duration, Instant};
use std::{fmt, thread};
use zeroize::Zeroizing;

/// Who asks, where root's own hosts ask.
const ROOT: Caller<'static> = Caller::Root("root");

/// How often it is looked what became of a letter.
const LOOK: Duration = Duration::from_millis(50);
/// How long a letter is waited for that is being sent. The module gives up after 30 s, which denies access; `[email]
/// timeout` may be longer.
const LONGEST_LETTER: Duration = Duration::from_secs(20);
const STILL_ON_ITS_WAY: &str =
    "the mail is still being sent after 20 seconds; the log of posternd will show the result";

/// Which engine decides for a PAM host, and who the host is.
#[derive(Clone)]
pub enum Reach {
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
pub(crate) struct Desk {
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
    Refused { refusal: Refusal, taken: usize },
}

/// Access is granted, as far as this line goes: what lets a line pass asks for it. Only this file makes one, from what was
/// decided.
#[derive(Debug)]
pub(crate) struct Granted {
    by: String,
    mark: Option<Mark>,
}

impl Granted {
    /// By what, as logs name it; and the mark for the guard, none where nothing tells the host process from others.
    pub(crate) fn into_parts(self) -> (String, Option<Mark>) {
        (self.by, self.mark)
    }
}

/// What the policy says of a person.
pub(crate) struct Policy {
    pub(crate) need: Need,
    /// Whether codes are mailed to the account.
    pub(crate) mail: Mail,
    /// The mark for the guard, where no code is needed.
    pub(crate) mark: Option<Mark>,
}

/// Who signs in, and as which visitor of an account.
pub(crate) struct Person<'a> {
    pub(crate) user: &'a UserName,
    pub(crate) visitor: Visitor<'a>,
}

impl<'a> Deref for Person<'a> {
    type Target = Visitor<'a>;

    fn deref(&self) -> &Visitor<'a> {
        &self.visitor
    }
}

/// Why an answer opens nothing, or what was asked for is not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// As logs name it.
    pub(crate) cause: String,
    /// As people read it.
    pub(crate) words: String,
}

/// What came of a question.
struct Answered {
    judged: Judged,
    /// What there is to tell beside it.
    told: Vec<String>,
    /// What lets the guard pass, where this lets the line pass.
    mark: Option<Typed>,
}

/// What came of the first step of a setup.
pub(crate) enum Begun {
    /// A new authenticator, shown once.
    Setup {
        secret: Typed,
        url: Typed,
        recovery_codes: Vec<Typed>,
        ticket: Typed,
    },
    /// It takes an administrator's one-time code.
    OneTimeCodeNeeded,
    /// That was none.
    Refused(Refusal),
}

impl Desk {
    /// For a host process.
    pub(crate) fn of(reach: Reach, process: HostProcess, config: &Config) -> Desk {
        let (worker, user) = match reach {
            Reach::Store => (None, None),
            Reach::Worker(worker) => (Some(worker), None),
            Reach::User(worker, user) => (Some(worker), Some(user)),
        };
        Desk {
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
    pub(crate) fn need(&self, person: &Person<'_>, earlier: &Earlier) -> Result<Policy, DeskError> {
        let Answered { judged, mark, .. } =
            self.ask_as(ROOT, person, earlier.clone(), Question::Need)?;
        match judged {
            Judged::Need { need, mail } => Ok(Policy {
                need,
                mail,
                mark: mark.map(Mark::sealed),
            }),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Has an answer judged. One that opens is spent when this returns.
    pub(crate) fn judge(
        &self,
        person: &Person<'_>,
        typed: &[u8],
        reading: Reading,
    ) -> Result<Ruled, DeskError> {
        let typed = text(typed, reading);
        let Answered { judged, told, mark } =
            self.ask(person, Question::Answer { typed, reading })?;
        match (judged, mark) {
            (Judged::Accepted { by, taken }, mark) => {
                // before the first factor the guard tells what it brings
                let told = if person.stage == Stage::After {
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
                Judged::Refused {
                    cause,
                    words,
                    taken,
                },
                _,
            ) => Ok(Ruled::Refused {
                refusal: Refusal { cause, words },
                taken,
            }),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Whether a mark is good, now that the whole transaction has passed; what there is to tell.
    pub(crate) fn check_mark(
        &self,
        person: &Person<'_>,
        mark: &Mark,
    ) -> Result<Result<Vec<String>, MarkRefusal>, DeskError> {
        let Answered { judged, told, .. } =
            self.ask(person, Question::Account(mark.text().clone()))?;
        match judged {
            Judged::Marked => Ok(Ok(told)),
            Judged::NotMarked(refusal) => Ok(Err(refusal)),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// The mark of who passes, which every one has whose host process can be told from others.
    fn sealed(&self, mark: Option<Typed>) -> Result<Option<Mark>, DeskError> {
        match mark {
            None if self.process.binding().is_ok() => Err(DeskError::Nonsense),
            mark => Ok(mark.map(Mark::sealed)),
        }
    }

    /// Whether someone who must have a second factor, and has none, may come in without; the mark for the guard.
    pub(crate) fn waive(
        &self,
        person: &Person<'_>,
    ) -> Result<Option<(Waiver, Option<Mark>)>, DeskError> {
        let Answered { judged, mark, .. } = self.ask(person, Question::Waive)?;
        match (judged, mark) {
            (Judged::Waived(None), _) => Ok(None),
            (Judged::Waived(Some(waiver)), mark) => Ok(Some((waiver, self.sealed(mark)?))),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Whether an earlier code spares the next.
    pub(crate) fn grace(
        &self,
        person: &Person<'_>,
        grace: Grace,
    ) -> Result<Option<Granted>, DeskError> {
        let Answered { judged, mark, .. } = self.ask(person, Question::Grace(grace))?;
        match (judged, mark) {
            (Judged::Grace(Spared::Yes), mark) => Ok(Some(Granted {
                by: "grace-period".to_owned(),
                mark: self.sealed(mark)?,
            })),
            (Judged::Grace(Spared::No), _) => Ok(None),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Ends what a new password of the host's ends, at every gate when this returns; what there is to tell, if there is
    /// an account.
    pub(crate) fn password_changed(
        &self,
        person: &Person<'_>,
        actor: &str,
    ) -> Result<Option<Vec<String>>, DeskError> {
        let passing = self.ask_as(
            Caller::Root(actor),
            person,
            Earlier::default(),
            Question::PasswordChanged,
        )?;
        match passing.judged {
            Judged::Done => Ok(Some(passing.told)),
            Judged::NothingToEnd => Ok(None),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Has a code mailed; what there is to tell. Waits until the letter is sent, for as long as the module waits, and holds
    /// no worker meanwhile.
    pub(crate) fn mail(&self, person: &Person<'_>) -> Result<Result<String, Refusal>, DeskError> {
        let asked = self
            .act(|door, now| Ok(door.post_code_for(self.caller(ROOT), &person.visitor, now)?))?;
        let posted = match asked {
            Asked::For(posted) => posted,
            Asked::Refused(refusal) => {
                return Ok(Err(Refusal {
                    cause: refusal.to_string(),
                    words: messages::mail_refusal(refusal),
                }));
            }
        };
        let began = Instant::now();
        loop {
            thread::sleep(LOOK);
            still_waiting();
            let waited = began.elapsed();
            let sent = match self.act(|door, _| Ok(door.look_after(&posted, waited)))? {
                Some(sent) => sent,
                None if waited < LONGEST_LETTER => continue,
                None => return Ok(Err(not_mailed(&STILL_ON_ITS_WAY, messages::MAIL_SLOW))),
            };
            return match sent {
                Ok(()) => Ok(Ok(messages::mailed(
                    &posted.to,
                    self.config.email.code_ttl.seconds(),
                ))),
                Err(NotMailed::Door(error)) => Err(error.into()),
                Err(error @ NotMailed::Waits) => Ok(Err(not_mailed(&error, messages::MAIL_WAITS))),
                Err(error) => Ok(Err(not_mailed(&error, messages::NOT_MAILED))),
            };
        }
    }

    /// Begins a first setup.
    pub(crate) fn begin_setup(
        &self,
        person: &Person<'_>,
        one_time_code: Option<&[u8]>,
    ) -> Result<Begun, DeskError> {
        let code = one_time_code.map(|typed| text(typed, Reading::Whole));
        match self
            .ask(person, Question::Setup(AtPrompt::Begin(code)))?
            .judged
        {
            Judged::Setup {
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
            Judged::OneTimeCodeNeeded => Ok(Begun::OneTimeCodeNeeded),
            Judged::Refused { cause, words, .. } => Ok(Begun::Refused(Refusal { cause, words })),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// A code confirms it: what activates it.
    pub(crate) fn confirm_setup(
        &self,
        person: &Person<'_>,
        ticket: &Typed,
        typed: &[u8],
    ) -> Result<Result<Typed, Refusal>, DeskError> {
        let code = text(typed, Reading::Whole);
        let step = AtPrompt::Confirm {
            ticket: ticket.clone(),
            code,
        };
        match self.ask(person, Question::Setup(step))?.judged {
            Judged::Confirmed { ticket } => Ok(Ok(ticket)),
            Judged::Refused { cause, words, .. } => Ok(Err(Refusal { cause, words })),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Makes a confirmed authenticator active; what there is to tell.
    pub(crate) fn activate_setup(
        &self,
        person: &Person<'_>,
        ticket: &Typed,
    ) -> Result<(Granted, Vec<String>), DeskError> {
        let activate = Question::Setup(AtPrompt::Activate(ticket.clone()));
        let Answered { judged, told, mark } = self.ask(person, activate)?;
        match (judged, mark) {
            (Judged::Done, mark) => Ok((
                Granted {
                    by: messages::SET_UP.to_owned(),
                    mark: self.sealed(mark)?,
                },
                told,
            )),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// One question.
    fn ask(&self, person: &Person<'_>, question: Question) -> Result<Answered, DeskError> {
        self.ask_as(ROOT, person, Earlier::default(), question)
    }

    /// The same, where it matters who asks, or what passed before.
    fn ask_as(
        &self,
        root: Caller<'_>,
        person: &Person<'_>,
        earlier: Earlier,
        question: Question,
    ) -> Result<Answered, DeskError> {
        let judging = self.judging(person, earlier, question);
        // where nobody waits for the worker that is taken then
        let groups = self.policy_groups(person.name, &judging.question);
        let Reply { told, answer, mark } = self.act(|door, now| {
            door.foreknow(groups);
            let judged = door.judge_for(self.caller(root), person.name, &judging, now);
            door.foreknow(None);
            Ok(judged?)
        })?;
        match answer {
            Answer::Judged(judged) => Ok(Answered { judged, told, mark }),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// What the host knows of the groups that the policy names, where a question turns on them. Who may not ask about an
    /// account has no look-up of it either.
    fn policy_groups(
        &self,
        account: &UserName,
        question: &Question,
    ) -> Option<(UserName, PersonGroups)> {
        let turns_on_groups = matches!(
            question,
            Question::Need | Question::Waive | Question::Setup(_)
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
            NamedGroups::look_up(self.config.policy.groups_asked()).of(account),
        ))
    }

    fn judging(&self, person: &Person<'_>, earlier: Earlier, question: Question) -> Judging {
        Judging {
            service: Service::named(person.service.as_bytes()),
            user: person.user.clone(),
            process: self.process.clone(),
            origin: person.origin.clone(),
            stage: person.stage,
            earlier,
            question,
        }
    }

    /// Who asks: root under the name that the host goes by, or the user that the host runs as.
    fn caller<'a>(&'a self, root: Caller<'a>) -> Caller<'a> {
        match &self.user {
            None => root,
            Some(User { uid, name, .. }) => Caller::Owner { name, uid: *uid },
        }
    }

    /// An act at the engine, when it is its turn.
    fn act<R>(
        &self,
        act: impl FnOnce(&mut Door, Timestamp) -> Result<R, DeskError>,
    ) -> Result<R, DeskError> {
        let act = |door: &mut Door| {
            let acted = clock::now()
                .map_err(DeskError::from)
                .and_then(|now| act(door, now));
            self.doubts.borrow_mut().extend(door.take_doubts());
            acted
        };
        match &self.worker {
            None => act(&mut Door::open((*self.config).clone())?),
            Some(worker) => worker.run(&self.config, act)?,
        }
    }
}

fn not_mailed(cause: &dyn fmt::Display, words: &str) -> Refusal {
    Refusal {
        cause: format!("not-mailed: {cause}"),
        words: words.to_owned(),
    }
}

/// What was typed as text. What is none is no code, and costs what an empty answer does; of a password before a code
/// it does not matter here what it says.
fn text(typed: &[u8], reading: Reading) -> Typed {
    let text = match (std::str::from_utf8(typed), reading) {
        _ if typed.len() > LONGEST => String::new(),
        (Ok(text), _) => text.to_owned(),
        (Err(_), Reading::Whole) => String::new(),
        (Err(_), Reading::Ending) => String::from_utf8_lossy(typed).into_owned(),
    };
    Typed::from(Zeroizing::new(text))
}

/// Why nothing was decided.
#[derive(Debug)]
pub(crate) enum DeskError {
    /// The store, the key, or what the host knows of groups.
    Store(AdministrationError),
    /// The clock.
    Clock(ClockError),
    /// posternd's workers have too much to do.
    Busy(Busy),
    /// The engine answered something else than was asked.
    Nonsense,
}

impl From<AdministrationError> for DeskError {
    fn from(error: AdministrationError) -> DeskError {
        DeskError::Store(error)
    }
}

impl From<DoorError> for DeskError {
    fn from(error: DoorError) -> DeskError {
        DeskError::Store(error.into())
    }
}

impl From<WorkerError> for DeskError {
    fn from(error: WorkerError) -> DeskError {
        match error {
            WorkerError::Busy(busy) => DeskError::Busy(busy),
            WorkerError::Open(error) => error.into(),
        }
    }
}

impl From<ClockError> for DeskError {
    fn from(error: ClockError) -> DeskError {
        DeskError::Clock(error)
    }
}

impl fmt::Display for DeskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeskError::Store(error) => error.fmt(f),
            DeskError::Clock(error) => error.fmt(f),
            DeskError::Busy(busy) => write!(f, "posternd is busy: {busy}"),
            DeskError::Nonsense => f.write_str("unexpected reply of the engine; please report it"),
        }
    }
}

impl std::error::Error for DeskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DeskError::Store(error) => Some(error),
            DeskError::Clock(error) => Some(error),
            DeskError::Busy(busy) => Some(busy),
            DeskError::Nonsense => None,
        }
    }
}
