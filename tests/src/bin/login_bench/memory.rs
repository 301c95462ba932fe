//! What memory is taken: by a host in one login at most, and by a daemon that has nothing to do.

use crate::contestants::{Contestant, Kind};
use crate::daemons::Posternd;
use crate::login::one_login;
use std::path::Path;

/// Logins whose host says at its end how much memory it had at most.
pub(crate) const LOGINS: usize = 5;

/// The peak memory of the host in a login of each contestant, in KiB: the median.
pub(crate) fn peaks(pam_host: &Path, all: &[&Contestant], posternd: &Posternd) -> Vec<(Kind, u64)> {
    let peak = |one: &Contestant| {
        let said = one_login(pam_host, one, posternd, &["--peak"]).1;
        let (_, number) = said.split_once("{\"peak\":").expect("the host says it");
        number
            .split('}')
            .next()
            .and_then(|number| number.parse().ok())
            .expect("a number")
    };
    let median = |one: &Contestant| {
        let mut peaks: Vec<u64> = (0..LOGINS).map(|_| peak(one)).collect();
        peaks.sort_unstable();
        peaks[LOGINS / 2]
    };
    all.iter().map(|one| (one.kind, median(one))).collect()
}

/// A field of /proc/PROCESS/FILE, in KiB.
pub(crate) fn field(process: u32, file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
