//! A store in a folder of its own, with its key and configuration.

use shared::answer::Answer;
use shared::clock::Timestamp;
use shared::config::file;
use shared::decision::{Refusal, Verdict};
use shared::door::{Door, Outcome, Visitor};
use shared::enrolment::{Confirmation, Pending};
use shared::guess::Stage;
use shared::key::MasterKeys;
use shared::name::UserName;
use shared::place::Origin;
use shared::totp::{Step, code};
use shared::vault::Vault;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_015);

pub(crate) struct Home {
    pub(crate) folder: TempDir,
    pub(crate) door: Door,
}

pub(crate) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

impl Home {
    /// Nobody is enrolled yet.
    pub(crate) fn new(extra: &str) -> Home {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (masters, key) = MasterKeys::generate().unwrap();
        fs::write(at("key"), key.as_bytes()).unwrap();
        fs::set_permissions(at("key"), PermissionsExt::from_mode(0o600)).unwrap();
        let (db, key_file) = (at("store/db"), at("key"));
        let text = format!(
            "{extra}\n[store]\nurl = \"sqlite:{}\"\nkey_file = \"{}\"\n",
            db.display(),
            key_file.display()
        );
        fs::write(at("postern.toml"), text).unwrap();
        let config = file::read(&at("postern.toml")).unwrap().config;
        shared::store::create(&config.store.url, None, &Vault::create(&masters).unwrap()).unwrap();
        Home { door: Door::open(config).unwrap(), folder }
    }

    /// Makes a setup active without a code.
    pub(crate) fn activates(&mut self, pending: &Pending) {
        self.door.activate(pending, &Confirmation::vouched(), "root", NOW).unwrap();
    }

    /// An answer after the first factor, from nowhere in particular.
    pub(crate) fn attempt(&mut self, who: &str, typed: &str, now: Timestamp) -> Outcome {
        let (name, origin) = (name(who), Origin::Unknown);
        let visitor =
            Visitor { name: &name, stage: Stage::After, origin: &origin, browser: None, service: "test" };
        self.door.attempt(&visitor, &Answer::read(typed.as_bytes()), now).unwrap()
    }

    /// Whether bytes lie anywhere in the store's files.
    pub(crate) fn holds(&self, wanted: &[u8]) -> bool {
        ["db", "db-wal"].iter().any(|name| {
            let bytes = fs::read(self.folder.path().join("store").join(name)).unwrap_or_default();
            bytes.windows(wanted.len()).any(|window| window == wanted)
        })
    }
}

/// The code of an authenticator so many steps from now, or of a counter.
pub(crate) fn code_of(pending: &Pending, offset: i64) -> String {
    let parameters = pending.parameters();
    let base = parameters.moving.step_at(NOW).unwrap_or(Step(0));
    code(pending.secret(), parameters, Step(base.0.checked_add_signed(offset).unwrap())).to_string()
}

#[track_caller]
pub(crate) fn accepted(outcome: &Outcome) {
    assert!(matches!(outcome.verdict, Verdict::Accepted(_)), "{:?}", outcome.verdict);
}

#[track_caller]
pub(crate) fn refused(outcome: &Outcome, refusal: Refusal) {
    assert_eq!(outcome.verdict, Verdict::Refused(refusal));
}
