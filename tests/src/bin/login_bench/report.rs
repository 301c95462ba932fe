//! What was measured, as tables in Markdown.

use crate::contestants::Kind;
use crate::login::{Many, Timings};
use crate::memory::field;
use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};
use testhost::{STORE, STORE_FOLDER, finished};

/// Syncs of the disk that are timed.
const SYNCS: usize = 50;

/// The machine, and the size of the module.
pub(crate) fn begin() {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, name)| name);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let disk = finished(std::process::Command::new("stat").args(["-f", "-c", "%T", STORE_FOLDER]));
    println!(
        "{processors} processors ({}), Linux {}, {}, where appending 4 KiB and fdatasync take {} µs\n",
        model.unwrap_or("unknown"),
        kernel.trim(),
        disk.trim(),
        sync_time().as_micros()
    );
    for folder in ["/usr/lib/x86_64-linux-gnu/security", "/usr/lib/aarch64-linux-gnu/security"] {
        if let Ok(module) = fs::metadata(format!("{folder}/pam_totp.so")) {
            println!("pam_totp.so: {} kB\n", module.len() / 1000);
        }
    }
}

/// The median time of a small write that is made durable.
fn sync_time() -> Duration {
    let path = format!("{STORE_FOLDER}/sync");
    let mut file = File::create(&path).expect("the store's folder can be written");
    let mut took: Vec<Duration> = (0..SYNCS)
        .map(|_| {
            let begin = Instant::now();
            file.write_all(&[1; 4096]).and_then(|()| file.sync_data()).expect("the disk takes it");
            begin.elapsed()
        })
        .collect();
    fs::remove_file(&path).expect("it is there");
    median(&mut took)
}

/// Median times, and what is above the host and libpam alone.
pub(crate) fn table(title: &str, all: &[Timings]) {
    let medians: Vec<(Kind, Duration)> =
        all.iter().map(|one| (one.kind, median(&mut one.took.clone()))).collect();
    let of = |kind| medians.iter().find(|(of, _)| *of == kind).map_or(Duration::ZERO, |(_, median)| *median);
    let above = |median: Duration| median.as_secs_f64() - of(Kind::Permit).as_secs_f64();
    let google = above(of(Kind::Google));
    println!("{title}, {} logins each:\n", all.first().map_or(0, |one| one.took.len()));
    println!(
        "| module | median | above pam_permit | ÷ google's | processor, host | posternd |\n|---|---:|---:|---:|---:|---:|"
    );
    for ((kind, median), one) in medians.iter().zip(all) {
        let [host, daemon] = one.processor.map(|sum| sum.as_secs_f64() * 1e3 / one.took.len() as f64);
        let more = above(*median);
        let (title, median) = (kind.title(), median.as_secs_f64() * 1e3);
        println!(
            "| {title} | {median:.2} ms | {:.2} ms | {:.2} | {host:.2} ms | {daemon:.2} ms |",
            more * 1e3,
            more / google
        );
    }
    println!();
}

fn median(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}

/// Peak memory of hosts.
pub(crate) fn peaks(all: &[(Kind, u64)]) {
    let permit = all.first().map_or(0, |(_, peak)| *peak);
    println!("| peak memory of the host | in all | above pam_permit |\n|---|---:|---:|");
    for (kind, peak) in all {
        println!("| {} | {peak} KiB | {} KiB |", kind.title(), peak.saturating_sub(permit));
    }
    println!();
}

/// Logins in a second.
pub(crate) fn rates(hosts: usize, all: &[(Kind, f64)]) {
    let google = all.iter().find(|(kind, _)| *kind == Kind::Google).map_or(0.0, |(_, rate)| *rate);
    println!("| {hosts} at once | logins in a second | ÷ google's |\n|---|---:|---:|");
    for (kind, rate) in all {
        println!("| {} | {rate:.0} | {:.2} |", kind.title(), rate / google);
    }
    println!();
}

/// Memory of a daemon that has nothing to do.
pub(crate) fn idle(name: &str, process: u32) {
    let size = |file, name| field(process, file, name).unwrap_or(0);
    let (rss, pss) = (size("status", "VmRSS"), size("smaps_rollup", "Pss"));
    let anonymous = size("smaps_rollup", "Anonymous");
    println!(
        "{name}, idle: {rss} KiB resident, {pss} KiB of it by its share, {anonymous} KiB of it no file's\n"
    );
}

/// Many logins without a daemon.
pub(crate) fn many(logins: usize, run: &Many) {
    let wal = fs::metadata(format!("{STORE}-wal")).map_or(0, |metadata| metadata.len());
    println!(
        "{logins} logins without a daemon, several at a time: {:.0} in a second; the write-ahead log had {} KiB at \
         most, and {} KiB at the end\n",
        logins as f64 / run.took.as_secs_f64(),
        run.longest_wal / 1024,
        wal / 1024
    );
}
