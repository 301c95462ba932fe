//! Who judges: the store, which only root opens, or for any other host the gate, which has it open. Lines ask, and do
//! not know which of the two it is.
//!
//! MUST NOT open store or key where the gate judges.

use crate::mark::Left;
use shared::clock::{self, ClockError};
use shared::config::{Config, Grace};
use shared::decision::Spared;
use shared::door::{Actor, Door, DoorError, Judgement, PolicyError, Visitor};
use shared::earlier::Earlier;
use shared::errand::client::{ClientError, Gate};
use shared::errand::{Answer, Errand, Judged, Judging, Question, Reply, Task, Typed};
use shared::guess::Stage;
use shared::name::{Service, UserName};
use shared::place::Origin;
use shared::policy::{Need, Waiver};
use shared::words;
use std::fmt;
use zeroize::Zeroizing;

/// How far a host process reaches.
#[derive(Clone, Debug)]
pub(crate) enum Reach {
    /// It is root's, and opens the store.
    Store,
    /// It asks the gate.
    Gate(Gate),
}

/// Someone's password that was changed.
pub(crate) struct PasswordChange<'a> {
    /// Whose.
    pub(crate) user: &'a UserName,
    /// Who runs the process that did it.
    pub(crate) actor: &'a str,
    /// Where from.
    pub(crate) origin: &'a Origin,
    /// At which service.
    pub(crate) service: &'a str,
}

/// Where a line asks.
pub(crate) enum Desk {
    Store(Box<Config>),
    Gate(Gate),
}

/// What came of an answer.
pub(crate) enum Ruled {
    /// It opens.
    Accepted {
        /// By what, as logs name it.
        by: String,
        /// What the success brings, told at once.
        told: Vec<String>,
        /// What is left to do when the first factor has passed too.
        left: Left,
    },
    /// It does not.
    Refused {
        /// Why, as logs name it.
        cause: String,
        /// Why, as people read it.
        words: String,
    },
}

impl Desk {
    pub(crate) fn of(reach: Reach, config: &Config) -> Desk {
        match reach {
            Reach::Store => Desk::Store(Box::new(config.clone())),
            Reach::Gate(gate) => Desk::Gate(gate),
        }
    }

    /// Whether it can judge at all.
    pub(crate) fn refuse_if_closed(&self, visitor: &Visitor<'_>) -> Result<(), DeskError> {
        match self {
            Desk::Store(config) => open(config).map(drop),
            Desk::Gate(_) => self.need(visitor, &Earlier::default()).map(drop),
        }
    }

    /// What the policy says.
    pub(crate) fn need(&self, visitor: &Visitor<'_>, earlier: &Earlier) -> Result<Need, DeskError> {
        match self {
            Desk::Store(config) => Ok(open(config)?.need(visitor, earlier)?),
            Desk::Gate(gate) => match ask_after(gate, visitor, earlier, Question::Need)? {
                (Judged::Need(need), _) => Ok(need),
                _ => Err(DeskError::Nonsense),
            },
        }
    }

    /// Has an answer judged. One that opens is spent when this returns.
    pub(crate) fn judge(&self, visitor: &Visitor<'_>, typed: &[u8]) -> Result<Ruled, DeskError> {
        match self {
            Desk::Store(config) => judge_here(config, visitor, typed),
            Desk::Gate(gate) => {
                // what is no text is no code, and costs what an empty answer does
                let text = std::str::from_utf8(typed).unwrap_or_default().to_owned();
                let question = Question::Answer(Typed::from(Zeroizing::new(text)));
                match ask(gate, visitor, question)? {
                    (Judged::Accepted { by, ticket }, told) => Ok(match (ticket, visitor.stage) {
                        (Some(ticket), _) => Ruled::Accepted { by, told, left: Left::AtGate(ticket) },
                        (None, Stage::After) => Ruled::Accepted { by, told, left: Left::Nothing },
                        (None, Stage::Before) => {
                            Ruled::Accepted { by, told: Vec::new(), left: Left::Tell(told) }
                        }
                    }),
                    (Judged::Refused { cause, words }, _) => Ok(Ruled::Refused { cause, words }),
                    _ => Err(DeskError::Nonsense),
                }
            }
        }
    }

    /// The first factor has passed too: what is left is done; what there is to tell.
    pub(crate) fn book(&self, visitor: &Visitor<'_>, left: &Left) -> Result<Vec<String>, DeskError> {
        match (self, left) {
            (_, Left::Nothing) => Ok(Vec::new()),
            (_, Left::Tell(told)) => Ok(told.clone()),
            (Desk::Store(config), Left::Book(means)) => {
                let entered = open(config)?.entered(visitor, *means, clock::now()?)?;
                let told = entered.map_or([None, None], |entered| {
                    [entered.missed.as_ref().map(words::missed), entered.recovery.map(words::recovered)]
                });
                Ok(told.into_iter().flatten().collect())
            }
            (Desk::Gate(gate), Left::AtGate(ticket)) => {
                match ask(gate, visitor, Question::Book(ticket.clone()))? {
                    (Judged::Booked, told) => Ok(told),
                    _ => Err(DeskError::Nonsense),
                }
            }
            // the process has changed its user between its lines
            (Desk::Store(_), Left::AtGate(_)) | (Desk::Gate(_), Left::Book(_)) => Err(DeskError::Nonsense),
        }
    }

    /// Whether an earlier code spares the next.
    pub(crate) fn grace(&self, visitor: &Visitor<'_>, grace: Grace) -> Result<Spared, DeskError> {
        match self {
            Desk::Store(config) => Ok(open(config)?.grace(visitor, grace, clock::now()?)?),
            Desk::Gate(gate) => match ask(gate, visitor, Question::Grace(grace))? {
                (Judged::Grace(spared), _) => Ok(spared),
                _ => Err(DeskError::Nonsense),
            },
        }
    }

    /// Ends what a new password ends, at every gate when this returns; what there is to tell, if there is an account.
    pub(crate) fn password_changed(
        &self,
        change: &PasswordChange<'_>,
    ) -> Result<Option<Vec<String>>, DeskError> {
        let PasswordChange { user, actor, origin, service } = *change;
        match self {
            Desk::Store(config) => {
                let actor = Actor::Service(actor, origin, service);
                let after = open(config)?.host_password_changed(user, actor, clock::now()?)?;
                Ok(after.map(|after| words::app_passwords(after).into_iter().collect()))
            }
            Desk::Gate(gate) => {
                let visitor = Visitor { name: user, stage: Stage::After, origin, browser: None, service };
                let question = Question::PasswordChanged;
                // this may take as long as a revocation waits for other gates
                match answered(gate.run(&errand(&visitor, &Earlier::default(), question))?)? {
                    (Judged::Ended, told) => Ok(Some(told)),
                    (Judged::NothingToEnd, _) => Ok(None),
                    _ => Err(DeskError::Nonsense),
                }
            }
        }
    }

    /// Whether someone who must have a second factor, and has none, may come in without.
    pub(crate) fn waive(&self, visitor: &Visitor<'_>) -> Result<Option<Waiver>, DeskError> {
        match self {
            Desk::Store(config) => {
                let now = clock::now()?;
                Ok(open(config)?.waive(visitor, now)?)
            }
            Desk::Gate(gate) => match ask(gate, visitor, Question::Waive)? {
                (Judged::Waived(waiver), _) => Ok(waiver),
                _ => Err(DeskError::Nonsense),
            },
        }
    }
}

/// Opens the store; the configuration was read at the start of the line.
fn open(config: &Config) -> Result<Door, DeskError> {
    Ok(Door::open(config.clone())?)
}

fn judge_here(config: &Config, visitor: &Visitor<'_>, typed: &[u8]) -> Result<Ruled, DeskError> {
    let now = clock::now()?;
    Ok(match open(config)?.judge(visitor, typed, now)? {
        Judgement::Refused { cause, words, .. } => Ruled::Refused { cause, words },
        Judgement::Accepted { by, means, told } => {
            let left = match (visitor.stage, means) {
                (Stage::Before, Some(means)) => Left::Book(means),
                (Stage::After, _) | (Stage::Before, None) => Left::Nothing,
            };
            Ruled::Accepted { by: by.to_owned(), told, left }
        }
    })
}

/// One question over pam.sock: the answer, and what there is to tell beside it.
fn ask(gate: &Gate, visitor: &Visitor<'_>, question: Question) -> Result<(Judged, Vec<String>), DeskError> {
    ask_after(gate, visitor, &Earlier::default(), question)
}

/// The same, where it matters what passed before.
fn ask_after(
    gate: &Gate,
    visitor: &Visitor<'_>,
    earlier: &Earlier,
    question: Question,
) -> Result<(Judged, Vec<String>), DeskError> {
    answered(gate.judge(&errand(visitor, earlier, question))?)
}

fn errand(visitor: &Visitor<'_>, earlier: &Earlier, question: Question) -> Errand {
    let judging = Judging {
        service: Service::named(visitor.service.as_bytes()),
        address: visitor.origin.address(),
        stage: visitor.stage,
        earlier: earlier.clone(),
        question,
    };
    Errand { account: visitor.name.clone(), task: Task::Judge(judging) }
}

fn answered(Reply { told, answer }: Reply) -> Result<(Judged, Vec<String>), DeskError> {
    match answer {
        Answer::Judged(judged) => Ok((judged, told)),
        Answer::Refused(why) => Err(DeskError::Refused(why)),
        _ => Err(DeskError::Nonsense),
    }
}

/// Why nobody was judged.
#[derive(Debug)]
pub(crate) enum DeskError {
    /// The store, the key, or what the host knows of groups.
    Store(PolicyError),
    /// The clock.
    Clock(ClockError),
    /// The gate cannot be asked.
    Gate(ClientError),
    /// The gate judges nobody for this host.
    Refused(String),
    /// It answered something else than was asked.
    Nonsense,
}

impl From<DoorError> for DeskError {
    fn from(error: DoorError) -> DeskError {
        DeskError::Store(PolicyError::Door(error))
    }
}

impl From<PolicyError> for DeskError {
    fn from(error: PolicyError) -> DeskError {
        DeskError::Store(error)
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
            DeskError::Gate(error) => Some(error),
            DeskError::Refused(_) | DeskError::Nonsense => None,
        }
    }
}
