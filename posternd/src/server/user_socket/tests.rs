//! pam.sock from a peer's side. The peer is this process, so its user is the one that runs the
//! tests.

use super::*;
use crate::fixtures::transaction_of;
use postern_shared::account::name::UserName;
use postern_shared::protocol::command_request::{
    CommandRequest, EngineReply, Operation, ReadOperation, ReplyBody,
};
use postern_shared::protocol::{
    CommandReply, Denial, Greeting, Instruction, PamFunctionResult, VERSIONS, wire,
};
use std::io::{Read, Write};
use zeroize::Zeroizing;

fn connect(config: &Path) -> UnixStream {
    let (peer, daemon) = UnixStream::pair().unwrap();
    peer.set_read_timeout(Some(std::time::Duration::from_secs(30)))
        .unwrap();
    UserSocket::new(config, FleetServers::default()).meet(daemon);
    peer
}

#[track_caller]
fn greeted(config: &Path) -> UnixStream {
    let mut peer = connect(config);
    let greeting: Greeting = receive(&mut peer).unwrap();
    assert_eq!(
        greeting,
        Greeting {
            versions: VERSIONS.to_vec(),
            state: GreetingState::Ready
        }
    );
    peer
}

fn transaction(options: &[&str]) -> Box<PamTransaction> {
    let options = options.iter().map(|option| (*option).to_owned()).collect();
    Box::new(PamTransaction {
        options,
        ..transaction_of("locker")
    })
}

fn own_name() -> UserName {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid())
        .unwrap()
        .unwrap();
    user.name.parse().unwrap()
}

fn command(config: &Path, request: &[u8]) -> EngineReply {
    let mut peer = greeted(config);
    let request = Zeroizing::new(request.to_vec());
    send(
        &mut peer,
        &Opening::Command {
            version: VERSIONS[0],
            request,
        },
    )
    .unwrap();
    let CommandReply(reply) = receive(&mut peer).unwrap();
    wire::decode(&reply).unwrap()
}

#[track_caller]
fn closes(mut peer: UnixStream) {
    let mut rest = Vec::new();
    // the error of bytes that were not read may come before the end
    let _ = peer.read_to_end(&mut rest);
    assert!(rest.is_empty(), "{rest:?}");
}

const NOWHERE: &str = "/nowhere/postern.toml";

#[test]
fn a_host_of_roots_and_nonsense_get_nothing() {
    let mut peer = greeted(Path::new(NOWHERE));
    send(
        &mut peer,
        &Opening::Host {
            version: VERSIONS[0],
            transaction: transaction(&[]),
            id: None,
        },
    )
    .unwrap();
    closes(peer);
    let mut peer = greeted(Path::new(NOWHERE));
    send(
        &mut peer,
        &Opening::UserHost {
            version: 999,
            transaction: transaction(&[]),
        },
    )
    .unwrap();
    closes(peer);
    for nonsense in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0; 64],
        &[0xff; 64],
        b"\x01\0\0\0\x63",
    ] {
        let mut peer = greeted(Path::new(NOWHERE));
        peer.write_all(nonsense).unwrap();
        closes(peer);
    }
}

#[test]
fn a_host_chooses_no_configuration() {
    let mut peer = greeted(Path::new(NOWHERE));
    let transaction = transaction(&["first_factor=passed", "config=/etc/shadow"]);
    send(
        &mut peer,
        &Opening::UserHost {
            version: VERSIONS[0],
            transaction,
        },
    )
    .unwrap();
    let end: Instruction = receive(&mut peer).unwrap();
    assert_eq!(
        end,
        Instruction::End(PamFunctionResult::Denied(Denial::Misconfigured))
    );
}

#[test]
fn a_command_is_of_the_user_whom_the_kernel_names() {
    let home = crate::pam::tests::Home::new("");
    let config = home.path("postern.toml");
    let status = |account: UserName| {
        let request = CommandRequest {
            account,
            operation: Operation::Read(ReadOperation::Status),
        };
        command(&config, &wire::encode(&request).unwrap()).answer
    };
    let own = own_name();
    let refused = |answer: ReplyBody| match answer {
        ReplyBody::Refused(why) => why,
        other => panic!("{other:?}"),
    };
    let why = refused(status("alice".parse().unwrap()));
    assert!(
        why.contains(&format!("another account than your own, {own}")),
        "{why}"
    );
    let why = refused(status(own.clone()));
    assert!(why.contains(&format!("there is no account {own}")), "{why}");
    home.engine()
        .accounts()
        .add_account(
            &own,
            postern_shared::account::name::Distinct::No,
            "root",
            postern_shared::system::clock::now().unwrap(),
        )
        .unwrap();
    assert!(matches!(status(own), ReplyBody::Status(_)));
    for nonsense in [&b""[..], b"{}", b"null", &[b'['; 16 * 1024]] {
        let why = refused(command(&config, nonsense).answer);
        assert!(why.contains("invalid request"), "{why}");
    }
}

/// Errors that only an administrator can solve are logged.
#[test]
fn without_a_configuration_nothing_is_done() {
    let request = CommandRequest {
        account: own_name(),
        operation: Operation::Read(ReadOperation::Status),
    };
    let reply = command(Path::new(NOWHERE), &wire::encode(&request).unwrap());
    assert!(
        matches!(reply.answer, ReplyBody::Refused(why) if why == crate::commands::run::NOT_NOW)
    );
}
