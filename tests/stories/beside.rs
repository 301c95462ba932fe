//! A comparison of pam_totp, pam_google_authenticator and pam_oath, all tested by the same code.
//! Faults of the other modules are recorded. Ours must have none, and must match
//! `pam_totp/BESIDE.md`.

mod bench;
mod crashes;
mod crowds;
mod files;
mod module;
mod replies;
mod times;

use bench::{Bench, Seen};
use module::Module;
use std::fmt::Write;
use std::fs;
use std::process::Command;
use testhost::{Host, finished};

type Row = (&'static str, fn(&Bench<'_>) -> Seen);

const ROWS: [Row; 29] = [
    (
        "2 at once with one code, thirty times",
        crowds::two_with_one_code,
    ),
    (
        "8 at once with one code, ten times",
        crowds::eight_with_one_code,
    ),
    (
        "32 at once with one code, four times",
        crowds::thirty_two_with_one_code,
    ),
    (
        "100 at once with one code, twice",
        crowds::a_hundred_with_one_code,
    ),
    ("100 wrong codes at once", crowds::a_hundred_wrong_codes),
    ("two people at once, ten times", crowds::two_people),
    ("a code for the second time", times::a_used_code),
    (
        "the newest code, then the two before it",
        times::older_codes_after_a_newer_one,
    ),
    (
        "six codes of an hour ago, one every 30 s",
        times::old_codes_in_sequence,
    ),
    ("the clock set back by an hour", times::a_clock_set_back),
    (
        "`kill -9` in the middle of a login",
        crashes::killed_at_every_write,
    ),
    (
        "one code again, while its first login is stopped in its middle",
        crashes::one_code_while_it_stands_still,
    ),
    (
        "two others, while a login is stopped in its middle",
        crashes::others_while_it_stands_still,
    ),
    ("lock and scratch files left behind", files::stale_locks),
    ("the disk full", files::on_a_full_disk),
    ("the disk read-only", files::on_a_read_only_disk),
    ("the state missing", files::missing),
    ("the state empty", files::empty),
    ("the state truncated", files::truncated),
    ("the state another user's", files::of_a_stranger),
    (
        "the state a link to another user's",
        files::linked_to_a_strangers,
    ),
    ("a null reply", replies::a_null_reply),
    ("a null reply array", replies::a_null_array),
    ("`PAM_CONV_ERR`", replies::a_failed_conversation),
    ("a reply of 1 MiB", replies::a_mebibyte),
    ("control bytes", replies::control_bytes),
    ("sshd's junk password, ten times", replies::junk_of_sshd),
    ("odd user names", replies::odd_names),
    (
        "the typed code in the host's memory",
        replies::what_memory_keeps,
    ),
];

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pam_totp/BESIDE.md");

#[test]
#[ignore = "needs the test host: tests/run"]
fn beside_the_other_modules_ours_has_no_fault_and_is_as_the_page_says() {
    let host = Host::fresh();
    let benches = Module::ALL.map(|module| Bench::new(&host, module));
    let rows = ROWS.iter().zip(1..).map(|((what, run), day)| {
        let seen = benches.each_ref().map(|bench| bench.row(day, *run));
        (*what, seen)
    });
    let rows: Vec<_> = rows.collect();
    let table = table(&rows);
    // tests/beside prints this file.
    if let Some(path) = std::env::var_os("POSTERN_BESIDE") {
        fs::write(path, &table).expect("tests/beside says where");
    }
    let faulty: Vec<_> = rows
        .iter()
        .filter(|(_, [ours, ..])| !ours.faults.is_empty())
        .collect();
    assert!(faulty.is_empty(), "{table}");

    let page = fs::read_to_string(PAGE).expect("the page is in the checkout");
    for (what, [ours, ..]) in &rows {
        assert!(
            page.contains(&format!("| {what} | {} |", ours.text)),
            "{PAGE} says something else of {what}:\n{table}"
        );
    }
}

/// Returns the table in Markdown, with faults in bold.
fn table(rows: &[(&str, [Seen; 3])]) -> String {
    let mut table = format!(
        "| | {} |\n|---|---|---|---|\n",
        Module::ALL.map(Module::name).join(" | ")
    );
    for (what, seen) in rows {
        let cells = seen
            .each_ref()
            .map(|Seen { text, faults }| match faults.as_slice() {
                [] => text.clone(),
                faults => format!("{text}: **{}**", faults.join(", ")),
            });
        writeln!(table, "| {what} | {} |", cells.join(" | ")).expect("a String takes it");
    }
    let versions = [
        "-W",
        "-f",
        "${Package} ${Version}, ",
        "libpam-google-authenticator",
        "libpam-oath",
        "libpam0g",
    ];
    let versions = finished(Command::new("dpkg-query").args(versions));
    writeln!(table, "\n{}", versions.trim_end_matches(", ")).expect("a String takes it");
    table
}
