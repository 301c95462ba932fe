//! Control of the program `pam_host`: a PAM host that answers prompts as the story orders, and
//! reports the results of libpam.

use crate::machine::clock::on_the_clock;
use crate::machine::files::WORK;
use crate::process::processes::ended;
use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Each byte of a reply is XORed with this on its way to the host. The plain reply is in the host's
/// memory only where the module receives it.
pub const SEAL: u8 = 0x5a;

/// Far more than any transaction needs.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct PamHost {
    child: Child,
    orders: ChildStdin,
    events: Receiver<Value>,
    seen: Vec<Value>,
}

/// How a prompt is answered.
#[derive(Clone, Debug)]
pub enum PromptReply {
    /// A response with these bytes.
    Text(Vec<u8>),
    /// A response that has no text.
    NullReply,
    /// Success without a response.
    NullArray,
    /// PAM_CONV_ERR as the result of the conversation.
    Failure,
}

impl From<&str> for PromptReply {
    fn from(text: &str) -> PromptReply {
        PromptReply::Text(text.as_bytes().to_vec())
    }
}

/// A host that has ended.
#[derive(Debug)]
pub struct PamEnded {
    /// Everything that the host reported, in order.
    pub seen: Vec<Value>,
    /// The signal that ended the host.
    pub signal: Option<i32>,
}

impl PamHost {
    /// Starts the host for a service and a user. `words` are options of `pam_host`; `program` is
    /// the path where cargo put it.
    #[track_caller]
    pub fn start(program: &str, service: &str, user: &[u8], words: &[&str]) -> PamHost {
        PamHost::start_under(&[], program, service, user, words)
    }

    /// Starts the host through a command that runs the next one.
    #[track_caller]
    pub fn start_under(
        tool: &[&str],
        program: &str,
        service: &str,
        user: &[u8],
        words: &[&str],
    ) -> PamHost {
        let line: Vec<&str> = tool.iter().copied().chain([program, service]).collect();
        let mut command = on_the_clock(Command::new(line[0]));
        command
            .args(&line[1..])
            .arg(OsStr::from_bytes(user))
            .args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .expect("cargo builds pam_host with the stories");
        let orders = child.stdin.take().expect("stdin is a pipe");
        let lines = BufReader::new(child.stdout.take().expect("stdout is a pipe")).lines();
        let (tell, events) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if tell.send(event).is_err() {
                    return;
                }
            }
        });
        PamHost {
            child,
            orders,
            events,
            seen: Vec::new(),
        }
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a report with this name, and returns its value.
    #[track_caller]
    pub fn expect(&mut self, name: &str) -> Value {
        self.expect_one_of(&[name]).1
    }

    /// Waits for a report with one of these names, and returns the name and the value.
    #[track_caller]
    pub fn expect_one_of<'a>(&mut self, names: &[&'a str]) -> (&'a str, Value) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).unwrap_or_else(|error| {
                panic!("no {names:?} of pam_host ({error}): {:?}", self.seen);
            });
            self.seen.push(event.clone());
            for name in names {
                if let Some(value) = event.get(name) {
                    return (name, value.clone());
                }
            }
        }
    }

    /// Lets the host continue after a pause.
    pub fn continues(&mut self) {
        // The process may have been ended already.
        let _ = writeln!(self.orders, "go on");
    }

    /// Answers the next prompt.
    pub fn answers(&mut self, reply: &PromptReply) {
        let order = match reply {
            PromptReply::Text(bytes) => {
                let sealed: Vec<u8> = bytes.iter().map(|byte| byte ^ SEAL).collect();
                format!("say {}", data_encoding::HEXLOWER.encode(&sealed))
            }
            PromptReply::NullReply => "null reply".to_owned(),
            PromptReply::NullArray => "null array".to_owned(),
            PromptReply::Failure => "failure".to_owned(),
        };
        // The process may have been ended already.
        let _ = writeln!(self.orders, "{order}");
    }

    /// Types a text at the next prompt.
    pub fn types(&mut self, text: &str) {
        self.answers(&PromptReply::from(text));
    }

    /// Closes the host's input, so that every further prompt fails, and waits for the end.
    #[track_caller]
    pub fn ends(self) -> PamEnded {
        self.ends_within(PATIENCE)
            .expect("pam_host comes to an end")
    }

    /// Waits for the end. A host that takes longer than `patience` is killed, and the result is
    /// `None`.
    pub fn ends_within(self, patience: Duration) -> Option<PamEnded> {
        let PamHost {
            mut child,
            orders,
            events,
            mut seen,
        } = self;
        drop(orders);
        let deadline = Instant::now() + patience;
        while let Ok(event) =
            events.recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            seen.push(event);
        }
        if Instant::now() >= deadline {
            // The host itself is the only process that could report the error.
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        let status = ended(&mut child);
        Some(PamEnded {
            seen,
            signal: status.signal(),
        })
    }
}

impl PamEnded {
    /// Returns the values of all reports with this name.
    pub fn all(&self, name: &str) -> Vec<&Value> {
        self.seen
            .iter()
            .filter_map(|event| event.get(name))
            .collect()
    }

    /// Returns libpam's result of `pam_authenticate`, if the host came that far.
    pub fn number(&self) -> Option<i64> {
        self.all("authenticate")
            .last()
            .and_then(|number| number.as_i64())
    }

    /// Returns whether a host would have granted access.
    pub fn entered(&self) -> bool {
        self.number() == Some(0) && self.all("account") == [0]
    }
}

/// A lock that delays the replies of every host started with its path, until it is released.
pub struct Barrier(Flock<File>);

impl Barrier {
    /// Path of the locked file.
    pub fn path() -> String {
        format!("{WORK}/barrier")
    }

    #[track_caller]
    pub fn lowered() -> Barrier {
        let file = File::create(Barrier::path()).expect("the tests' folder can be written");
        Barrier(Flock::lock(file, FlockArg::LockExclusive).expect("no other process has it"))
    }

    /// Releases the lock, so that all hosts continue at once.
    pub fn lifts(self) {
        drop(self.0);
    }
}
