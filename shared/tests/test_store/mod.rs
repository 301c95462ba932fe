//! A store in a temporary folder, with its key and its configuration, for all integration tests of
//! the library.
#![allow(dead_code, reason = "each file of tests takes what it needs")]

use postern_shared::account::event::{AuditEvent, EventFilter};
use postern_shared::account::name::{Distinct, UserName};
use postern_shared::account::second_factor::Enrolled;
use postern_shared::config::{Config, file};
use postern_shared::credential::input::Input;
use postern_shared::credential::otp::secret::Secret;
use postern_shared::credential::otp::totp::{Step, generate_code};
use postern_shared::credential::recovery_code::OneTimeCode;
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::password::Password;
use postern_shared::crypto::vault::Vault;
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::engine::{
    AfterCode, AfterPassword, BrowserContext, Engine, MailMessage, OpenedSession, TrustRequest,
    VerificationRequest, VerifiedAttempt,
};
use postern_shared::store::{BrowserRecord, SessionRecord};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::network::address::Address;
use postern_shared::token::session::Session;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use rusqlite::Connection;
use sha2::{Digest, Sha256};
use std::fs;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_015);
/// The password of every account that has one.
pub(crate) const PASSWORD: &str = "correct horse";

pub(crate) mod cluster;
pub(crate) mod server;

pub(crate) use server::{TestDatabase, is_postgres};

pub(crate) struct TestStore {
    pub(crate) folder: TestFolder,
    pub(crate) config: Config,
    pub(crate) engine: Engine,
}

pub(crate) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

pub(crate) fn password(text: &str) -> Password {
    Password::from_input(Zeroizing::new(text.to_owned())).unwrap()
}

pub(crate) fn remote(text: &str) -> Origin {
    Origin::Remote(Address::parse(text).unwrap())
}

/// Returns a browser without cookies.
pub(crate) fn browser(origin: &Origin) -> BrowserContext<'_> {
    BrowserContext {
        origin,
        name: "Test",
        cookie: None,
        scope: "example.com",
        page: None,
        session: None,
    }
}

/// Returns a browser with this cookie of a trusted browser.
pub(crate) fn browser_with<'a>(origin: &'a Origin, cookie: Option<&'a str>) -> BrowserContext<'a> {
    BrowserContext {
        cookie,
        ..browser(origin)
    }
}

/// Returns a request after the first factor, at the service "test".
pub(crate) fn request<'a>(name: &'a UserName, origin: &'a Origin) -> VerificationRequest<'a> {
    VerificationRequest {
        name,
        phase: Phase::After,
        origin,
        browser: None,
        service: "test",
    }
}

/// Returns a store in which alice has an authenticator app.
pub(crate) fn alice(extra: &str) -> (TestStore, PendingEnrollment) {
    let mut test = TestStore::new(extra);
    let app = test.enrols("alice");
    (test, app)
}

/// Signs alice in with her password and the given input.
#[track_caller]
pub(crate) fn signs_in(
    test: &mut TestStore,
    from: &Origin,
    typed: &str,
    now: Timestamp,
) -> Session {
    opens(test, from, typed, now).session
}

/// Signs alice in like [`signs_in`], and returns all that the sign-in opened.
#[track_caller]
pub(crate) fn opens(
    test: &mut TestStore,
    from: &Origin,
    typed: &str,
    now: Timestamp,
) -> OpenedSession {
    let (engine, who, none) = (&mut test.engine, name("alice"), Input::parse(b""));
    let asked =
        engine
            .login()
            .enter_password(&browser(from), &who, Some(&password(PASSWORD)), &none, now);
    let AfterPassword::Code(pass) = asked.unwrap() else {
        panic!("no code is asked")
    };
    let answer = Input::parse(typed.as_bytes());
    let entered =
        engine
            .login()
            .enter_code(&browser(from), &pass, &answer, TrustRequest::NotAsked, now);
    let AfterCode::Opened(opened) = entered.unwrap() else {
        panic!("not opened")
    };
    *opened
}

/// Returns a store in which alice has an authenticator app and a password.
pub(crate) fn alice_at_the_web(extra: &str) -> (TestStore, PendingEnrollment) {
    let (mut test, app) = alice(extra);
    test.sets_password("alice");
    (test, app)
}

impl Deref for TestStore {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl DerefMut for TestStore {
    fn deref_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }
}

/// Folder of a store, its key and its configuration, and the database of a store in PostgreSQL.
/// Both are removed when it is dropped.
pub(crate) struct TestFolder {
    folder: TempDir,
    pub(crate) database: Option<TestDatabase>,
}

impl TestFolder {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl TestStore {
    /// Creates a store without accounts, in PostgreSQL if this run has a server.
    pub(crate) fn new(extra: &str) -> TestStore {
        TestStore::in_database(extra, TestDatabase::new())
    }

    /// Creates a store without accounts in a database, or in a file.
    pub(crate) fn in_database(extra: &str, database: Option<TestDatabase>) -> TestStore {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (masters, key) = MasterKeys::generate().unwrap();
        fs::create_dir(at("etc")).unwrap();
        fs::write(at("etc/key"), key.as_bytes()).unwrap();
        fs::set_permissions(at("etc/key"), PermissionsExt::from_mode(0o600)).unwrap();
        let key_file = at("etc/key");
        let url = match &database {
            Some(database) => database.url(),
            None => format!("sqlite:{}", at("store/db").display()),
        };
        let text = format!(
            "{extra}\n[store]\nurl = \"{url}\"\nkey_file = \"{}\"\n",
            key_file.display()
        );
        fs::write(at("postern.toml"), text).unwrap();
        let config = file::read_config(&at("postern.toml")).unwrap().config;
        postern_shared::store::create(&config.store, None, &Vault::create(&masters).unwrap())
            .unwrap();
        TestStore {
            engine: Engine::open(config.clone()).unwrap(),
            config,
            folder: TestFolder { folder, database },
        }
    }

    /// Opens a second engine on the store, as another process does.
    pub(crate) fn another(&self) -> Engine {
        Engine::open(self.config.clone()).unwrap()
    }

    /// Activates a first authenticator without a code. The secret is the same in every run, so that
    /// a wrong code of a test can never be right by chance.
    pub(crate) fn enrols(&mut self, who: &str) -> PendingEnrollment {
        let secret = Zeroizing::new(Sha256::digest(who)[..20].to_vec());
        let pending = PendingEnrollment::new(&self.config, &name(who)).unwrap();
        let pending = pending.with_secret(Secret::from_bytes(secret).unwrap());
        self.activates(&pending);
        pending
    }

    /// Activates a pending enrollment without a code.
    pub(crate) fn activates(&mut self, pending: &PendingEnrollment) {
        self.engine
            .enrollment()
            .activate(
                pending,
                &EnrollmentConfirmation::by_administrator(),
                "root",
                NOW,
            )
            .unwrap();
    }

    /// Adds an account, as root.
    pub(crate) fn adds_account(&mut self, who: &str) {
        let added = self
            .accounts()
            .add_account(&name(who), Distinct::No, "root", NOW);
        added.unwrap();
    }

    /// Sets [`PASSWORD`], as root.
    pub(crate) fn sets_password(&mut self, who: &str) {
        let password = password(PASSWORD);
        let set = self
            .accounts()
            .set_password(&name(who), &password, "root", NOW);
        set.unwrap();
    }

    /// Issues a one-time code, as root.
    pub(crate) fn issues_one_time_code(
        &mut self,
        who: &str,
        now: Timestamp,
    ) -> (OneTimeCode, Timestamp) {
        let issued = self.accounts().issue_one_time_code(&name(who), "root", now);
        issued.unwrap()
    }

    /// Turns the second factor off.
    pub(crate) fn disables(&mut self, who: &str, principal: &str, now: Timestamp) {
        let done = self
            .accounts()
            .disable_second_factor(&name(who), principal, now);
        done.unwrap();
    }

    /// Removes delays and locks.
    pub(crate) fn unlocks(&mut self, who: &str, principal: &str, now: Timestamp) {
        let done = self.accounts().unlock_account(&name(who), principal, now);
        done.unwrap();
    }

    /// Lowers the floors of an account to the clock, and returns how many were lowered.
    pub(crate) fn lowers_floors(&mut self, who: &str, principal: &str, now: Timestamp) -> usize {
        let lowered = self
            .accounts()
            .lower_floors_to_clock(&name(who), principal, now);
        lowered.unwrap()
    }

    pub(crate) fn sessions_of(&mut self, who: &str, now: Timestamp) -> Vec<SessionRecord> {
        self.sessions().list_sessions(&name(who), now).unwrap()
    }

    pub(crate) fn trusted_browsers_of(&mut self, who: &str, now: Timestamp) -> Vec<BrowserRecord> {
        self.sessions()
            .list_trusted_browsers(&name(who), now)
            .unwrap()
    }

    pub(crate) fn enrolled(&mut self, who: &str) -> Enrolled {
        self.load_policy_facts(&name(who)).unwrap().enrolled
    }

    /// Returns the first events of the audit log.
    pub(crate) fn all_events(&mut self) -> Vec<(i64, AuditEvent)> {
        self.audit_log()
            .list_events(&EventFilter::default(), 0, 100)
            .unwrap()
    }

    /// Takes the queued mail, as posternd does.
    pub(crate) fn takes_mail(&mut self, now: Timestamp) -> Vec<MailMessage> {
        self.mail().take_queued_mail(8, now).unwrap()
    }

    /// Enters an input after the first factor, without an address.
    pub(crate) fn attempt(&mut self, who: &str, typed: &str, now: Timestamp) -> VerifiedAttempt {
        self.attempt_from(who, &Origin::Unknown, Phase::After, typed, now)
    }

    /// Enters an input from an origin, before or after the first factor.
    pub(crate) fn attempt_from(
        &mut self,
        who: &str,
        origin: &Origin,
        phase: Phase,
        typed: &str,
        now: Timestamp,
    ) -> VerifiedAttempt {
        attempt_at(&mut self.engine, who, origin, phase, typed, now)
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("etc/key")
    }

    /// Opens the store with SQLite alone, for what the engine does not return.
    pub(crate) fn sqlite(&self) -> Connection {
        let is_file = !is_postgres() || self.folder.database.is_none();
        assert!(is_file, "the test is of SQLite alone");
        Connection::open(self.folder.path().join("store/db")).unwrap()
    }

    /// Returns the number in the first row of a query, in either database.
    pub(crate) fn number<T: TryFrom<i64, Error: std::fmt::Debug>>(&self, sql: &str) -> T {
        let number: i64 = match &self.folder.database {
            Some(database) => database.number(sql),
            None => self.sqlite().query_row(sql, [], |row| row.get(0)).unwrap(),
        };
        T::try_from(number).unwrap()
    }

    /// Runs statements, in either database.
    pub(crate) fn changes(&self, sql: &str) {
        match &self.folder.database {
            Some(database) => database.run(sql),
            None => self.sqlite().execute_batch(sql).unwrap(),
        }
    }

    /// Returns the values of one column of blobs.
    pub(crate) fn blobs(&self, sql: &str) -> Vec<Vec<u8>> {
        if let Some(database) = &self.folder.database {
            return database.blobs(sql);
        }
        let sqlite = self.sqlite();
        let mut statement = sqlite.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// Returns the sealed secrets as the store holds them.
    pub(crate) fn sealed(&self) -> Vec<Vec<u8>> {
        self.blobs("SELECT sealed FROM secret ORDER BY authenticator")
    }

    /// Returns whether the store's files contain the bytes; in PostgreSQL, its tables.
    pub(crate) fn holds(&self, wanted: &[u8]) -> bool {
        self.bytes()
            .windows(wanted.len())
            .any(|window| window == wanted)
    }

    /// Returns the content of all files in the store's folder, or of all tables.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        if let Some(database) = &self.folder.database {
            return database.bytes();
        }
        let files = fs::read_dir(self.folder.path().join("store")).unwrap();
        files
            .flat_map(|entry| fs::read(entry.unwrap().path()).unwrap())
            .collect()
    }
}

/// Enters an input at an engine of this process or of another one.
pub(crate) fn attempt_at(
    engine: &mut Engine,
    who: &str,
    origin: &Origin,
    phase: Phase,
    typed: &str,
    now: Timestamp,
) -> VerifiedAttempt {
    let name = name(who);
    let login = VerificationRequest {
        phase,
        ..request(&name, origin)
    };
    engine
        .verification()
        .verify_input(&login, &Input::parse(typed.as_bytes()), now)
        .unwrap()
}

/// Returns the code of an authenticator at an offset in time steps from [`NOW`], or at a counter.
pub(crate) fn code_of(pending: &PendingEnrollment, offset: i64) -> String {
    code_at(pending, offset, NOW)
}

/// Returns the code of an authenticator at an offset in time steps from a time, or at a counter.
pub(crate) fn code_at(pending: &PendingEnrollment, offset: i64, now: Timestamp) -> String {
    let parameters = pending.parameters();
    let base = parameters.moving.step_at(now).unwrap_or(Step(0));
    generate_code(
        pending.secret(),
        parameters,
        Step(base.0.checked_add_signed(offset).unwrap()),
    )
    .to_string()
}

/// Returns one recovery code as it was shown.
pub(crate) fn recovery(pending: &PendingEnrollment, number: usize) -> String {
    pending.recovery_codes()[number].grouped().to_string()
}

#[track_caller]
pub(crate) fn accepted(attempt: &VerifiedAttempt) {
    assert!(attempt.result.is_ok(), "{:?}", attempt.result);
}

#[track_caller]
pub(crate) fn refused(attempt: &VerifiedAttempt, refusal: Refusal) {
    assert_eq!(attempt.result, Err(refusal));
}

/// Panics unless the text contains the part, and shows both.
#[track_caller]
pub(crate) fn assert_contains(text: impl AsRef<str>, part: impl AsRef<str>) {
    let (text, part) = (text.as_ref(), part.as_ref());
    assert!(text.contains(part), "no {part:?} in:\n{text}");
}

/// Panics if the text contains the part, and shows both.
#[track_caller]
pub(crate) fn assert_lacks(text: impl AsRef<str>, part: impl AsRef<str>) {
    let (text, part) = (text.as_ref(), part.as_ref());
    assert!(!text.contains(part), "{part:?} is in:\n{text}");
}
