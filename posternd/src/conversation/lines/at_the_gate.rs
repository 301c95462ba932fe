//! The same lines in a host that is not root: a gate that the test plays has the store, and what the host's own
//! configuration says of store and key leads nowhere.

use super::Home;
use crate::conversation::host::Item;
use crate::conversation::host::fake::Fake;
use crate::conversation::{guard, login, password};
use nix::unistd::{User, geteuid};
use shared::clock;
use shared::config::file;
use shared::door::{Caller, Door};
use shared::errand::client::Gate;
use shared::errand::wire::{self, GREETING};
use shared::errand::{Answer, Errand};
use shared::protocol::{Denial, HookResult};
use shared::words::BEFORE_FIRST_FACTOR;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A host that is not root, and the gate's home.
struct Apart {
    home: Home,
    folder: TempDir,
}

impl Apart {
    fn new(config: &str) -> Apart {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{config}\n[store]\nurl = \"sqlite:/nowhere/db\"\nkey_file = \"/nowhere/key\"\n");
        fs::write(folder.path().join("postern.toml"), text).unwrap();
        Apart { home: Home::new(config), folder }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("pam.sock")
    }

    /// A gate that takes whoever connects for this user.
    fn opens_for(self, user: &'static str) -> Apart {
        let config = file::read(&self.home.path("postern.toml")).unwrap().config;
        self.listens(move |mut stream| {
            stream.write_all(GREETING).unwrap();
            let mut line = Vec::new();
            BufReader::new(&stream).read_until(b'\n', &mut line).unwrap();
            let errand: Errand = wire::read(&line).unwrap();
            let caller = Caller::Owner { name: &user.parse().unwrap(), uid: 1000 };
            let ran = Door::open(config.clone()).unwrap().run_errand(caller, &errand, clock::now().unwrap());
            let reply = ran.unwrap_or_else(|error| Answer::Refused(error.to_string()).into());
            stream.write_all(&wire::write(&reply).unwrap()).unwrap();
        })
    }

    fn listens(self, mut meet: impl FnMut(UnixStream) + Send + 'static) -> Apart {
        let listener = UnixListener::bind(self.socket()).unwrap();
        std::thread::spawn(move || listener.incoming().flatten().for_each(&mut meet));
        self
    }

    fn host(&self, service: &str, user: &str, typed: &[&str]) -> Fake {
        let me = User::from_uid(geteuid()).unwrap().unwrap().name;
        let gate = Some(Gate::at(&self.socket(), &me));
        Fake { gate, ..Fake::at(service, user).who_types(typed) }
    }

    fn words(&self, words: &str) -> Vec<String> {
        let config = format!("config={}", self.folder.path().join("postern.toml").display());
        std::iter::once(config).chain(words.split_whitespace().map(str::to_owned)).collect()
    }

    fn auth(&self, host: &Fake, words: &str) -> HookResult {
        login::authenticate(host, &self.words(words))
    }

    fn account(&self, host: &Fake) -> HookResult {
        guard::account(host, &self.words(""))
    }
}

#[test]
fn a_right_code_passes_once_and_leaves_a_mark_for_the_guard() {
    let apart = Apart::new("").opens_for("alice");
    let code = apart.home.code(0);
    assert_eq!(apart.account(&apart.host("locker", "alice", &[])), HookResult::Denied(Denial::NotAsked));
    let host = apart.host("locker", "alice", &["hello", &code]);
    assert_eq!(apart.auth(&host, "first_factor=passed"), HookResult::Passed);
    assert!(host.prompts.borrow()[1].starts_with("That is no code: "));
    let log = host.log_text();
    assert!(log.contains("refused cause=unfit address=- service=locker user=\"alice\""), "{log}");
    assert!(log.contains("accepted cause=code address=- service=locker user=\"alice\""), "{log}");
    assert_eq!(apart.account(&host), HookResult::Passed);

    let again = apart.host("locker", "alice", &[&code]);
    assert_eq!(apart.auth(&again, "first_factor=passed tries=1"), HookResult::Denied(Denial::TooManyTries));
    assert!(again.told.borrow()[0].starts_with("That code was used already"));
}

#[test]
fn before_the_first_factor_the_text_is_one_and_the_guard_tells_the_rest() {
    let apart = Apart::new("").opens_for("alice");
    let recovery = apart.home.recovery_code();
    for (typed, entry) in [("000000", HookResult::Denied(Denial::Refused)), (&recovery, HookResult::Passed)] {
        let host = apart.host("locker", "alice", &[typed]);
        assert_eq!(apart.auth(&host, ""), entry);
        assert_eq!(*host.prompts.borrow(), ["Verification code: "]);
        assert_eq!(*host.told.borrow(), [BEFORE_FIRST_FACTOR]);
        if entry == HookResult::Passed {
            assert_eq!(apart.account(&host), HookResult::Passed);
            let told = host.told.borrow();
            assert!(told.contains(&"5 recovery codes are left".to_owned()), "{told:?}");
            assert!(told[1].starts_with("1 wrong code since"), "{told:?}");
        }
    }
}

#[test]
fn a_service_that_is_trusted_names_person_and_address() {
    let apart = Apart::new("[pam]\nsocket_users = [\"dovecot\"]").opens_for("dovecot");
    let at = |typed: &str| apart.host("imap", "alice", &[typed]).with(Item::RemoteHost, "192.0.2.7");
    let wrong = at("000000");
    assert_eq!(apart.auth(&wrong, ""), HookResult::Denied(Denial::Refused));
    assert!(wrong.log_text().contains("refused cause=wrong address=192.0.2.7 service=imap"));
    let right = at(&apart.home.code(0));
    assert_eq!(apart.auth(&right, ""), HookResult::Passed);
    assert_eq!(apart.account(&right), HookResult::Passed);
    let told = right.told.borrow();
    assert_eq!(*told, [BEFORE_FIRST_FACTOR, "1 wrong code since your last sign-in, last from 192.0.2.7"]);
}

#[test]
fn whoever_asks_for_another_is_refused_and_the_log_says_what_to_set() {
    let apart = Apart::new("").opens_for("bob");
    for user in ["alice", "nobody-here"] {
        let host = apart.host("locker", user, &[&apart.home.code(0)]);
        assert_eq!(apart.auth(&host, "first_factor=passed"), HookResult::Denied(Denial::Unavailable));
        assert!(host.prompts.borrow().is_empty());
        assert!(host.log_text().contains("pam.socket_users"), "{}", host.log_text());
        assert_eq!(apart.account(&host), HookResult::Denied(Denial::Unavailable));
    }
    let host = apart.host("locker", "alice", &[&apart.home.code(0)]);
    assert_eq!(apart.auth(&host, ""), HookResult::Denied(Denial::Unavailable));
    assert_eq!(*host.told.borrow(), [BEFORE_FIRST_FACTOR]);
    // whoever is not enrolled needs no code of the own
    assert_eq!(apart.auth(&apart.host("locker", "bob", &[]), "first_factor=passed"), HookResult::NotNeeded);
}

#[track_caller]
fn refused_in_time(apart: &Apart, why: &str) {
    for words in ["first_factor=passed", ""] {
        let host = apart.host("locker", "alice", &["000000"]);
        let began = Instant::now();
        assert_eq!(apart.auth(&host, words), HookResult::Denied(Denial::Unavailable), "{why}");
        assert!(began.elapsed() < Duration::from_millis(2500), "{why}: {:?}", began.elapsed());
        let log = host.log_text();
        assert!(log.contains("refused cause=unavailable address=- service=locker user=\"alice\": "), "{log}");
        assert!(log.contains(why), "{why}: {log}");
    }
}

#[test]
fn without_a_gate_that_answers_nobody_enters_and_nobody_waits() {
    refused_in_time(&Apart::new(""), "start postern-gate");
    let silent = Apart::new("").listens({
        let mut kept = Vec::new();
        move |stream| kept.push(stream)
    });
    refused_in_time(&silent, "start postern-gate");
    let greets = Apart::new("").listens({
        let mut kept = Vec::new();
        move |mut stream| {
            stream.write_all(GREETING).unwrap();
            kept.push(stream);
        }
    });
    refused_in_time(&greets, "postern-gate did not answer in time");
    let other = Apart::new("").listens(|mut stream| stream.write_all(b"postern 9\n").unwrap());
    refused_in_time(&other, "of another version");
    let nonsense = Apart::new("").listens(|mut stream| {
        stream.write_all(GREETING).unwrap();
        stream.write_all(b"{\"told\":[],\"answer\":\"done\"}\n").unwrap();
    });
    refused_in_time(&nonsense, "of another version than pam_totp.so");
}

#[test]
fn nothing_is_sent_where_anyone_could_have_planted_the_socket() {
    let apart = Apart::new("").listens(drop);
    fs::set_permissions(apart.folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    fs::rename(apart.folder.path().join("postern.toml"), apart.home.path("apart.toml")).unwrap();
    let words = [format!("config={}", apart.home.path("apart.toml").display())];
    let host = apart.host("locker", "alice", &["000000"]);
    assert_eq!(login::authenticate(&host, &words), HookResult::Denied(Denial::Unavailable));
    assert!(host.log_text().contains("belongs to neither root nor the gate"), "{}", host.log_text());
}

/// Any process of a person's could say so of the own account, and would end all that is open.
#[test]
fn a_changed_password_is_for_the_gate_to_know_and_only_of_a_service_that_is_named() {
    let apart = Apart::new("[pam]\nsocket_users = [\"kdc\"]").opens_for("kdc");
    let host = apart.host("kpasswd", "alice", &[]);
    password::changed(&host, &apart.words(""));
    assert_eq!(host.log_text(), "ended cause=host-password address=- service=kpasswd user=\"alice\"");

    let apart = Apart::new("").opens_for("alice");
    for user in ["alice", "bob"] {
        let host = apart.host("kpasswd", user, &[]);
        password::changed(&host, &apart.words(""));
        let log = host.log_text();
        assert!(log.contains("not ended cause=unavailable") && log.contains("alice"), "{log}");
        assert_eq!(host.told.borrow().len(), 1);
    }
}

/// Of a process of one's own no address is believed.
#[test]
fn grace_is_for_services_that_are_trusted() {
    let line = "first_factor=passed grace=1h";
    for (user, spared) in [("dovecot", true), ("alice", false)] {
        let imap = "[pam]\nsocket_users = [\"dovecot\"]\n[pam.service.imap]\nrhost_is_address = true";
        let apart = Apart::new(imap).opens_for(user);
        let at = |typed: &[&str]| apart.host("imap", "alice", typed).with(Item::RemoteHost, "192.0.2.7");
        assert_eq!(apart.auth(&at(&[&apart.home.code(0)]), line), HookResult::Passed);
        let again = at(&[]);
        let entry = if spared { HookResult::Passed } else { HookResult::Denied(Denial::Conversation) };
        assert_eq!(apart.auth(&again, line), entry, "{user}");
        assert_eq!(again.log_text().contains("not needed cause=grace address=192.0.2.7"), spared, "{user}");
    }
}
