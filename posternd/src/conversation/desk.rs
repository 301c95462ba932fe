//! Who judges: a door to the store, which only root opens, or for any other host the gate, which has one open. Lines
//! ask, and do not know which of the two it is.
//!
//! MUST NOT open store or key where the gate judges.

use super::mark::Mark;
use crate::engines::{Worker, WorkerError};
use shared::account::Mail;
use shared::admission::Busy;
use shared::answer::{LONGEST, Reading};
use shared::clock::{self, ClockError};
use shared::config::{Config, Grace};
use shared::decision::Spared;
use shared::door::{AdministrationError, Asked, Caller, Door, DoorError, Visitor, not_mailed};
use shared::earlier::Earlier;
use shared::errand::client::{ClientError, Gate};
use shared::errand::{Answer, AtPrompt, Errand, Judged, Judging, MarkRefusal, Question, Reply, Task, Typed};
use shared::groups::{NamedGroups, PersonGroups};
use shared::guess::Stage;
use shared::host_process::HostProcess;
use shared::name::{Service, UserName};
use shared::policy::{Need, Waiver};
use shared::words;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Deref;
use std::thread;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Who asks, where root's own hosts ask.
const ROOT: Caller<'static> = Caller::Root("root");

/// How often it is looked what became of a letter.
const LOOK: Duration = Duration::from_millis(100);

/// How far a host process reaches.
#[derive(Clone)]
pub enum Reach {
    /// It is root's, and opens the store.
    Store,
    /// It is a worker of posternd's.
    Worker(Worker),
    /// It asks the gate.
    Gate(Gate),
}

/// Where a line asks.
pub(crate) enum Desk {
    Store {
        process: HostProcess,
        config: Box<Config>,
        /// Whose engine it is; one of its own if it is nobody's.
        worker: Option<Worker>,
        /// What nobody knew of groups, for the log.
        doubts: RefCell<Vec<String>>,
    },
    Gate {
        process: HostProcess,
        gate: Gate,
    },
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
    mark: Mark,
}

impl Granted {
    /// By what, as logs name it; and the mark for the guard.
    pub(crate) fn into_parts(self) -> (String, Mark) {
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
    Setup { secret: Typed, url: Typed, recovery_codes: Vec<Typed>, ticket: Typed },
    /// It takes an administrator's one-time code.
    OneTimeCodeNeeded,
    /// That was none.
    Refused(Refusal),
}

impl Desk {
    /// For a host process.
    pub(crate) fn of(reach: Reach, process: HostProcess, config: &Config) -> Desk {
        let with_store = |worker| {
            let config = Box::new(config.clone());
            Desk::Store { process: process.clone(), config, worker, doubts: RefCell::default() }
        };
        match reach {
            Reach::Store => with_store(None),
            Reach::Worker(worker) => with_store(Some(worker)),
            Reach::Gate(gate) => Desk::Gate { process, gate },
        }
    }

    fn process(&self) -> &HostProcess {
        match self {
            Desk::Store { process, .. } | Desk::Gate { process, .. } => process,
        }
    }

    /// What nobody knew of groups since this was asked last; a gate logs its own.
    pub(crate) fn take_doubts(&self) -> BTreeSet<String> {
        match self {
            Desk::Store { doubts, .. } => doubts.take().into_iter().collect(),
            Desk::Gate { .. } => BTreeSet::new(),
        }
    }

    /// What the policy says, and whether codes are mailed to the account.
    pub(crate) fn need(&self, person: &Person<'_>, earlier: &Earlier) -> Result<Policy, DeskError> {
        let Answered { judged, mark, .. } = self.ask_as(ROOT, person, earlier.clone(), Question::Need)?;
        match judged {
            Judged::Need { need, mail } => Ok(Policy { need, mail, mark: mark.map(Mark::sealed) }),
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
        let Answered { judged, told, mark } = self.ask(person, Question::Answer { typed, reading })?;
        match (judged, mark) {
            (Judged::Accepted { by, taken }, Some(mark)) => {
                // before the first factor the guard tells what it brings
                let told = if person.stage == Stage::After { told } else { Vec::new() };
                Ok(Ruled::Accepted { granted: Granted { by, mark: Mark::sealed(mark) }, told, taken })
            }
            (Judged::Refused { cause, words, taken }, _) => {
                Ok(Ruled::Refused { refusal: Refusal { cause, words }, taken })
            }
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Whether a mark is good, now that the whole transaction has passed; what there is to tell.
    pub(crate) fn check_mark(
        &self,
        person: &Person<'_>,
        mark: &Mark,
    ) -> Result<Result<Vec<String>, MarkRefusal>, DeskError> {
        let Answered { judged, told, .. } = self.ask(person, Question::Account(mark.text().clone()))?;
        match judged {
            Judged::Marked => Ok(Ok(told)),
            Judged::NotMarked(refusal) => Ok(Err(refusal)),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Whether someone who must have a second factor, and has none, may come in without; the mark for the guard.
    pub(crate) fn waive(&self, person: &Person<'_>) -> Result<Option<(Waiver, Mark)>, DeskError> {
        let Answered { judged, mark, .. } = self.ask(person, Question::Waive)?;
        match (judged, mark) {
            (Judged::Waived(None), _) => Ok(None),
            (Judged::Waived(Some(waiver)), Some(mark)) => Ok(Some((waiver, Mark::sealed(mark)))),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Whether an earlier code spares the next.
    pub(crate) fn grace(&self, person: &Person<'_>, grace: Grace) -> Result<Option<Granted>, DeskError> {
        let Answered { judged, mark, .. } = self.ask(person, Question::Grace(grace))?;
        match (judged, mark) {
            (Judged::Grace(Spared::Yes), Some(mark)) => {
                Ok(Some(Granted { by: "grace".to_owned(), mark: Mark::sealed(mark) }))
            }
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
        let passing =
            self.ask_as(Caller::Root(actor), person, Earlier::default(), Question::PasswordChanged)?;
        match passing.judged {
            Judged::Done => Ok(Some(passing.told)),
            Judged::NothingToEnd => Ok(None),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Has a code mailed; what there is to tell. It waits until the letter is sent.
    pub(crate) fn mail(&self, person: &Person<'_>) -> Result<Result<String, Refusal>, DeskError> {
        match self.ask(person, Question::Mail)?.judged {
            Judged::Mailed(told) => Ok(Ok(told)),
            Judged::Refused { cause, words, .. } => Ok(Err(Refusal { cause, words })),
            _ => Err(DeskError::Nonsense),
        }
    }

    /// Begins a first setup.
    pub(crate) fn begin_setup(
        &self,
        person: &Person<'_>,
        one_time_code: Option<&[u8]>,
    ) -> Result<Begun, DeskError> {
        let code = one_time_code.map(|typed| text(typed, Reading::Whole));
        match self.ask(person, Question::Setup(AtPrompt::Begin(code)))?.judged {
            Judged::Setup { secret, url, recovery_codes, ticket } => {
                Ok(Begun::Setup { secret, url, recovery_codes, ticket })
            }
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
        let step = AtPrompt::Confirm { ticket: ticket.clone(), code };
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
            (Judged::Done, Some(mark)) => {
                Ok((Granted { by: words::SET_UP.to_owned(), mark: Mark::sealed(mark) }, told))
            }
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
        let judging = Judging {
            service: Service::named(person.service.as_bytes()),
            user: person.user.clone(),
            process: self.process().clone(),
            origin: person.origin.clone(),
            stage: person.stage,
            earlier,
            question,
        };
        // a letter is sent, or a revocation waits for other gates
        let takes_its_time = matches!(judging.question, Question::Mail | Question::PasswordChanged);
        if let (Desk::Store { config, worker: Some(worker), .. }, Question::Mail) = (self, &judging.question)
        {
            let judged = mail_code(worker, config, (root, person.name), &judging)?;
            return Ok(Answered { judged, told: Vec::new(), mark: None });
        }
        let errand = Errand { account: person.name.clone(), task: Task::Judge(judging) };
        let Reply { told, answer, mark } = match self {
            Desk::Store { config, worker, doubts, .. } => {
                // where nobody waits for the worker that is taken then
                let foreknown = worker.as_ref().and_then(|_| policy_groups(config, &errand));
                let act = |door: &mut Door| -> Result<Reply, DeskError> {
                    door.foreknow(foreknown);
                    let ran = door.run_errand(root, &errand, clock::now()?);
                    door.foreknow(None);
                    doubts.borrow_mut().extend(door.take_doubts());
                    Ok(ran?)
                };
                match worker {
                    None => act(&mut Door::open((**config).clone())?)?,
                    Some(worker) => worker.run(config, act)??,
                }
            }
            Desk::Gate { gate, .. } if takes_its_time => gate.run(&errand)?,
            Desk::Gate { gate, .. } => gate.judge(&errand)?,
        };
        match answer {
            Answer::Judged(judged) => Ok(Answered { judged, told, mark }),
            Answer::Refused(why) => Err(DeskError::Refused(why)),
            _ => Err(DeskError::Nonsense),
        }
    }
}

/// What the host knows of the groups that the policy names, where a question turns on them.
fn policy_groups(config: &Config, errand: &Errand) -> Option<(UserName, PersonGroups)> {
    let Task::Judge(Judging { question: Question::Need | Question::Waive | Question::Setup(_), .. }) =
        &errand.task
    else {
        return None;
    };
    let groups = NamedGroups::look_up(config.policy.groups_asked()).of(&errand.account);
    Some((errand.account.clone(), groups))
}

/// Has a code mailed, for whoever asks about an account; no worker is held while the letter is on its way.
pub(crate) fn mail_code(
    worker: &Worker,
    config: &Config,
    (caller, account): (Caller<'_>, &UserName),
    judging: &Judging,
) -> Result<Judged, DeskError> {
    let post = |door: &mut Door| clock::now().map(|now| door.post_code_for(caller, account, judging, now));
    let posted = match worker.run(config, post)??? {
        Asked::For(posted) => posted,
        Asked::Refused(refusal) => return Ok(not_mailed(refusal)),
    };
    let began = Instant::now();
    loop {
        thread::sleep(LOOK);
        let look = |door: &mut Door| {
            let sent = door.look_after(&posted, began.elapsed());
            sent.map(|sent| door.mailed(&posted, sent)).transpose()
        };
        if let Some(judged) = worker.run(config, look)?? {
            return Ok(judged);
        }
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

/// Why nobody was judged.
#[derive(Debug)]
pub(crate) enum DeskError {
    /// The store, the key, or what the host knows of groups.
    Store(AdministrationError),
    /// The clock.
    Clock(ClockError),
    /// posternd's workers have too much to do.
    Busy(Busy),
    /// The gate cannot be asked.
    Gate(ClientError),
    /// The gate judges nobody for this host.
    Refused(String),
    /// It answered something else than was asked.
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

impl From<ClientError> for DeskError {
    fn from(error: ClientError) -> DeskError {
        DeskError::Gate(error)
    }
}

impl fmt::Display for DeskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeskError::Store(error) => error.fmt(f),
            DeskError::Clock(error) => error.fmt(f),
            DeskError::Busy(busy) => write!(f, "posternd is busy: {busy}"),
            DeskError::Gate(ClientError::Absent { socket, error }) => write!(
                f,
                "{}: {error}; a service that does not run as root asks postern-gate there: start postern-gate",
                socket.display()
            ),
            DeskError::Gate(ClientError::Unanswered(error)) => {
                write!(f, "postern-gate did not answer in time: {error}; see its log")
            }
            DeskError::Gate(error) => error.fmt(f),
            DeskError::Refused(why) => write!(f, "postern-gate: {why}"),
            DeskError::Nonsense => f.write_str(
                "postern-gate is of another version than pam_totp.so; restart postern-gate and this service",
            ),
        }
    }
}

impl std::error::Error for DeskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            DeskError::Store(error) => Some(error),
            DeskError::Clock(error) => Some(error),
            DeskError::Busy(busy) => Some(busy),
            DeskError::Gate(error) => Some(error),
            DeskError::Refused(_) | DeskError::Nonsense => None,
        }
    }
}
