//! The clock: codes are compared with it, so it must be synchronised.

use super::finding::Finding;
use super::machine::Machine;

const TIMEDATECTL: &str = "/usr/bin/timedatectl";
const SYNCHRONISE: &str = "install systemd-timesyncd or chrony, then timedatectl set-ntp true";

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
