//! The fault: the state of a module is missing, damaged, of another owner, or on a disk that cannot
//! be written.

use super::bench::{Bench, Outcome, Seen, TWICE, word};
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::process::Command;
use testhost::{Disk, finished};

/// Signs in twice with the same right code, while the state is damaged.
fn while_so(bench: &Bench<'_>) -> Seen {
    let code = bench.alice.code();
    let (first, second) = (bench.login(&code), bench.login(&code));
    let twice = (first == Outcome::In && second == Outcome::In).then_some(TWICE);
    Seen::new(word(first)).but(twice)
}

/// Damages the state, signs in, and restores the state.
fn spoiled(bench: &Bench<'_>, spoil: impl FnOnce(&str)) -> Seen {
    spoil(bench.module.state());
    let seen = while_so(bench);
    bench.module.restore();
    seen
}

pub(crate) fn missing(bench: &Bench<'_>) -> Seen {
    spoiled(bench, |state| {
        fs::remove_file(state).expect("a file can be removed")
    })
}

pub(crate) fn empty(bench: &Bench<'_>) -> Seen {
    spoiled(bench, |state| {
        finished(Command::new("truncate").args(["--size=0", state])).clear()
    })
}

pub(crate) fn truncated(bench: &Bench<'_>) -> Seen {
    spoiled(bench, |state| {
        let half = fs::metadata(state).expect("there is state").len() / 2;
        finished(Command::new("truncate").args([&format!("--size={half}"), state]));
    })
}

pub(crate) fn of_a_stranger(bench: &Bench<'_>) -> Seen {
    spoiled(bench, |state| {
        chown(state, Some(4321), None).expect("an owner can be set")
    })
}

/// The link's target belongs to another user, and everyone may write it.
pub(crate) fn linked_to_a_strangers(bench: &Bench<'_>) -> Seen {
    const REAL: &str = "/var/tmp/beside-state";
    let seen = spoiled(bench, |state| {
        fs::copy(state, REAL).expect("a file can be copied");
        finished(Command::new("chown").args(["4321", REAL]));
        finished(Command::new("chmod").args(["0666", REAL]));
        fs::remove_file(state).expect("a file can be removed");
        symlink(REAL, state).expect("a link can be made");
    });
    fs::remove_file(REAL).expect("a file can be removed");
    seen
}

/// Files that a killed process may leave, under the names that are common for locks and copies.
pub(crate) fn stale_locks(bench: &Bench<'_>) -> Seen {
    let state = bench.module.state();
    for left in ["lock", "new", "tmp"] {
        let left = format!("{state}.{left}");
        fs::write(&left, "4711\n").expect("a file can be written");
        finished(
            Command::new("chown")
                .arg(format!("--reference={state}"))
                .arg(&left),
        );
        finished(Command::new("chmod").args(["0600", &left]));
    }
    let left = format!("{state}~");
    finished(Command::new("cp").args(["--archive", state, &left]));
    while_so(bench)
}

pub(crate) fn on_a_full_disk(bench: &Bench<'_>) -> Seen {
    let folder = bench.module.folder();
    let disk = Disk::over(folder, "4m");
    let filler = format!("{folder}/filler");
    // This write fills the disk.
    let _ = fs::write(&filler, vec![0; 8 << 20]);
    let seen = while_so(bench);
    fs::remove_file(&filler).expect("a file can be removed");
    on_its_own_disk(bench, disk, seen)
}

pub(crate) fn on_a_read_only_disk(bench: &Bench<'_>) -> Seen {
    let folder = bench.module.folder();
    let disk = Disk::over(folder, "4m");
    finished(Command::new("mount").args(["-o", "remount,ro", folder]));
    let seen = while_so(bench);
    finished(Command::new("mount").args(["-o", "remount,rw", folder]));
    on_its_own_disk(bench, disk, seen)
}

/// The next login begins with the state that the fault left on the disk.
fn on_its_own_disk(bench: &Bench<'_>, disk: Disk, seen: Seen) -> Seen {
    bench.host.clock.forward(90);
    let later = bench.login(&bench.alice.code());
    drop(disk);
    seen.but((later != Outcome::In).then_some("the state is lost"))
}
