//! Conversations that no server decides, as the module sees them. Each has files of its own.

use super::super::offline_files::OfflineFiles;
use super::super::wrong_codes::WrongCodes;
use super::*;
use crate::fixtures::transaction_of;
use crate::pam::hooks::EngineAccess;
use postern_shared::config::{AbsolutePath, FleetConfig};
use postern_shared::crypto::fleet::authority::{FleetAuthority, HostKey, HostPublicKey};
use postern_shared::protocol::fleet::files::to_pem;
use postern_shared::protocol::{Instruction, PamTransaction, RelayReply, receive, send};
use postern_shared::store::sealed_file::OfflineFile;
use postern_shared::system::process::HostProcess;
use postern_shared::verify::break_glass::OfflineGrant;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;

const ID: TransactionId = TransactionId([7; 16]);
/// What sshd states after a login with a security key (PROTOCOL.u2f of OpenSSH).
const SECURITY_KEY: &str = "publickey sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fAAAABHNzaDo=\n";

struct TestHost {
    _folder: tempfile::TempDir,
    files: OfflineFiles,
    wrong: WrongCodes,
}

struct Ended {
    result: PamFunctionResult,
    instructions: Vec<Instruction>,
}

impl TestHost {
    fn new(codes: &[&BreakGlassCode], security_keys: bool) -> TestHost {
        let folder = tempfile::tempdir().unwrap();
        let now = clock::now().unwrap();
        let key = HostKey::generate().unwrap();
        let public = HostPublicKey::parse(&key.public_key()).unwrap();
        let authority = FleetAuthority::create(now).unwrap();
        let name = "web1".parse().unwrap();
        let certificate = authority.issue_to_host(&name, &public, now).unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            AbsolutePath::try_from(path).unwrap()
        };
        let fleet = FleetConfig {
            key_file: write("key", &key.to_pem()),
            cert_file: write("crt", &to_pem(&certificate)),
            ca_file: write("ca", &to_pem(authority.certificate())),
            ..FleetConfig::default()
        };
        let path = folder.path().join("break-glass");
        let owner = nix::unistd::geteuid();
        OfflineFile::at(&path).create(owner).unwrap();
        let files = OfflineFiles::open_at(&fleet, &path).unwrap();
        let grant = OfflineGrant {
            codes: codes
                .iter()
                .map(|code| code.hash(files.fingerprint()))
                .collect(),
            security_keys,
        };
        let mut state = OfflineState::default();
        state.take_grant(&grant, now.plus(1000));
        files.lock().unwrap().write(state).unwrap();
        TestHost {
            _folder: folder,
            files,
            wrong: WrongCodes::default(),
        }
    }

    /// Runs a conversation in which a user types these inputs.
    fn converse(&self, transaction: PamTransaction, typed: &[&str]) -> Ended {
        let (module, daemon) = UnixStream::pair().unwrap();
        let mut typed = typed.iter().map(|text| text.as_bytes().to_vec().into());
        thread::scope(|scope| {
            let decided = scope.spawn(|| {
                let daemon = daemon;
                let process = HostProcess::find(0);
                let host = RemoteHost::new(&daemon, transaction, process, EngineAccess::Store);
                let conversation = OfflineConversation {
                    host: &host,
                    id: Some(ID),
                    files: &self.files,
                    wrong: &self.wrong,
                    error: "none",
                };
                let result = conversation.decide();
                host.end(result).unwrap();
            });
            let mut instructions = Vec::new();
            let result = loop {
                let instruction = receive(&mut &module).unwrap();
                let reply = match &instruction {
                    Instruction::End(result) => break *result,
                    Instruction::Ask { .. } => typed.next().map(RelayReply::Typed),
                    Instruction::GetStacked => Some(RelayReply::Stacked(typed.next())),
                    _ => None,
                };
                if matches!(
                    instruction,
                    Instruction::Ask { .. } | Instruction::GetStacked
                ) {
                    send(&mut &module, &reply.unwrap_or(RelayReply::NoInput)).unwrap();
                }
                instructions.push(instruction);
            };
            decided.join().unwrap();
            Ended {
                result,
                instructions,
            }
        })
    }

    fn unreported(&self) -> usize {
        self.files.read().unwrap().unreported().len()
    }
}

impl Ended {
    fn passed(&self) -> bool {
        self.result == PamFunctionResult::Passed
    }

    fn logs(&self, words: &str) -> bool {
        let is_logged = |one: &Instruction| matches!(one, Instruction::Log { line, .. } if line.contains(words));
        self.instructions.iter().any(is_logged)
    }

    fn prompts(&self) -> usize {
        let is_prompt = |one: &&Instruction| matches!(one, Instruction::Ask { .. });
        self.instructions.iter().filter(is_prompt).count()
    }

    fn mark(&self) -> Option<Vec<u8>> {
        self.instructions.iter().find_map(|one| match one {
            Instruction::KeepMark(mark) => Some(mark.to_vec()),
            _ => None,
        })
    }
}

fn sshd(auth_info: &str) -> PamTransaction {
    PamTransaction {
        ssh_auth_info: Some(auth_info.into()),
        ..transaction_of("sshd")
    }
}

fn with_options(options: &[&str]) -> PamTransaction {
    PamTransaction {
        options: options.iter().map(|option| (*option).to_owned()).collect(),
        ..transaction_of("sshd")
    }
}

#[test]
fn a_security_key_passes_only_where_a_server_has_said_so() {
    let allowed = TestHost::new(&[], true);
    let ended = allowed.converse(sshd(SECURITY_KEY), &[]);
    assert!(ended.passed() && ended.prompts() == 0);
    assert!(ended.logs("accepted cause=sk-key"));
    assert!(ended.logs("security key SHA256:"));
    assert_eq!(allowed.unreported(), 1);
    let (algorithm, blob) = SECURITY_KEY["publickey ".len()..].split_once(' ').unwrap();
    let certificate = algorithm.replace('@', "-cert-v01@");
    for denied in [
        sshd(&format!("publickey {certificate} {blob}")),
        sshd(&format!("publickey ssh-ed25519 {blob}")),
        sshd("password\n"),
        sshd(""),
        transaction_of("sshd"),
        // any other host chooses its variables
        PamTransaction {
            service: Some(b"sudo".to_vec()),
            ..sshd(SECURITY_KEY)
        },
    ] {
        let ended = allowed.converse(denied, &["BG-AAAAA"]);
        assert!(!ended.passed() && ended.logs("refused cause=no-server"));
    }
    assert_eq!(allowed.unreported(), 1);
    let default = TestHost::new(&[], false);
    assert!(!default.converse(sshd(SECURITY_KEY), &[]).passed());
    assert_eq!(default.unreported(), 0);
}

#[test]
fn a_code_passes_once_and_its_mark_is_for_this_transaction_alone() {
    let code = BreakGlassCode::random().unwrap();
    let host = TestHost::new(&[&code], false);
    let text = code.grouped();
    let ended = host.converse(transaction_of("sshd"), &["000000", &text]);
    assert!(ended.passed() && ended.prompts() == 2);
    assert!(ended.logs("accepted cause=break-glass"));
    let marked = |user: &str, service: &str| PamTransaction {
        user: Some(user.into()),
        mark: ended.mark().map(Into::into),
        hook: PamFunction::Account,
        ..transaction_of(service)
    };
    let files = &host.files;
    assert!(files.has_mark(&marked("alice", "sshd"), Some(ID)));
    assert!(!files.has_mark(&marked("bob", "sshd"), Some(ID)));
    assert!(!files.has_mark(&marked("alice", "sudo"), Some(ID)));
    assert!(!files.has_mark(&marked("alice", "sshd"), None));
    let other = Some(TransactionId([8; 16]));
    assert!(!files.has_mark(&marked("alice", "sshd"), other));
    let another = TestHost::new(&[], false);
    assert!(!another.files.has_mark(&marked("alice", "sshd"), Some(ID)));
    // the last code is used: there is no prompt any more
    let again = host.converse(transaction_of("sshd"), &[&text]);
    assert!(!again.passed() && again.prompts() == 0);
    let account = PamTransaction {
        hook: PamFunction::Account,
        ..transaction_of("sshd")
    };
    assert!(!host.converse(account, &[]).passed());
}

#[test]
fn wrong_codes_end_the_conversation_and_later_ones_have_one_prompt() {
    let code = BreakGlassCode::random().unwrap();
    let host = TestHost::new(&[&code], false);
    let wrong = BreakGlassCode::random().unwrap().grouped();
    let tries = [wrong.as_str(); 5];
    for _ in 0..4 {
        let ended = host.converse(transaction_of("sshd"), &tries);
        let denied = PamFunctionResult::Denied(Denial::TooManyTries);
        assert!(ended.result == denied && ended.prompts() == 3);
    }
    let slowed = host.converse(transaction_of("sshd"), &tries);
    assert!(slowed.prompts() == 1 && slowed.logs("refused cause=delayed"));
    assert!(
        host.converse(transaction_of("sshd"), &[&code.grouped()])
            .passed()
    );
}

#[test]
fn a_stacked_code_and_one_after_a_password_are_found() {
    let codes: Vec<_> = (0..3).map(|_| BreakGlassCode::random().unwrap()).collect();
    let host = TestHost::new(&codes.iter().collect::<Vec<_>>(), false);
    let texts: Vec<_> = codes.iter().map(BreakGlassCode::grouped).collect();
    let stacked = host.converse(with_options(&["use_first_pass"]), &[&texts[0]]);
    assert!(stacked.passed() && stacked.prompts() == 0);
    let password = host.converse(with_options(&["use_first_pass"]), &["hunter2"]);
    assert!(!password.passed() && password.prompts() == 0);
    let typed = format!("hunter2- {}", texts[1].as_str());
    let forwarded = host.converse(with_options(&["forward_pass"]), &[&typed]);
    assert!(forwarded.passed());
    let set = Instruction::SetStacked(b"hunter2-".to_vec().into());
    assert!(forwarded.instructions.contains(&set));
    let app_password = host.converse(with_options(&["app_password"]), &[&texts[2]]);
    assert!(!app_password.passed() && app_password.prompts() == 0);
}
