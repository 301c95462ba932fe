//! The clock: codes are compared with it, so it must be synchronised.

use crate::check::finding::Finding;
use crate::check::machine::Machine;
use postern_shared::engine::suspected_clock;
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::host_clock::ClockSuspicion;

/// Seconds by which the clock may be behind a sign-in that was recorded.
const MARGIN: u64 = 60;
const TIMEDATECTL: &str = "/usr/bin/timedatectl";
const SYNCHRONISE: &str = "install systemd-timesyncd or chrony, then timedatectl set-ntp true";

/// Reports a clock that stands before the last sign-in that the store recorded.
pub(crate) fn before_sign_in(now: Timestamp, last: Option<Timestamp>) -> Option<Finding> {
    let behind = last?
        .0
        .checked_sub(now.0)
        .filter(|behind| *behind > MARGIN)?;
    Some(
        Finding::fault("clock", format_args!("is {behind} s behind the last sign-in that the store recorded, so either was wrong, and codes are refused as already used"))
            .remedy("set the clock; if it was ahead before, run postern unlock USER --clock"),
    )
}

/// Reports a clock that the codes of several accounts contradict.
pub(crate) fn suspected(suspicion: &ClockSuspicion, period: u64) -> Finding {
    Finding::fault("clock", suspected_clock(suspicion, period))
        .remedy("compare it with another clock, and set it, such as with timedatectl")
}

pub(crate) fn findings(machine: &Machine) -> Vec<Finding> {
    let shown = machine.run(
        TIMEDATECTL,
        &["show", "--property=NTPSynchronized", "--value"],
    );
    let known = shown.filter(|output| output.succeeded);
    vec![match known.as_ref().map(|output| output.out.trim()) {
        Some("yes") => Finding::ok("clock", "is synchronised"),
        Some("no") => Finding::warning(
            "clock",
            "is not synchronised, so codes will be refused once it is off by a minute",
        )
        .remedy(SYNCHRONISE),
        _ => Finding::skipped(
            "clock",
            "timedatectl does not answer, so it is not known whether the clock is synchronised",
        ),
    }]
}
