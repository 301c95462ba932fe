//! Invariants of a whole conversation, whatever the module replies: posternd denies access, logs
//! the denial, and sends only instructions that the module accepts. The fuzz target and
//! posternd/tests/hostile_module.rs, which needs no nightly, call this check.

use postern_shared::config::{StoreConfig, file};
use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::Vault;
use postern_shared::engine::Engine;
use postern_shared::engine::enrollment::pending::{EnrollmentConfirmation, PendingEnrollment};
use postern_shared::protocol::{
    Instruction, Opening, PamFunction, PamFunctionResult, PamTransaction, Severity, receive,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::clock;
use postern_shared::system::process::HostProcess;
use posternd::pam::hooks;
use posternd::pam::hooks::{EngineAccess, User};
use posternd::pam::remote_host::RemoteHost;
use posternd::workers::engines::{Engines, Worker};
use posternd::workers::origin::ClientOrigin;
use std::cell::RefCell;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use tempfile::TempDir;

/// Conversations until the store is replaced. Otherwise, delays and locks of wrong codes would hide
/// later faults.
const AT_ONE_STORE: usize = 200;
/// Upper bound of prompts in one hook, which the module enforces.
const PROMPTS: usize = 32;

/// Store in which alice has a second factor, and the engines that serve conversations about it.
struct Home {
    folder: TempDir,
    engines: Arc<Engines>,
    conversations: usize,
}

thread_local! {
    static HOME: RefCell<Option<Home>> = const { RefCell::new(None) };
}

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let (_, key) = MasterKeys::generate().expect("a key");
        fs::write(at("postern.key"), key.as_bytes()).expect("it can be written");
        fs::set_permissions(at("postern.key"), PermissionsExt::from_mode(0o600)).expect("a mode");
        let url = format!("sqlite:{}", at("store/postern.db").display());
        let key_file = at("postern.key");
        let text = format!(
            "[store]\nurl = \"{url}\"\nkey_file = \"{}\"\n",
            key_file.display()
        );
        fs::write(at("postern.toml"), text).expect("it can be written");
        let keys =
            Vault::create(&MasterKeys::read_file(&key_file).expect("the key")).expect("data keys");
        let settings = StoreConfig {
            url: url.try_into().expect("a URL"),
            ..StoreConfig::default()
        };
        postern_shared::store::create(&settings, None, &keys).expect("a store");
        let config = file::read_config(&at("postern.toml"))
            .expect("a configuration")
            .config;
        let mut engine = Engine::open(config).expect("the store");
        let pending = PendingEnrollment::new(engine.config(), &"alice".parse().expect("a name"))
            .expect("a secret");
        let now = clock::now().expect("a clock");
        engine
            .enrollment()
            .activate(
                &pending,
                &EnrollmentConfirmation::by_administrator(),
                "root",
                now,
            )
            .expect("it is hers");
        Home {
            folder,
            engines: Engines::new(),
            conversations: 0,
        }
    }

    /// Runs a conversation as posternd does at host.sock or at pam.sock. Returns the result, and
    /// whether it was sent.
    fn converse(&self, peer: &mut Peer<'_>, opening: Opening) -> (PamFunctionResult, bool) {
        let worker = |class| Worker {
            engines: Arc::clone(&self.engines),
            origin: ClientOrigin::User(1000),
            class,
        };
        let process = HostProcess::find(i32::try_from(std::process::id()).expect("a process"));
        let log = |_: Severity, line: &str| assert!(!line.contains("accepted"), "{line}");
        let (transaction, of_user) = match opening {
            Opening::Host { transaction, .. } => (*transaction, false),
            Opening::UserHost { transaction, .. } => (*transaction, true),
            Opening::Command { .. } => unreachable!("no conversation"),
        };
        let (hook, mut options) = (transaction.hook, transaction.options.clone());
        options.retain(|option| !option.starts_with("config="));
        options.insert(
            0,
            format!(
                "config={}",
                self.folder.path().join("postern.toml").display()
            ),
        );
        let host = if of_user {
            let user = User {
                uid: 1000,
                name: "alice".parse().expect("a name"),
                is_service: false,
            };
            RemoteHost::of_user(
                peer,
                transaction,
                process,
                (worker(AdmissionClass::Familiar), user),
                Box::new(log),
            )
        } else {
            RemoteHost::new(
                peer,
                transaction,
                process,
                EngineAccess::Worker(worker(AdmissionClass::Familiar)),
            )
        };
        let result = hooks::run_hook(hook, &host, &options);
        (result, host.end(result).is_ok())
    }
}

/// Reads an opening, and runs the conversation with the replies after it. Returns whether the
/// conversation ended with a result that was sent.
pub fn posternd_converses(bytes: &[u8]) -> bool {
    let mut replies = bytes;
    let opening = match receive::<Opening>(&mut replies) {
        Ok(opening @ (Opening::Host { .. } | Opening::UserHost { .. })) => opening,
        Ok(Opening::Command { .. }) | Err(_) => return false,
    };
    let (Opening::Host { transaction, .. } | Opening::UserHost { transaction, .. }) = &opening
    else {
        return false;
    };
    let (transaction, of_user) = (
        transaction.clone(),
        matches!(opening, Opening::UserHost { .. }),
    );
    HOME.with_borrow_mut(|home| {
        if home
            .as_ref()
            .is_some_and(|home| home.conversations >= AT_ONE_STORE)
        {
            *home = None;
        }
        let home = home.get_or_insert_with(Home::new);
        home.conversations += 1;
        let mut peer = Peer {
            replies,
            sent: Vec::new(),
        };
        let (result, arrived) = home.converse(&mut peer, opening);
        let told = Told::read(&peer.sent, &transaction);
        assert_eq!(told.end, arrived.then_some(result));
        assert!(
            transaction.hook.may_end(result),
            "{:?}: {result:?}",
            transaction.hook
        );
        if must_be_denied(&transaction, of_user) {
            assert!(matches!(result, PamFunctionResult::Denied(_)), "{result:?}");
            assert!(
                of_user || !arrived || told.lines > 0,
                "a denial without a line of the log"
            );
        }
        arrived
    })
}

/// Returns whether access requires a code of alice's, which no fuzz input can contain.
fn must_be_denied(transaction: &PamTransaction, of_user: bool) -> bool {
    let PamTransaction {
        hook,
        options,
        user,
        ..
    } = transaction;
    let names_another = options
        .iter()
        .any(|option| option == "proven" || option.starts_with("user="));
    *hook == PamFunction::Auth && !names_another && !of_user && user.as_deref() == Some(b"alice")
}

/// The instructions that the module received: the number of log lines, and the result.
struct Told {
    lines: usize,
    end: Option<PamFunctionResult>,
}

impl Told {
    /// Reads instructions as the module does, which ends the conversation at the first one beyond
    /// its bounds.
    fn read(mut sent: &[u8], transaction: &PamTransaction) -> Told {
        let mut told = Told {
            lines: 0,
            end: None,
        };
        let mut prompts = 0;
        while !sent.is_empty() {
            assert!(told.end.is_none(), "an instruction after the end");
            match receive(&mut sent).expect("the module reads every instruction") {
                Instruction::Ask { .. } => {
                    prompts += 1;
                    assert!(
                        transaction.hook == PamFunction::Auth && prompts <= PROMPTS,
                        "prompt {prompts}"
                    );
                }
                Instruction::GetStacked | Instruction::SetStacked(_) => {
                    let pass = ["try_first_pass", "use_first_pass", "forward_pass"];
                    let may = transaction
                        .options
                        .iter()
                        .any(|option| pass.contains(&option.as_str()));
                    assert!(may, "the stacked password was asked for without the option");
                }
                Instruction::Log { line, .. } => {
                    assert!(!line.contains(char::is_control), "{line:?}");
                    assert!(!line.starts_with("accepted"), "{line}");
                    told.lines += 1;
                }
                Instruction::End(result) => told.end = Some(result),
                Instruction::Tell(_)
                | Instruction::DelayFailure(_)
                | Instruction::KeepMark(_)
                | Instruction::StillWorking => {}
            }
        }
        told
    }
}

/// Module whose replies are all written in advance.
struct Peer<'a> {
    replies: &'a [u8],
    sent: Vec<u8>,
}

impl Read for &mut Peer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.replies.read(buffer)
    }
}

impl Write for &mut Peer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
