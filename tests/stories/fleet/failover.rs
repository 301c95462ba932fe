//! The primary of the database ends, and its synchronous standby takes over, under load.

use super::guide;
use super::load::{Load, SERVICE};
use super::split::{BOTH, primary_and_standby};
use std::time::{Duration, Instant};
use testhost::{Fleet, PostgresServer};

/// Times in which each host grants access again, counted from the end of the primary. The guide
/// names them.
const AFTER_A_CRASH: Duration = Duration::from_secs(10);
const AFTER_A_CUT: Duration = Duration::from_secs(45);

#[derive(Clone, Copy)]
enum End {
    Killed,
    CutOff,
}

impl End {
    /// Returns the number of failovers of a story; tests/fleet can set another one.
    fn rounds(self) -> usize {
        let set = std::env::var("POSTERN_TEST_ROUNDS").ok();
        let usual = match self {
            End::Killed => 4,
            // each waits for time limits
            End::CutOff => 1,
        };
        set.and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
    }
}

/// DESIGN 11: whatever was acknowledged holds across failovers.
#[test]
#[ignore = "needs the test host: tests/run"]
fn nothing_is_lost_when_primaries_are_killed() {
    fail_over(End::Killed, AFTER_A_CRASH);
}

/// The same where the primary goes on, unreachable.
#[test]
#[ignore = "needs the test host: tests/run"]
fn nothing_is_lost_when_primaries_are_cut_off() {
    fail_over(End::CutOff, AFTER_A_CUT);
}

#[track_caller]
fn fail_over(how: End, limit: Duration) {
    let fleet = Fleet::start();
    let [mut primary, mut standby] = primary_and_standby(&fleet);
    let hosts = guide::three_hosts(&fleet, BOTH);
    fleet.host.requires_totp(SERVICE, "first_factor=passed");
    Load::during(&hosts, |load| {
        load.granted_everywhere_since(Instant::now());
        for round in 1..=how.rounds() {
            let ended = Instant::now();
            end(&mut primary, how);
            standby.promote();
            let promoted = ended.elapsed();
            let granted = load.granted_everywhere_since(ended);
            println!(
                "round {round}: promoted after {promoted:?}, access granted at each host after {granted:?}"
            );
            assert!(granted < limit, "{granted:?}");
            let (granted, denied) = load.all_holds();
            println!("round {round}: {granted} sign-ins granted, {denied} acts denied");
            std::mem::swap(&mut primary, &mut standby);
            rebuild(&mut standby, &primary);
            load.granted_everywhere_since(Instant::now());
        }
    });
}

fn end(primary: &mut PostgresServer, how: End) {
    match how {
        End::Killed => primary.kill(),
        End::CutOff => primary.machine.cut_off(),
    }
}

/// Makes an old primary the synchronous standby of the new one. It is ended before it is reached
/// again.
#[track_caller]
fn rebuild(old: &mut PostgresServer, primary: &PostgresServer) {
    old.kill();
    old.machine.connect();
    old.follow(primary);
    primary.replicate_to(&old.machine.name);
    primary.has_synchronous_standby(&old.machine.name);
}
