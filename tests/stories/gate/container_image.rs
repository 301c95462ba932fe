//! The container image: what buildah makes of it, and its programs on its root, with the users,
//! mounts and capabilities of compose.yaml. No container engine runs here.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use testhost::{Host, assert_contains, checkout, finished, patiently, tcp_reply};

const FOLDER: &str = "/run/postern-tests/container";
const ROOT: &str = "/run/postern-tests/container/root";
const PORT: u16 = 9091;
/// Users and the group of the image.
const GATE: &str = "902:900";
const POSTERND: &str = "901:900";

fn compose() -> String {
    fs::read_to_string(checkout("packaging/container/compose.yaml")).expect("the checkout has it")
}

/// Builds the image by packaging/container/build.
#[track_caller]
fn build(options: &[&str]) {
    let _ = fs::remove_dir_all(FOLDER);
    fs::create_dir_all(FOLDER).expect("/run can be written");
    finished(Command::new(checkout("packaging/container/build")).args(options));
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_image_runs_as_a_user_and_has_a_health_check_and_no_shell() {
    let _host = Host::without_posternd();
    let image = format!("{FOLDER}/image.tar");
    build(&["--to", &image]);
    finished(Command::new("tar").args(["-C", FOLDER, "-xf", &image]));
    let read = |name: &str| -> Value {
        let text = fs::read_to_string(format!("{FOLDER}/{name}")).expect("the image has it");
        serde_json::from_str(&text).expect("JSON")
    };
    let manifest = read("manifest.json");
    let tag = manifest[0]["RepoTags"][0].as_str().expect("a tag");
    assert_contains(compose(), format!("image: {tag}\n"));
    let described = read(manifest[0]["Config"].as_str().expect("a file"));
    let config = &described["config"];
    for (key, value) in [
        ("User", json!("postern-gate:postern")),
        ("Entrypoint", json!(["/usr/bin/postern-gate"])),
        ("ExposedPorts", json!({"9091/tcp": {}})),
        (
            "Volumes",
            json!({"/etc/postern": {}, "/var/lib/postern": {}}),
        ),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
    let health = &config["Healthcheck"]["Test"];
    assert_eq!(*health, json!(["CMD", "/usr/libexec/postern/healthy"]));

    let layer = manifest[0]["Layers"][0].as_str().expect("a layer");
    let mut list = Command::new("tar");
    list.args(["-tvf", &format!("{FOLDER}/{layer}")]);
    let files = finished(&mut list);
    for line in files.lines() {
        let (mode, name) = (&line[..10], line.rsplit(' ').next().unwrap_or_default());
        let is_special = mode.contains(['s', 'S']) || mode.starts_with(['b', 'c']);
        assert!(!is_special, "{line}");
        let program = Path::new(name).file_name().unwrap_or_default();
        for unwanted in [
            "sh", "bash", "dash", "busybox", "apt", "dpkg", "su", "mount",
        ] {
            assert!(program != unwanted, "{line}");
        }
    }
    assert_contains(&files, "usr/libexec/postern/posternd");
    assert_contains(&files, "usr/bin/postern");
}

/// The root of the image with the mounts of compose.yaml. It ends with its processes.
struct Container {
    daemons: Vec<Child>,
}

impl Container {
    #[track_caller]
    fn start() -> Container {
        build(&["--root", ROOT]);
        shell(&format!(
            "mount --bind {ROOT} {ROOT}
            mount -t proc none {ROOT}/proc
            mount -t tmpfs none {ROOT}/dev
            for device in null zero random urandom full; do cp -a /dev/$device {ROOT}/dev; done
            mkdir {ROOT}/etc/traefik # print-config writes there, in a mount of its own"
        ));
        Container {
            daemons: Vec::new(),
        }
    }

    /// Makes the root read-only, but for what compose.yaml mounts.
    #[track_caller]
    fn seal(&self) {
        assert_contains(compose(), "read_only: true");
        assert_contains(compose(), "/run/postern:mode=0755,uid=901,gid=900");
        shell(&format!(
            "mount --bind {ROOT}/var/lib/postern {ROOT}/var/lib/postern
            mount -t tmpfs -o mode=0755,uid=901,gid=900 none {ROOT}/run/postern
            mount -o remount,bind,ro {ROOT}"
        ));
    }

    /// Prepares a program as a user without any capability.
    fn program(user: &str, words: &[&str]) -> Command {
        let mut command = Command::new("setpriv");
        // chroot(1) itself needs these; they end with the user root.
        command.args([
            "--no-new-privs",
            "--bounding-set=-all,+sys_chroot,+setuid,+setgid",
        ]);
        command.args([
            "chroot",
            &format!("--userspec={user}"),
            "--groups=900",
            ROOT,
        ]);
        command.args(words).env_clear();
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    fn starts(&mut self, user: &str, program: &str) {
        let mut command = Container::program(user, &[program]);
        let log = fs::File::create(format!("{FOLDER}/{}.log", self.daemons.len()));
        command.stderr(log.expect("/run can be written"));
        let daemon = command.stdin(Stdio::null()).spawn();
        self.daemons.push(daemon.expect("setpriv runs"));
    }

    /// Runs the command as the service `postern` of compose.yaml does: root, with few capabilities.
    #[track_caller]
    fn command(&self, words: &str) -> String {
        let compose = compose();
        let names = compose
            .lines()
            .find_map(|line| line.trim().strip_prefix("cap_add: [")?.strip_suffix(']'))
            .expect("compose.yaml has it");
        let kept: Vec<String> = names
            .split(", ")
            .map(|name| format!("+{}", name.to_ascii_lowercase()))
            .collect();
        let kept = format!("--bounding-set=-all,+sys_chroot,{}", kept.join(","));
        let mut command = Command::new("setpriv");
        command.args(["--no-new-privs", &kept, "chroot", ROOT, "/usr/bin/postern"]);
        command.args(words.split_whitespace()).env_clear();
        finished(command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
    }

    fn is_healthy(&self) -> bool {
        let mut health = Container::program(GATE, &["/usr/libexec/postern/healthy"]);
        health.status().is_ok_and(|status| status.success())
    }

    fn log(&self, number: usize) -> String {
        fs::read_to_string(format!("{FOLDER}/{number}.log")).unwrap_or_default()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
        let mut unmount = Command::new("umount");
        let _ = unmount.args(["--recursive", "--lazy", ROOT]).status();
    }
}

#[track_caller]
fn shell(script: &str) {
    finished(Command::new("bash").args(["-euc", script]));
}

fn check(proof: &str) -> u16 {
    let request = format!(
        "GET /check/traefik HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Postern-Proxy: {proof}\r\n\
         X-Forwarded-Method: GET\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example.com\r\n\
         X-Forwarded-Uri: /\r\nX-Forwarded-For: 192.0.2.1\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n\r\n"
    );
    tcp_reply(PORT, &request).expect("the gate answers").status
}

/// The steps of docs/guides/containers.md, without Docker.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_programs_of_the_image_serve_on_a_read_only_root() {
    let _host = Host::without_posternd();
    let mut container = Container::start();
    // The network of compose.yaml does not exist here: the story itself is the proxy.
    let toml = format!("{ROOT}/etc/postern/postern.toml");
    let text = fs::read_to_string(&toml).expect("the image has it");
    let here = text.replace("172.30.70.0/24", "127.0.0.1");
    assert!(here != text && compose().contains("subnet: 172.30.70.0/24"));
    fs::write(&toml, here).expect("it can be written");
    container.command("init");
    let traefik =
        container.command("print-config traefik --app app.example.com --folder /etc/traefik");
    // The steps of the guide replace these.
    for address in [
        "http://127.0.0.1:9091/check/traefik",
        "http://127.0.0.1:8080",
    ] {
        assert_contains(&traefik, address);
    }
    container.command("account add alice");
    container.seal();
    assert!(!container.is_healthy());

    container.starts(GATE, "/usr/bin/postern-gate");
    container.starts(POSTERND, "/usr/libexec/postern/listen");
    patiently("the gate is healthy", || {
        Ok(container.is_healthy().then_some(()))
    });
    patiently("posternd listens", || {
        Ok(Path::new(&format!("{ROOT}/run/postern/pam.sock"))
            .exists()
            .then_some(()))
    });
    let ready = tcp_reply(9118, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").expect("it answers");
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    let secret = fs::read_to_string(format!("{ROOT}/etc/postern/proxy.secret")).expect("written");
    assert_eq!(check(secret.trim()), 302, "{}", container.log(0));
    assert_eq!(check("not the secret of the proxy"), 403);
    assert_contains(container.command("status"), "alice");
    let status = fs::read_to_string(format!("/proc/{}/status", container.daemons[0].id()));
    let status = status.expect("it runs");
    assert_contains(&status, "Uid:\t902\t902\t902\t902");
    assert_contains(&status, "CapEff:\t0000000000000000");
    assert_contains(&status, "NoNewPrivs:\t1");
    // The attack: a program of the container that was taken over writes to the root.
    for path in ["/usr/bin/new", "/etc/postern/new", "/var/lib/postern/new"] {
        let script = format!("open my $file, '>', '{path}' or exit 9");
        let mut writes = Container::program(GATE, &["/usr/bin/perl", "-e", &script]);
        let status = writes.status().expect("it runs");
        assert_eq!(status.code(), Some(9), "{path}");
    }

    for daemon in &container.daemons {
        testhost::signal(daemon.id(), nix::sys::signal::Signal::SIGTERM);
    }
    for daemon in &mut container.daemons {
        assert!(testhost::ended(daemon).success());
    }
    assert!(!container.is_healthy());
}
