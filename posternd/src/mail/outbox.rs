//! The outbox of the store: takes what is due, has it sent, and records the result. A mail with a
//! code that was taken is not taken again, even if posternd ends: its code is sent at most once. A
//! notification is taken again until it is recorded as sent.
//!
//! MUST NOT let notifications use the limit of mails with codes, which people wait for.

use super::log::sent;
use super::{CONFIGURATION, Configuration, MailText, Mailer, command};
use crate::daemon::drain::CONNECTIONS;
use crate::daemon::log::log;
use crate::workers::engines::{Engines, Worker, WorkerError};
use crate::workers::origin::ClientOrigin;
use postern_shared::account::event::EventKind;
use postern_shared::account::name::UserName;
use postern_shared::config::Config;
use postern_shared::engine::enrollment::pending;
use postern_shared::engine::{Engine, EngineError, MailMessage};
use postern_shared::store::Notification;
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::clock::{self, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;

/// Mails with codes that are sent at the same time, at most.
const MAILS: usize = 16;
/// Notifications that are sent at the same time, at most.
const NOTIFICATIONS: usize = 4;
/// Threads that look up addresses of mail servers or work at the store.
pub(super) const BLOCKING: usize = MAILS + NOTIFICATIONS + 1;
/// The interval at which the outbox is read.
const INTERVAL: Duration = Duration::from_millis(200);
/// The interval at which mails with expired codes are removed.
const EXPIRED: Duration = Duration::from_secs(5);

/// The sender, which one configuration after the other is used with.
pub(super) struct Outbox {
    store: Arc<OutboxStore>,
    mails: Arc<Semaphore>,
    notifications: Arc<Semaphore>,
    /// The time of the last removal.
    removed: Option<Instant>,
    /// The socket of the unit that runs the administrator's program.
    command_socket: PathBuf,
    /// Whether it is logged that the store cannot be read.
    unread: bool,
    /// Whether it is logged that no unit listens at the socket.
    waits: bool,
}

/// The store, through an engine that nothing else uses.
struct OutboxStore {
    config: Config,
    worker: Worker,
    /// The engine, for one operation at a time.
    turn: Arc<Semaphore>,
}

/// The mails and notifications that are due.
struct DueMail {
    mails: Vec<MailMessage>,
    notifications: Vec<Notification>,
    /// The accounts whose codes expired before they were sent.
    expired: Vec<UserName>,
    /// Why more may be due.
    problem: Option<String>,
}

impl DueMail {
    fn has_mail(&self) -> bool {
        !self.mails.is_empty() || !self.notifications.is_empty()
    }
}

impl Outbox {
    pub(super) fn of(config: Config, command_socket: &Path) -> Outbox {
        let origin = ClientOrigin::Service(b"mail".to_vec());
        let worker = Engines::new().worker(origin, AdmissionClass::Authenticated);
        let store = OutboxStore {
            config,
            worker,
            turn: Arc::new(Semaphore::new(1)),
        };
        Outbox {
            store: Arc::new(store),
            mails: Arc::new(Semaphore::new(MAILS)),
            notifications: Arc::new(Semaphore::new(NOTIFICATIONS)),
            removed: None,
            command_socket: command_socket.to_owned(),
            unread: false,
            waits: false,
        }
    }

    /// Sends until mail is off or the process drains, then finishes what was taken.
    pub(super) async fn serve(mut self, configuration: &mut Configuration) {
        let mut looked = Instant::now();
        while self.store.config.email.is_enabled() && !CONNECTIONS.is_draining() {
            let taken = self.take().await;
            let is_due = taken.as_ref().is_ok_and(DueMail::has_mail);
            // the transport is read from the files when a mail is sent
            if is_due || looked.elapsed() >= CONFIGURATION {
                looked = Instant::now();
                self.uses_configuration(configuration.in_force());
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
        for (places, all) in [(&self.mails, MAILS), (&self.notifications, NOTIFICATIONS)] {
            // each task ends within the time limit
            let _ = places
                .acquire_many(u32::try_from(all).unwrap_or(u32::MAX))
                .await;
        }
    }

    fn uses_configuration(&mut self, config: Option<Config>) {
        if let Some(config) = config.filter(|config| *config != self.store.config) {
            self.store = self.store.under(config);
        }
    }

    /// Returns how many mails and notifications can be taken. None are taken while no unit listens
    /// that runs the program, since a mail that was taken is not taken again.
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
                self.mails.available_permits(),
                self.notifications.available_permits(),
            ),
        }
    }

    /// Takes what is due, within the limits.
    async fn take(&mut self) -> Result<DueMail, String> {
        let (mails, notifications) = self.places();
        let removes = self.removed.is_none_or(|last| last.elapsed() >= EXPIRED);
        if removes {
            self.removed = Some(Instant::now());
        }
        // what was taken is sent, even if a later operation fails
        let taken = self.store.act(move |engine, now| {
            let mails = engine.mail().take_queued_mail(mails, now)?;
            let notifications = engine.mail().take_due_notifications(notifications, now);
            let expired = if removes {
                engine.mail().remove_expired_mail(now)
            } else {
                Ok(Vec::new())
            };
            let problem = notifications
                .as_ref()
                .err()
                .or(expired.as_ref().err())
                .map(ToString::to_string);
            let (notifications, expired) = (
                notifications.unwrap_or_default(),
                expired.unwrap_or_default(),
            );
            Ok(DueMail {
                mails,
                notifications,
                expired,
                problem,
            })
        });
        taken.await
    }

    /// Sends what was taken. Returns why more may be due.
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
            mails,
            notifications,
            problem,
            ..
        } = found;
        let email = self.store.config.email.clone();
        // certificates are read from files, which may block
        let socket = self.command_socket.clone();
        let mailer = tokio::task::spawn_blocking(move || Mailer::read(&email, &socket)).await;
        let mailer = mailer
            .unwrap_or_else(|error| Err(error.to_string()))
            .map(Arc::new);
        // no other task uses the limit, and no more was taken than it allows
        for mail in mails {
            let (store, mailer) = (Arc::clone(&self.store), mailer.clone());
            let permit = Arc::clone(&self.mails).acquire_owned().await;
            tokio::spawn(async move { store.send_mail(mailer, mail, permit.ok()).await });
        }
        for notification in notifications {
            let (store, mailer) = (Arc::clone(&self.store), mailer.clone());
            let permit = Arc::clone(&self.notifications).acquire_owned().await;
            tokio::spawn(async move {
                store
                    .send_notification(mailer, notification, permit.ok())
                    .await
            });
        }
        problem
    }
}

impl OutboxStore {
    /// Uses the same store with another configuration.
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
            match worker.run_operation(&config, |engine| act(engine, now)) {
                Ok(ran) => ran.map_err(|error| error.to_string()),
                Err(WorkerError::Open(error)) => Err(error.to_string()),
                Err(WorkerError::Busy(busy)) => Err(busy.to_string()),
            }
        });
        ran.await.map_err(|error| error.to_string())?
    }

    /// Sends a mail, records the result and logs it.
    async fn send_mail(
        &self,
        mailer: Result<Arc<Mailer>, String>,
        mail: MailMessage,
        _permit: Option<OwnedSemaphorePermit>,
    ) {
        let text = MailText::code(&mail, &pending::issuer(&self.config));
        let result = deliver(mailer, &text).await;
        let name = mail.name.clone();
        sent(&name, None, &result);
        // the conversation that waits has a time limit of its own
        let record =
            move |engine: &mut Engine, _| engine.mail().record_mail_delivery(&mail, &result);
        if let Err(error) = self.act(record).await {
            log(format_args!(
                "the result of a mail to {:?} cannot be stored: {error}",
                name.as_str()
            ));
        }
    }

    /// Sends a notification, records the result and logs it. One that is not sent is taken again.
    async fn send_notification(
        &self,
        mailer: Result<Arc<Mailer>, String>,
        notification: Notification,
        _permit: Option<OwnedSemaphorePermit>,
    ) {
        let name = notification.event.account.clone();
        let link = match notification.event.kind {
            EventKind::NewSignIn => {
                let name = name.clone();
                self.act(move |engine, now| engine.mail().end_sessions_link(&name, now))
                    .await
            }
            _ => Ok(None),
        };
        let link = match link {
            Ok(link) => link,
            Err(error) => {
                sent(&name, Some(notification.event.kind.name()), &Err(error));
                return;
            }
        };
        let issuer = pending::issuer(&self.config);
        let text = MailText::notification(&notification, &issuer, link.as_deref());
        let result = deliver(mailer, &text).await;
        sent(&name, Some(notification.event.kind.name()), &result);
        if result.is_err() {
            return;
        }
        let remove =
            move |engine: &mut Engine, _| engine.mail().remove_sent_notification(&notification);
        if let Err(error) = self.act(remove).await {
            log(format_args!(
                "a notification to {:?} was mailed and may be mailed again: {error}",
                name.as_str()
            ));
        }
    }
}

async fn deliver(mailer: Result<Arc<Mailer>, String>, text: &MailText<'_>) -> Result<(), String> {
    mailer?.send(text).await
}
