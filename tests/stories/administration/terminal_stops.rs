//! A user stops `sudo postern …` by Ctrl-Z during a transaction. Sign-ins of other users do not
//! wait for the stopped process.

use crate::administration::root_commands::is_posternds;
use nix::sys::signal::Signal;
use std::fs;
use std::process::Command;
use testhost::{Host, Postern, Terminal, finished, signal, wait_until};

const LIBRARY: &str = "/usr/local/lib/slow_sync.so";
const SYNCS: &str = "/tmp/postern-syncs";
/// Source of a library that delays the first fsync of a process by two seconds, as a busy disk
/// does.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>
static void slow(void) {
    static int done;
    if (done++) return;
    close(open("/tmp/postern-syncs", O_CREAT | O_WRONLY, 0600));
    struct timespec left = { 2, 0 };
    while (nanosleep(&left, &left)) ;
}
int fdatasync(int fd) { slow(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
int fsync(int fd) { slow(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
"#;

/// Returns the state of a process by proc_pid_stat(5); `T` is stopped.
fn state(process: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(") ").next()?.chars().next()
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_command_that_is_stopped_inside_a_transaction_ends_it_first() {
    let host = Host::fresh();
    host.sudoers("alice ALL=(ALL) ALL");
    host.clock.as_setuid_programs_see_it();
    host.configure("[totp]\nperiod = \"2m\"\n");
    let (alice, bob) = (host.person("alice"), host.person("bob"));
    let (phone, other) = (alice.enrols(), bob.enrols());
    let source = "/tmp/slow_sync.c";
    fs::write(source, SOURCE).expect("the copy of the host can be written");
    finished(Command::new("gcc").args(["-shared", "-fPIC", "-o", LIBRARY, source, "-ldl"]));
    let _ = fs::remove_file(SYNCS);

    // The kernel never stops an orphaned process group, so the command runs in a shell with job
    // control.
    let preloaded = format!(
        "set -m; sudo -k env LD_PRELOAD={LIBRARY} postern account add carol; echo back; read _"
    );
    let mut terminal = Terminal::run(alice.on_this_host(&preloaded));
    terminal
        .expect("password for alice: ")
        .types(&alice.password);
    terminal.expect("Verification code: ").types(&phone.code());
    wait_until("the commit is being synced", || fs::exists(SYNCS));
    let command = terminal.process_of("postern");
    is_posternds(command);
    terminal.types_bytes(&[0x1a]);
    bob.with_key().enters_with(&other.code());
    wait_until("the command is stopped", || Ok(state(command) == Some('T')));
    // The stopped process holds no lock of the store.
    Postern::call("account add dave").does();
    let status = Postern::call("status carol");
    status.does();
    signal(command, Signal::SIGCONT);
    terminal.closes();
}
