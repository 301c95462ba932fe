//! The relay with a hostile posternd, and with a socket of another user: access is denied, and the
//! host continues.

use super::*;
use crate::host::{MarkStays, NoInput};
use nix::unistd::{Uid, chown};
use postern_shared::protocol::{Echo, Severity};
use std::cell::{Cell, RefCell};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use tempfile::TempDir;

/// A PAM host that types "123456" at each prompt.
#[derive(Default)]
struct FakeHost {
    /// The user, if not alice.
    user: RefCell<Option<String>>,
    prompts: RefCell<u32>,
    logged: RefCell<Vec<String>>,
    mark: RefCell<Option<Vec<u8>>>,
    stacked: RefCell<Option<Vec<u8>>>,
    /// How often the transaction was named, and its last id.
    named: Cell<u8>,
    id: Cell<Option<TransactionId>>,
    /// A function that is called when the name is prompted for.
    asked_for_user: Option<Box<dyn Fn()>>,
}

impl super::HostCalls for FakeHost {
    fn item(&self, item: PamItemType) -> Option<Vec<u8>> {
        match item {
            PamItemType::Service => Some(b"sshd".to_vec()),
            PamItemType::User => {
                if let Some(asked) = &self.asked_for_user {
                    asked();
                }
                self.known_user()
            }
            PamItemType::RemoteHost | PamItemType::Terminal => None,
        }
    }
    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        (name == "SSH_CONNECTION").then(|| b"192.0.2.7 4711 192.0.2.1 22".to_vec())
    }
    fn ask(&self, _: &str, _: Echo) -> Result<Zeroizing<Vec<u8>>, NoInput> {
        *self.prompts.borrow_mut() += 1;
        Ok(Zeroizing::new(b"123456".to_vec()))
    }
    fn tell(&self, _: &str) {}
    fn stacked(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.stacked.borrow().clone().map(Zeroizing::new)
    }
    fn set_stacked(&self, password: &[u8]) {
        self.stacked.replace(Some(password.to_vec()));
    }
    fn delay_failure(&self, _: u64) {}
    fn log(&self, _: Severity, line: &str) {
        self.logged.borrow_mut().push(line.to_owned());
    }
    fn known_user(&self) -> Option<Vec<u8>> {
        let user = self.user.borrow().clone();
        Some(user.unwrap_or_else(|| "alice".to_owned()).into_bytes())
    }
    fn name_transaction(&self) -> Option<TransactionId> {
        let id = TransactionId([self.named.get(); TransactionId::LENGTH]);
        self.named.set(self.named.get() + 1);
        self.id.set(Some(id));
        Some(id)
    }
    fn transaction_id(&self) -> Option<TransactionId> {
        self.id.get()
    }
    fn keep_mark(&self, mark: Vec<u8>) {
        self.mark.replace(Some(mark));
    }
    fn mark(&self) -> Option<Vec<u8>> {
        self.mark.borrow().clone()
    }
    fn remove_mark(&self) -> Result<(), MarkStays> {
        self.mark.replace(None);
        Ok(())
    }
}

/// A socket at which a test acts as posternd, for one connection.
struct Played {
    _folder: TempDir,
    path: PathBuf,
    thread: JoinHandle<()>,
}

fn posternd(play: impl FnOnce(UnixStream) + Send + 'static) -> Played {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("host.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let thread = thread::spawn(move || play(listener.accept().unwrap().0));
    Played {
        _folder: folder,
        path,
        thread,
    }
}

/// The same, with what follows the greeting and the opening.
fn after_opening(play: impl FnOnce(UnixStream, Opening) + Send + 'static) -> Played {
    posternd(move |mut stream| {
        send(&mut stream, &ready()).unwrap();
        let opening = receive(&mut stream).unwrap();
        play(stream, opening);
    })
}

/// Sends a greeting and the given instructions; reads replies until the module closes the
/// connection.
fn sends(instructions: Vec<Instruction>) -> Played {
    after_opening(move |mut stream, _| {
        for instruction in &instructions {
            if send(&mut stream, instruction).is_err() {
                return;
            }
        }
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

fn greeting(state: GreetingState, versions: &[u16]) -> Greeting {
    Greeting {
        versions: versions.to_vec(),
        state,
    }
}

fn ready() -> Greeting {
    greeting(GreetingState::Ready, postern_shared::protocol::VERSIONS)
}

/// Sends a greeting, and closes the connection.
fn greets(state: GreetingState, versions: &[u16]) -> Played {
    let greeting = greeting(state, versions);
    posternd(move |mut stream| send(&mut stream, &greeting).unwrap())
}

fn prompt() -> Instruction {
    Instruction::Ask {
        prompt: Zeroizing::new("Verification code: ".to_owned()),
        echo: Echo::Off,
    }
}

fn relays(
    played: Played,
    hook: PamFunction,
    host: &FakeHost,
    options: &[&str],
) -> PamFunctionResult {
    let options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
    let result = relay(HostUser::Root, &played.path, hook, host, &options);
    played.thread.join().unwrap();
    result
}

/// Returns whether the server at the socket would decide.
fn is_believed(path: &Path) -> bool {
    receive_greeting(path, Instant::now() + ADMITTED).is_ok()
}

const PASSED: PamFunctionResult = PamFunctionResult::Passed;
const UNAVAILABLE: PamFunctionResult = PamFunctionResult::Denied(Denial::Unavailable);
const REFUSED: PamFunctionResult = PamFunctionResult::Denied(Denial::Refused);

#[test]
#[ignore = "a server must be root: tests/run"]
fn allowed_instructions_are_followed() {
    let host = FakeHost::default();
    let mark = Zeroizing::new(b"mark".to_vec());
    let steps = vec![
        prompt(),
        Instruction::KeepMark(mark),
        Instruction::End(PASSED),
    ];
    assert_eq!(relays(sends(steps), PamFunction::Auth, &host, &[]), PASSED);
    assert_eq!(
        (*host.prompts.borrow(), host.mark().unwrap()),
        (1, b"mark".to_vec())
    );

    let played = sends(vec![Instruction::End(PASSED)]);
    assert_eq!(relays(played, PamFunction::Account, &host, &[]), PASSED);
    assert_eq!(host.mark(), None, "a mark is good for one account");

    // `proven` limits auth alone: the mark proves the login to account
    let (played, account) = (sends(vec![Instruction::End(PASSED)]), PamFunction::Account);
    assert_eq!(relays(played, account, &host, &["proven"]), PASSED);
}

#[test]
#[ignore = "a server must be root: tests/run"]
fn an_instruction_that_is_not_allowed_denies() {
    let tell = || Instruction::Tell("x".repeat(30_000));
    let password = || Instruction::SetStacked(Zeroizing::new(b"x".to_vec()));
    let passed = || Instruction::End(PASSED);
    let (auth, account, of_password) = (
        PamFunction::Auth,
        PamFunction::Account,
        PamFunction::Password,
    );
    let asks = || vec![prompt(), passed()];
    let ignored = Instruction::End(PamFunctionResult::NotNeeded);
    let prompts = (0..200).map(|_| prompt()).collect();
    let texts = (0..2_000).map(|_| tell()).collect();
    let stacked = vec![Instruction::GetStacked, passed()];
    let cases: [(&str, PamFunction, &str, Vec<Instruction>); 9] = [
        ("endless prompts", auth, "", prompts),
        ("endless texts", auth, "", texts),
        ("the stacked password, no option", auth, "", stacked),
        ("another password", auth, "", vec![password(), passed()]),
        ("a prompt in account", account, "", asks()),
        ("account ignores", account, "", vec![ignored]),
        ("the result of auth", of_password, "", vec![passed()]),
        ("no completed method", auth, "proven", vec![passed()]),
        ("a prompt of proven", auth, "proven", asks()),
    ];
    for (case, hook, option, instructions) in cases {
        let host = FakeHost {
            stacked: RefCell::new(Some(b"secret".to_vec())),
            ..FakeHost::default()
        };
        assert_eq!(
            relays(sends(instructions), hook, &host, &[option]),
            UNAVAILABLE,
            "{case}"
        );
        assert_eq!(host.logged.borrow().len(), 1, "{case}: {:?}", host.logged);
        assert!(*host.prompts.borrow() <= PROMPTS, "{case}");
        assert_eq!(
            host.stacked.borrow().as_deref(),
            Some(&b"secret"[..]),
            "{case}"
        );
    }
}

/// The mark of a conversation that was cut off let `account` pass.
#[test]
#[ignore = "a server must be root: tests/run"]
fn a_mark_without_a_result_is_not_kept() {
    for last in [None, Some(Instruction::End(REFUSED))] {
        let host = FakeHost::default();
        let played = after_opening(move |mut stream, _| {
            let mark = Zeroizing::new(b"mark".to_vec());
            send(&mut stream, &Instruction::KeepMark(mark)).unwrap();
            if let Some(last) = last {
                send(&mut stream, &last).unwrap();
            }
        });
        assert!(matches!(
            relays(played, PamFunction::Auth, &host, &[]),
            PamFunctionResult::Denied(_)
        ));
        assert_eq!(host.mark(), None);
    }
}

#[test]
#[ignore = "a server must be root: tests/run"]
fn invalid_frames_deny_and_report_that_the_code_may_be_consumed() {
    let cases: [(&str, &[u8]); 5] = [
        ("4 GiB", &[255, 255, 255, 255, 64]),
        ("empty", &[0, 0, 0, 0]),
        ("unknown kind", &[1, 0, 0, 0, 200]),
        ("unknown result", &[2, 0, 0, 0, 72, 0x54]),
        ("cut off", &[9, 0, 0, 0, 65, 1]),
    ];
    for (case, bytes) in cases {
        let host = FakeHost::default();
        let played = after_opening(move |mut stream, _| {
            send(&mut stream, &prompt()).unwrap();
            let _: RelayReply = receive(&mut stream).unwrap();
            stream.write_all(bytes).unwrap();
        });
        assert_eq!(
            relays(played, PamFunction::Auth, &host, &[]),
            UNAVAILABLE,
            "{case}"
        );
        let logged = host.logged.borrow().join("\n");
        assert!(
            logged.contains("may be consumed") && logged.lines().count() == 1,
            "{case}: {logged}"
        );
        assert!(!logged.contains("123456"), "{logged}");
    }
}

/// Sends these bytes once it has a code, and then no more, with the connection open.
fn falls_silent_after(bytes: Vec<u8>) -> Played {
    after_opening(move |mut stream, _| {
        send(&mut stream, &prompt()).unwrap();
        let _: RelayReply = receive(&mut stream).unwrap();
        // the module may have closed the connection already
        let _ = stream.write_all(&bytes);
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// A text of 1 MiB is refused by its length: no memory is allocated for it, and its bytes are not
/// waited for.
#[test]
#[ignore = "a server must be root: tests/run"]
fn a_text_of_1_mib_denies_at_once() {
    let text = vec![b'x'; 1 << 20];
    for kind in [64, 65, 66, 69, 70] {
        let length = u32::try_from(text.len() + 1).unwrap().to_le_bytes();
        let frame = [&length[..], &[kind], &text].concat();
        let host = FakeHost::default();
        let begin = Instant::now();
        assert_eq!(
            relays(falls_silent_after(frame), PamFunction::Auth, &host, &[]),
            UNAVAILABLE,
            "kind {kind}"
        );
        assert!(begin.elapsed() < SILENT, "kind {kind}");
        assert_eq!(
            host.logged.borrow().len(),
            1,
            "kind {kind}: {:?}",
            host.logged
        );
    }
}

/// The module waits for the rest of a frame as long as for a frame, and denies access.
#[test]
#[ignore = "a server must be root: tests/run"]
fn silence_in_the_middle_of_a_frame_denies_in_time() {
    let host = FakeHost::default();
    let begin = Instant::now();
    let cut_off = falls_silent_after(vec![6, 0, 0, 0, 65, 1]);
    assert_eq!(relays(cut_off, PamFunction::Auth, &host, &[]), UNAVAILABLE);
    assert!(begin.elapsed() < SILENT + GREETED, "{:?}", begin.elapsed());
    let logged = host.logged.borrow().join("\n");
    assert!(
        logged.contains("may be consumed") && logged.lines().count() == 1,
        "{logged}"
    );
}

/// Some bytes of a conversation are changed, and the connection ends. The hook ends in time, and
/// access is granted only where the last instruction arrived unchanged.
#[test]
#[ignore = "a server must be root: tests/run"]
fn instructions_with_changed_bytes_end_within_bounds() {
    let mut whole = Vec::new();
    let texts = ["one", "two"].map(|text| Instruction::Tell(text.to_owned()));
    for instruction in texts.iter().chain([
        &prompt(),
        &Instruction::DelayFailure(3),
        &Instruction::StillWorking,
    ]) {
        send(&mut whole, instruction).unwrap();
    }
    let body = whole.len();
    send(&mut whole, &Instruction::End(REFUSED)).unwrap();
    // the same numbers in every run
    let mut number: u32 = 1;
    for _ in 0..500 {
        let mut bytes = whole.clone();
        for _ in 0..2 {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = number as usize % body;
            bytes[at] = number.to_le_bytes()[3];
        }
        let host = FakeHost {
            stacked: RefCell::new(Some(b"secret".to_vec())),
            ..FakeHost::default()
        };
        let played = after_opening(move |mut stream, _| {
            let _ = stream.write_all(&bytes);
        });
        let result = relays(played, PamFunction::Auth, &host, &[]);
        let is_denial = result == UNAVAILABLE || format!("{result:?}").contains("Denied(");
        assert!(
            is_denial,
            "{result:?} after a denial with other bytes changed"
        );
        assert!(
            *host.prompts.borrow() <= PROMPTS
                && host.logged.borrow().len() <= INSTRUCTIONS as usize
        );
        assert_eq!(host.stacked.borrow().as_deref(), Some(&b"secret"[..]));
    }
}

/// Nothing is sent to a socket on which another user than root listens, such as the gate's.
#[test]
#[ignore = "a server must be root: tests/run"]
fn nothing_is_sent_to_a_socket_of_another_user() {
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(Uid::from_raw(1)), None).unwrap();
    let path = folder.path().join("host.sock");
    let mut listening = std::process::Command::new("setpriv")
        .args(["--reuid", "1", "--clear-groups", "/usr/bin/python3", "-c"])
        .arg(
            "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\n\
             print('ready',flush=True)\nc,_=s.accept()\ntry:\n c.send(bytes([8,0,0,0,1,0,2,0,0,0,1,0]))\n\
             except OSError:\n pass\n\
             try:\n got=c.recv(9)\nexcept OSError:\n got=b''\nprint(len(got))",
        )
        .arg(&path)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 6];
    let mut output = listening.stdout.take().unwrap();
    output.read_exact(&mut said).unwrap();
    assert!(!is_believed(&path));
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    listening.wait().unwrap();
    assert_eq!(rest, "0\n", "it was sent something");
}

#[test]
#[ignore = "a server must be root: tests/run"]
fn without_a_listener_or_a_common_version_there_is_no_daemon() {
    let folder = tempfile::tempdir().unwrap();
    assert!(!is_believed(&folder.path().join("none")));
    let played = greets(GreetingState::Ready, &[9_999]);
    assert!(!is_believed(&played.path));
    played.thread.join().unwrap();
}

/// A host of another effective user than root has no fallback: access is denied, and one line names
/// the socket and what to do.
#[test]
#[ignore = "a server must be root: tests/run"]
fn a_users_host_is_denied_where_no_posternd_answers() {
    let denied = |path: &Path, words: [&str; 2]| {
        let host = FakeHost::default();
        let result = relay(HostUser::User, path, PamFunction::Auth, &host, &[]);
        assert_eq!(result, UNAVAILABLE, "{words:?}");
        let logged = host.logged.borrow().join("\n");
        assert!(
            logged.contains(&path.display().to_string()) && logged.lines().count() == 1,
            "{logged}"
        );
        assert!(
            words.iter().all(|word| logged.contains(word)),
            "{words:?}: {logged}"
        );
        assert_eq!(*host.prompts.borrow(), 0);
    };
    let folder = tempfile::tempdir().unwrap();
    denied(
        &folder.path().join("none"),
        ["does not listen there", "start posternd.socket"],
    );
    let versions = postern_shared::protocol::VERSIONS;
    denied(
        &greets(GreetingState::Ready, &[9_999]).path,
        ["have different versions", "restart posternd"],
    );
    denied(
        &greets(GreetingState::NoAccount, versions).path,
        ["finds no name", "as a user of this host"],
    );
}

#[test]
#[ignore = "a server must be root: tests/run"]
fn a_users_host_opens_as_a_users_host() {
    let played = after_opening(|mut stream, opening| {
        let result = match opening {
            Opening::UserHost { .. } => PASSED,
            _ => REFUSED,
        };
        send(&mut stream, &Instruction::End(result)).unwrap();
    });
    let host = FakeHost::default();
    assert_eq!(
        relay(HostUser::User, &played.path, PamFunction::Auth, &host, &[]),
        PASSED
    );
    played.thread.join().unwrap();
}

/// fail2ban's filter needs these fields; a password typed in place of a name is not logged.
#[test]
fn a_line_of_the_modules_own_has_the_fields_of_posternds() {
    let host = FakeHost::default();
    log::log_denied(&host, "unavailable", &"why");
    host.user.replace(Some("hunter2\n".to_owned()));
    log::log_denied(&host, "unavailable", &"why");
    let lines = host.logged.borrow();
    assert_eq!(
        lines[0],
        "refused cause=unavailable address=192.0.2.7 service=sshd user=\"alice\": why"
    );
    assert_eq!(
        lines[1],
        "refused cause=unavailable address=192.0.2.7 service=sshd user=\"-\": why"
    );
}

/// A user can stop sudo until the time limit of the greeting is over. A greeting in the buffer came
/// in time, and is no reason for the fallback.
#[test]
#[ignore = "a server must be root: tests/run"]
fn received_bytes_are_read_after_the_host_was_stopped() {
    let played = greets(GreetingState::Ready, postern_shared::protocol::VERSIONS);
    let mut connection = LocalConnection::open(&played.path, Instant::now() + ADMITTED).unwrap();
    played.thread.join().unwrap();
    connection.wait_until(Instant::now() - Duration::from_secs(1));
    assert!(receive::<Greeting>(&mut connection).is_ok());
    // no more bytes follow
    let silence = receive::<Greeting>(&mut connection);
    assert!(silence.is_err(), "{silence:?}");
}

/// libpam may prompt for the name, and a connection counted against posternd's limit meanwhile. The
/// transaction is collected before the module connects.
#[test]
fn the_module_does_not_connect_while_libpam_prompts_for_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pam.sock");
    let listener = UnixListener::bind(&path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let asked = std::rc::Rc::new(Cell::new(0));
    let (seen, waiting) = (std::rc::Rc::clone(&asked), listener.try_clone().unwrap());
    let no_user_waits = move || {
        let connected = waiting.accept();
        assert_eq!(
            connected.map(drop).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        seen.set(seen.get() + 1);
    };
    let host = FakeHost {
        asked_for_user: Some(Box::new(no_user_waits)),
        ..FakeHost::default()
    };
    assert_eq!(
        relay(HostUser::User, &path, PamFunction::Auth, &host, &[]),
        UNAVAILABLE
    );
    assert!(listener.accept().is_ok(), "then it connects");
    assert!(asked.get() > 0);
}

/// Returns the opening that the module sends in a version.
fn opening_in(version: u16, of: HostUser, hook: PamFunction, host: &FakeHost) -> Opening {
    let (sender, opening) = std::sync::mpsc::channel();
    let played = posternd(move |mut stream| {
        send(&mut stream, &greeting(GreetingState::Ready, &[version])).unwrap();
        let opening: Opening = receive(&mut stream).unwrap();
        sender.send(opening).unwrap();
        send(&mut stream, &Instruction::End(REFUSED)).unwrap();
    });
    assert_eq!(relay(of, &played.path, hook, host, &[]), REFUSED);
    played.thread.join().unwrap();
    opening.recv().unwrap()
}

#[test]
#[ignore = "a server must be root: tests/run"]
fn a_transaction_is_named_once_for_each_auth_and_only_in_version_2() {
    let host = FakeHost::default();
    let named = |version, hook| match opening_in(version, HostUser::Root, hook, &host) {
        Opening::Host {
            version: spoken,
            id,
            ..
        } if spoken == version => id,
        other => panic!("{other:?}"),
    };
    let first = named(2, PamFunction::Auth);
    assert!(first.is_some() && named(2, PamFunction::Account) == first);
    assert_eq!(named(1, PamFunction::Account), None);
    // a host may authenticate several times on one handle
    let second = named(2, PamFunction::Auth);
    assert!(second.is_some() && second != first);
    assert_eq!(named(2, PamFunction::Account), second);
    assert!(matches!(
        opening_in(2, HostUser::User, PamFunction::Auth, &host),
        Opening::UserHost { version: 2, .. }
    ));
}
