//! Revocations while a gate holds the app passwords of all accounts, and others sign in.

use crate::contestants::Kind;
use crate::daemons::{Gate, Posternd};
use crate::login;
use crate::people::Person;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testhost::finished;

/// Revocations that are timed.
const REVOCATIONS: usize = 20;
/// Logins without a revocation beside them, for comparison.
const LOGINS: usize = 200;

/// The times of revocations, and of the logins of others.
pub(crate) struct Revocations {
    pub(crate) took: Vec<Duration>,
    pub(crate) logins: Vec<Duration>,
    pub(crate) logins_alone: Vec<Duration>,
}

/// Revokes the app passwords of the last of `accounts` accounts, one by one, while `other` signs in.
pub(crate) fn measure(pam_host: &Path, other: &Person, accounts: usize) -> Revocations {
    let _daemons = (Posternd::start(), Gate::start());
    let sign_in = || login::login(pam_host, Kind::Daemon, other, &[]).0;
    let logins_alone = (0..LOGINS).map(|_| sign_in()).collect();
    let is_over = AtomicBool::new(false);
    let mut took = Vec::new();
    let logins = std::thread::scope(|scope| {
        let logins = scope.spawn(|| {
            let mut logins = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                logins.push(sign_in());
            }
            logins
        });
        for number in 0..REVOCATIONS {
            let begin = Instant::now();
            let revoked = format!("filler-{}", accounts - number);
            let revoke = ["app-password", "revoke", &revoked, "app"];
            finished(std::process::Command::new("postern").args(revoke));
            took.push(begin.elapsed());
        }
        is_over.store(true, Ordering::Relaxed);
        logins.join().expect("every login is granted")
    });
    Revocations {
        took,
        logins,
        logins_alone,
    }
}
