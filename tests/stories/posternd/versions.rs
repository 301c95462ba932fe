//! The protocol of this release and of the release before: access is granted whichever of module,
//! daemon and `--stdio` is older. Without a common version, the fallback decides, or access is
//! denied and the log says what to install.

use crate::pam::process::PAM_HOST;
use postern_shared::protocol::{Greeting, VERSIONS, receive};
use std::fs::{self};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use testhost::{
    HOST_SOCKET, Host, PROGRAM, PamHost, Person, Phone, Posternd, Terminal,
    install_previous_module, install_previous_posternd, patiently, set_mode,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Daemon,
    Stdio,
}

/// Prepares alice, who signs in by sshd and uses sudo.
#[track_caller]
fn alice(host: &Host) -> (Person, Phone) {
    host.sudoers("alice ALL=(ALL) ALL");
    host.clock.as_setuid_programs_see_it();
    host.configure("[totp]\nperiod = \"2m\"\n");
    let (alice, phone) = host.enrolled_user("alice");
    (alice, phone)
}

#[track_caller]
fn alice_enters(host: &Host, (alice, phone): &(Person, Phone)) {
    alice
        .with_key()
        .is_refused(&phone.wrong(), "That code is wrong");
    alice.with_key().enters_with(&phone.code());
    host.journal
        .says("accepted cause=code address=127.0.0.1 service=sshd user=\"alice\"");
    let mut sudo = Terminal::run(alice.on_this_host("sudo -k id -un"));
    sudo.expect("password for alice: ").types(&alice.password);
    sudo.expect("Verification code: ")
        .types(&phone.code_in(1))
        .expect("root");
    assert!(sudo.ends().status.success());
    host.journal
        .says("pam_totp(sudo:auth): accepted cause=code");
}

/// Returns the protocol versions of the posternd that listens.
#[track_caller]
fn versions() -> Vec<u16> {
    let mut stream = UnixStream::connect(HOST_SOCKET).expect("posternd listens");
    receive::<Greeting>(&mut stream)
        .expect("posternd greets")
        .versions
}

#[track_caller]
fn old_module_at(server: Server) {
    let host = Host::without_posternd();
    install_previous_module();
    let people = alice(&host);
    let posternd = (server == Server::Daemon).then(Posternd::start);
    if posternd.is_some() {
        assert_eq!(versions(), VERSIONS);
    }
    alice_enters(&host, &people);
    assert_eq!(
        posternd.map(|posternd| posternd.log()).unwrap_or_default(),
        ""
    );
}

#[track_caller]
fn new_module_at_old(server: Server) {
    let host = Host::without_posternd();
    let people = alice(&host);
    install_previous_posternd();
    let posternd = (server == Server::Daemon).then(Posternd::start);
    if posternd.is_some() {
        assert_eq!(versions(), VERSIONS[1..]);
        // Without the fallback, only the daemon can decide.
        fs::remove_file(PROGRAM).expect("root may do it");
    }
    alice_enters(&host, &people);
    assert_eq!(
        posternd.map(|posternd| posternd.log()).unwrap_or_default(),
        ""
    );
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn an_old_module_and_a_new_daemon() {
    old_module_at(Server::Daemon);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn an_old_module_and_a_new_fallback() {
    old_module_at(Server::Stdio);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_new_module_and_an_old_daemon() {
    new_module_at_old(Server::Daemon);
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn a_new_module_and_an_old_fallback() {
    new_module_at_old(Server::Stdio);
}

/// During an upgrade, the running old daemon serves `auth` and the new fallback serves `account`,
/// and the reverse.
#[test]
#[ignore = "needs the test host: tests/run"]
fn a_transaction_may_begin_with_the_old_posternd_and_end_with_the_new_one() {
    let host = Host::without_posternd();
    host.requires_totp("guest", "first_factor=passed");
    let phone = host.person("alice").enrols();
    let enters = |meanwhile: &mut dyn FnMut()| {
        host.clock.forward(30);
        let mut pam = PamHost::start(PAM_HOST, "guest", b"alice", &["--pause"]);
        pam.expect("pause");
        pam.continues();
        pam.expect("prompt");
        pam.answers(&phone.code().as_str().into());
        pam.expect("pause");
        meanwhile();
        pam.continues();
        let ended = pam.ends();
        assert!(ended.entered(), "{ended:?}\n{}", host.journal.rest());
    };
    let new = Previous::aside();
    let mut old = Some(Posternd::start());
    assert_eq!(versions(), VERSIONS[1..]);
    new.put_back();
    enters(&mut || drop(old.take()));
    // The new fallback serves `auth`, then an old daemon serves `account`.
    enters(&mut || {
        let new = Previous::aside();
        old = Some(Posternd::start());
        assert_eq!(versions(), VERSIONS[1..]);
        new.put_back();
    });
}

/// The posternd of this release, while the previous release is installed in its place.
struct Previous(Vec<u8>);

impl Previous {
    #[track_caller]
    fn aside() -> Previous {
        let new = fs::read(testhost::REAL_PROGRAM).expect("it is installed");
        install_previous_posternd();
        Previous(new)
    }

    #[track_caller]
    fn put_back(self) {
        // A running process keeps its unlinked file.
        fs::remove_file(testhost::REAL_PROGRAM).expect("root may do it");
        fs::write(testhost::REAL_PROGRAM, self.0).expect("root may do it");
        set_mode(testhost::REAL_PROGRAM, 0o755);
    }
}

/// Sends a greeting with an unknown version and waits.
const STRANGE: &str = "bytes([8,0,0,0,1,0,2,0,0,0,0x0f,0x27])";

/// Daemon that runs as root and speaks an unknown version.
struct Strange(Child);

impl Strange {
    #[track_caller]
    fn listens() -> Strange {
        let _ = fs::create_dir("/run/postern");
        let _ = fs::remove_file(HOST_SOCKET);
        let script = format!(
            "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\nheld=[]\n\
             while True:\n c,_=s.accept()\n held.append(c)\n try:\n  c.send({STRANGE})\n except OSError:\n  pass"
        );
        let child = Command::new("/usr/bin/python3")
            .args(["-c", &script, HOST_SOCKET])
            .spawn();
        let strange = Strange(child.expect("it starts"));
        patiently("it listens", || Ok(UnixStream::connect(HOST_SOCKET).ok()));
        strange
    }
}

impl Drop for Strange {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = fs::remove_file(HOST_SOCKET);
    }
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn where_no_version_is_shared_the_fallback_decides_or_the_log_says_what_to_install() {
    let host = Host::without_posternd();
    let people = alice(&host);
    let _strange = Strange::listens();
    alice_enters(&host, &people);

    let script = format!(
        "#!/usr/bin/python3\nimport socket\ns=socket.socket(fileno=0)\ns.send({STRANGE})\ns.recv(1)\n"
    );
    fs::write(PROGRAM, script).expect("root may do it");
    host.requires_totp("guest", "first_factor=passed");
    let ended = PamHost::start(PAM_HOST, "guest", b"alice", &[]).ends();
    assert_eq!(ended.number(), Some(9), "{ended:?}");
    host.journal.says(
        "refused cause=unavailable address=- service=guest user=\"alice\": posternd --stdio and pam_totp.so have \
         different versions; install both of one version",
    );
}
