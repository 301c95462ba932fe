//! pam.sock: errands of users of this host who are not root, for their own accounts, and what PAM hosts ask that run as
//! such users.
//!
//! MUST take the user from the kernel (SO_PEERCRED), and nothing about who asks from the message.
//! MUST bound what one user can hold: connections, bytes, time. Its doors are its own, so that whoever keeps them busy
//! keeps no sign-in waiting.

use crate::first_setup;
use crate::guests::Guests;
use crate::judge::{Judge, NotJudged, Ran, at_door};
use crate::listener;
use crate::log;
use crate::mailer;
use arc_swap::ArcSwap;
use nix::unistd::{Uid, User};
use shared::clock::{self, Timestamp};
use shared::config::Config;
use shared::door::{AdministrationError, Asked, COMMAND, Caller, Door, not_mailed};
use shared::errand::wire::{self, GREETING, LONGEST_ANSWER, LONGEST_ERRAND};
use shared::errand::{Answer, Errand, Judging, Question, Reply, Task};
use shared::name::UserName;
use std::collections::HashSet;
use std::fmt::Display;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// How long an errand may take to arrive, and its answer to be taken.
const SAID: Duration = Duration::from_secs(3);
/// A pause after accepting failed.
const PAUSE: Duration = Duration::from_millis(100);

/// The listening socket, and what runs errands.
pub(crate) struct Errands {
    listener: UnixListener,
    desk: Arc<Desk>,
}

/// Who is admitted, and what judges: by the configuration of now.
pub(crate) struct Desk(ArcSwap<(Guests, Arc<Judge>)>);

impl Desk {
    fn open(config: &Config) -> Desk {
        Desk(ArcSwap::from_pointee((Guests::with_services(services(config)), Arc::new(Judge::new(config)))))
    }

    /// Goes by another configuration from the next connection on.
    pub(crate) fn reload(&self, config: &Config) {
        let guests = self.0.load().0.under(services(config));
        self.0.store(Arc::new((guests, Arc::new(Judge::new(config)))));
    }
}

/// Listens; everyone on this host may connect.
pub(crate) fn listen(path: &Path, config: &Config) -> Result<Errands, String> {
    let bind = || {
        listener::replace(path)?;
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o666))?;
        Ok(listener)
    };
    let listener = bind().map_err(|error: io::Error| format!("{}: {error}", path.display()))?;
    Ok(Errands { listener, desk: Arc::new(Desk::open(config)) })
}

/// The users whose PAM hosts ask about others, by number.
fn services(config: &Config) -> HashSet<u32> {
    let number = |name: &UserName| match User::from_name(name.as_str()) {
        Ok(Some(user)) => Some(user.uid.as_raw()),
        found => {
            let why = found.err().map_or_else(|| "there is none".to_owned(), |error| error.to_string());
            log::says(format_args!("pam.socket_users: the user {name} cannot be looked up: {why}"));
            None
        }
    };
    config.pam.socket_users.iter().filter_map(number).collect()
}

impl Errands {
    /// What a reload changes.
    pub(crate) fn desk(&self) -> Arc<Desk> {
        Arc::clone(&self.desk)
    }

    /// Takes errands until the gate ends.
    pub(crate) async fn serve(self, mut ended: watch::Receiver<()>) {
        loop {
            tokio::select! {
                _ = ended.changed() => return,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.meet(stream),
                    Err(error) => {
                        log::says(format_args!("a connection to pam.sock cannot be accepted: {error}"));
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
    }

    /// Lets a connection in, or drops it.
    fn meet(&self, mut stream: UnixStream) {
        let Ok(uid) = stream.peer_cred().map(|peer| peer.uid()) else { return };
        let desk = self.desk.0.load_full();
        let Some(admitted) = desk.0.admit(uid) else {
            // What does not fit the socket at once is not worth waiting for.
            let busy = refused("too many commands of yours run at once; try again when they have ended");
            let line = wire::write(&busy).unwrap_or_default();
            let _ = stream.try_write(&[GREETING, line.as_slice()].concat());
            return;
        };
        let judge = Arc::clone(&desk.1);
        tokio::spawn(async move {
            let _admitted = admitted;
            // What a peer does to its own connection is no news.
            let _ = talk(&mut stream, uid, &judge).await;
        });
    }
}

async fn talk(stream: &mut UnixStream, uid: u32, judge: &Judge) -> io::Result<()> {
    stream.write_all(GREETING).await?;
    let reply = match timeout(SAID, read(stream)).await {
        Ok(Ok(line)) => match wire::read(&line) {
            Some(errand) => run(judge, uid, errand).await,
            None => refused("that is no errand; the command may be of another version than the gate"),
        },
        Ok(Err(error)) => return Err(error),
        Err(_) => refused("the errand took too long to arrive"),
    };
    let fits = wire::write(&reply).filter(|line| line.len() <= LONGEST_ANSWER);
    let line = match fits {
        Some(line) => line,
        None => wire::write(&refused("the answer is too long")).unwrap_or_default(),
    };
    timeout(SAID, stream.write_all(&line)).await?
}

/// One line, or what was said before the end or the limit: no errand.
async fn read(stream: &mut UnixStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(vec![0; LONGEST_ERRAND]);
    let mut filled = 0;
    while filled < line.len() && !line[..filled].ends_with(b"\n") {
        match stream.read(&mut line[filled..]).await? {
            0 => break,
            read => filled += read,
        }
    }
    line.truncate(filled);
    Ok(line)
}

/// Runs an errand at a door, as the user that the kernel names.
async fn run(judge: &Judge, uid: u32, errand: Errand) -> Reply {
    let user = tokio::task::spawn_blocking(move || user(uid)).await;
    let name = match user {
        Ok(Ok(name)) => name,
        Ok(Err(why)) => return refused(&why),
        Err(_) => return unavailable("panic", "internal error; please report it"),
    };
    let now = match clock::now() {
        Ok(now) => now,
        Err(error) => return unavailable("unavailable", &error.to_string()),
    };
    let ran = match errand {
        Errand { account, task: Task::FirstSetup { password, setup } } => {
            first_setup::begin(judge, (&name, uid), account, password, setup, now).await
        }
        Errand { account, task: Task::Judge(judging) } if matches!(judging.question, Question::Mail) => {
            mail_at_prompt(judge, (&name, uid), account, judging, now).await
        }
        errand => {
            let caller = name.clone();
            let ran = move |door: &mut Door| {
                at_door(door.run_errand(Caller::Owner { name: &caller, uid }, &errand, now))
            };
            judge.run(ran).await
        }
    };
    match ran {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => {
            let said = |cause: &dyn Display| {
                refusal(cause).quoted("user", &name).write();
            };
            match &error {
                AdministrationError::Code(cause) => said(cause),
                AdministrationError::HostPassword(cause) => said(&format_args!("password-{cause}")),
                AdministrationError::PasswordUnasked(_) => said(&"password-unasked"),
                AdministrationError::PasswordUnanswered(_) => said(&"password-unanswered"),
                _ => {}
            }
            refused(&error.to_string())
        }
        Err(NotJudged::Busy) => refused("the gate has too much to do; try again later"),
        Err(NotJudged::Failed { cause, why }) => unavailable(cause, &why),
    }
}

/// A code by mail, asked for at a PAM host's prompt; no door is held while the letter is on its way.
async fn mail_at_prompt(
    judge: &Judge,
    (name, uid): (&UserName, u32),
    account: UserName,
    judging: Judging,
    now: Timestamp,
) -> Result<Ran, NotJudged> {
    let caller = name.clone();
    let asked = judge.run(move |door| {
        at_door(door.post_code_for(Caller::Owner { name: &caller, uid }, &account, &judging, now))
    });
    let posted = match asked.await? {
        Ok(Asked::For(posted)) => Arc::new(posted),
        Ok(Asked::Refused(refusal)) => return Ok(Ok(Answer::Judged(not_mailed(refusal)).into())),
        Err(refusal) => return Ok(Err(refusal)),
    };
    let sent = mailer::fate(judge, &posted).await?;
    let judged = judge.run(move |door| door.mailed(&posted, sent)).await?;
    Ok(Ok(Answer::Judged(judged).into()))
}

/// The name of a user; accounts go by it.
fn user(uid: u32) -> Result<UserName, String> {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => UserName::parse(user.name.as_bytes())
            .map_err(|error| format!("you have no account here: {error}")),
        Ok(None) => Err(format!("you have no account here: this host has no name for the user {uid}")),
        Err(error) => Err(format!("your name cannot be looked up ({error}); ask the administrator")),
    }
}

fn refused(why: &str) -> Reply {
    Answer::Refused(why.to_owned()).into()
}

/// The same format as the PAM module's.
fn refusal(cause: &dyn Display) -> log::Line {
    log::event("refused").with("cause", cause).with("address", "-").with("service", COMMAND)
}

fn unavailable(cause: &str, why: &str) -> Reply {
    refusal(&cause).because(why);
    refused("this cannot be done now; ask the administrator to look at the gate's log")
}
