//! Memory use: the peak of a host in one login, and the size of an idle daemon.

use crate::contestants::{Contestant, Kind};
use crate::daemons::Posternd;
use crate::login::one_login;
use std::path::Path;

/// Logins of each contestant whose host reports its peak memory.
pub(crate) const LOGINS: usize = 5;

/// Returns the median peak memory of the host in a login of each contestant, in KiB.
pub(crate) fn peaks(pam_host: &Path, all: &[&Contestant], posternd: &Posternd) -> Vec<(Kind, u64)> {
    let peak = |one: &Contestant| {
        let output = one_login(pam_host, one, posternd, &["--peak"]).1;
        let (_, number) = output.split_once("{\"peak\":").expect("the host says it");
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

/// Returns a field of /proc/PROCESS/FILE, in KiB.
pub(crate) fn field(process: u32, file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/{file}")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}
