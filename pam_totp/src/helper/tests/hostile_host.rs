//! The host process of a case: it makes its own surroundings hostile, and starts the helper.

use super::*;

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    SIGNALS.fetch_add(1, Ordering::SeqCst);
}

fn handle_child_signal(action: libc::sighandler_t) {
    // SAFETY: the handler only counts.
    unsafe { libc::signal(libc::SIGCHLD, action) };
}

/// Soft limit only where it has to be raised again to write the result.
fn limit(resource: u32, soft: u64, hard: u64) {
    sys::set_limits(resource as _, soft, hard).unwrap();
}

fn blocked_signals() -> Vec<bool> {
    // SAFETY: sigset_t is plain data, which libc fills.
    unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), &raw mut mask);
        (1..=64)
            .map(|signal| libc::sigismember(&raw const mask, signal) == 1)
            .collect()
    }
}

fn open_descriptors() -> Vec<i32> {
    // SAFETY: asks about numbers.
    (0..256)
        .filter(|fd| unsafe { libc::fcntl(*fd, libc::F_GETFD) } >= 0)
        .collect()
}

fn enter_cgroup(folder: &str, delegated: bool) {
    fs::create_dir_all(folder).unwrap();
    if delegated {
        std::os::unix::fs::chown(folder, Some(NOBODY), None).unwrap();
    }
    fs::write(format!("{folder}/cgroup.procs"), "0").unwrap();
}

fn close_standard(fds: &[i32]) {
    for fd in fds {
        let _ = nix::unistd::close(*fd);
    }
}

/// Applies a condition to this process.
fn apply(case: &str) {
    let mount = "/sys/fs/cgroup";
    let name = format!("postern-test-{}", std::process::id());
    match case {
        // SAFETY: numbers only; this process is the test's own.
        "real-user" | "stopped-copy" => unsafe { assert_eq!(libc::setresuid(1234, 0, 0), 0) },
        "nproc" => {
            // SAFETY: as above.
            unsafe { assert_eq!(libc::setresuid(1234, 0, 0), 0) };
            let (_, hard) = sys::limits(libc::RLIMIT_NPROC as _).unwrap();
            limit(libc::RLIMIT_NPROC, 0, hard);
        }
        "fsize" => limit(libc::RLIMIT_FSIZE, 0, libc::RLIM64_INFINITY),
        "as" => limit(libc::RLIMIT_AS, 1, libc::RLIM64_INFINITY),
        "data" => limit(libc::RLIMIT_DATA, 1, libc::RLIM64_INFINITY),
        "cpu" => limit(libc::RLIMIT_CPU, 2, libc::RLIM64_INFINITY),
        "nofile" => limit(libc::RLIMIT_NOFILE, 0, 1024),
        "nofile-few" => {
            let first_free = (0..)
                .zip(open_descriptors())
                .find(|(n, fd)| n != fd)
                .map_or(open_descriptors().len() as u64, |(n, _)| n as u64);
            limit(libc::RLIMIT_NOFILE, first_free + 4, 1024);
        }
        "ignored" => handle_child_signal(libc::SIG_IGN),
        // SAFETY: blocks a signal of this thread.
        "blocked" => unsafe {
            let mut mask: libc::sigset_t = std::mem::zeroed();
            libc::sigaddset(&raw mut mask, libc::SIGCHLD);
            libc::sigaddset(&raw mut mask, libc::SIGTERM);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const mask, ptr::null_mut());
        },
        "closed" => close_standard(&[0, 1, 2]),
        "closed-0" => close_standard(&[0]),
        "closed-1-2" => close_standard(&[1, 2]),
        // SAFETY: numbers only.
        "nice" => unsafe { assert_eq!(libc::setpriority(libc::PRIO_PROCESS, 0, 19), 0) },
        // SAFETY: numbers and zeroed plain data.
        "batch" => unsafe {
            assert_eq!(
                libc::sched_setscheduler(0, libc::SCHED_IDLE, &std::mem::zeroed()),
                0
            );
        },
        // SAFETY: a mask of one word.
        "affinity" => unsafe {
            assert_eq!(
                libc::sched_setaffinity(0, 8, (&raw const ONE_PROCESSOR).cast()),
                0
            );
        },
        "oom" => fs::write("/proc/self/oom_score_adj", "1000").unwrap(),
        // SAFETY: numbers only.
        "umask" => unsafe {
            libc::umask(0);
        },
        "threads" => {
            for _ in 0..8 {
                std::thread::spawn(|| {
                    loop {
                        drop(std::hint::black_box(vec![1u8; 4096]));
                    }
                });
            }
        }
        "no-capability" => drop_resource_capability(),
        "cgroup-delegated" => enter_cgroup(&format!("{mount}/unified/{name}"), true),
        "cgroup-session" => enter_cgroup(&format!("{mount}/unified/user.slice/{name}"), false),
        "cgroup-v1-freezer" => enter_cgroup(&format!("{mount}/freezer/{name}"), true),
        "cgroup-v1-session" => enter_cgroup(&format!("{mount}/systemd/user.slice/{name}"), false),
        "cgroup-stuck" => {
            enter_cgroup(&format!("{mount}/unified/{name}"), true);
            let script =
                "mount --make-rprivate / && mount -o remount,bind,ro /sys/fs/cgroup/unified";
            // SAFETY: this thread only, which then starts the helper.
            unsafe { assert_eq!(libc::unshare(libc::CLONE_NEWNS), 0) };
            assert!(
                Command::new("/bin/sh")
                    .args(["-c", script])
                    .status()
                    .unwrap()
                    .success()
            );
        }
        _ => {}
    }
}

static ONE_PROCESSOR: u64 = 1;

/// A container's root, with a hard limit that it may not raise.
fn drop_resource_capability() {
    limit(libc::RLIMIT_FSIZE, 1 << 20, 1 << 20);
    let header = [0x2008_0522_u32, 0];
    let mut sets = [0u32; 6];
    // SAFETY: a header of version 3, and its two sets of three words.
    unsafe {
        assert_eq!(
            libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr()),
            0
        );
        // CAP_SYS_RESOURCE, from all three sets of this thread and from what a program could get
        // back
        for set in &mut sets[..3] {
            *set &= !(1 << 24);
        }
        assert_eq!(libc::prctl(libc::PR_CAPBSET_DROP, 24, 0, 0, 0), 0);
        assert_eq!(
            libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()),
            0
        );
    }
}

#[test]
#[ignore = "run by the tests above"]
fn hostile_host() {
    let (Ok(case), Ok(result)) = (std::env::var(CASE), std::env::var(RESULT)) else {
        return;
    };
    let mut seen = String::with_capacity(64 * 1024);
    if case == "close-listed" {
        let copy = sys::run_in_copy(
            |_: &()| {
                let _ = sys::close_listed_from(3);
                std::process::exit(open_descriptors().len() as i32)
            },
            &(),
        );
        let mut status = 0;
        // SAFETY: the kernel writes one number.
        unsafe { libc::waitpid(copy.unwrap(), &raw mut status, libc::__WCLONE) };
        let open = if libc::WEXITSTATUS(status) == 3 {
            "0 1 2"
        } else {
            "others"
        };
        return fs::write(result, format!("open {open}\n")).unwrap();
    }
    let result = fs::File::create(result).unwrap();
    // SAFETY: kept open in every program, so that the helper would have it.
    unsafe { libc::fcntl(result.as_raw_fd(), libc::F_SETFD, 0) };
    handle_child_signal(count as *const () as libc::sighandler_t);
    apply(&case);
    if case.starts_with("cgroup")
        && fs::read_to_string("/proc/self/cgroup")
            .unwrap()
            .contains("postern-test")
    {
        seen += "host was in it\n";
    }
    let before = (
        SIGNALS.swap(0, Ordering::SeqCst),
        blocked_signals(),
        open_descriptors(),
    )
        .clone();
    let deadline = Instant::now() + Duration::from_secs(10);
    let started = match case.as_str() {
        "stopped-copy" => start_stopped(),
        "missing" => start(c"/no/such/program", &[], deadline),
        "silent" => start(c"/bin/sleep", &[c"1000"], deadline),
        "flood" => start(c"/usr/bin/yes", &[], deadline),
        _ => start(
            c"/bin/sh",
            &[c"-c", &std::ffi::CString::new(FACTS).unwrap()],
            deadline,
        ),
    };
    for resource in [
        libc::RLIMIT_AS,
        libc::RLIMIT_DATA,
        libc::RLIMIT_FSIZE,
        libc::RLIMIT_NOFILE,
    ] {
        let (_, hard) = sys::limits(resource as _).unwrap();
        limit(resource, hard, hard);
    }
    match started {
        Err(error) => seen += &format!("error {error}\n"),
        Ok(helper) => seen += &use_helper(&case, helper),
    }
    // SAFETY: no status is asked for.
    let children = unsafe { libc::waitpid(-1, ptr::null_mut(), libc::__WALL | libc::WNOHANG) };
    let children = if children == -1 {
        Errno::last().to_string()
    } else {
        "there".to_owned()
    };
    seen += &format!("children {}\n", children.split(':').next().unwrap());
    seen += &format!("signals {}\n", SIGNALS.load(Ordering::SeqCst));
    let same = |same| if same { "the same" } else { "changed" };
    seen += &format!("descriptors {}\n", same(open_descriptors() == before.2));
    seen += &format!("mask {}\n", same(blocked_signals() == before.1));
    (&result).write_all(seen.as_bytes()).unwrap();
}

/// Reads what the helper inherited, does to it what the case says, and sees whether it still
/// echoes.
fn use_helper(case: &str, helper: HelperProcess) -> String {
    let mut seen = String::new();
    let process = helper.process.as_ref().unwrap().try_clone().unwrap();
    let mut helper = BufReader::new(helper);
    while !["silent", "flood"].contains(&case) && !seen.ends_with("end\n") {
        assert_ne!(helper.read_line(&mut seen).unwrap(), 0, "{seen}");
    }
    let pid: Option<i32> = seen
        .lines()
        .find_map(|line| line.strip_prefix("pid ")?.parse().ok());
    let helper_socket = helper.get_mut();
    if case == "stopped" {
        // SAFETY: the helper's number, and it runs.
        unsafe { libc::kill(pid.unwrap(), libc::SIGSTOP) };
    }
    if case == "signals" {
        seen += &signal_as_another_user(pid.unwrap());
        // SAFETY: the group of this process, which ignores it.
        unsafe {
            libc::setpgid(0, 0);
            libc::signal(libc::SIGTERM, libc::SIG_IGN);
            libc::kill(0, libc::SIGTERM);
        }
    }
    if ["stopped", "silent", "flood"].contains(&case) {
        helper_socket.wait_until(Instant::now() + Duration::from_millis(300));
        let mut bytes = [0; 16];
        let error = loop {
            if let Err(error) = helper_socket.read(&mut bytes) {
                break error;
            }
        };
        seen += &format!("read {:?}\n", error.kind());
    } else {
        helper.get_mut().write_all(b"echo works\n").unwrap();
        helper.read_line(&mut seen).unwrap();
    }
    drop(helper);
    let deadline = Instant::now() + Duration::from_secs(10);
    let ended = wait_until(process.as_fd(), PollFlags::POLLIN, deadline);
    seen += if ended == Ok(true) {
        "left behind: nothing\n"
    } else {
        "left behind: the helper\n"
    };
    seen
}

/// The results of signals that a user sends.
fn signal_as_another_user(pid: i32) -> String {
    let script = format!("kill -STOP {pid} || kill -KILL {pid}");
    let output = Command::new("setpriv")
        .args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "/bin/sh",
            "-c",
            &script,
        ])
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    SIGNALS.store(0, Ordering::SeqCst);
    match String::from_utf8_lossy(&output.stderr)
        .matches("not permitted")
        .count()
    {
        2 => "nobody STOP EPERM KILL EPERM\n".to_owned(),
        _ => format!("{output:?}\n"),
    }
}

/// Starts the helper again and again until a copy is stopped in time, which is a race for a user
/// too.
fn start_stopped() -> Result<HelperProcess, HelperError> {
    let once = || {
        let is_over = Arc::new(AtomicBool::new(false));
        let stopper = stop_copies(Arc::clone(&is_over));
        let started = start(
            c"/bin/cat",
            &[],
            Instant::now() + Duration::from_millis(500),
        );
        is_over.store(true, Ordering::SeqCst);
        stopper.join().unwrap();
        started
    };
    (0..200)
        .map(|_| once())
        .find(Result::is_err)
        .expect("one of so many copies is stopped")
}

/// Stops every child of this process as soon as there is one, as a user may before it is root.
fn stop_copies(is_over: Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        let children = || {
            let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
            let lists =
                tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
            lists
                .collect::<String>()
                .split_whitespace()
                .filter_map(|pid| pid.parse().ok())
                .collect::<Vec<i32>>()
        };
        while !is_over.load(Ordering::SeqCst) {
            for pid in children() {
                // SAFETY: a child of this process.
                unsafe { libc::kill(pid, libc::SIGSTOP) };
            }
        }
    })
}
