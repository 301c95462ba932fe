//! Judging answers off the workers that serve checks: a few opened doors, each used by one thread at a time.

use crate::metrics::METRICS;
use shared::config::Config;
use shared::door::{AdministrationError, Door, DoorError};
use shared::errand::Reply;
use shared::store;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Answers that are judged at the same time: passwords are hashed with 19 MiB each.
const AT_ONCE: usize = 4;
/// Answers that wait for their turn; more are turned away.
const WAITING: usize = 256;

/// The opened doors.
pub(crate) struct Judge {
    config: Config,
    idle: Arc<Mutex<Vec<Door>>>,
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    took: fn(Duration),
}

/// An answer could not be judged.
#[derive(Debug)]
pub(crate) enum NotJudged {
    /// Too many wait already.
    Busy,
    /// For the log.
    Failed {
        /// The word for it.
        cause: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotJudged::Busy => f.write_str("too much to do"),
            NotJudged::Failed { why, .. } => f.write_str(why),
        }
    }
}

/// What comes of an errand at a door.
pub(crate) type Ran = Result<Reply, AdministrationError>;

impl Judge {
    pub(crate) fn new(config: &Config) -> Judge {
        Judge {
            config: config.clone(),
            idle: Arc::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            took: |_| {},
        }
    }

    /// The same, for what people wait for: how long they do is counted.
    pub(crate) fn of_pages(config: &Config) -> Judge {
        Judge { took: |took| METRICS.judged(took), ..Judge::new(config) }
    }

    /// Runs `work` with an opened door. One that failed is not used again.
    pub(crate) async fn run<T, E>(
        &self,
        work: impl FnOnce(&mut Door) -> Result<T, E> + Send + 'static,
    ) -> Result<T, NotJudged>
    where
        T: Send + 'static,
        E: std::error::Error + 'static,
    {
        let began = Instant::now();
        let _waits = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| NotJudged::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| NotJudged::Busy)?;
        let (config, idle) = (self.config.clone(), Arc::clone(&self.idle));
        let judged = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let kept = idle.lock().ok().and_then(|mut idle| idle.pop());
            let mut door = match kept {
                Some(door) => door,
                None => Door::open(config).map_err(|error| failed(&error))?,
            };
            let result = work(&mut door).map_err(|error| failed(&error))?;
            if let Ok(mut idle) = idle.lock() {
                idle.push(door);
            }
            Ok(result)
        });
        let judged = judged.await;
        (self.took)(began.elapsed());
        match judged {
            Ok(result) => result,
            Err(_) => Err(NotJudged::Failed {
                cause: "panic",
                why: "internal error while judging an answer; please report it".to_owned(),
            }),
        }
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> NotJudged {
    NotJudged::Failed { cause: store::cause(error), why: error.to_string() }
}

/// What the door says. What only the administrator can mend is kept apart: it is for the log.
pub(crate) fn at_door<T>(
    ran: Result<T, AdministrationError>,
) -> Result<Result<T, AdministrationError>, DoorError> {
    match ran {
        Err(AdministrationError::Door(error)) => Err(error),
        ran => Ok(ran),
    }
}
