//! The file in which a host keeps its break-glass codes: sealed, durable, locked, and of no use as a copy.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use postern_shared::account::name::Service;
use postern_shared::credential::break_glass_code::BreakGlassHash;
use postern_shared::crypto::fleet::host_key::{HostSealKey, HostSealPurpose};
use postern_shared::store::sealed_file::{FileState, OfflineFile};
use postern_shared::system::clock::Timestamp;
use postern_shared::verify::break_glass::{
    OfflineAccess, OfflineGrant, OfflineMethod, OfflineRefusal, OfflineState,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

struct Files {
    folder: tempfile::TempDir,
    file: OfflineFile,
    key: HostSealKey,
}

impl Files {
    fn new() -> Files {
        let folder = tempfile::tempdir().unwrap();
        let file = OfflineFile::at(&folder.path().join("break-glass"));
        file.create(nix::unistd::geteuid()).unwrap();
        Files {
            folder,
            file,
            key: key("host"),
        }
    }

    /// Returns files with a grant of these codes.
    fn with(codes: &[u8]) -> Files {
        let files = Files::new();
        let mut state = OfflineState::default();
        let grant = OfflineGrant {
            codes: codes.iter().map(|number| hash(*number)).collect(),
            security_keys: false,
        };
        state.take_grant(&grant, Timestamp(2_000));
        files.file.lock(&files.key).unwrap().write(state).unwrap();
        files
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.folder.path().join(format!("break-glass{suffix}"))
    }

    fn uses(&self, number: u8) -> Result<(), OfflineRefusal> {
        let mut locked = self.file.lock(&self.key).unwrap();
        let mut state = locked.in_force().unwrap().clone();
        state.use_code(hash(number), access(number))?;
        locked.write(state).unwrap();
        Ok(())
    }

    fn is_replaced(&self) -> bool {
        let locked = self.file.lock(&self.key).unwrap();
        matches!(locked.state, FileState::Replaced(_)) && locked.in_force().is_none()
    }
}

fn key(text: &str) -> HostSealKey {
    HostSealKey::derive(text.as_bytes(), HostSealPurpose::BreakGlass)
}

fn hash(number: u8) -> BreakGlassHash {
    BreakGlassHash([number; 32])
}

fn access(number: u8) -> OfflineAccess {
    OfflineAccess {
        method: OfflineMethod::BreakGlass(hash(number)),
        account: "alice".parse().unwrap(),
        service: Service::from_pam(b"sshd"),
        address: None,
        at: Timestamp(1_000),
    }
}

#[test]
fn a_used_code_stays_used_when_the_file_is_opened_again() {
    let files = Files::new();
    assert_eq!(files.file.lock(&files.key).unwrap().state, FileState::Empty);
    let files = Files::with(&[1, 2]);
    files.uses(1).unwrap();
    assert_eq!(files.uses(1), Err(OfflineRefusal::Used));
    files.uses(2).unwrap();
    for number in [1, 2] {
        assert_eq!(files.uses(number), Err(OfflineRefusal::Used));
    }
    let locked = files.file.lock(&files.key).unwrap();
    assert_eq!(locked.in_force().unwrap().unreported().len(), 2);
}

#[test]
fn of_many_at_once_with_the_same_code_one_is_accepted() {
    let files = Files::with(&[1]);
    let results: Vec<_> = thread::scope(|scope| {
        let uses: Vec<_> = (0..20).map(|_| scope.spawn(|| files.uses(1))).collect();
        uses.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

/// Whatever program copies the files, and whether one or both: the codes of a copy are not valid.
#[test]
fn a_copy_that_is_put_back_brings_no_code_back() {
    for suffixes in [&[""][..], &[".anchor"], &["", ".anchor"]] {
        for options in [&["-p"][..], &["-a", "--remove-destination"], &[]] {
            let files = Files::with(&[1, 2]);
            let copies = tempfile::tempdir().unwrap();
            let copy = |options: &[&str], from: PathBuf, to: PathBuf| {
                let copied = Command::new("cp").args(options).arg(from).arg(to).status();
                assert!(copied.unwrap().success());
            };
            for suffix in suffixes {
                let to = copies.path().join(format!("copy{suffix}"));
                copy(&["-p"], files.path(suffix), to);
            }
            files.uses(1).unwrap();
            for suffix in suffixes {
                let from = copies.path().join(format!("copy{suffix}"));
                copy(options, from, files.path(suffix));
                let mode = fs::Permissions::from_mode(0o600);
                fs::set_permissions(files.path(suffix), mode).unwrap();
            }
            assert!(files.is_replaced(), "{suffixes:?} {options:?}");
        }
    }
}

#[test]
fn a_write_that_is_interrupted_leaves_the_state_before_it() {
    let files = Files::with(&[1]);
    files.uses(1).unwrap();
    let whole = fs::read(files.path("")).unwrap();
    // the slots take turns: each of them may be the one that is not complete
    for slot in [0, whole.len() / 2] {
        let file = fs::OpenOptions::new()
            .write(true)
            .open(files.path(""))
            .unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"\xff\x00\x00\x00half", slot as u64)
            .unwrap();
        let locked = files.file.lock(&files.key).unwrap();
        let newest = matches!(&locked.state, FileState::InForce(state) if state.codes_left() == 0);
        // an older state does not agree with the anchor
        let older = matches!(&locked.state, FileState::Replaced(state) if state.codes_left() == 1);
        assert!(newest || older, "{:?}", locked.state);
        std::os::unix::fs::FileExt::write_all_at(&file, &whole, 0).unwrap();
    }
}

#[test]
fn files_of_another_host_and_altered_ones_hold_nothing() {
    let files = Files::with(&[1]);
    let another = key("other");
    let other = files.file.lock(&another).unwrap();
    assert_eq!(other.state, FileState::Altered);
    drop(other);
    let whole = fs::read(files.path("")).unwrap();
    for content in [
        &b""[..],
        b"\x01",
        &[0xff; 600_000],
        &whole[..whole.len() / 2],
        &whole.iter().map(|byte| byte ^ 1).collect::<Vec<_>>(),
    ] {
        fs::write(files.path(""), content).unwrap();
        let locked = files.file.lock(&files.key).unwrap();
        assert!(locked.in_force().is_none(), "{:?}", locked.state);
    }
    fs::write(files.path(""), vec![0; whole.len()]).unwrap();
    assert_eq!(files.file.lock(&files.key).unwrap().state, FileState::Empty);
}

#[test]
fn files_that_others_can_read_and_links_are_refused() {
    let files = Files::with(&[1]);
    for suffix in ["", ".anchor"] {
        fs::set_permissions(files.path(suffix), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(files.file.lock(&files.key).is_err(), "{suffix}");
        fs::set_permissions(files.path(suffix), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let moved = files.folder.path().join("moved");
    fs::rename(files.path(""), &moved).unwrap();
    assert!(files.file.lock(&files.key).is_err());
    std::os::unix::fs::symlink(&moved, files.path("")).unwrap();
    assert!(files.file.lock(&files.key).is_err());
}

#[test]
fn the_most_uses_with_the_longest_names_fit() {
    let files = Files::with(&[1; 20]);
    let mut locked = files.file.lock(&files.key).unwrap();
    let mut state = OfflineState::default();
    let grant = OfflineGrant {
        codes: (0..20).map(hash).collect(),
        security_keys: true,
    };
    state.take_grant(&grant, Timestamp(2_000));
    let fingerprint = format!("SHA256:{}", "A".repeat(43));
    let longest = |method| OfflineAccess {
        method,
        // a quote is two characters of JSON
        account: "\"".repeat(256).parse().unwrap(),
        service: Service::from_pam(&[b'"'; 64]),
        address: "2001:db8:1111:2222:3333:4444:5555:6666"
            .parse::<std::net::IpAddr>()
            .ok()
            .map(Into::into),
        at: Timestamp(1_000),
    };
    let key = OfflineMethod::SecurityKey(fingerprint.try_into().unwrap());
    for _ in 0..200 {
        state.use_security_key(longest(key.clone())).unwrap();
    }
    for number in 0..20 {
        let method = OfflineMethod::BreakGlass(hash(number));
        state.use_code(hash(number), longest(method)).unwrap();
    }
    locked.write(state.clone()).unwrap();
    drop(locked);
    let locked = files.file.lock(&files.key).unwrap();
    assert_eq!(locked.in_force(), Some(&state));
}
