//! What a conversation asks of the engine, and as whom: as root where the PAM host is root's, else as the user whom the
//! kernel names.
//!
//! MUST take who asks from the kernel, and nothing about it from the host.

use super::mark::Left;
use crate::engines::{Worker, WorkerError};
use shared::account::Mail;
use shared::admission::Busy;
use shared::answer::{LONGEST, Reading};
use shared::clock::{self, ClockError, Timestamp};
use shared::config::{Config, Grace};
use shared::decision::Spared;
use shared::door::{AdministrationError, Asked, Caller, Door, DoorError, Visitor, not_mailed};
use shared::earlier::Earlier;
use shared::errand::{Answer, AtPrompt, Judged, Judging, Question, Reply, Typed};
use shared::guess::Stage;
use shared::name::{Service, UserName};
use shared::policy::{Need, Waiver};
use shared::words;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::thread;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Who asks, where root's own hosts ask.
const ROOT: Caller<'static> = Caller::Root("root");
/// How often it is looked what became of a mail.
const LOOK: Duration = Duration::from_millis(50);

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
    left: Left,
}

impl Granted {
    /// By what, as logs name it; and what is left to do when the first factor has passed too.
    pub(crate) fn into_parts(self) -> (String, Left) {
        (self.by, self.left)
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

/// What came of the first step of a setup.
pub(crate) enum Begun {
    /// A new authenticator, shown once.
    Setup { secret: Typed, url: Typed, recovery_codes: Vec<Typed>, ticket: Typed },
    /// It takes an administrator's one-time code.
    OneTimeCodeNeeded,
    /// That was none.
    Refused(Refusal),
}

impl Desk {
    pub(crate) fn of(reach: Reach, config: &Config) -> Desk {
        let (worker, user) = match reach {
            Reach::Store => (None, None),
            Reach::Worker(worker) => (Some(worker), None),
            Reach::User(worker, user) => (Some(worker), Some(user)),
        };
        Desk { config: Box::new(config.clone()), worker, user, doubts: RefCell::default() }
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
    pub(crate) fn need(&self, visitor: &Visitor<'_>, earlier: &Earlier) -> Result<(Need, Mail), DeskError> {
        match self.ask_as(ROOT, visitor, earlier.clone(), Question::Need)? {
            (Judged::Need { need, mail }, _) => Ok((need, mail)),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Has an answer judged. One that opens is spent when this returns.
    pub(crate) fn judge(
        &self,
        visitor: &Visitor<'_>,
        typed: &[u8],
        reading: Reading,
    ) -> Result<Ruled, DeskError> {
        let typed = text(typed, reading);
        match self.ask(visitor, Question::Answer { typed, reading })? {
            (Judged::Accepted { by, ticket, taken }, told) => {
                let (told, left) = match (ticket, visitor.stage) {
                    (Some(ticket), _) => (told, Left::Book(ticket)),
                    (None, Stage::After) => (told, Left::Nothing),
                    (None, Stage::Before) => (Vec::new(), Left::Tell(told)),
                };
                Ok(Ruled::Accepted { granted: Granted { by, left }, told, taken })
            }
            (Judged::Refused { cause, words, taken }, _) => {
                Ok(Ruled::Refused { refusal: Refusal { cause, words }, taken })
            }
            _ => Err(DeskError::Nonsense),
        }
    }

    /// The whole entry has passed: what is left is done; what there is to tell.
    pub(crate) fn finish(&self, visitor: &Visitor<'_>, left: &Left) -> Result<Vec<String>, DeskError> {
        let question = match left {
            Left::Nothing => return Ok(Vec::new()),
            Left::Tell(told) => return Ok(told.clone()),
            Left::Book(ticket) => Question::Book(ticket.clone()),
        };
        match self.ask(visitor, question)? {
            (Judged::Done, told) => Ok(told),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Whether someone who must have a second factor, and has none, may come in without.
    pub(crate) fn waive(&self, visitor: &Visitor<'_>) -> Result<Option<Waiver>, DeskError> {
        match self.ask(visitor, Question::Waive)? {
            (Judged::Waived(waiver), _) => Ok(waiver),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Whether an earlier code spares the next.
    pub(crate) fn grace(&self, visitor: &Visitor<'_>, grace: Grace) -> Result<Option<Granted>, DeskError> {
        match self.ask(visitor, Question::Grace(grace))? {
            (Judged::Grace(Spared::Yes), _) => {
                Ok(Some(Granted { by: "grace".to_owned(), left: Left::Nothing }))
            }
            (Judged::Grace(Spared::No), _) => Ok(None),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Ends what a new password of the host's ends, at every gate when this returns; what there is to tell, if there is
    /// an account.
    pub(crate) fn password_changed(
        &self,
        visitor: &Visitor<'_>,
        actor: &str,
    ) -> Result<Option<Vec<String>>, DeskError> {
        match self.ask_as(Caller::Root(actor), visitor, Earlier::default(), Question::PasswordChanged)? {
            (Judged::Done, told) => Ok(Some(told)),
            (Judged::NothingToEnd, _) => Ok(None),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Has a code mailed; what there is to tell. Waits until the mail is sent, and holds no worker meanwhile.
    pub(crate) fn mail(&self, visitor: &Visitor<'_>) -> Result<Result<String, Refusal>, DeskError> {
        let judging = judging(visitor, Earlier::default(), Question::Mail);
        let asked = self.act(|door, now| {
            door.post_code_for(self.caller(ROOT), visitor.name, &judging, now).map_err(DeskError::from)
        })?;
        let judged = match asked {
            Asked::Refused(refusal) => not_mailed(refusal),
            Asked::For(posted) => {
                let began = Instant::now();
                let sent = loop {
                    thread::sleep(LOOK);
                    if let Some(sent) = self.act(|door, _| Ok(door.look_after(&posted, began.elapsed())))? {
                        break sent;
                    }
                };
                self.act(|door, _| Ok(door.mailed(&posted, sent)?))?
            }
        };
        match judged {
            Judged::Mailed(told) => Ok(Ok(told)),
            Judged::Refused { cause, words, .. } => Ok(Err(Refusal { cause, words })),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Begins a first setup.
    pub(crate) fn begin_setup(
        &self,
        visitor: &Visitor<'_>,
        one_time_code: Option<&[u8]>,
    ) -> Result<Begun, DeskError> {
        let code = one_time_code.map(|typed| text(typed, Reading::Whole));
        match self.ask(visitor, Question::Setup(AtPrompt::Begin(code)))? {
            (Judged::Setup { secret, url, recovery_codes, ticket }, _) => {
                Ok(Begun::Setup { secret, url, recovery_codes, ticket })
            }
            (Judged::OneTimeCodeNeeded, _) => Ok(Begun::OneTimeCodeNeeded),
            (Judged::Refused { cause, words, .. }, _) => Ok(Begun::Refused(Refusal { cause, words })),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// A code confirms it: what activates it.
    pub(crate) fn confirm_setup(
        &self,
        visitor: &Visitor<'_>,
        ticket: &Typed,
        typed: &[u8],
    ) -> Result<Result<Typed, Refusal>, DeskError> {
        let code = text(typed, Reading::Whole);
        let step = AtPrompt::Confirm { ticket: ticket.clone(), code };
        match self.ask(visitor, Question::Setup(step))? {
            (Judged::Confirmed { ticket }, _) => Ok(Ok(ticket)),
            (Judged::Refused { cause, words, .. }, _) => Ok(Err(Refusal { cause, words })),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Makes a confirmed authenticator active; what there is to tell.
    pub(crate) fn activate_setup(
        &self,
        visitor: &Visitor<'_>,
        ticket: &Typed,
    ) -> Result<(Granted, Vec<String>), DeskError> {
        match self.ask(visitor, Question::Setup(AtPrompt::Activate(ticket.clone())))? {
            (Judged::Done, told) => Ok((Granted { by: words::SET_UP.to_owned(), left: Left::Nothing }, told)),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// One question: the answer, and what there is to tell beside it.
    fn ask(&self, visitor: &Visitor<'_>, question: Question) -> Result<(Judged, Vec<String>), DeskError> {
        self.ask_as(ROOT, visitor, Earlier::default(), question)
    }

    /// The same, where it matters who asks, or what passed before.
    fn ask_as(
        &self,
        root: Caller<'_>,
        visitor: &Visitor<'_>,
        earlier: Earlier,
        question: Question,
    ) -> Result<(Judged, Vec<String>), DeskError> {
        let judging = judging(visitor, earlier, question);
        let Reply { told, answer } = self.act(|door, now| {
            door.judge_for(self.caller(root), visitor.name, &judging, now).map_err(DeskError::from)
        })?;
        match answer {
            Answer::Judged(judged) => Ok((judged, told)),
            _ => Err(DeskError::Nonsense),
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
    fn act<R>(&self, act: impl FnOnce(&mut Door, Timestamp) -> Result<R, DeskError>) -> Result<R, DeskError> {
        let act = |door: &mut Door| {
            let acted = clock::now().map_err(DeskError::from).and_then(|now| act(door, now));
            self.doubts.borrow_mut().extend(door.take_doubts());
            acted
        };
        match &self.worker {
            None => act(&mut Door::open((*self.config).clone())?),
            Some(worker) => worker.run(&self.config, act)?,
        }
    }
}

fn judging(visitor: &Visitor<'_>, earlier: Earlier, question: Question) -> Judging {
    Judging {
        service: Service::named(visitor.service.as_bytes()),
        origin: visitor.origin.clone(),
        stage: visitor.stage,
        earlier,
        question,
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
            DeskError::Nonsense => f.write_str("unexpected answer of the engine; please report it"),
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
