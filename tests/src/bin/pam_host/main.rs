//! A PAM host under the stories' control: it calls libpam, answers prompts as ordered, and reports
//! what it observes, one line of JSON each.
//!
//!   pam_host SERVICE USER [--cycles N] [--auths N] [--threads N] [--barrier FILE] [--state]
//!     [--memory] [--peak] [--pause] [--handler] [--closed] [--fork HOOK]
//!
//!   --cycles N      N transactions, one after the other
//!   --auths N       N calls of pam_authenticate in each transaction, before pam_acct_mgmt
//!   --threads N     N threads at once in each cycle, each with a transaction; they end after it
//!   --barrier FILE  delays every reply until no process holds a lock on the file
//!   --state         reports state that a module could change, before and after each cycle
//!   --memory        reports where the reply is in memory: before libpam receives it, and after
//!                   pam_authenticate
//!   --peak          reports the peak memory of this process at its end, in KiB
//!   --pause         waits for a line before each pam_authenticate and before pam_acct_mgmt
//!   --handler       handles SIGCHLD, and reports how often it arrived
//!   --closed        closes the descriptors 0, 1 and 2 when the transaction has begun
//!   --fork HOOK     runs the hook (authenticate or account) in a child process, continues after
//!                   its end

mod channel;
mod ffi;
mod memory;
mod orders;
mod state;

use ffi::{Talk, Transaction};
use memory::Memory;
use nix::fcntl::{Flock, FlockArg};
use orders::{Order, Sealed};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::ffi::{CString, OsString};
use std::fs::File;

struct Host {
    service: CString,
    user: CString,
    cycles: u32,
    auths: u32,
    threads: u32,
    barrier: Option<OsString>,
    state: Watch,
    memory: Option<Memory>,
    peak: Watch,
    pause: bool,
    handler: bool,
    closed: bool,
    fork: Option<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    No,
    Yes,
}

fn main() {
    let host = read_arguments();
    ffi::open_log();
    if host.threads > 0 {
        // The C library reserves a signal for itself when a process starts its first thread.
        std::thread::scope(|scope| drop(scope.spawn(|| ())));
    }
    for _ in 0..host.cycles {
        host.describe();
        if host.threads == 0 {
            host.transaction();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..host.threads {
                    scope.spawn(|| host.transaction());
                }
            });
        }
        host.describe();
    }
    if host.peak == Watch::Yes {
        say(json!({ "peak": memory::peak() }));
    }
}

fn read_arguments() -> Host {
    let mut words = std::env::args_os().skip(1);
    let mut text = || {
        words
            .next()
            .and_then(|word| ffi::c_string(&word))
            .expect("SERVICE and USER")
    };
    let (service, user) = (text(), text());
    let mut host = Host {
        service,
        user,
        cycles: 1,
        auths: 1,
        threads: 0,
        barrier: None,
        state: Watch::No,
        memory: None,
        peak: Watch::No,
        pause: false,
        handler: false,
        closed: false,
        fork: None,
    };
    while let Some(word) = words.next() {
        let number = |word: Option<OsString>| {
            word.and_then(|word| word.into_string().ok()?.parse().ok())
                .expect("a number")
        };
        match word.to_str() {
            Some("--cycles") => host.cycles = number(words.next()),
            Some("--auths") => host.auths = number(words.next()),
            Some("--threads") => host.threads = number(words.next()),
            Some("--barrier") => host.barrier = words.next(),
            Some("--state") => host.state = Watch::Yes,
            Some("--peak") => host.peak = Watch::Yes,
            Some("--memory") => host.memory = Some(Memory::open()),
            Some("--pause") => host.pause = true,
            Some("--handler") => host.handler = true,
            Some("--closed") => host.closed = true,
            Some("--fork") => host.fork = words.next(),
            _ => panic!("no option: {word:?}"),
        }
    }
    host
}

impl Host {
    fn transaction(&self) {
        let last = RefCell::new(None);
        let mut answers = Answers {
            host: self,
            last: &last,
        };
        let mut transaction = match Transaction::start(&self.service, &self.user, &mut answers) {
            Ok(transaction) => transaction,
            Err(number) => return say(json!({ "start": number })),
        };
        if self.closed {
            channel::close_standard_descriptors();
        }
        if self.handler {
            ffi::count_child_signals();
        }
        for _ in 0..self.auths {
            self.pause("authenticate");
            self.run("authenticate", || transaction.authenticate());
        }
        self.look(last.borrow().as_ref(), "after");
        self.pause("account");
        self.run("account", || transaction.account());
        if self.handler {
            say(json!({ "signals": ffi::child_signals() }));
        }
    }

    /// Runs a hook, in a child process if `--fork` names it, and reports its result.
    fn run(&self, hook: &str, run: impl FnOnce() -> i32) {
        let run = || say(json!({ hook: run() }));
        match &self.fork {
            Some(forked) if forked == hook => ffi::run_in_child(run),
            _ => run(),
        }
    }

    fn pause(&self, before: &str) {
        if self.pause {
            say(json!({ "pause": before }));
            channel::read_line();
        }
    }

    fn describe(&self) {
        if self.state == Watch::Yes {
            say(json!({ "state": state::describe() }));
        }
    }

    fn look(&self, reply: Option<&Sealed>, when: &str) {
        if let (Some(memory), Some(reply)) = (&self.memory, reply) {
            let [typed, plain] = [reply.without_indent(), reply.without_blanks()];
            say(
                json!({ when: { "typed": memory.places_of(&typed), "plain": memory.places_of(&plain) } }),
            );
        }
    }
}

/// The conversation of one transaction.
struct Answers<'a> {
    host: &'a Host,
    last: &'a RefCell<Option<Sealed>>,
}

impl Talk for Answers<'_> {
    fn asked(&mut self, prompt: &str) -> Order {
        say(json!({ "prompt": prompt }));
        let order = orders::next();
        if let Order::Say(reply) = &order {
            self.last.replace(Some(reply.clone()));
        }
        if let Some(barrier) = &self.host.barrier {
            say(json!({ "held": true }));
            let barrier = File::open(barrier).expect("the barrier is a file");
            Flock::lock(barrier, FlockArg::LockShared).expect("a lock on the barrier");
        }
        order
    }

    fn made(&mut self) {
        self.host.look(self.last.borrow().as_ref(), "made");
    }

    fn told(&mut self, text: &str) {
        say(json!({ "message": text }));
    }
}

fn say(event: Value) {
    channel::write_line(&event.to_string());
}
