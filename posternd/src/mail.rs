//! The thread that sends mail. Every operation puts its mails and notifications into the outbox of
//! the store, in its own transaction. The thread takes them from there and sends each once, a few
//! at the same time, within the time limit of `[email]`. While mail is off the thread only checks
//! whether the configuration has changed.
//!
//! MUST NOT put a code into a subject, a log line, or the store's record of a failure.
//! MUST NOT hold an engine, a runtime or a secret while mail is not configured.

mod command;
pub mod command_unit;
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
use postern_shared::account::email::EmailAddress;
use postern_shared::config::email::EmailConfig;
use postern_shared::config::{AbsolutePath, Config, file, secret_file};
use std::io;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The interval at which the configuration is checked.
const CONFIGURATION: Duration = Duration::from_millis(500);
/// Time limit for mails that are being sent when the process ends, and the interval at which that
/// is checked. Conversations, which end first, had time before.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// The longest recorded reason of a failure, in characters.
const LONGEST_REASON: usize = 300;

#[must_use]
pub struct MailThread(JoinHandle<()>);

impl MailThread {
    /// Starts the thread, which uses the configuration in force until the process drains. Mails
    /// for a program are sent to the socket of its unit.
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

    /// Waits until mails that are being sent are done, for a while, once the process drains.
    pub fn end(self) {
        let began = Instant::now();
        while !self.0.is_finished() && began.elapsed() < SHUTDOWN_WAIT {
            thread::sleep(POLL_INTERVAL);
        }
    }
}

fn send_until_drained(mut configuration: Configuration) {
    while !CONNECTIONS.is_draining() {
        if let Some(config) = configuration
            .in_force()
            .filter(|config| config.email.is_enabled())
        {
            // the panic hook has logged its message; a mail that was taken and not recorded is
            // reported when its code expires
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

/// The configuration that mail uses.
struct Configuration {
    path: PathBuf,
    /// The socket of the unit that runs the administrator's program.
    command_socket: PathBuf,
    /// The last configuration. It stays in force while the files are in doubt and no copy can be
    /// trusted.
    last: Option<Config>,
    /// The last logged reason why the configuration in force is not that of the file.
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

/// The transport of mail. It is made again for each batch, so that secrets and certificates are
/// current.
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
    /// Reads the files that `[email]` names; does not connect.
    fn read(email: &EmailConfig, command_socket: &Path) -> Result<Mailer, String> {
        let read = secret_file::read_secret_line;
        let transport = if let Some(url) = &email.smtp_url {
            let (file, credential) = (&email.smtp_password_file, &email.smtp_password_credential);
            let password = read("email.smtp_password", file.as_ref(), credential.as_ref())?;
            let user = email.smtp_user.clone().zip(password);
            let authority = email.smtp_ca_file.as_ref().map(AbsolutePath::path);
            Transport::Smtp(Box::new(smtp::SmtpServer::new(url, user, authority)?))
        } else if let Some(url) = &email.webhook_url {
            let (file, credential) = (&email.webhook_secret_file, &email.webhook_secret_credential);
            let secret = read("email.webhook_secret", file.as_ref(), credential.as_ref())?;
            Transport::Webhook(webhook::Webhook::new(url, secret)?)
        } else if email.command.is_empty() {
            Transport::Off
        } else {
            Transport::Command(command_socket.to_owned())
        };
        let limit = Duration::from_secs(email.timeout.seconds());
        Ok(Mailer {
            transport,
            from: email.from.clone(),
            limit,
        })
    }

    /// Sends a mail or a notification once. The error is fit for a log.
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
            Ok(Err(why)) => Err(sanitize_reason(&why, written.secret())),
            Err(_) => Err(format!("no answer within {} s", self.limit.as_secs())),
        }
    }
}

/// Makes the message of a server or program fit for a log: one short line, without the code, which
/// the message may quote.
fn sanitize_reason(said: &str, secret: Option<&str>) -> String {
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
        let reason = sanitize_reason(&said, Some("123456"));
        assert!(
            reason.starts_with("554 spam: \"code …\"  see … x"),
            "{reason}"
        );
        assert_eq!(reason.chars().count(), LONGEST_REASON);
    }
}
