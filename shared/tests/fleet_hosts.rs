//! Hosts of a fleet: invitations, keys, what a host may state, and TLS between a host and a server.
#![allow(clippy::unwrap_used, reason = "these are tests")]

#[path = "test_store/mail_delivery.rs"]
mod mail_delivery;
mod test_store;

use mail_delivery::{MAIL, has_mail};
use postern_shared::account::event::{EventFilter, EventKind};
use postern_shared::account::host::{HostName, JoinedHost};
use postern_shared::account::name::UserName;
use postern_shared::account::second_factor::MailStatus;
use postern_shared::config::GracePeriod;
use postern_shared::credential::completed_methods::CompletedMethods;
use postern_shared::credential::input::InputReading;
use postern_shared::crypto::fleet::authority::{HostKey, HostPublicKey, TlsIdentity};
use postern_shared::crypto::vault::Renewal;
use postern_shared::engine::{
    AdministrationError, Engine, EngineError, HostError, MailRequest, MarkRefusal, PamContext,
    PamVerification, PromptEnrollment, Requester,
};
use postern_shared::policy::requirement::Requirement;
use postern_shared::protocol::fleet::connection::FleetConnection;
use postern_shared::protocol::fleet::tls;
use postern_shared::store::{ConversationCounts, HostActivity, HostRecord};
use postern_shared::system::clock::Timestamp;
use postern_shared::system::process::{HostProcess, TransactionId, UnidentifiedProcess};
use postern_shared::verify::origin::Origin;
use postern_shared::verify::throttle::Phase;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;
use test_store::{NOW, TestStore, alice, assert_contains, code_at, code_of, name, remote};

fn host_name(text: &str) -> HostName {
    text.parse().unwrap()
}

/// A host that has joined, with its key.
struct Joined {
    host: JoinedHost,
    key: HostKey,
    certificate: CertificateDer<'static>,
    authority: CertificateDer<'static>,
}

fn joins(engine: &mut Engine, text: &str) -> Joined {
    let (invitation, _) = engine
        .hosts()
        .invite_host(&host_name(text), "root", NOW)
        .unwrap();
    let key = HostKey::generate().unwrap();
    let joined = engine
        .hosts()
        .join_host(invitation.secret(), &key.public_key(), NOW)
        .unwrap();
    Joined {
        host: joined.host,
        key,
        certificate: joined.certificate.into(),
        authority: joined.authority.into(),
    }
}

impl Joined {
    fn identity(&self) -> TlsIdentity {
        TlsIdentity {
            chain: vec![self.certificate.clone()],
            key: PrivateKeyDer::from_pem_slice(self.key.to_pem().as_bytes()).unwrap(),
        }
    }

    /// Runs an operation of a PAM conversation of this host.
    fn run<R>(
        &self,
        engine: &mut Engine,
        account: &str,
        origin: &Origin,
        phase: Phase,
        operation: impl FnOnce(&mut Engine, PamContext<'_>) -> R,
    ) -> R {
        let account = name(account);
        let process = HostProcess::unidentified(UnidentifiedProcess::OtherNamespace)
            .in_transaction(Some(TransactionId([7; TransactionId::LENGTH])));
        let context = PamContext {
            requester: Requester::Host(&self.host),
            service: &"sshd".to_owned().try_into().unwrap(),
            user: &account,
            account: &account,
            process: &process,
            origin,
            phase,
            completed_methods: &CompletedMethods::default(),
        };
        operation(engine, context)
    }

    fn verifies(
        &self,
        engine: &mut Engine,
        origin: &Origin,
        typed: &str,
        now: Timestamp,
    ) -> Result<PamVerification, AdministrationError> {
        self.run(engine, "alice", origin, Phase::After, |engine, context| {
            engine
                .verification()
                .verify_pam_input(context, typed, InputReading::Whole, now)
        })
    }

    fn cause(&self, engine: &mut Engine, origin: &Origin, typed: &str) -> String {
        let verified = self.verifies(engine, origin, typed, NOW).unwrap();
        verified.result.unwrap_err().cause
    }
}

#[test]
fn an_invitation_is_valid_once_and_for_an_hour() {
    let mut test = TestStore::new("");
    let mut hosts = test.engine.hosts();
    let key = HostKey::generate().unwrap().public_key();
    let (first, _) = hosts.invite_host(&host_name("db1"), "root", NOW).unwrap();
    let (second, expires) = hosts.invite_host(&host_name("db1"), "root", NOW).unwrap();
    let refused = hosts.join_host(first.secret(), &key, NOW);
    assert!(matches!(refused, Err(HostError::NoInvitation)), "replaced");
    let refused = hosts.join_host(second.secret(), &key, expires);
    assert!(matches!(refused, Err(HostError::InvitationExpired)));
    let joined = hosts.join_host(second.secret(), &key, NOW).unwrap();
    assert_eq!(joined.host.name, host_name("db1"));
    let refused = hosts.join_host(second.secret(), &key, NOW);
    assert!(matches!(refused, Err(HostError::NoInvitation)), "used");
    // an Ed25519 key, and something else
    for other in [&[0x30, 0x2a, 0x30, 0x05][..], &key[1..], b""] {
        let (invitation, _) = hosts.invite_host(&host_name("db2"), "root", NOW).unwrap();
        let refused = hosts.join_host(invitation.secret(), other, NOW);
        assert!(matches!(refused, Err(HostError::Key)));
    }
    // the key of another host
    let (invitation, _) = hosts.invite_host(&host_name("db2"), "root", NOW).unwrap();
    let refused = hosts.join_host(invitation.secret(), &key, NOW);
    assert!(matches!(refused, Err(HostError::Key)));
}

#[test]
fn the_store_holds_neither_the_secret_of_an_invitation_nor_the_key_of_the_authority() {
    let mut test = TestStore::new("");
    let (invitation, _) = test
        .engine
        .hosts()
        .invite_host(&host_name("db1"), "root", NOW)
        .unwrap();
    let identity = test.engine.hosts().server_identity(NOW).unwrap();
    assert!(!test.holds(invitation.secret()));
    // the beginning of every private key in PKCS #8 of this kind
    assert!(!test.holds(&identity.key.secret_der()[..24]));
    assert!(test.holds(&identity.chain[1]));
}

#[test]
fn a_rotated_key_keeps_the_fleet_and_a_compromised_one_ends_it() {
    let mut test = TestStore::new("");
    let db1 = joins(&mut test.engine, "db1");
    for _ in 0..2 {
        test.engine
            .keys()
            .rotate_keys(Renewal::Seal, "root", NOW)
            .unwrap();
    }
    let identity = test.engine.hosts().server_identity(NOW).unwrap();
    assert_eq!(identity.chain[1], db1.authority);
    test.engine
        .keys()
        .rotate_keys(Renewal::All, "root", NOW)
        .unwrap();
    let identity = test.engine.hosts().server_identity(NOW).unwrap();
    assert_ne!(identity.chain[1], db1.authority);
    assert_eq!(test.engine.hosts().list_hosts().unwrap(), []);
}

#[test]
fn a_revoked_host_is_refused_in_every_operation() {
    let (mut test, app) = alice("");
    let db1 = joins(&mut test.engine, "db1");
    let engine = &mut test.engine;
    let home = remote("192.0.2.7");
    let granted = db1.verifies(engine, &home, &code_of(&app, 0), NOW).unwrap();
    let (_, mark) = granted.result.unwrap().into_parts();
    let mark = mark.unwrap();
    let opened = |engine: &mut Engine| {
        db1.run(engine, "alice", &home, Phase::Before, |engine, context| {
            engine.verification().verify_auth_mark(context, &mark, NOW)
        })
    };
    assert!(opened(engine).unwrap().is_ok());
    engine
        .hosts()
        .revoke_host(&host_name("db1"), "root", NOW)
        .unwrap();
    let is_revoked = |error: AdministrationError| {
        matches!(
            error,
            AdministrationError::Engine(EngineError::HostRevoked(_))
        )
    };
    assert!(is_revoked(opened(engine).unwrap_err()));
    let later = Timestamp(NOW.0 + 30);
    let refused = db1.verifies(engine, &home, &code_at(&app, 0, later), later);
    assert!(is_revoked(refused.unwrap_err()));
    let required = db1.run(engine, "alice", &home, Phase::After, |engine, context| {
        engine
            .verification()
            .find_pam_requirement(context, NOW)
            .map(drop)
    });
    assert!(is_revoked(required.unwrap_err()));
    let key = HostPublicKey::parse(&db1.key.public_key()).unwrap();
    assert!(engine.hosts().find_joined_host(&key).unwrap().is_none());
    assert!(engine.hosts().renew_certificate(&key, NOW).is_err());
    // the same name again is another host, and what the earlier one left counts for it no more
    let again = joins(engine, "db1");
    assert_ne!(again.host.number, db1.host.number);
    assert!(is_revoked(
        db1.verifies(engine, &home, "123456", NOW).unwrap_err()
    ));
    assert!(
        again
            .verifies(engine, &home, &code_at(&app, 0, later), later)
            .is_ok()
    );
}

/// Another host cannot use the mark of a transaction.
#[test]
fn a_mark_is_valid_on_its_host_alone() {
    let (mut test, app) = alice("");
    let (db1, db2) = (
        joins(&mut test.engine, "db1"),
        joins(&mut test.engine, "db2"),
    );
    let (engine, home) = (&mut test.engine, remote("192.0.2.7"));
    let granted = db1.verifies(engine, &home, &code_of(&app, 0), NOW).unwrap();
    let mark = granted.result.unwrap().into_parts().1.unwrap();
    let opened = db2.run(engine, "alice", &home, Phase::Before, |engine, context| {
        engine.verification().verify_auth_mark(context, &mark, NOW)
    });
    assert_eq!(opened.unwrap().unwrap_err(), MarkRefusal::Invalid);
    // nor can a PAM host of the server
    let process = HostProcess::unidentified(UnidentifiedProcess::OtherNamespace)
        .in_transaction(Some(TransactionId([7; TransactionId::LENGTH])));
    let context = PamContext {
        requester: Requester::Root("root"),
        service: &"sshd".to_owned().try_into().unwrap(),
        user: &name("alice"),
        account: &name("alice"),
        process: &process,
        origin: &home,
        phase: Phase::Before,
        completed_methods: &CompletedMethods::default(),
    };
    let opened = engine.verification().verify_auth_mark(context, &mark, NOW);
    assert_eq!(opened.unwrap().unwrap_err(), MarkRefusal::Invalid);
}

/// What the attacker with the key of one host states keeps no one out anywhere else, and makes no
/// address familiar there.
#[test]
fn a_hostile_host_locks_no_one_out_elsewhere() {
    let (mut test, app) = alice("");
    let (db1, db2) = (
        joins(&mut test.engine, "db1"),
        joins(&mut test.engine, "db2"),
    );
    let home = remote("192.0.2.7");
    for _ in 0..8 {
        db1.verifies(&mut test.engine, &home, "000001", NOW)
            .unwrap();
    }
    assert_contains(db1.cause(&mut test.engine, &home, "000001"), "delayed");
    let attempt = test.attempt_from("alice", &home, Phase::After, "000001", NOW);
    assert_eq!(attempt.result.unwrap_err().to_string(), "wrong");
    assert_eq!(db2.cause(&mut test.engine, &home, "000001"), "wrong");
    let verified = db2.verifies(&mut test.engine, &home, &code_of(&app, 0), NOW);
    assert!(verified.unwrap().result.is_ok());
    // replay elsewhere
    let attempt = test.attempt_from("alice", &home, Phase::After, &code_of(&app, 0), NOW);
    assert_contains(attempt.result.unwrap_err().to_string(), "used");
}

/// Invented users, terminals, keys and addresses give a host no more tries.
#[test]
fn a_host_has_bounded_tries_whatever_it_states() {
    let (mut test, _) = alice("");
    let db1 = joins(&mut test.engine, "db1");
    let mut wrong = 0;
    for number in 0..200 {
        let key = format!("publickey ssh-ed25519 {}\n", data_encoding_of(number));
        let methods = CompletedMethods::parse_ssh_auth_info(key.as_bytes());
        let origins = [
            Origin::Local(format!("user{number}")),
            Origin::Terminal(format!("tty{number}")),
            remote(&format!("192.0.2.{}", number % 250)),
            remote(&format!("198.51.100.{}", number % 250)).with_verified_key(&methods),
        ];
        for origin in &origins {
            wrong += u32::from(db1.cause(&mut test.engine, origin, "000001") == "wrong");
        }
    }
    // four kinds, each with the free tries of one bucket
    assert!(wrong <= 4 * 6, "{wrong}");
}

fn data_encoding_of(number: u32) -> String {
    // the Base64 text of a key as OpenSSH writes it; its last bytes differ
    format!("AAAAC3NzaC1lZDI1NTE5AAAAIA{:0>41}", number)
}

/// A few codes of each of many accounts: the host waits, over all accounts together.
#[test]
fn a_host_cannot_try_a_code_of_every_account() {
    let mut test = TestStore::new("");
    let db1 = joins(&mut test.engine, "db1");
    let (mut wrong, home) = (0, remote("192.0.2.7"));
    for number in 0..60 {
        let who = format!("user{number}");
        test.enrols(&who);
        for _ in 0..3 {
            let verified = db1.run(
                &mut test.engine,
                &who,
                &home,
                Phase::After,
                |engine, context| {
                    engine.verification().verify_pam_input(
                        context,
                        "000001",
                        InputReading::Whole,
                        NOW,
                    )
                },
            );
            wrong += u32::from(verified.unwrap().result.unwrap_err().cause == "wrong");
        }
    }
    assert_eq!(wrong, 100);
    // elsewhere nothing is delayed
    let attempt = test.attempt_from("user1", &home, Phase::After, "000001", NOW);
    assert_eq!(attempt.result.unwrap_err().to_string(), "wrong");
}

/// A grace period of one host is none on another.
#[test]
fn familiarity_and_grace_stay_on_their_host() {
    let (mut test, app) = alice("");
    let (db1, db2) = (
        joins(&mut test.engine, "db1"),
        joins(&mut test.engine, "db2"),
    );
    let (engine, home) = (&mut test.engine, remote("192.0.2.7"));
    let verified = db1.verifies(engine, &home, &code_of(&app, 0), NOW);
    assert!(verified.unwrap().result.is_ok());
    let grace = |engine: &mut Engine, joined: &Joined| {
        joined.run(engine, "alice", &home, Phase::After, |engine, context| {
            let period = GracePeriod::new(3600);
            let granted = engine
                .verification()
                .grant_grace_period(context, period, NOW);
            granted.unwrap().is_some()
        })
    };
    assert!(grace(engine, &db1));
    assert!(!grace(engine, &db2));
}

#[test]
fn a_host_enrolls_no_one_and_starts_no_grace_period_and_mails_nothing() {
    let mut test = TestStore::new("[policy]\nrequired = \"all\"\nenroll_within = \"30d\"\n");
    let db1 = joins(&mut test.engine, "db1");
    let (engine, home) = (&mut test.engine, remote("192.0.2.7"));
    let run = |engine: &mut Engine, operation: fn(&mut Engine, PamContext<'_>) -> bool| {
        db1.run(engine, "bob", &home, Phase::After, operation)
    };
    assert!(run(engine, |engine, context| {
        let begun = engine
            .enrollment()
            .begin_prompt_enrollment(context, None, NOW);
        matches!(begun, Ok(PromptEnrollment::Refused(_)))
    }));
    assert!(run(engine, |engine, context| {
        engine
            .verification()
            .exempt_pam_user(context, NOW)
            .unwrap()
            .is_none()
    }));
    assert!(run(engine, |engine, context| {
        engine.verification().mail_pam_code(context, NOW).is_err()
    }));
    assert!(run(engine, |engine, context| {
        let changed = engine.verification().end_for_changed_password(context, NOW);
        matches!(changed, Err(AdministrationError::NotOnHost(_)))
    }));
    let accounts: i64 = test.number("SELECT count(*) FROM account");
    assert_eq!(accounts, 0);
}

/// The policy names hosts and groups of hosts.
#[test]
fn an_exemption_of_hosts_applies_there_and_not_on_the_server() {
    const POLICY: &str = "[[policy.exempt]]\nhosts = [\"build1\", \"%web\"]\n\
                          [host_group]\nweb = [\"web1\"]\n";
    let (mut test, _) = alice(POLICY);
    let home = remote("192.0.2.7");
    let requirement = |engine: &mut Engine, joined: &Joined| {
        joined.run(engine, "alice", &home, Phase::After, |engine, context| {
            let found = engine.verification().find_pam_requirement(context, NOW);
            found.unwrap().requirement
        })
    };
    for (host, expected) in [
        ("build1", Requirement::Exempt(1)),
        ("web1", Requirement::Exempt(1)),
        ("web2", Requirement::Code),
    ] {
        let joined = joins(&mut test.engine, host);
        assert_eq!(requirement(&mut test.engine, &joined), expected, "{host}");
    }
    let none = CompletedMethods::default();
    let here = test
        .engine
        .policy()
        .requirement_at_service(&name("alice"), "sshd", &none)
        .unwrap();
    assert_eq!(here.0, Requirement::Code);
}

/// The attacks: a process of a user's own on a host asks about another account, claims an address, a
/// service and methods that exempt, uses a mark of root's, and would enroll or end sessions.
#[test]
fn a_users_own_process_on_a_host_counts_for_the_user_alone() {
    let policy = "[policy]\nenroll_hosts = [\"web1\"]\nmail_hosts = [\"web1\"]\n\
                  [[policy.exempt]]\nservices = [\"sshd\"]\n\
                  [[policy.exempt]]\nnetworks = [\"192.0.2.0/24\"]\n";
    let (mut test, app) = alice(policy);
    let web1 = joins(&mut test.engine, "web1");
    let home = remote("192.0.2.7");
    let (own, other) = (name("alice"), name("bob"));
    let engine = &mut test.engine;
    let run = |engine: &mut Engine,
               user: &UserName,
               operation: &mut dyn FnMut(&mut Engine, PamContext<'_>)| {
        web1.run(engine, "alice", &home, Phase::Before, |engine, context| {
            let requester = Requester::HostUser {
                host: &web1.host,
                name: user,
                uid: 1000,
            };
            operation(
                engine,
                PamContext {
                    requester,
                    ..context
                },
            );
        });
    };
    run(engine, &other, &mut |engine, context| {
        let asked = engine.verification().find_pam_requirement(context, NOW);
        assert!(matches!(asked, Err(AdministrationError::NotTrusted(user)) if user == other));
        let typed = code_of(&app, 0);
        let verified =
            engine
                .verification()
                .verify_pam_input(context, &typed, InputReading::Whole, NOW);
        assert!(matches!(verified, Err(AdministrationError::NotTrusted(_))));
    });
    let of_root = web1
        .verifies(engine, &home, &code_of(&app, 0), NOW)
        .unwrap();
    let (_, of_root) = of_root.result.unwrap().into_parts();
    let later = Timestamp(NOW.0 + 30);
    run(engine, &own, &mut |engine, context| {
        let asked = engine.verification().find_pam_requirement(context, later);
        assert_eq!(asked.unwrap().requirement, Requirement::Code);
        let begun = engine
            .enrollment()
            .begin_prompt_enrollment(context, None, later);
        assert!(matches!(begun, Ok(PromptEnrollment::Refused(_))));
        let changed = engine
            .verification()
            .end_for_changed_password(context, later);
        assert!(matches!(changed, Err(AdministrationError::NotOnHost(_))));
        let mark = of_root.as_ref().unwrap();
        let opened = engine.verification().verify_auth_mark(context, mark, later);
        assert_eq!(opened.unwrap().unwrap_err(), MarkRefusal::Invalid);
        let typed = code_at(&app, 0, later);
        let verified =
            engine
                .verification()
                .verify_pam_input(context, &typed, InputReading::Whole, later);
        assert!(verified.unwrap().result.is_ok());
    });
    let filter = EventFilter {
        kind: Some(EventKind::Accepted),
        ..EventFilter::default()
    };
    let accepted = engine.audit_log().newest_events(&filter, None, 1).unwrap();
    assert_eq!(accepted[0].1.origin, "local user alice on web1");
}

/// A code is mailed on the request of a host only where the policy says so.
#[test]
fn a_host_has_codes_mailed_only_where_the_policy_names_it() {
    let policy =
        format!("{MAIL}[policy]\nmail_hosts = [\"%office\"]\n[host_group]\noffice = [\"web1\"]\n");
    let (mut test, _) = alice(&policy);
    has_mail(&mut test, "alice", "alice@example.com", NOW);
    let home = remote("192.0.2.7");
    let later = Timestamp(NOW.0 + 600);
    for (host, may) in [("web1", true), ("db1", false)] {
        let joined = joins(&mut test.engine, host);
        let engine = &mut test.engine;
        joined.run(engine, "alice", &home, Phase::After, |engine, context| {
            let found = engine.verification().find_pam_requirement(context, later);
            assert_eq!(found.unwrap().mail == MailStatus::On, may, "{host}");
            let mailed = engine.verification().mail_pam_code(context, later);
            match (mailed, may) {
                (Ok(MailRequest::Queued(_)), true) => {}
                (Err(AdministrationError::NotOnHost(refused)), false) => {
                    assert_eq!(refused, host_name("db1"));
                }
                _ => panic!("{host}"),
            }
        });
        // before the first factor, nothing is mailed at any host
        joined.run(engine, "alice", &home, Phase::Before, |engine, context| {
            let mailed = engine.verification().mail_pam_code(context, later);
            assert!(!matches!(mailed, Ok(MailRequest::Queued(_))), "{host}");
        });
    }
}

/// A second factor is required of everyone at a group of hosts, and elsewhere only of the enrolled.
/// The attack: a stolen password that enrolls elsewhere, where none is required, for such a host.
#[test]
fn a_required_group_of_hosts_admits_no_one_without_a_second_factor() {
    const POLICY: &str = "[policy]\nrequired_hosts = [\"%production\"]\n\
                          [host_group]\nproduction = [\"db1\"]\n";
    let (mut test, _) = alice(POLICY);
    let home = remote("192.0.2.7");
    for (host, of_alice, of_bob) in [
        ("db1", Requirement::Code, Requirement::Enrollment),
        ("web1", Requirement::Code, Requirement::Nothing),
    ] {
        let joined = joins(&mut test.engine, host);
        for (user, expected) in [("alice", of_alice), ("bob", of_bob)] {
            let found = joined.run(
                &mut test.engine,
                user,
                &home,
                Phase::After,
                |engine, context| {
                    let found = engine.verification().find_pam_requirement(context, NOW);
                    found.unwrap().requirement
                },
            );
            assert_eq!(found, expected, "{user} on {host}");
        }
    }
    // and so the first enrollment needs an administrator's one-time code, wherever it is begun
    assert!(test.engine.policy().is_required(&name("bob")).unwrap());
    let (mut elsewhere, _) = alice("");
    assert!(!elsewhere.engine.policy().is_required(&name("bob")).unwrap());
}

/// Connects over loopback with real TLS, and returns what the server sees of the host's key, or the
/// host's error.
fn meets(
    server: (TlsIdentity, CertificateDer<'static>),
    host: std::sync::Arc<rustls::ClientConfig>,
) -> Result<Option<HostPublicKey>, String> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let patience = Duration::from_secs(10);
    let config = tls::server_config(server.0, &server.1).unwrap();
    let accepting = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let connection =
            FleetConnection::accept(socket, config, patience).map_err(|error| error.to_string())?;
        let key = connection
            .peer_certificate()
            .and_then(|certificate| tls::public_key(&certificate));
        (&connection)
            .write_all(b"ok")
            .map_err(|error| error.to_string())?;
        // the other side reads first
        let _ = (&connection).read(&mut [0]);
        Ok::<_, String>(key)
    });
    let connected = FleetConnection::connect(&address, host, patience)
        .and_then(|connection| {
            connection.set_timeout(Some(patience))?;
            (&connection).read_exact(&mut [0; 2])
        })
        .map_err(|error| error.to_string());
    let accepted = accepting.join().unwrap();
    connected.and(accepted)
}

fn now() -> Timestamp {
    postern_shared::system::clock::now().unwrap()
}

/// Joins by the machine's clock, which TLS uses.
fn joins_now(engine: &mut Engine, text: &str) -> (Joined, [u8; 32]) {
    let (invitation, _) = engine
        .hosts()
        .invite_host(&host_name(text), "root", now())
        .unwrap();
    let key = HostKey::generate().unwrap();
    let joined = engine
        .hosts()
        .join_host(invitation.secret(), &key.public_key(), now())
        .unwrap();
    let joined = Joined {
        host: joined.host,
        key,
        certificate: joined.certificate.into(),
        authority: joined.authority.into(),
    };
    (joined, invitation.authority)
}

#[test]
fn both_sides_are_verified_by_the_authority_of_the_fleet() {
    let (mut test, mut other) = (TestStore::new(""), TestStore::new(""));
    let (db1, pin) = joins_now(&mut test.engine, "db1");
    let (foreign, other_pin) = joins_now(&mut other.engine, "db1");
    let server = |test: &mut TestStore| {
        let identity = test.engine.hosts().server_identity(now()).unwrap();
        let authority = identity.chain[1].clone();
        (identity, authority)
    };
    let host = |joined: &Joined| tls::host_config(joined.identity(), &joined.authority).unwrap();
    let met = meets(server(&mut test), host(&db1)).unwrap().unwrap();
    let key = HostPublicKey::parse(&db1.key.public_key()).unwrap();
    assert!(met == key);
    let found: HostRecord = test.engine.hosts().find_joined_host(&met).unwrap().unwrap();
    assert_eq!(found.number, db1.host.number);
    // a host that joins sees the authority of its invitation, and no other
    assert!(
        meets(server(&mut test), tls::joining_config(pin).unwrap())
            .unwrap()
            .is_none()
    );
    assert!(meets(server(&mut test), tls::joining_config(other_pin).unwrap()).is_err());
    assert!(meets(server(&mut other), tls::joining_config(pin).unwrap()).is_err());
    // a server of another fleet, and a host of another fleet
    assert!(meets(server(&mut other), host(&db1)).is_err());
    let stranger = Joined {
        authority: db1.authority.clone(),
        ..foreign
    };
    assert!(meets(server(&mut test), host(&stranger)).is_err());
    // a host is no server
    let posing = (db1.identity(), db1.authority.clone());
    assert!(meets(posing, tls::joining_config(pin).unwrap()).is_err());
}

/// What a server has seen of a host, without counts.
fn seen(host: &JoinedHost, server: &str, is_connected: bool, counts: [u64; 3]) -> HostActivity {
    let [passed, not_needed, denied] = counts;
    HostActivity {
        host: host.number,
        server: server.to_owned(),
        seen: Timestamp(0),
        is_connected,
        version: "0.1.0".to_owned(),
        counts: ConversationCounts {
            passed,
            not_needed,
            denied,
        },
    }
}

#[test]
fn any_server_shows_what_all_servers_have_seen_of_a_host() {
    let mut test = TestStore::new("");
    let engine = &mut test.engine;
    let (web1, web2) = (joins(engine, "web1").host, joins(engine, "web2").host);
    let mut record = |all: Vec<(u64, HostActivity)>, now| {
        engine.hosts().record_host_activity(all, now).unwrap();
    };
    record(vec![(30, seen(&web1, "one", true, [1, 0, 2]))], NOW);
    let gone = JoinedHost {
        number: 99,
        name: host_name("gone"),
    };
    // a host that does not exist any more is left out, and the others are not
    record(
        vec![
            (0, seen(&gone, "two", true, [1, 1, 1])),
            (10, seen(&web1, "two", false, [0, 5, 0])),
        ],
        NOW,
    );
    record(vec![(0, seen(&web1, "one", true, [1, 0, 0]))], NOW);
    let all = engine.hosts().host_statuses(NOW).unwrap();
    let [first, second] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!((first.host.name.as_str(), first.servers.len()), ("web1", 1));
    assert_eq!(first.servers, ["one"]);
    assert_eq!(first.counts, seen(&web1, "", true, [2, 5, 2]).counts);
    assert_eq!((second.host.number, second.seen), (web2.number, None));
    // its server has said nothing for some minutes
    let later = engine.hosts().host_statuses(NOW.plus(300)).unwrap();
    assert!(later[0].servers.is_empty());
    engine
        .hosts()
        .revoke_host(&host_name("web1"), "root", NOW)
        .unwrap();
    let all = engine.hosts().host_statuses(NOW).unwrap();
    assert_eq!(
        (&all[0].host.revoked, all[0].servers.len()),
        (&Some(NOW), 0)
    );
}
