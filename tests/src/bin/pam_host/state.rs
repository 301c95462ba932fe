//! The state of this process that a PAM module could change and not restore.

use crate::ffi;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// Returns descriptors, threads and environment, and umask, ids, signals, limits and folders from
/// /proc.
pub(crate) fn describe() -> Value {
    let descriptors = names("/proc/self/fd").into_iter().filter_map(|number| {
        // The descriptor that reads the folder is closed by now.
        let leads = fs::read_link(format!("/proc/self/fd/{number}")).ok()?;
        let flags = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
        let flags = flags
            .lines()
            .find(|line| line.starts_with("flags:"))?
            .to_owned();
        Some(format!("{number} {} {flags}", leads.display()))
    });
    let wanted = [
        "Umask",
        "Uid",
        "Gid",
        "Groups",
        "SigBlk",
        "SigIgn",
        "SigCgt",
        "NoNewPrivs",
        "CapEff",
        "Seccomp",
    ];
    let status = fs::read_to_string("/proc/self/status").expect("one's own status");
    let status: Vec<_> = status
        .lines()
        .filter(|line| {
            wanted
                .iter()
                .any(|name| line.starts_with(&format!("{name}:")))
        })
        .collect();
    let mut environment: Vec<_> = std::env::vars_os()
        .map(|(name, value)| format!("{name:?}={value:?}"))
        .collect();
    environment.sort();
    json!({
        "descriptors": descriptors.collect::<Vec<_>>(),
        "threads": threads(),
        "environment": environment,
        "status": status,
        "handlers": ffi::signal_handlers(),
        "limits": fs::read_to_string("/proc/self/limits").expect("one's own limits"),
        "folders": [std::env::current_dir().ok(), fs::read_link("/proc/self/root").ok()],
    })
}

/// Counts the threads, once the host's own ended threads are gone from /proc too.
fn threads() -> usize {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let threads = names("/proc/self/task").len();
        if threads == 1 || Instant::now() > deadline {
            return threads;
        }
        std::thread::yield_now();
    }
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder)
        .expect("one's own folder in /proc")
        .flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
