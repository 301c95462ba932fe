//! The results, as tables in Markdown.

use crate::contestants::Kind;
use crate::login::{Many, Timings};
use crate::memory::field;
use crate::revocation::Revocations;
use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};
use testhost::{STORE, STORE_FOLDER, finished};

/// Syncs of the disk that are timed.
const SYNCS: usize = 50;

/// Prints the machine, and the size of the module.
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
        "{processors} processors ({}), Linux {}, {}, where 4 KiB more and fdatasync take {} µs, a small new file and fsync {} µs\n",
        model.unwrap_or("unknown"),
        kernel.trim(),
        disk.trim(),
        appended().as_micros(),
        new_file().as_micros()
    );
    for folder in [
        "/usr/lib/x86_64-linux-gnu/security",
        "/usr/lib/aarch64-linux-gnu/security",
    ] {
        if let Ok(module) = fs::metadata(format!("{folder}/pam_totp.so")) {
            println!("pam_totp.so: {} kB\n", module.len() / 1000);
        }
    }
}

/// Returns the median time of a durable write at the end of a file.
fn appended() -> Duration {
    let path = probe(0);
    let mut file = File::create(&path).expect("the store's folder can be written");
    let time = synced(|_| file.write_all(&[1; 4096]).and_then(|()| file.sync_data()));
    fs::remove_file(&path).expect("it is there");
    time
}

/// Returns the median time of a durable write of a new file, as modules do that keep their state in
/// one.
fn new_file() -> Duration {
    let time = synced(|number| {
        let mut file = File::create(probe(number))?;
        file.write_all(&[1; 200]).and_then(|()| file.sync_all())
    });
    (0..SYNCS).for_each(|number| fs::remove_file(probe(number)).expect("it is there"));
    time
}

fn probe(number: usize) -> String {
    format!("{STORE_FOLDER}/sync-{number}")
}

fn synced(mut write: impl FnMut(usize) -> std::io::Result<()>) -> Duration {
    let mut took: Vec<Duration> = (0..SYNCS)
        .map(|number| {
            let begin = Instant::now();
            write(number).expect("the disk takes it");
            begin.elapsed()
        })
        .collect();
    median(&mut took)
}

/// Prints median and mean times, and the difference to the host and libpam alone. The mean shows a
/// disk that does not sync at the same speed every time.
pub(crate) fn table(title: &str, all: &[Timings]) {
    let of =
        |time: fn(&Timings) -> f64, kind| all.iter().find(|one| one.kind == kind).map_or(0.0, time);
    let above = |time: fn(&Timings) -> f64, one| time(one) - of(time, Kind::Permit);
    let ratio = |time, one| above(time, one) / (of(time, Kind::Google) - of(time, Kind::Permit));
    println!(
        "{title}, {} logins each:\n",
        all.first().map_or(0, |one| one.took.len())
    );
    println!(
        "| module | median | above pam_permit | ÷ google's | mean | above pam_permit | ÷ google's | processor, host | posternd |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|---:|"
    );
    for one in all {
        let [host, daemon] = one
            .processor
            .map(|sum| sum.as_secs_f64() * 1e3 / one.took.len() as f64);
        let columns = [median_of, mean_of].map(|time| {
            format!(
                "{:.2} ms | {:.2} ms | {:.2}",
                time(one),
                above(time, one),
                ratio(time, one)
            )
        });
        println!(
            "| {} | {} | {host:.2} ms | {daemon:.2} ms |",
            one.kind.title(),
            columns.join(" | ")
        );
    }
    println!();
}

/// Returns the median in milliseconds.
fn median_of(one: &Timings) -> f64 {
    median(&mut one.took.clone()).as_secs_f64() * 1e3
}

/// Returns the mean in milliseconds.
fn mean_of(one: &Timings) -> f64 {
    one.took.iter().sum::<Duration>().as_secs_f64() * 1e3 / one.took.len() as f64
}

fn median(took: &mut [Duration]) -> Duration {
    took.sort_unstable();
    took[took.len() / 2]
}

/// Prints the peak memory of hosts.
pub(crate) fn peaks(all: &[(Kind, u64)]) {
    let permit = all.first().map_or(0, |(_, peak)| *peak);
    println!("| peak memory of the host | in all | above pam_permit |\n|---|---:|---:|");
    for (kind, peak) in all {
        println!(
            "| {} | {peak} KiB | {} KiB |",
            kind.title(),
            peak.saturating_sub(permit)
        );
    }
    println!();
}

/// Prints the logins in a second.
pub(crate) fn rates(hosts: usize, all: &[(Kind, f64)]) {
    let google = all
        .iter()
        .find(|(kind, _)| *kind == Kind::Google)
        .map_or(0.0, |(_, rate)| *rate);
    println!("| {hosts} at once | logins in a second | ÷ google's |\n|---|---:|---:|");
    for (kind, rate) in all {
        println!("| {} | {rate:.0} | {:.2} |", kind.title(), rate / google);
    }
    println!();
}

/// Prints the memory of an idle daemon.
pub(crate) fn idle(name: &str, process: u32) {
    let size = |file, name| field(process, file, name).unwrap_or(0);
    let (rss, pss) = (size("status", "VmRSS"), size("smaps_rollup", "Pss"));
    let anonymous = size("smaps_rollup", "Anonymous");
    println!(
        "{name}, idle: {rss} KiB resident, {pss} KiB of it by its share, {anonymous} KiB of it no file's\n"
    );
}

/// Prints the result of many logins without a daemon.
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

/// Prints what revocations took, until the command returned, and the logins beside them.
pub(crate) fn revocations(all: &Revocations) {
    println!("| | median | longest |\n|---|---:|---:|");
    let rows = [
        ("revoking an app password", &all.took),
        ("a login of another meanwhile", &all.logins),
        ("a login, nothing meanwhile", &all.logins_alone),
    ];
    for (what, times) in rows {
        let longest = times.iter().max().copied().unwrap_or_default();
        println!(
            "| {what} | {:.1} ms | {:.1} ms |",
            median(&mut times.clone()).as_secs_f64() * 1e3,
            longest.as_secs_f64() * 1e3
        );
    }
    println!();
}
