//! The AppArmor profiles: apparmor_parser accepts them, and they permit what the programs do in a
//! story. Where the kernel has AppArmor, they are enforced too.

use super::coverage::Tracer;
use nix::sys::signal::Signal;
use postern_shared::protocol::host_password::{Candidate, HostPasswordReply, HostPasswordRequest};
use postern_shared::system::admission::AdmissionClass;
use std::fs;
use std::process::Command;
use testhost::{
    APP, HOST_SOCKET, Host, KEY, PROGRAM, PamHost, PasswordHelper, Posternd, REAL_PROGRAM, STORE,
    Systemd, WebClient, assert_contains, checkout, finished, handbook_shell,
};

const PAM_HOST: &str = env!("CARGO_BIN_EXE_pam_host");
const FOLDER: &str = "packaging/apparmor";
/// The program of each profile that is attached to a path.
const PROGRAMS: [(&str, &str); 3] = [
    ("posternd", "/usr/libexec/postern/posternd"),
    ("postern-gate", "/usr/bin/postern-gate"),
    ("postern-password", "/usr/libexec/postern-password"),
];

fn file(profile: &str) -> String {
    checkout(&format!("{FOLDER}/{profile}"))
        .display()
        .to_string()
}

/// Returns a command that parses a profile as the kernel would get it.
fn parser(path: &str) -> Command {
    let mut parser = Command::new("apparmor_parser");
    parser.args(["--skip-kernel-load", "--skip-cache"]);
    parser.args(["--base", "/etc/apparmor.d", "-I"]);
    parser.args([checkout(FOLDER).as_os_str(), path.as_ref()]);
    parser
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn apparmor_understands_the_profiles() {
    let _host = Host::fresh();
    for (profile, _) in PROGRAMS {
        finished(&mut parser(&file(profile)));
    }
    // The abstraction is of use in the profile of a PAM host only.
    let host = "/run/postern-tests/host.profile";
    fs::write(host, profile_of_a_pam_host("")).expect("/run can be written");
    finished(&mut parser(host));
    // A line of one's own, as the page has it.
    let local = "/etc/apparmor.d/local/postern-gate";
    fs::create_dir_all("/etc/apparmor.d/local").expect("/etc can be written");
    let page = "docs/guides/confinement.md";
    finished(&mut handbook_shell(
        page,
        "echo '/etc/letsencrypt",
        "/".as_ref(),
    ));
    finished(&mut parser(&file("postern-gate")));
    fs::write(local, "no rule\n").expect("/etc can be written");
    let output = parser(&file("postern-gate")).output();
    assert!(!output.expect("it is installed").status.success());
    fs::remove_file(local).expect("/etc can be written");
    // The attack: an error in a profile is found.
    let text = fs::read_to_string(file("posternd")).expect("the checkout has it");
    fs::write(host, text.replace(" rwk,", " rwq,")).expect("/run can be written");
    let output = parser(host).output().expect("apparmor_parser is installed");
    assert!(!output.status.success(), "{output:?}");
}

/// A profile for the test program, as the profiles of distributions are for sshd and others.
fn profile_of_a_pam_host(more: &str) -> String {
    format!(
        "abi <abi/3.0>,\ninclude <tunables/global>\nprofile pam-host {PAM_HOST} {{\n\
         include <abstractions/base>\ninclude <abstractions/nameservice>\n\
         include <abstractions/authentication>\n{PAM_HOST} mr,\n{more}}}\n"
    )
}

/// Puts posternd where it is installed, without the script that sets the story's clock.
fn at_its_own_path() {
    fs::rename(REAL_PROGRAM, PROGRAM).expect("/usr can be written");
}

/// Runs posternd, a sign-in, a wrong code and a command of a user.
fn traced_posternd(tracer: &Tracer) {
    let mut host = Host::without_posternd();
    at_its_own_path();
    let (alice, phone) = host.enrolled_user("alice");
    // groups are looked up
    host.configure("[policy]\nrequired = [\"%users\"]\n");
    host.posternd = Some(Posternd::start_under(tracer.command().leak()));
    alice.with_key().enters_with(&phone.code());
    alice.with_key().guesses(&phone.wrong());
    alice.postern("status").does();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_profile_of_posternd_permits_what_it_does() {
    let tracer = Tracer::new("posternd");
    traced_posternd(&tracer);
    let profile = file("posternd");
    tracer.compared(&profile, "posternd", PROGRAM).is_complete();

    // The attack: without a rule that the story needs, the profile is found incomplete.
    let text = fs::read_to_string(&profile).expect("the checkout has it");
    let changed = "/run/postern-tests/posternd.profile";
    for (rule, missing) in [
        ("/var/lib/postern/postern.db{,-wal,-shm} rwk,", STORE),
        ("/etc/postern/** r,", KEY),
        ("@{PROC}/@{pids}/stat r,", "/stat r"),
    ] {
        assert!(text.contains(rule), "{rule}");
        fs::write(changed, text.replace(rule, "")).expect("/run can be written");
        let coverage = tracer.compared(changed, "posternd", PROGRAM);
        assert!(!coverage.is_complete, "{rule}");
        assert_contains(&coverage.text, missing);
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_profile_of_the_gate_permits_what_it_does() {
    let (host, mut web) = Host::with_web();
    let (alice, phone) = host.web_user("alice");
    let tracer = Tracer::new("gate");
    web.gate.restart_through(&tracer.command());
    let client = WebClient::new();
    let refused = client.sends_password(&web.pages, "alice", "not the password");
    assert_eq!(refused.status, 401);
    client.signs_in_and_trusts(&web, &alice, &phone.code());
    assert_eq!(client.loads(&format!("{APP}/")).status, 200);
    web.gate.signal(Signal::SIGHUP);
    web.gate.says("reloaded");
    web.gate.stop();
    tracer
        .compared(&file("postern-gate"), "postern-gate", PROGRAMS[1].1)
        .is_complete();
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn the_profile_of_the_password_helper_permits_what_it_does() {
    let host = Host::fresh();
    let alice = host.person("alice");
    host.pam(
        "postern-gate",
        "@include common-auth\n@include common-account\n",
    );
    let tracer = Tracer::new("password");
    let helper = PasswordHelper::start_through(&tracer.command());
    for (password, reply) in [
        (alice.password.as_str(), HostPasswordReply::Right),
        ("not the password", HostPasswordReply::Wrong),
    ] {
        let request = HostPasswordRequest {
            name: "alice".parse().expect("a name"),
            address: None,
            class: AdmissionClass::Familiar,
            password: Candidate::from_input(password.as_bytes()).expect("a password"),
        };
        let output = PasswordHelper::hears(&request.encode()).expect("the helper answers");
        assert_eq!(HostPasswordReply::decode(&output), Some(reply));
    }
    drop(helper);
    tracer
        .compared(&file("postern-password"), "postern-password", PROGRAMS[2].1)
        .is_complete();
}

/// With abstractions/authentication.d/postern, a PAM host whose profile includes
/// abstractions/authentication can use the module, with posternd and without.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_abstraction_permits_what_the_module_does() {
    let mut host = Host::without_posternd();
    at_its_own_path();
    host.clock.as_setuid_programs_see_it();
    host.requires_totp("guest", "first_factor=passed tries=1");
    for (name, with_daemon) in [("alice", true), ("bob", false)] {
        let (_, phone) = host.enrolled_user(name);
        host.posternd = with_daemon.then(Posternd::start);
        let tracer = Tracer::new("pam-host");
        let mut tool = tracer.command();
        tool.retain(|word| *word != "--daemonize");
        let mut pam = PamHost::start_under(&tool, PAM_HOST, "guest", name.as_bytes(), &[]);
        pam.expect("prompt");
        pam.types(&phone.code());
        assert!(pam.ends().entered());
        let profile = "/run/postern-tests/host.profile";
        fs::write(profile, profile_of_a_pam_host("")).expect("/run can be written");
        tracer.compared(profile, "pam-host", PAM_HOST).is_complete();
        if !with_daemon {
            // posternd --stdio is started as root
            tracer
                .compared(&file("posternd"), "posternd", PROGRAM)
                .is_complete();
        }
        // The attack: without the abstraction the module reaches neither.
        let text = profile_of_a_pam_host("").replace("include <abstractions/authentication>\n", "");
        fs::write(profile, text).expect("/run can be written");
        let coverage = tracer.compared(profile, "pam-host", PAM_HOST);
        assert_contains(
            &coverage.text,
            if with_daemon { HOST_SOCKET } else { PROGRAM },
        );
    }
}

/// The profiles give access to no password of this host but to the helper, and to no home folder.
#[test]
#[ignore = "needs the test host: tests/run"]
fn the_profiles_permit_no_more_than_the_programs_need() {
    let _host = Host::fresh();
    let tracer = Tracer::new("attacker");
    let calls = "execve(\"/attack\", [], 0) = 0\n\
        openat(AT_FDCWD</>, \"x\", O_RDONLY) = 3</etc/shadow>\n\
        openat(AT_FDCWD</>, \"x\", O_RDWR) = 3</etc/postern/postern.key>\n\
        openat(AT_FDCWD</>, \"x\", O_RDONLY) = 3</home/alice/.ssh/id_ed25519>\n\
        openat(AT_FDCWD</>, \"x\", O_RDONLY) = 3</proc/7/environ>\n\
        execve(\"/usr/bin/bash\", [], 0) = 0\n";
    fs::write("/run/postern-tests/attacker.trace/strace.7", calls).expect("/run can be written");
    for (profile, _) in PROGRAMS {
        let coverage = tracer.compared(&file(profile), profile, "/attack");
        let refused = coverage.text.matches("does not permit").count();
        let permitted = usize::from(profile == "postern-password");
        assert_eq!(refused, 5 - permitted, "{}", coverage.text);
    }
}

/// Where the kernel has AppArmor: the profiles are loaded and enforced, and people sign in.
#[test]
#[ignore = "needs the test host: tests/run"]
fn people_sign_in_under_enforced_profiles() {
    if !Loaded::is_possible() {
        println!("SKIPPED: the kernel has no AppArmor, or has a profile of Postern loaded already");
        return;
    }
    let host = Host::without_posternd();
    at_its_own_path();
    host.clock.as_setuid_programs_see_it();
    let (alice, phone) = host.enrolled_user("alice");
    let _loaded = Loaded::load();
    let systemd = Systemd::start();
    systemd.does("start posternd.service");
    alice.with_key().enters_with(&phone.code());
    let process = systemd.process("posternd.service").expect("it runs");
    let label = fs::read_to_string(format!("/proc/{process}/attr/current")).expect("it runs");
    assert_eq!(label.trim_end(), "posternd (enforce)");
    // The attack: what the profile does not permit, the kernel refuses.
    let mut reads = Command::new("aa-exec");
    reads.args(["-p", "posternd", "--", "cat", "/etc/shadow"]);
    let output = reads.output().expect("aa-exec is installed");
    assert!(!output.status.success(), "{output:?}");
}

/// The profiles in the kernel, until this is dropped.
struct Loaded;

impl Loaded {
    fn is_possible() -> bool {
        let enabled = fs::read_to_string("/sys/module/apparmor/parameters/enabled");
        if !enabled.is_ok_and(|text| text.trim_end() == "Y") {
            return false;
        }
        // It may be mounted already.
        let _ = finished_or_not(&["mount", "-t", "securityfs", "none", "/sys/kernel/security"]);
        let loaded = fs::read_to_string("/sys/kernel/security/apparmor/profiles");
        loaded.is_ok_and(|text| !text.contains("postern"))
    }

    fn load() -> Loaded {
        for (profile, _) in PROGRAMS {
            Loaded::parser("--add", profile);
        }
        Loaded
    }

    fn parser(act: &str, profile: &str) {
        let (include, path) = (checkout(FOLDER).display().to_string(), file(profile));
        let words = [
            "apparmor_parser",
            act,
            "--skip-cache",
            "-I",
            &include,
            &path,
        ];
        assert!(finished_or_not(&words), "{words:?}");
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        for (profile, _) in PROGRAMS {
            Loaded::parser("--remove", profile);
        }
    }
}

fn finished_or_not(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    let output = command.args(&words[1..]).output();
    output.is_ok_and(|output| output.status.success())
}
