//! The outbox of the store: takes what is due, has it sent, and notes what became of it. A letter that was taken is not
//! taken again, whatever becomes of posternd: its code goes out once or not at all. A notification comes again until it is
//! known to be sent.
//!
//! MUST NOT let notifications take the places of letters, which people wait for.

use super::log::sent;
use super::{CONFIGURATION, Configuration, MailText, Mailer, command};
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::log::log;
use crate::workers::engines::{Engines, Worker, WorkerError};
use crate::workers::origin::ClientOrigin;
use shared::account::name::UserName;
use shared::config::Config;
use shared::engine::enrollment::pending;
use shared::engine::{Engine, EngineError, MailMessage};
use shared::store::Notification;
use shared::system::admission::Class;
use shared::system::clock::{self, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// Letters with codes that are on their way at the same time.
const LETTERS: usize = 16;
/// Notifications that are.
const NOTICES: usize = 4;
/// Threads that look up mail servers' addresses or work at the store.
pub(super) const BLOCKING: usize = LETTERS + NOTICES + 1;
/// How often mail is looked for.
const INTERVAL: Duration = Duration::from_millis(200);
/// How often letters are removed whose codes have expired.
const EXPIRED: Duration = Duration::from_secs(5);

/// What is sent, by one configuration after the other.
pub(super) struct Outbox {
    store: Arc<OutboxStore>,
    letters: Arc<Semaphore>,
    notices: Arc<Semaphore>,
    /// When expired letters were removed last.
    removed: Option<Instant>,
    /// Where letters for a program go.
    command_socket: PathBuf,
    /// Whether it was said already that the store cannot be read.
    unread: bool,
    /// Whether it was said already that nobody runs the program that takes letters.
    waits: bool,
}

/// The store, by an engine that nothing else uses.
struct OutboxStore {
    config: Config,
    worker: Worker,
    /// One act at a time: one engine is enough.
    turn: Arc<Semaphore>,
}

/// What was found to do.
struct DueMail {
    letters: Vec<MailMessage>,
    notices: Vec<Notification>,
    /// Whose letters have expired before they were sent.
    expired: Vec<UserName>,
    /// Why there may be more.
    problem: Option<String>,
}

impl DueMail {
    fn has_mail(&self) -> bool {
        !self.letters.is_empty() || !self.notices.is_empty()
    }
}

impl Outbox {
    pub(super) fn of(config: Config, command_socket: &Path) -> Outbox {
        let (origin, class) = (
            ClientOrigin::Service(b"mail".to_vec()),
            Class::Authenticated,
        );
        let worker = Worker {
            engines: Engines::new(),
            origin,
            class,
        };
        let store = OutboxStore {
            config,
            worker,
            turn: Arc::new(Semaphore::new(1)),
        };
        Outbox {
            store: Arc::new(store),
            letters: Arc::new(Semaphore::new(LETTERS)),
            notices: Arc::new(Semaphore::new(NOTICES)),
            removed: None,
            command_socket: command_socket.to_owned(),
            unread: false,
            waits: false,
        }
    }

    /// Sends until mail is off or the process drains, and then what was taken before.
    pub(super) async fn serve(mut self, configuration: &mut Configuration) {
        let mut looked = Instant::now();
        while self.store.config.email.is_enabled() && !CONNECTIONS.is_draining() {
            let taken = self.take().await;
            let is_due = taken.as_ref().is_ok_and(DueMail::has_mail);
            // a letter goes by what the files say when it is sent
            if is_due || looked.elapsed() >= CONFIGURATION {
                looked = Instant::now();
                self.goes_by(configuration.in_force());
            }
            let problem = match taken {
                Ok(found) => self.send(found).await,
                Err(why) => Some(why),
            };
            if let (Some(why), false) = (&problem, self.unread) {
                log(format_args!(
                    "the store cannot be read for mail, so some mail is not sent: {why}"
                ));
            }
            self.unread = problem.is_some();
            sleep(if self.unread { CONFIGURATION } else { INTERVAL }).await;
        }
        for (places, all) in [(&self.letters, LETTERS), (&self.notices, NOTICES)] {
            // each ends within the time limit
            let _ = places
                .acquire_many(u32::try_from(all).unwrap_or(u32::MAX))
                .await;
        }
    }

    fn goes_by(&mut self, config: Option<Config>) {
        if let Some(config) = config.filter(|config| *config != self.store.config) {
            self.store = self.store.under(config);
        }
    }

    /// How many letters and notices can be taken: none while nothing listens that runs the program for them, since one that
    /// was taken is not taken again.
    fn places(&mut self) -> (usize, usize) {
        let waits =
            self.store.config.email.uses_command() && !command::is_ready(&self.command_socket);
        if waits && !self.waits {
            let socket = self.command_socket.display();
            log(format_args!(
                "mail waits: nothing listens at {socket}, where [email] command is run; systemctl enable --now postern-mail.socket"
            ));
        }
        self.waits = waits;
        match waits {
            true => (0, 0),
            false => (
                self.letters.available_permits(),
                self.notices.available_permits(),
            ),
        }
    }

    /// Takes what is due, as far as there are places for it.
    async fn take(&mut self) -> Result<DueMail, String> {
        let (letters, notices) = self.places();
        let removes = self.removed.is_none_or(|last| last.elapsed() >= EXPIRED);
        if removes {
            self.removed = Some(Instant::now());
        }
        // what was taken is sent, whatever becomes of the rest
        let taken = self.store.act(move |door, now| {
            let letters = door.take_queued_mail(letters, now)?;
            let notices = door.take_due_notifications(notices, now);
            let expired = if removes {
                door.remove_expired_mail(now)
            } else {
                Ok(Vec::new())
            };
            let problem = notices
                .as_ref()
                .err()
                .or(expired.as_ref().err())
                .map(ToString::to_string);
            let (notices, expired) = (notices.unwrap_or_default(), expired.unwrap_or_default());
            Ok(DueMail {
                letters,
                notices,
                expired,
                problem,
            })
        });
        taken.await
    }

    /// Has what was found sent; why there may be more.
    async fn send(&self, found: DueMail) -> Option<String> {
        for name in &found.expired {
            sent(
                name,
                None,
                &Err("its code expired before it was sent".to_owned()),
            );
        }
        if !found.has_mail() {
            return found.problem;
        }
        let DueMail {
            letters,
            notices,
            problem,
            ..
        } = found;
        let email = self.store.config.email.clone();
        // certificates are read from files
        let socket = self.command_socket.clone();
        let mailer = tokio::task::spawn_blocking(move || Mailer::read(&email, &socket)).await;
        let mailer = mailer
            .unwrap_or_else(|error| Err(error.to_string()))
            .map(Arc::new);
        // nothing else takes places, and no more was taken than there were
        for letter in letters {
            let (store, mailer) = (Arc::clone(&self.store), mailer.clone());
            let place = Arc::clone(&self.letters).acquire_owned().await;
            tokio::spawn(async move { store.send_letter(mailer, letter, place.ok()).await });
        }
        for notice in notices {
            let (store, mailer) = (Arc::clone(&self.store), mailer.clone());
            let place = Arc::clone(&self.notices).acquire_owned().await;
            tokio::spawn(async move { store.send_notice(mailer, notice, place.ok()).await });
        }
        problem
    }
}

impl OutboxStore {
    /// The same store, by another configuration.
    fn under(&self, config: Config) -> Arc<OutboxStore> {
        Arc::new(OutboxStore {
            config,
            worker: self.worker.clone(),
            turn: Arc::clone(&self.turn),
        })
    }

    async fn act<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Engine, Timestamp) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, String> {
        let _turn = self
            .turn
            .acquire()
            .await
            .map_err(|error| error.to_string())?;
        let (worker, config) = (self.worker.clone(), self.config.clone());
        let ran = tokio::task::spawn_blocking(move || {
            let now = clock::now().map_err(|error| error.to_string())?;
            match worker.run(&config, |door| act(door, now)) {
                Ok(ran) => ran.map_err(|error| error.to_string()),
                Err(WorkerError::Open(error)) => Err(error.to_string()),
                Err(WorkerError::Busy(busy)) => Err(busy.to_string()),
            }
        });
        ran.await.map_err(|error| error.to_string())?
    }

    /// Sends a letter, notes what became of it, and tells the log.
    async fn send_letter(
        &self,
        mailer: Result<Arc<Mailer>, String>,
        letter: MailMessage,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let issuer = pending::issuer(&self.config);
        let result = match mailer {
            Ok(mailer) => mailer.send(&MailText::code(&letter, &issuer)).await,
            Err(why) => Err(why),
        };
        let name = letter.name.clone();
        sent(&name, None, &result);
        // whoever waits for it gives up by itself
        if let Err(error) = self
            .act(move |door, _| door.record_mail_delivery(&letter, &result))
            .await
        {
            log(format_args!(
                "the result of a mail to {:?} cannot be stored: {error}",
                name.as_str()
            ));
        }
        drop(place);
    }

    /// The same of a notification. One that is not sent comes again.
    async fn send_notice(
        &self,
        mailer: Result<Arc<Mailer>, String>,
        notice: Notification,
        place: Option<OwnedSemaphorePermit>,
    ) {
        let issuer = pending::issuer(&self.config);
        let result = match mailer {
            Ok(mailer) => mailer.send(&MailText::notification(&notice, &issuer)).await,
            Err(why) => Err(why),
        };
        let name = notice.event.account.clone();
        sent(&name, Some(notice.event.kind.name()), &result);
        if result.is_ok() {
            if let Err(error) = self
                .act(move |door, _| door.remove_sent_notification(&notice))
                .await
            {
                log(format_args!(
                    "a notification to {:?} was mailed and may be mailed again: {error}",
                    name.as_str()
                ));
            }
        }
        drop(place);
    }
}
