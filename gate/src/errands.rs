//! pam.sock: errands of users of this host who are not root, for their own accounts, and what PAM hosts ask that run as
//! such users.
//!
//! MUST take the user from the kernel (SO_PEERCRED), and nothing about who asks from the message.
//! MUST bound what one user can hold: connections, bytes, time. Its workers are its own, so that whoever keeps them busy
//! keeps no sign-in waiting. MUST look no user up while others wait to be accepted.

use crate::first_setup;
use crate::listener;
use crate::log;
use crate::metrics::METRICS;
use crate::outbox;
use crate::peers::{self, Admitted, NotAdmitted, Peers};
use crate::workers::{Applicant, Judge, Key, NotJudged, Ran, Workers, at_door};
use arc_swap::ArcSwap;
use nix::unistd::User;
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
pub(crate) struct Desk(ArcSwap<(Peers, Arc<Workers>)>);

impl Desk {
    fn open(config: &Config) -> Desk {
        Desk(ArcSwap::from_pointee((Peers::with_services(services(config)), Workers::new(config))))
    }

    /// Goes by another configuration from the next connection on.
    pub(crate) fn reload(&self, config: &Config) {
        let peers = self.0.load().0.under(services(config));
        self.0.store(Arc::new((peers, Workers::new(config))));
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

    /// Lets a connection in, or says why not.
    fn meet(&self, mut stream: UnixStream) {
        let Ok(uid) = stream.peer_cred().map(|peer| peer.uid()) else { return };
        let desk = self.desk.0.load_full();
        match desk.0.meet(uid) {
            Err(why) => turn_away(&stream, why),
            Ok(peer) => drop(tokio::spawn(async move {
                match peer.admitted().await {
                    Err(why) => turn_away(&stream, why),
                    // What a peer does to its own connection is no news.
                    Ok(admitted) => drop(talk(&mut stream, &admitted, &desk.1).await),
                }
            })),
        }
    }
}

/// What does not fit the socket at once is not worth waiting for.
fn turn_away(stream: &UnixStream, why: NotAdmitted) {
    if let NotAdmitted::Busy(busy) = why {
        METRICS.busy("pam.sock", busy);
    }
    let line = wire::write(&refused(&why.to_string())).unwrap_or_default();
    let _ = stream.try_write(&[GREETING, line.as_slice()].concat());
}

async fn talk(stream: &mut UnixStream, peer: &Admitted, workers: &Arc<Workers>) -> io::Result<()> {
    let judge = workers.serving(Applicant { class: peer.class, key: Key::User(peer.uid) });
    stream.write_all(GREETING).await?;
    let reply = match timeout(SAID, read(stream)).await {
        Ok(Ok(line)) => match wire::read(&line) {
            Some(errand) => run(&judge, (&peer.name, peer.uid), errand).await,
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
async fn run(judge: &Judge, (name, uid): (&UserName, u32), errand: Errand) -> Reply {
    let now = match clock::now() {
        Ok(now) => now,
        Err(error) => return unavailable("unavailable", &error.to_string()),
    };
    let ran = match errand {
        Errand { account, task: Task::FirstSetup { password, setup } } => {
            first_setup::begin(judge, (name, uid), account, password, setup, now).await
        }
        Errand { account, task: Task::Judge(judging) } if matches!(judging.question, Question::Mail) => {
            mail_at_prompt(judge, (name, uid), account, judging, now).await
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
                refusal(cause).quoted("user", name).write();
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
        Err(NotJudged::Busy(busy)) => refused(&peers::busy(busy)),
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
    let sent = outbox::fate(judge, &posted).await?;
    let judged = judge.run(move |door| door.mailed(&posted, sent)).await?;
    Ok(Ok(Answer::Judged(judged).into()))
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
