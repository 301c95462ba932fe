//! Use of disk and memory. No limit of time is tested here: tests/benches/login measures time.

use crate::pam::process::PAM_HOST;
use postern_shared::credential::otp::secret::Secret;
use postern_shared::credential::otp::totp::{
    Algorithm, OtpKind, OtpParameters, Step, generate_code,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{fs, thread};
use testhost::{Host, PamHost, Postern, Posternd, PromptReply, STORE, Web};

/// Sign-ins of each of two users. The write-ahead log reaches its full length after some tens of
/// them.
const LOGINS: u64 = 500;
/// Timeout for all sign-ins together, far above what they take.
const PATIENCE: Duration = Duration::from_secs(600);
/// Upper limits: length of the write-ahead log in bytes, and memory of an idle daemon in KiB.
const LONGEST_WAL: u64 = 8 * 1024 * 1024;
const IDLE: u64 = 11 * 1024;

/// Without a daemon, a process of its own opens and closes the store for each sign-in.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_write_ahead_log_stays_short_without_a_daemon() {
    let host = Host::without_posternd();
    host.pam(
        "sizes",
        "auth required pam_totp.so first_factor=passed\naccount required pam_permit.so\n",
    );
    let people =
        ["alice", "bob"].map(|name| (host.person(name), Secret::random().expect("randomness")));
    let hosts: Vec<PamHost> = people
        .iter()
        .map(|(person, secret)| {
            let uri = format!(
                "otpauth://hotp/{}?secret={}&counter=0\n",
                person.name,
                secret.to_base32().as_str()
            );
            fs::write("/run/sizes.uri", uri).expect("/run can be written");
            Postern::call("import otpauth /run/sizes.uri --yes").does();
            let cycles = LOGINS.to_string();
            let mut pam = PamHost::start(
                PAM_HOST,
                "sizes",
                person.name.as_bytes(),
                &["--cycles", &cycles],
            );
            let by_counter = OtpParameters {
                algorithm: Algorithm::Sha1,
                digits: 6,
                moving: OtpKind::Counter,
            };
            for counter in 0..LOGINS {
                pam.answers(&PromptReply::from(
                    generate_code(secret, by_counter, Step(counter)).as_str(),
                ));
            }
            pam
        })
        .collect();

    let ended = AtomicBool::new(false);
    let longest = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut longest = 0;
            while !ended.load(Ordering::Relaxed) {
                let length =
                    fs::metadata(format!("{STORE}-wal")).map_or(0, |metadata| metadata.len());
                longest = longest.max(length);
                thread::sleep(Duration::from_millis(1));
            }
            longest
        });
        let ends: Vec<_> = hosts
            .into_iter()
            .map(|pam| pam.ends_within(PATIENCE))
            .collect();
        ended.store(true, Ordering::Relaxed);
        for end in ends {
            let end = end.expect("the logins end");
            let entered = end
                .all("authenticate")
                .into_iter()
                .filter(|number| **number == 0)
                .count();
            assert_eq!(entered as u64, LOGINS, "{:?}", end.seen.last());
        }
        watching.join().expect("it only looks")
    });
    assert!(
        longest <= LONGEST_WAL,
        "the write-ahead log had {longest} bytes"
    );
}

/// Memory is the proportional set size (PSS): shared pages, such as the C library's, count in part.
#[test]
#[ignore = "needs the test host: tests/run"]
fn posternd_and_the_gate_take_at_most_11_mib_each_while_idle() {
    let host = Host::without_posternd();
    let posternd = Posternd::start();
    let (alice, phone) = host.enrolled_user("alice");
    alice.with_key().enters_with(&phone.code());
    let web = Web::nginx(&host, "");
    for (name, process) in [
        ("posternd", posternd.process()),
        ("postern-gate", web.gate.process()),
    ] {
        let size = share(process);
        assert!(size <= IDLE, "{name} has {size} KiB");
    }
}

#[track_caller]
fn share(process: u32) -> u64 {
    let text =
        fs::read_to_string(format!("/proc/{process}/smaps_rollup")).expect("root may read it");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .expect("it has a share");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}
