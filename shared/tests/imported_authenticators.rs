//! Second factors that are imported from the files of other systems.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod test_store;

use postern_shared::account::name::Distinct;
use postern_shared::credential::import::{ImportFormat, ImportedFile, parse_import_file};
use postern_shared::credential::otp::totp::{OtpKind, Step, generate_code};
use postern_shared::engine::enrollment::pending::PendingEnrollment;
use postern_shared::engine::{ImportMode, ImportReport};
use postern_shared::verify::decision::Refusal;
use test_store::{NOW, TestStore, accepted, name, refused};

const SEEDS: [&str; 3] = [
    "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U",
    "ONSWG4TFOQQGW5DIMFXHK3TPON2GKZLE",
];

fn urls(text: &str) -> ImportedFile {
    parse_import_file(ImportFormat::Otpauth, text.as_bytes()).unwrap()
}

/// Imports what was found in a file, as root.
fn imports(test: &mut TestStore, import: &ImportedFile) -> Vec<ImportReport> {
    let commit = ImportMode::Commit;
    let mut accounts = test.accounts();
    accounts
        .import_authenticators(&import.found, commit, Distinct::No, "root", NOW)
        .unwrap()
}

/// Returns the code of an imported authenticator for now, or for an offset from its first counter.
fn code_of(import: &ImportedFile, number: usize, offset: u64) -> String {
    let one = &import.found[number];
    let parameters = one.parameters();
    let base = match parameters.moving {
        OtpKind::Time { .. } => parameters.moving.step_at(NOW).unwrap().0,
        OtpKind::Counter => one.moving.first_step().0,
    };
    generate_code(&one.secret, parameters, Step(base + offset)).to_string()
}

/// A code that was used at the other system is refused here.
#[test]
fn what_was_used_there_opens_nothing_here() {
    let step = NOW.0 / 30;
    let file = format!(
        "{}\n\" TOTP_AUTH\n\" DISALLOW_REUSE {} {step}\n12345678\n",
        SEEDS[0],
        step - 1
    );
    let format = ImportFormat::GoogleAuthenticator {
        account: &name("alice"),
        now: NOW,
        future_steps: 1,
    };
    let import = parse_import_file(format, file.as_bytes()).unwrap();
    let mut test = TestStore::new("");
    let taken = imports(&mut test, &import);
    assert_eq!(taken, [ImportReport::Imported("app".parse().unwrap())]);
    refused(
        &test.attempt("alice", &code_of(&import, 0, 0), NOW),
        Refusal::Used { wait: 15 },
    );
    accepted(&test.attempt("alice", &code_of(&import, 0, 1), NOW));
}

/// Without DISALLOW_REUSE the file does not tell that the code of now was used.
#[test]
fn what_may_have_been_used_there_opens_nothing_here() {
    let file = format!("{}\n\" TOTP_AUTH\n", SEEDS[0]);
    let format = ImportFormat::GoogleAuthenticator {
        account: &name("alice"),
        now: NOW,
        future_steps: 1,
    };
    let import = parse_import_file(format, file.as_bytes()).unwrap();
    let mut test = TestStore::new("");
    imports(&mut test, &import);
    for offset in [0, 1] {
        let attempt = test.attempt("alice", &code_of(&import, 0, offset), NOW);
        assert!(matches!(attempt.result, Err(Refusal::Used { .. })));
    }
    let later = NOW.plus(60);
    accepted(&test.attempt("alice", &code_of(&import, 0, 2), later));
}

#[test]
fn a_counter_continues_at_its_value() {
    let import = urls(&format!(
        "otpauth://hotp/alice?secret={}&counter=7",
        SEEDS[0]
    ));
    let mut test = TestStore::new("");
    imports(&mut test, &import);
    accepted(&test.attempt("alice", &code_of(&import, 0, 0), NOW));
    refused(
        &test.attempt("alice", &code_of(&import, 0, 0), NOW),
        Refusal::Used { wait: 0 },
    );
}

#[test]
fn a_dry_run_leaves_nothing() {
    let import = urls(&format!("otpauth://totp/alice?secret={}", SEEDS[0]));
    let mut test = TestStore::new("");
    let taken = test
        .accounts()
        .import_authenticators(&import.found, ImportMode::DryRun, Distinct::No, "root", NOW)
        .unwrap();
    assert!(matches!(taken[0], ImportReport::Imported(_)));
    assert!(test.accounts().account_statuses().unwrap().is_empty());
    assert!(!test.holds(import.found[0].secret.expose()));
}

/// Several devices of one person are imported with labels of their own. An existing second factor
/// is not replaced.
#[test]
fn no_second_factor_is_replaced() {
    let import = urls(&format!(
        "otpauth://totp/server:alice?secret={}\notpauth://totp/server:bob?secret={}\n\
         otpauth://totp/server:alice?secret={}&digits=8\n",
        SEEDS[0], SEEDS[1], SEEDS[2]
    ));
    let mut test = TestStore::new("");
    let bobs = PendingEnrollment::new(test.config(), &name("bob")).unwrap();
    test.activates(&bobs);
    let taken = imports(&mut test, &import);
    let named = |text: &str| ImportReport::Imported(text.parse().unwrap());
    assert_eq!(
        taken,
        [
            named("server"),
            ImportReport::AlreadyEnrolled,
            named("server 2")
        ]
    );
    accepted(&test.attempt("alice", &code_of(&import, 0, 0), NOW));
    accepted(&test.attempt("alice", &code_of(&import, 2, 0), NOW));
    refused(
        &test.attempt("bob", &code_of(&import, 1, 0), NOW),
        Refusal::Wrong,
    );
    accepted(&test.attempt("bob", &test_store::code_of(&bobs, 0), NOW));

    // a second import finds it already in the store
    let again = imports(&mut test, &import);
    assert_eq!(
        again,
        [
            ImportReport::AlreadyEnrolled,
            ImportReport::AlreadyEnrolled,
            ImportReport::AlreadyEnrolled
        ]
    );
}
