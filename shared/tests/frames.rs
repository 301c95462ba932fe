//! Frames from unauthenticated peers: the corpus of the fuzz targets and mutations of it.
//! `tests/fuzz/run` does the same for a longer time.
#![allow(clippy::unwrap_used, reason = "these are tests")]

// the functions that the fuzz targets call
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/frames.rs"]
mod frames;
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/mutations.rs"]
mod mutations;

use mutations::try_all;

#[test]
fn whatever_posternd_sends_is_read_one_way_or_refused() {
    try_all("from_posternd", 6_000, frames::module_reads);
}

#[test]
fn whatever_a_module_sends_is_read_one_way_or_refused() {
    try_all("from_module", 6_000, frames::posternd_reads);
}

#[test]
fn whatever_a_host_of_a_fleet_sends_is_read_one_way_or_refused() {
    try_all("from_fleet_host", 6_000, frames::server_reads);
}

#[test]
fn whatever_a_server_of_a_fleet_sends_is_read_one_way_or_refused() {
    try_all("from_fleet_server", 6_000, frames::host_reads);
}

#[test]
fn whatever_posternd_replies_to_a_command_is_understood_one_way_or_refused() {
    try_all("to_command", 6_000, frames::command_reads);
}
