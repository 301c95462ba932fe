//! A PAM host at work: the program `pam_host`, which answers prompts as the story says, and says what libpam said.

use crate::clock::on_the_clock;
use crate::folder::WORK;
use crate::processes::ended;
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

/// What every byte of a reply is XORed with on its way to the host, so that the plain reply stands in its memory
/// only where the module is handed it.
pub const SEAL: u8 = 0x5a;

/// Far above what any transaction needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running host.
pub struct PamHost {
    child: Child,
    orders: ChildStdin,
    events: Receiver<Value>,
    seen: Vec<Value>,
}

/// How a prompt is answered.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With these bytes.
    Text(Vec<u8>),
    /// With a response that has no text.
    NullReply,
    /// With success and no response at all.
    NullArray,
    /// With PAM_CONV_ERR.
    Failure,
}

impl From<&str> for Answer {
    fn from(text: &str) -> Answer {
        Answer::Text(text.as_bytes().to_vec())
    }
}

/// A host that has ended.
#[derive(Debug)]
pub struct PamEnded {
    /// All that it said.
    pub seen: Vec<Value>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl PamHost {
    /// Starts it for a service and a user; `words` are options of its own. `program` is where cargo put it.
    #[track_caller]
    pub fn start(program: &str, service: &str, user: &[u8], words: &[&str]) -> PamHost {
        PamHost::start_under(&[], program, service, user, words)
    }

    /// The same, through a command that goes on with the one after it.
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

    /// The process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says something by this name; what it says.
    #[track_caller]
    pub fn expect(&mut self, name: &str) -> Value {
        self.expect_one_of(&[name]).1
    }

    /// Waits until it says something by one of these names; which, and what it says.
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

    /// Lets it go on from where it waits.
    pub fn goes_on(&mut self) {
        // it may have been ended already
        let _ = writeln!(self.orders, "go on");
    }

    /// Answers the next prompt.
    pub fn answers(&mut self, answer: &Answer) {
        let order = match answer {
            Answer::Text(bytes) => {
                let sealed: Vec<u8> = bytes.iter().map(|byte| byte ^ SEAL).collect();
                format!("say {}", data_encoding::HEXLOWER.encode(&sealed))
            }
            Answer::NullReply => "null reply".to_owned(),
            Answer::NullArray => "null array".to_owned(),
            Answer::Failure => "failure".to_owned(),
        };
        // it may have been ended already
        let _ = writeln!(self.orders, "{order}");
    }

    /// Hangs up at every further prompt, and waits for the end.
    #[track_caller]
    pub fn ends(self) -> PamEnded {
        self.ends_within(PATIENCE)
            .expect("pam_host comes to an end")
    }

    /// The same, or nothing if it takes longer; it is then ended.
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
            // it is the only one that could say why
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
    /// The values of everything that it said by this name.
    pub fn all(&self, name: &str) -> Vec<&Value> {
        self.seen
            .iter()
            .filter_map(|event| event.get(name))
            .collect()
    }

    /// libpam's number at the end of `pam_authenticate`, if it came to that.
    pub fn number(&self) -> Option<i64> {
        self.all("authenticate")
            .last()
            .and_then(|number| number.as_i64())
    }

    /// Whether a host would have let the user in.
    pub fn entered(&self) -> bool {
        self.number() == Some(0) && self.all("account") == [0]
    }
}

/// What holds back the replies of every host that was started with its path, until it is lifted.
pub struct Barrier(Flock<File>);

impl Barrier {
    /// Where it stands.
    pub fn path() -> String {
        format!("{WORK}/barrier")
    }

    /// Lowers it.
    #[track_caller]
    pub fn lowered() -> Barrier {
        let file = File::create(Barrier::path()).expect("the tests' folder can be written");
        Barrier(Flock::lock(file, FlockArg::LockExclusive).expect("nobody else has it"))
    }

    /// Lets all of them go on at once.
    pub fn lifts(self) {
        drop(self.0);
    }
}
