//! The same conversations through the protocol: the instructions for a module.

use super::*;
use crate::fixtures::transaction_of;
use crate::pam::hooks::EngineAccess;
use crate::pam::remote_host::RemoteHost;
use crate::workers::engines::Engines;
use crate::workers::origin::ClientOrigin;
use postern_shared::protocol::{
    CommandReply, Frame, Greeting, GreetingState, Instruction, Opening, PamFunction,
    PamTransaction, RelayReply, receive, send,
};
use postern_shared::system::admission::AdmissionClass;
use postern_shared::system::process::{HostProcess, ProcessId, TransactionId};
use std::os::unix::net::UnixStream;
use std::thread;
use zeroize::Zeroizing;

/// Runs a hook at a host whose user types this at each prompt.
struct Ended {
    result: PamFunctionResult,
    prompts: Vec<String>,
    log: String,
    mark: Option<Zeroizing<Vec<u8>>>,
}

fn transaction(home: &Home, hook: PamFunction, mark: Option<Zeroizing<Vec<u8>>>) -> PamTransaction {
    PamTransaction {
        hook,
        options: home.words(AFTER_FIRST),
        mark,
        ..transaction_of("x")
    }
}

fn worker() -> EngineAccess {
    let origin = ClientOrigin::User(1000);
    EngineAccess::Worker(Engines::new().worker(origin, AdmissionClass::Authenticated))
}

fn own_process() -> i32 {
    std::process::id().try_into().unwrap()
}

fn runs(transaction: PamTransaction, typed: &str) -> Ended {
    runs_at(
        worker(),
        HostProcess::find(own_process()),
        transaction,
        typed,
    )
}

fn runs_at(
    access: EngineAccess,
    process: HostProcess,
    transaction: PamTransaction,
    typed: &str,
) -> Ended {
    let (mut module, daemon) = UnixStream::pair().unwrap();
    let conversation = thread::spawn(move || {
        let host = RemoteHost::new(daemon, transaction, process, access);
        let (hook, options) = (host.transaction().hook, host.transaction().options.clone());
        let result = crate::pam::hooks::run_hook(hook, &host, &options);
        host.end(result).unwrap();
    });
    let (mut prompts, mut log, mut mark) = (Vec::new(), String::new(), None);
    loop {
        match receive(&mut module).unwrap() {
            Instruction::Ask { prompt, .. } => {
                prompts.push(prompt.to_string());
                send(
                    &mut module,
                    &RelayReply::Typed(Zeroizing::new(typed.as_bytes().to_vec())),
                )
                .unwrap();
            }
            Instruction::Log { line, .. } => log.push_str(&(line + "\n")),
            Instruction::KeepMark(bytes) => mark = Some(bytes),
            Instruction::End(result) => {
                conversation.join().unwrap();
                return Ended {
                    result,
                    prompts,
                    log,
                    mark,
                };
            }
            Instruction::Tell(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_code_is_accepted_once_and_its_mark_lets_account_pass() {
    let home = Home::new("");
    let code = home.code(0);
    let entered = runs(transaction(&home, PamFunction::Auth, None), &code);
    assert_eq!(entered.result, Passed, "{}", entered.log);
    assert_eq!(entered.prompts.len(), 1);
    assert!(
        entered.log.starts_with("accepted cause=code "),
        "{}",
        entered.log
    );
    assert!(entered.mark.is_some());

    let account = runs(transaction(&home, PamFunction::Account, entered.mark), "");
    assert_eq!(
        (account.result, account.prompts.len()),
        (Passed, 0),
        "{}",
        account.log
    );
    let unasked = runs(transaction(&home, PamFunction::Account, None), "");
    assert!(matches!(unasked.result, Denied(_)) && unasked.log.contains("not-verified"));

    let again = runs(transaction(&home, PamFunction::Auth, None), &code);
    assert!(matches!(again.result, Denied(_)), "{}", again.log);
    assert_eq!(again.mark, None);
}

/// A restarted daemon and `--stdio` share only the keys of the store.
#[test]
fn a_mark_opens_at_every_posternd_of_the_store_and_for_its_own_process() {
    let home = Home::new("");
    let host = || HostProcess::find(own_process());
    let marked = |at: EngineAccess, code: &str| {
        runs_at(
            at,
            host(),
            transaction(&home, PamFunction::Auth, None),
            code,
        )
        .mark
    };
    let account = |at: EngineAccess, process: HostProcess, mark: &Option<Zeroizing<Vec<u8>>>| {
        let ended = runs_at(
            at,
            process,
            transaction(&home, PamFunction::Account, mark.clone()),
            "",
        );
        (ended.result, ended.log)
    };
    for (auth, other) in [
        (worker(), EngineAccess::Store),
        (EngineAccess::Store, worker()),
    ] {
        let mark = marked(
            auth,
            &home.code(if matches!(other, EngineAccess::Store) {
                0
            } else {
                1
            }),
        );
        assert!(mark.is_some());
        assert_eq!(account(other.clone(), host(), &mark).0, Passed);
        let elsewhere = HostProcess::new(ProcessId::new(own_process(), 1), Vec::new());
        let (result, log) = account(other, elsewhere, &mark);
        assert_eq!(result, Denied(NotAsked));
        assert!(
            log.contains("cause=not-verified") && log.contains("belongs to another process"),
            "{log}"
        );
    }
}

/// A reply that does not fit its instruction ends the conversation; nothing is accepted after it.
#[test]
fn a_reply_to_another_instruction_ends_the_conversation() {
    let home = Home::new("");
    let (mut module, daemon) = UnixStream::pair().unwrap();
    let transaction = transaction(&home, PamFunction::Auth, None);
    let code = home.code(0);
    let conversation = thread::spawn(move || {
        let host = RemoteHost::new(
            daemon,
            transaction,
            HostProcess::find(own_process()),
            worker(),
        );
        let options = host.transaction().options.clone();
        let result = crate::pam::hooks::run_hook(PamFunction::Auth, &host, &options);
        (result, host.end(result).is_err())
    });
    let asked: Instruction = receive(&mut module).unwrap();
    assert!(matches!(asked, Instruction::Ask { .. }));
    send(
        &mut module,
        &RelayReply::Stacked(Some(Zeroizing::new(code.into_bytes()))),
    )
    .unwrap();
    let (result, failed) = conversation.join().unwrap();
    assert!(matches!(result, Denied(_)) && failed);
}

/// Every message comes back as it was sent, and every shorter or longer frame of it is refused.
#[test]
fn cut_or_longer_frames_are_refused() {
    let home = Home::new("");
    let mark = Some(Zeroizing::new(b"mark".to_vec()));
    let transaction = Box::new(transaction(&home, PamFunction::Account, mark));
    refuses_all_but_whole(&Opening::Host {
        version: 1,
        transaction: transaction.clone(),
        id: None,
    });
    for id in [None, Some(TransactionId([7; 16]))] {
        refuses_all_but_whole(&Opening::Host {
            version: 2,
            transaction: transaction.clone(),
            id,
        });
    }
    refuses_all_but_whole(&Opening::UserHost {
        version: 1,
        transaction,
    });
    refuses_all_but_whole(&Opening::Command {
        version: 1,
        request: Zeroizing::new(b"{}".to_vec()),
    });
    refuses_all_but_whole(&CommandReply(Zeroizing::new(b"{}".to_vec())));
    for state in [
        GreetingState::Ready,
        GreetingState::Busy,
        GreetingState::NoAccount,
        GreetingState::NameUnavailable,
    ] {
        refuses_all_but_whole(&Greeting {
            versions: vec![2, 1],
            state,
        });
    }
    refuses_all_but_whole(&RelayReply::Typed(Zeroizing::new(b"123456".to_vec())));
    refuses_all_but_whole(&Instruction::End(Passed));
}

fn refuses_all_but_whole<M: Frame + PartialEq + std::fmt::Debug>(message: &M) {
    let mut frame = Vec::new();
    send(&mut frame, message).unwrap();
    assert_eq!(&receive::<M>(&mut frame.as_slice()).unwrap(), message);
    for end in 4..frame.len() {
        let mut cut = frame[..end].to_vec();
        cut[..4].copy_from_slice(&u32::try_from(end - 4).unwrap().to_le_bytes());
        assert!(
            receive::<M>(&mut cut.as_slice()).is_err(),
            "{end} of {}",
            frame.len()
        );
    }
    frame.push(0);
    let length = u32::try_from(frame.len() - 4).unwrap();
    frame[..4].copy_from_slice(&length.to_le_bytes());
    assert!(
        receive::<M>(&mut frame.as_slice()).is_err(),
        "one byte more"
    );
}

/// An engine that was opened before is not used once others can read its key, or key or store are
/// missing.
#[test]
fn an_engine_is_not_used_once_its_files_are_in_doubt() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new("");
    let engines = Engines::new();
    let worker = engines.worker(ClientOrigin::User(1000), AdmissionClass::Authenticated);
    let config = || {
        postern_shared::config::file::read_config(&home.path("postern.toml"))
            .unwrap()
            .config
    };
    let reads = || {
        worker
            .run_operation(&config(), |engine| {
                engine.load_policy_facts(&"alice".parse().unwrap())
            })
            .map(|read| read.is_ok())
    };
    let (key, store) = (home.path("postern.key"), home.path("store/postern.db"));
    assert!(matches!(reads(), Ok(true)));

    fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(reads().is_err(), "a key that everyone can read");
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(matches!(reads(), Ok(true)));
    let bytes = fs::read(&key).unwrap();
    fs::remove_file(&key).unwrap();
    assert!(reads().is_err(), "no key");
    fs::write(&key, bytes).unwrap();
    fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    assert!(matches!(reads(), Ok(true)));

    fs::set_permissions(&store, PermissionsExt::from_mode(0o666)).unwrap();
    assert!(reads().is_err(), "a store that everyone can write");
    fs::set_permissions(&store, PermissionsExt::from_mode(0o660)).unwrap();
    assert!(matches!(reads(), Ok(true)));
    let second = home.path("store/second");
    fs::hard_link(&store, &second).unwrap();
    assert!(reads().is_err(), "a second name of the store");
    fs::remove_file(&second).unwrap();
    fs::remove_file(&store).unwrap();
    assert!(reads().is_err(), "no store");
}
