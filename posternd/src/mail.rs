//! Mail: the one place that sends. Every act leaves its letters and notices in the outbox of the store, in its own
//! transaction; a thread takes them from there and sends each once, within the time limit of `[email]`, a few at the same
//! time. While mail is off the thread only looks whether that has changed.
//!
//! MUST NOT put a code into a subject, a log line, or what is noted in the store. MUST NOT have an engine open, a runtime
//! or a secret in memory while there is nothing to send by.

pub mod command;
mod command_unit;
mod log;
mod message;
mod notification;
mod outbox;
mod smtp;
mod webhook;

use crate::daemon::drain::CONNECTIONS;
use crate::daemon::log::log;
use message::MailText;
use outbox::Outbox;
use shared::account::email::EmailAddress;
use shared::config::email::EmailConfig;
use shared::config::{AbsolutePath, Config, file, secret_file};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it is looked whether the configuration has changed.
const CONFIGURATION: Duration = Duration::from_millis(500);
/// How long what is on its way has at the end, and how often it is looked whether it is done. Conversations, which end
/// first, have had time already.
const LAST: Duration = Duration::from_secs(5);
const LOOK: Duration = Duration::from_millis(20);
/// The longest reason that is kept of why a letter was not sent, in characters.
const LONGEST_REASON: usize = 300;

/// The thread that sends mail.
#[must_use]
pub struct MailThread(JoinHandle<()>);

impl MailThread {
    /// Starts it: it goes by the configuration in force, as that changes, until the process drains. Letters for a program go
    /// to the socket of its unit.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(path: PathBuf, command_socket: PathBuf) -> io::Result<MailThread> {
        let configuration = Configuration {
            path,
            command_socket,
            last: None,
            doubt: None,
        };
        let thread = thread::Builder::new().name("mail".to_owned());
        thread
            .spawn(move || send_until_drained(configuration))
            .map(MailThread)
    }

    /// Waits a while for what is on its way, once the process drains.
    pub fn end(self) {
        let began = Instant::now();
        while !self.0.is_finished() && began.elapsed() < LAST {
            thread::sleep(LOOK);
        }
    }
}

fn send_until_drained(mut configuration: Configuration) {
    while !CONNECTIONS.is_draining() {
        if let Some(config) = configuration
            .in_force()
            .filter(|config| config.email.is_enabled())
        {
            // its message stands in the log; what was taken and not noted is told when its time is over
            let _ = panic::catch_unwind(AssertUnwindSafe(|| {
                send_while_on(&mut configuration, config)
            }));
        }
        thread::sleep(CONFIGURATION);
    }
}

fn send_while_on(configuration: &mut Configuration, config: Config) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(outbox::BLOCKING)
        .thread_keep_alive(CONFIGURATION)
        .build();
    match runtime {
        Ok(runtime) => {
            runtime.block_on(Outbox::of(config, &configuration.command_socket).serve(configuration))
        }
        Err(error) => log(format_args!("no mail is sent: {error}")),
    }
}

/// The configuration in force, as mail goes by it.
struct Configuration {
    path: PathBuf,
    /// Where letters for a program go.
    command_socket: PathBuf,
    /// It stays in force while the files are in doubt and no copy can be trusted.
    last: Option<Config>,
    /// What was said last of why it is not what the file says.
    doubt: Option<String>,
}

impl Configuration {
    fn in_force(&mut self) -> Option<Config> {
        let doubt = match file::load_config(&self.path) {
            Ok(in_force) => {
                self.last = Some(in_force.config);
                in_force.fallback.map(|problem| problem.to_string())
            }
            Err(error) => Some(error.to_string()),
        };
        if doubt != self.doubt {
            let is_on = self
                .last
                .as_ref()
                .is_some_and(|config| config.email.is_enabled());
            if let (Some(doubt), true) = (&doubt, is_on) {
                log(format_args!("mail: {doubt}"));
            }
            self.doubt = doubt;
        }
        self.last.clone()
    }
}

/// By what mail goes out. It is made anew for each few letters, so that secrets and certificates are those of now.
struct Mailer {
    transport: Transport,
    from: Option<EmailAddress>,
    limit: Duration,
}

enum Transport {
    Off,
    Smtp(Box<smtp::SmtpServer>),
    Webhook(webhook::Webhook),
    /// The socket of the unit that runs the program.
    Command(PathBuf),
}

impl Mailer {
    /// Reads what `[email]` names; connects nowhere.
    fn read(email: &EmailConfig, command_socket: &Path) -> Result<Mailer, String> {
        let transport = match (
            &email.smtp_url,
            &email.webhook_url,
            email.command.as_slice(),
        ) {
            (Some(url), ..) => {
                let (file, credential) =
                    (&email.smtp_password_file, &email.smtp_password_credential);
                let password = secret_file::read_secret_line(
                    "email.smtp_password",
                    file.as_ref(),
                    credential.as_ref(),
                )?;
                let user = email.smtp_user.clone().zip(password);
                let authority = email.smtp_ca_file.as_ref().map(AbsolutePath::path);
                Transport::Smtp(Box::new(smtp::SmtpServer::new(url, user, authority)?))
            }
            (None, Some(url), _) => {
                let (file, credential) =
                    (&email.webhook_secret_file, &email.webhook_secret_credential);
                let secret = secret_file::read_secret_line(
                    "email.webhook_secret",
                    file.as_ref(),
                    credential.as_ref(),
                )?;
                Transport::Webhook(webhook::Webhook::new(url, secret)?)
            }
            (None, None, []) => Transport::Off,
            (None, None, _) => Transport::Command(command_socket.to_owned()),
        };
        let limit = Duration::from_secs(email.timeout.seconds());
        Ok(Mailer {
            transport,
            from: email.from.clone(),
            limit,
        })
    }

    /// Sends a letter or a notification, once; or why not, fit for a log.
    async fn send(&self, written: &MailText<'_>) -> Result<(), String> {
        let sending = async {
            match &self.transport {
                Transport::Off => Err("mail is not configured in [email]".to_owned()),
                Transport::Smtp(server) => server.send(&written.message(self.from.as_ref())?).await,
                Transport::Webhook(hook) => hook.post(&written.json()).await,
                Transport::Command(socket) => {
                    command::send(socket, &written.message(self.from.as_ref())?.formatted()).await
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

/// What a server or program said, fit for a log: one line, not long, and without the code, which it may have quoted.
fn reason(said: &str, secret: Option<&str>) -> String {
    let said = secret.map_or_else(|| said.to_owned(), |secret| said.replace(secret, "…"));
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let line: String = said
        .chars()
        .map(|c| if breaks(c) { ' ' } else { c })
        .collect();
    line.trim().chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_short_line_without_the_code() {
        let said = format!(
            "554 spam: \"code 123456\"\r\nsee\u{2028}123456 {}",
            "x".repeat(500)
        );
        let reason = reason(&said, Some("123456"));
        assert!(
            reason.starts_with("554 spam: \"code …\"  see … x"),
            "{reason}"
        );
        assert_eq!(reason.chars().count(), LONGEST_REASON);
    }
}
