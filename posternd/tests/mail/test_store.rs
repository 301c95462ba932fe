//! A store in a folder of its own, and a program that accepts mails, run at a socket as its unit
//! would.

use postern_shared::account::email::EmailAddress;
use postern_shared::account::name::UserName;
use postern_shared::config::file;
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::Vault;
use postern_shared::engine::Engine;
use posternd::mail::MailThread;
use posternd::mail::command_unit::serve_at;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};
use tempfile::TempDir;

/// A store in a folder of its own, and a program that accepts mails.
pub(crate) struct TestStore {
    pub(crate) folder: TempDir,
    pub(crate) engine: Engine,
}

impl TestStore {
    /// Makes a store, and `[email]` with this script as program: `$1` is the folder that it may
    /// write to.
    pub(crate) fn new(script: &str, time_limit: &str) -> TestStore {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (masters, key) = MasterKeys::generate().unwrap();
        fs::write(at("key"), key.as_bytes()).unwrap();
        fs::set_permissions(at("key"), PermissionsExt::from_mode(0o600)).unwrap();
        for name in ["store", "sent"] {
            fs::create_dir(at(name)).unwrap();
            fs::set_permissions(at(name), PermissionsExt::from_mode(0o750)).unwrap();
        }
        fs::write(at("program"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(at("program"), PermissionsExt::from_mode(0o700)).unwrap();
        let text = format!(
            "[store]\nurl = \"sqlite:{}\"\nkey_file = \"{}\"\n[email]\ncommand = [\"{}\", \"{}\"]\n\
             from = \"postern@example.com\"\ntimeout = \"{time_limit}\"\n",
            at("store/db").display(),
            at("key").display(),
            at("program").display(),
            at("sent").display(),
        );
        fs::write(at("postern.toml"), text).unwrap();
        let config = file::read_config(&at("postern.toml")).unwrap().config;
        postern_shared::store::create(&config.store, None, &Vault::create(&masters).unwrap())
            .unwrap();
        run_programs(&at("socket"), at("postern.toml"));
        TestStore {
            engine: Engine::open(config).unwrap(),
            folder,
        }
    }

    /// Starts the thread that sends mail.
    pub(crate) fn sends(&self) -> MailThread {
        MailThread::start(self.path(), self.folder.path().join("socket")).unwrap()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("postern.toml")
    }

    /// Returns the files that the program has written.
    pub(crate) fn sent(&self, beginning: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path().join("sent"))
            .unwrap()
            .flatten();
        let begins = |path: &Path| {
            path.file_name()
                .is_some_and(|n| n.to_string_lossy().starts_with(beginning))
        };
        files
            .map(|file| file.path())
            .filter(|path| begins(path))
            .collect()
    }
}

/// Serves each connection on its own, as postern-mail.socket does.
fn run_programs(socket: &Path, config: PathBuf) {
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, config) = (stream.unwrap(), config.clone());
            // posternd may have given up
            thread::spawn(move || drop(serve_at(&stream, &config)));
        }
    });
}

pub(crate) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}

pub(crate) fn address(text: &str) -> EmailAddress {
    text.parse().unwrap()
}

#[track_caller]
pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is() {
        assert!(began.elapsed() < Duration::from_secs(20), "never {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
