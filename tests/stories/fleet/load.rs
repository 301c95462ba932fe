//! Enrollments, sign-ins and revocations at several hosts at once, and what was acknowledged of
//! them: that must hold, whatever happens to the databases.

use crate::pam::process::PAM_HOST;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};
use testhost::{FleetHost, PamHost, Phone, Postern, UnusedCodes, patiently};

/// Service of PAM in which the module decides alone.
pub(crate) const SERVICE: &str = "fleet";
/// Users at once.
const USERS: usize = 3;
/// Time limit of a sign-in. PAM hosts wait as long as posternd needs for a denial.
const SIGN_IN: Duration = Duration::from_secs(60);

/// A load on hosts, until it is stopped.
pub(crate) struct Load<'a> {
    hosts: &'a [FleetHost],
    is_over: AtomicBool,
    /// Held by each user who acts; alone by a part of the story that lets no user act.
    acts: RwLock<()>,
    done: Mutex<Acknowledged>,
}

/// What was acknowledged, and not verified yet.
#[derive(Default)]
struct Acknowledged {
    /// Accounts with a code that granted access.
    used: Vec<(String, String)>,
    /// Accounts whose enrollment was acknowledged, and that were not disabled.
    enrolled: Vec<(String, UnusedCodes)>,
    /// Accounts that were disabled, with a code that was valid before.
    disabled: Vec<(String, String)>,
    /// When each host granted access last: the beginning of the sign-in.
    last_login: HashMap<usize, Instant>,
    granted: usize,
    denied: usize,
    /// Codes that granted access twice.
    twice: Vec<String>,
}

impl<'a> Load<'a> {
    /// Runs a part of a story under load.
    pub(crate) fn during<T>(hosts: &'a [FleetHost], part: impl FnOnce(&Load<'a>) -> T) -> T {
        let load = Load {
            hosts,
            is_over: AtomicBool::new(false),
            acts: RwLock::default(),
            done: Mutex::default(),
        };
        thread::scope(|scope| {
            for user in 0..USERS {
                let load = &load;
                scope.spawn(move || load.work(user));
            }
            // ends the load of a part that panics, too
            let _over = SetOnDrop(&load.is_over);
            part(&load)
        })
    }

    fn work(&self, user: usize) {
        for number in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let acts = self.acts.read().expect("no user panics");
            self.live(user + number, &format!("user{user}x{number}"));
            drop(acts);
            // a writer that waits comes first only if no reader follows at once
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Enrolls an account, signs in, and disables every third.
    fn live(&self, turn: usize, name: &str) {
        let host = &self.hosts[turn % self.hosts.len()];
        let enroll = format!("enroll {name} --no-confirm --json");
        let enrolled = host.machine.run(|| Postern::call(&enroll).run());
        if enrolled.exit != Some(0) {
            self.note(|done| done.denied += 1);
            return;
        }
        let enrolled = enrolled.json();
        let url = enrolled["otpauth_url"].as_str().expect("an otpauth_url");
        let mut codes = UnusedCodes::of(Phone::scans(url));
        for _ in 0..2 {
            self.sign_in_at_two_hosts(turn, name, &codes.next_code());
        }
        if turn % 3 == 0 {
            let disabled = host
                .machine
                .run(|| Postern::call(&format!("disable {name}")).run());
            let code = codes.next_code();
            self.note(|done| match disabled.exit {
                Some(0) => done.disabled.push((name.to_owned(), code)),
                _ => done.denied += 1,
            });
        } else {
            self.note(|done| done.enrolled.push((name.to_owned(), codes)));
        }
    }

    /// Types a code at two hosts at the same moment.
    fn sign_in_at_two_hosts(&self, turn: usize, name: &str, code: &str) {
        let count = self.hosts.len();
        let (first, second) = (turn % count, (turn + 1) % count);
        let began = Instant::now();
        let granted = thread::scope(|scope| {
            [first, second]
                .map(|host| scope.spawn(move || sign_in(&self.hosts[host], name, code)))
                .map(|thread| thread.join().expect("a sign-in comes to an end"))
        });
        self.note(|done| {
            for (host, granted) in [first, second].into_iter().zip(granted) {
                if granted {
                    done.last_login.insert(host, began);
                }
            }
            match granted {
                [true, true] => done.twice.push(format!("{name}: {code}")),
                [false, false] => done.denied += 1,
                _ => {
                    done.granted += 1;
                    done.used.push((name.to_owned(), code.to_owned()));
                }
            }
        });
    }

    fn note(&self, change: impl FnOnce(&mut Acknowledged)) {
        change(&mut self.done.lock().expect("a user does not panic"));
    }

    /// Waits until each host has granted access in a sign-in that began after `event`, and returns
    /// how long after it the last host did.
    #[track_caller]
    pub(crate) fn granted_everywhere_since(&self, event: Instant) -> Duration {
        let limit = Instant::now() + SIGN_IN;
        loop {
            let mut last = HashMap::new();
            self.note(|done| last = done.last_login.clone());
            if (0..self.hosts.len()).all(|host| last.get(&host).is_some_and(|at| *at > event)) {
                return event.elapsed();
            }
            assert!(
                Instant::now() < limit,
                "no access is granted after the failover"
            );
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets no user act, and verifies everything that was acknowledged since the last call. Returns
    /// how many sign-ins were granted and how many acts were denied.
    #[track_caller]
    pub(crate) fn all_holds(&self) -> (usize, usize) {
        let _nobody_acts = self.acts.write().expect("no user panics");
        let mut done = Acknowledged::default();
        self.note(|all| std::mem::swap(&mut done, all));
        let at = |number: usize| &self.hosts[number % self.hosts.len()];
        assert!(done.twice.is_empty(), "accepted twice: {:?}", done.twice);
        for (number, (name, code)) in done.used.iter().enumerate() {
            let verdict = verdict(at(number), name, code);
            assert!(
                ["used", "unknown"].contains(&verdict.as_str()),
                "{name}: {verdict}"
            );
        }
        for (number, (name, codes)) in done.enrolled.iter_mut().enumerate() {
            if let Some(code) = codes.find_next() {
                assert_eq!(
                    verdict(at(number), name, &code),
                    "accepted",
                    "{name} is enrolled"
                );
            }
        }
        for (number, (name, code)) in done.disabled.iter().enumerate() {
            assert_ne!(
                verdict(at(number), name, code),
                "accepted",
                "{name} is disabled"
            );
        }
        println!(
            "held: {} codes used, {} enrollments, {} accounts disabled",
            done.used.len(),
            done.enrolled.len(),
            done.disabled.len()
        );
        (done.granted, done.denied)
    }
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Signs in by PAM, and returns whether access was granted.
fn sign_in(host: &FleetHost, name: &str, code: &str) -> bool {
    host.machine.run(|| {
        let mut pam = PamHost::start(PAM_HOST, SERVICE, name.as_bytes(), &[]);
        pam.types(code);
        pam.ends_within(SIGN_IN)
            .expect("a sign-in is bounded")
            .entered()
    })
}

/// Returns what root's command says of a code. A database that has just changed its primary may not
/// answer at once.
#[track_caller]
fn verdict(host: &FleetHost, name: &str, code: &str) -> String {
    patiently("the store answers", || {
        let command = format!("verify {name} --json");
        let said = host
            .machine
            .run(|| Postern::call(&command).input(code).run());
        let verdict = serde_json::from_str::<serde_json::Value>(&said.out);
        Ok(verdict
            .ok()
            .and_then(|said| Some(said["verdict"].as_str()?.to_owned())))
    })
}
