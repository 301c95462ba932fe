//! Mail: the one place that sends. A letter goes out once, within the time limit of `[email]`, a few at the same time.
//!
//! MUST NOT put a code into a subject, a log line, or what is noted in the store.

mod command;
mod fate;
mod letter;
mod news;
mod smtp;
mod webhook;

use crate::log;
use crate::metrics::METRICS;
use crate::secret_file;
use crate::workers::Judge;
pub(crate) use fate::fate;
use letter::Written;
use shared::clock;
use shared::config::AbsolutePath;
use shared::config::email::Email;
use shared::door::{Door, DoorError, Letter};
use shared::email::EmailAddress;
use shared::store::Notice;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Letters with codes that are on their way at the same time: asked for on pages, and from the store.
const AT_ONCE: usize = 16;
/// Notices that are: they keep no code waiting.
const NOTICES_AT_ONCE: usize = 4;
/// How often letters are looked for in the store.
const INTERVAL: Duration = Duration::from_millis(200);
/// The longest reason that is kept of why a letter was not sent, in characters.
const LONGEST_REASON: usize = 300;

/// What sends letters.
pub(crate) struct Mailer {
    transport: Transport,
    from: Option<EmailAddress>,
    issuer: String,
    limit: Duration,
    turns_of_pages: Semaphore,
    turns_of_store: Arc<Semaphore>,
    turns_of_notices: Arc<Semaphore>,
}

enum Transport {
    Off,
    Smtp(Box<smtp::Server>),
    Webhook(webhook::Hook),
    Command(Vec<String>),
}

impl Mailer {
    /// Reads what `[email]` names; connects nowhere.
    pub(crate) fn read(email: &Email, issuer: String) -> Result<Mailer, String> {
        let transport = match (&email.smtp_url, &email.webhook_url, email.command.as_slice()) {
            (Some(url), ..) => {
                let (file, credential) = (&email.smtp_password_file, &email.smtp_password_credential);
                let password = secret_file::read("email.smtp_password", file.as_ref(), credential.as_ref())?;
                let user = email.smtp_user.clone().zip(password);
                let authority = email.smtp_ca_file.as_ref().map(AbsolutePath::path);
                Transport::Smtp(Box::new(smtp::Server::new(url, user, authority)?))
            }
            (None, Some(url), _) => {
                let (file, credential) = (&email.webhook_secret_file, &email.webhook_secret_credential);
                let secret = secret_file::read("email.webhook_secret", file.as_ref(), credential.as_ref())?;
                Transport::Webhook(webhook::Hook::new(url, secret)?)
            }
            (None, None, []) => Transport::Off,
            (None, None, command) => Transport::Command(command.to_vec()),
        };
        let limit = Duration::from_secs(email.time_limit.seconds());
        Ok(Mailer {
            transport,
            from: email.from.clone(),
            issuer,
            limit,
            turns_of_pages: Semaphore::new(AT_ONCE),
            turns_of_store: Arc::new(Semaphore::new(AT_ONCE)),
            turns_of_notices: Arc::new(Semaphore::new(NOTICES_AT_ONCE)),
        })
    }

    fn is_off(&self) -> bool {
        matches!(self.transport, Transport::Off)
    }

    /// Sends a letter, once; or why not, fit for a log.
    pub(crate) async fn send(&self, letter: &Letter) -> Result<(), String> {
        let Ok(_turn) = self.turns_of_pages.try_acquire() else {
            return Err("too many mails are on their way already".to_owned());
        };
        self.deliver(&Written::code(letter, &self.issuer)).await
    }

    async fn deliver(&self, written: &Written<'_>) -> Result<(), String> {
        let sending = async {
            match &self.transport {
                Transport::Off => Err("mail is off in [email]".to_owned()),
                Transport::Smtp(server) => server.send(&written.message(self.from.as_ref())?).await,
                Transport::Webhook(hook) => hook.post(&written.json()).await,
                Transport::Command(words) => {
                    command::run(words, &written.message(self.from.as_ref())?.formatted()).await
                }
            }
        };
        match tokio::time::timeout(self.limit, sending).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(reason(&why, written.secret())),
            Err(_) => Err(format!("no answer within {} s", self.limit.as_secs())),
        }
    }
}

/// Sends what other doors and commands leave in the store, until the gate ends. What stands in the way of it is no reason
/// to let nobody in, so it has doors of its own.
pub(crate) async fn serve(mailer: Arc<Mailer>, judge: Judge, mut ended: watch::Receiver<()>) {
    if mailer.is_off() {
        // whoever waits for a letter is told that no gate sends
        return;
    }
    let judge = Arc::new(judge);
    let mut unread = false;
    loop {
        // never between taking a letter and sending it
        tokio::select! {
            _ = ended.changed() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
        let letters = mailer.turns_of_store.available_permits();
        let notices = mailer.turns_of_notices.available_permits();
        let (letters, notices) = match judge.run(move |door| take(door, letters, notices)).await {
            Ok(taken) => taken,
            Err(error) => {
                if !unread {
                    log::says(format_args!(
                        "the store cannot be searched for mail, none of it is sent: {error}"
                    ));
                }
                unread = true;
                continue;
            }
        };
        unread = false;
        // only this loop takes turns, and it took no more than there were
        for letter in letters {
            let (mailer, judge) = (Arc::clone(&mailer), Arc::clone(&judge));
            let turn = Arc::clone(&mailer.turns_of_store).acquire_owned().await;
            tokio::spawn(async move {
                let sent = mailer.deliver(&Written::code(&letter, &mailer.issuer)).await;
                drop(turn);
                note(&judge, letter, sent).await;
            });
        }
        for notice in notices {
            let (mailer, judge) = (Arc::clone(&mailer), Arc::clone(&judge));
            let turn = Arc::clone(&mailer.turns_of_notices).acquire_owned().await;
            tokio::spawn(async move {
                let sent = mailer.deliver(&Written::news(&notice, &mailer.issuer)).await;
                drop(turn);
                note_notice(&judge, notice, sent).await;
            });
        }
    }
}

fn take(door: &mut Door, letters: usize, notices: usize) -> Result<(Vec<Letter>, Vec<Notice>), DoorError> {
    match clock::now() {
        Ok(now) => Ok((door.take_letters(letters, now)?, door.take_notices(notices, now)?)),
        // a clock before 1970: nothing is of that time
        Err(_) => Ok((Vec::new(), Vec::new())),
    }
}

/// Notes that a notice is sent. One that is not comes again.
async fn note_notice(judge: &Judge, notice: Notice, sent: Result<(), String>) {
    let (name, what) = (notice.event.account.to_string(), notice.event.what.name());
    METRICS.mailed(&sent);
    if let Err(why) = sent {
        log::event("not mailed").with("cause", "mail").quoted("user", name).with("notice", what).because(why);
        return;
    }
    log::event("mailed").quoted("user", &name).with("notice", what).write();
    if let Err(error) = judge.run(move |door| door.notice_sent(&notice)).await {
        log::says(format_args!("a notice to {name:?} was mailed and may be again: {error}"));
    }
}

/// Notes what became of a letter, and tells the log.
pub(crate) async fn note(judge: &Judge, letter: Letter, sent: Result<(), String>) {
    let name = letter.name.to_string();
    METRICS.mailed(&sent);
    match &sent {
        Ok(()) => log::event("mailed").quoted("user", &name).write(),
        Err(why) => log::event("not mailed").with("cause", "mail").quoted("user", &name).because(why),
    }
    // whoever waits for it gives up by itself
    if let Err(error) = judge.run(move |door| door.note_letter(&letter, &sent)).await {
        log::says(format_args!("what became of a mail to {name:?} cannot be noted: {error}"));
    }
}

/// What a server or program said, fit for a log: one line, not long, and without the code, which it may have quoted.
fn reason(said: &str, secret: Option<&str>) -> String {
    let said = secret.map_or_else(|| said.to_owned(), |secret| said.replace(secret, "…"));
    let line: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.trim().chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_short_line_without_the_code() {
        let said = format!("554 spam: \"code 123456\"\r\nsee 123456 {}", "x".repeat(500));
        let reason = reason(&said, Some("123456"));
        assert!(reason.starts_with("554 spam: \"code …\"  see … x"), "{reason}");
        assert_eq!(reason.chars().count(), LONGEST_REASON);
    }
}
