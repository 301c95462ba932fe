//! A person's terminal: a real pty of 80 × 24 with a program on it. What the program writes is kept whole; what
//! is typed goes in as keys would.

use crate::processes::{below, ended};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a program may think before a story gives up on it. Far above what is ever needed.
const PATIENCE: Duration = Duration::from_secs(40);

const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

/// A terminal with a running program.
pub struct Terminal {
    program: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    transcript: Vec<u8>,
    read: usize,
}

/// What is left when the program has ended.
pub struct Ended {
    /// Everything that stood on the screen.
    pub transcript: String,
    /// How the program ended.
    pub status: ExitStatus,
}

/// How listening to a program ended.
#[derive(PartialEq, Eq)]
enum Heard {
    Silence,
    TheEnd,
}

impl Terminal {
    /// Runs a program on a new terminal.
    pub fn run(command: Command) -> Terminal {
        let pty = openpty(Some(&SIZE), None).expect("there is a free pty");
        for side in [&pty.master, &pty.slave] {
            // another terminal's program must not keep this one open
            fcntl(side, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))
                .expect("a descriptor can be closed on exec");
        }
        let side = || Stdio::from(pty.slave.try_clone().expect("a descriptor can be doubled"));
        let mut on_terminal = Command::new("setsid");
        on_terminal
            .arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args());
        on_terminal.envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        on_terminal.stdin(side()).stdout(side()).stderr(side());
        let program = on_terminal.spawn().expect("setsid runs");
        drop((on_terminal, pty.slave));

        let keyboard = File::from(pty.master);
        let mut from_program = keyboard.try_clone().expect("a descriptor can be doubled");
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // at the end a pty gives EIO
            while let Ok(count @ 1..) = from_program.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Terminal {
            program,
            keyboard,
            screen,
            transcript: Vec::new(),
            read: 0,
        }
    }

    /// Waits until `text` stands on the screen, below what was waited for before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Terminal {
        self.expect_one_of(&[text]);
        self
    }

    /// Waits for the first of several texts; which one it was.
    #[track_caller]
    pub fn expect_one_of(&mut self, texts: &[&str]) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let unread = &self.transcript[self.read..];
            let found = texts.iter().enumerate().filter_map(|(i, text)| {
                let at = unread
                    .windows(text.len())
                    .position(|window| window == text.as_bytes())?;
                Some((at, i, text.len()))
            });
            if let Some((at, which, length)) = found.min() {
                self.read += at + length;
                return which;
            }
            match self
                .screen
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.transcript.extend(bytes),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no {texts:?} in time on:\n{}", self.shown())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("no {texts:?} before the end of:\n{}", self.shown())
                }
            }
        }
    }

    /// Reads the number that follows what was waited for.
    #[track_caller]
    pub fn read_number(&mut self) -> u32 {
        let from = self.read;
        self.expect("\n");
        let text = String::from_utf8_lossy(&self.transcript[from..self.read]).into_owned();
        text.trim()
            .parse()
            .unwrap_or_else(|error| panic!("{error}: {text:?}"))
    }

    /// The process of a program that was started here, by its name.
    #[track_caller]
    pub fn process_of(&self, name: &str) -> u32 {
        let started = self.program.id();
        let is_named = |process: &u32| {
            let found = std::fs::read_to_string(format!("/proc/{process}/comm"));
            found.is_ok_and(|found| found.trim_end() == name)
        };
        let mut all = below(started).into_iter().chain([started]);
        all.find(is_named)
            .unwrap_or_else(|| panic!("no {name} runs at:\n{}", self.shown()))
    }

    /// What has stood on the screen so far.
    pub fn screen(&self) -> String {
        self.shown()
    }

    /// Types a line and Enter.
    #[track_caller]
    pub fn types(&mut self, line: &str) -> &mut Terminal {
        self.types_bytes(line.as_bytes());
        self.types_bytes(b"\r");
        self
    }

    /// Types keys as they are.
    #[track_caller]
    pub fn types_bytes(&mut self, keys: &[u8]) -> &mut Terminal {
        self.keyboard
            .write_all(keys)
            .unwrap_or_else(|error| panic!("{error} typing at:\n{}", self.shown()));
        self
    }

    /// Presses Ctrl-C.
    #[track_caller]
    pub fn presses_ctrl_c(&mut self) -> &mut Terminal {
        self.types_bytes(&[3])
    }

    /// Presses Ctrl-C until the program has ended: OpenSSH's client loses one that comes between its prompt and its
    /// read, and a person then presses it again.
    #[track_caller]
    pub fn is_interrupted(mut self) -> Ended {
        for _ in 0..PATIENCE.as_secs() {
            // the terminal may be gone with the program
            let _ = self.keyboard.write_all(&[3]);
            if self.hears_until(Instant::now() + Duration::from_secs(1)) == Heard::TheEnd {
                break;
            }
        }
        self.ends()
    }

    /// Closes the window: the program is hung up.
    pub fn closes(self) -> String {
        self.shown()
    }

    /// Waits until the program has ended by itself.
    #[track_caller]
    pub fn ends(mut self) -> Ended {
        if self.hears_until(Instant::now() + PATIENCE) == Heard::Silence {
            panic!("no end in time of:\n{}", self.shown());
        }
        let status = ended(&mut self.program);
        Ended {
            transcript: self.shown(),
            status,
        }
    }

    /// Keeps what the program writes, until it ends or the deadline has come.
    fn hears_until(&mut self, deadline: Instant) -> Heard {
        loop {
            match self
                .screen
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(bytes) => self.transcript.extend(bytes),
                Err(RecvTimeoutError::Timeout) => return Heard::Silence,
                Err(RecvTimeoutError::Disconnected) => return Heard::TheEnd,
            }
        }
    }

    /// The process on the terminal.
    pub fn process(&self) -> u32 {
        self.program.id()
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.transcript).replace('\r', "")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // it may have ended already
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}
