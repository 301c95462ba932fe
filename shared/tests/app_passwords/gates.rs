//! App passwords as gates read them, and the time from which a revocation is in force at every
//! gate.

use super::*;
use postern_shared::crypto::vault::TokenKeys;
use std::collections::HashSet;

#[test]
fn what_a_gate_notes_of_wrong_ones_counts_for_every_service() {
    let mut test = test("");
    let wrong = AppPassword::random().unwrap();
    let address = Address::parse("192.0.2.7").unwrap();
    test.app_passwords()
        .record_app_password_use(&[], &[(address, NOW); 10])
        .unwrap();
    let delayed = Err(AppPasswordRefusal::AddressDelayed { wait: 300 });
    assert_eq!(admits(&mut test, &wrong, "dovecot", NOW), delayed);
}

#[test]
fn a_gate_reads_them_again_when_they_or_their_accounts_change_and_only_then() {
    let mut test = test("");
    let (gate, mail) = ([7; 16], add(&mut test, "mail", SCOPE));
    let seen = look(&mut test, &gate, None).unwrap();
    assert!(knows(&seen, &mail));
    let goes_by = |seen: &RevocationUpdate, before: u64| KnownRevisions {
        revision: seen.revoked.revision,
        app_passwords: seen
            .app_passwords
            .last()
            .map_or(before, |live| live.revision),
    };
    let mut by = goes_by(&seen, 0);
    assert!(look(&mut test, &gate, Some(by)).is_none());

    test.sessions().remove_gate(&gate).unwrap();
    test.adds_account("bob");
    test.accounts()
        .change_groups(&name("bob"), &["ops".parse().unwrap()], &[], "root", NOW)
        .unwrap();
    let seen = look(&mut test, &gate, Some(by)).unwrap();
    assert!(seen.app_passwords.is_empty(), "bob has none");
    by = goes_by(&seen, by.app_passwords);

    type Act = fn(&mut Engine) -> Option<(&'static str, usize)>;
    let acts: [Act; 5] = [
        |engine| {
            engine
                .accounts()
                .change_groups(&name("alice"), &["ops".parse().unwrap()], &[], "root", NOW)
                .unwrap();
            Some(("alice", 1))
        },
        |engine| {
            engine
                .accounts()
                .rename_account(
                    &name("alice"),
                    &name("alicia"),
                    postern_shared::account::name::Distinct::No,
                    "root",
                    NOW,
                )
                .unwrap();
            Some(("alicia", 1))
        },
        |engine| {
            let (who, scope) = (name("alicia"), SCOPE.parse().unwrap());
            engine
                .app_passwords()
                .add_app_password(&who, &label("two"), &scope, None, "root", NOW)
                .unwrap();
            Some(("alicia", 1))
        },
        |engine| {
            engine
                .app_passwords()
                .revoke_app_passwords(&name("alicia"), Some(&label("two")), "root", NOW)
                .unwrap();
            Some(("alicia", 1))
        },
        |engine| {
            engine
                .accounts()
                .remove_account(&name("alicia"), "root", NOW)
                .unwrap();
            None
        },
    ];
    for act in acts {
        test.sessions().remove_gate(&gate).unwrap();
        let expected = act(&mut test);
        let seen = look(&mut test, &gate, Some(by)).unwrap();
        let live = seen.app_passwords.last().expect("what changed is told");
        assert!(!live.is_complete, "all are read once");
        let hash = seen.keys.app_password_hash(&mail);
        let found = live
            .all
            .iter()
            .find(|(known, _)| *known == hash)
            .map(|(_, found)| found);
        // an update holds nothing that has not changed
        let is_told = found.is_some() || live.removed.contains(&hash);
        if is_told {
            assert_eq!(
                found.map(|f| (f.account.as_str(), f.groups.len())),
                expected
            );
        }
        by = goes_by(&seen, by.app_passwords);
    }
}

/// The app passwords that a gate holds in memory.
#[derive(Default)]
struct Kept {
    hashes: HashSet<[u8; 32]>,
    keys: Option<TokenKeys>,
}

impl Kept {
    fn take_over(&mut self, seen: RevocationUpdate) {
        for live in seen.app_passwords {
            if live.is_complete {
                self.hashes.clear();
            }
            self.hashes.extend(live.all.iter().map(|(hash, _)| hash.0));
            live.removed
                .iter()
                .for_each(|hash| assert!(self.hashes.remove(&hash.0), "it was not known"));
        }
        self.keys = Some(seen.keys);
    }

    fn knows(&self, typed: &AppPassword) -> bool {
        self.keys
            .as_ref()
            .is_some_and(|keys| self.hashes.contains(&keys.app_password_hash(typed).0))
    }
}

/// A revocation is in force at two gates, which poll as real gates do, when it is reported as done.
#[test]
fn a_revocation_holds_at_two_gates_when_it_is_reported_done() {
    let mut test = test("");
    let config = test.config().clone();
    let ended = AtomicBool::new(false);
    let (alice, current) = (
        name("alice"),
        std::sync::Mutex::new([const { None::<Kept> }; 2]),
    );
    std::thread::scope(|scope| {
        for number in 0..2_u8 {
            let (config, ended, current) = (config.clone(), &ended, &current);
            scope.spawn(move || {
                let mut engine = Engine::open(config).unwrap();
                let mut by = None;
                while !ended.load(Ordering::SeqCst) {
                    let looked =
                        engine
                            .sessions()
                            .update_revocations(&[number; 16], by, NOW, |seen| {
                                let mut current = current.lock().unwrap();
                                let kept = current[usize::from(number)].get_or_insert_default();
                                let before = by.map_or(0, |by: KnownRevisions| by.app_passwords);
                                let app_passwords = seen
                                    .app_passwords
                                    .last()
                                    .map_or(before, |live| live.revision);
                                by = Some(KnownRevisions {
                                    revision: seen.revoked.revision,
                                    app_passwords,
                                });
                                kept.take_over(seen);
                            });
                    looked.unwrap();
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        let sees = |typed: &AppPassword| {
            let current = current.lock().unwrap();
            current
                .iter()
                .flatten()
                .filter(|kept| kept.knows(typed))
                .count()
        };
        while current.lock().unwrap().iter().any(Option::is_none) {
            std::thread::sleep(Duration::from_millis(5));
        }
        for round in 0..10 {
            let mail = add(&mut test, &format!("round {round}"), SCOPE);
            assert_eq!(sees(&mail), 2, "round {round}: it is good when it is shown");
            test.app_passwords()
                .revoke_app_passwords(&alice, None, "root", NOW)
                .unwrap();
            assert_eq!(sees(&mail), 0, "round {round}");
        }
        ended.store(true, Ordering::SeqCst);
    });
}

/// The app password is accepted at a PAM service only before the revocation is reported as done.
#[test]
fn uses_that_race_with_a_revocation_are_refused_once_it_is_reported_done() {
    let mut test = test("");
    let mail = add(&mut test, "mail", SCOPE);
    let (config, done) = (test.config().clone(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut engine = Engine::open(config.clone()).unwrap();
                for turn in 0.. {
                    let was_done = done.load(Ordering::SeqCst);
                    let address = format!("192.0.2.{}", turn % 200);
                    let admitted = match tried_from(&address, &mut engine, &mail, "dovecot", NOW) {
                        Ok(admitted) => admitted.is_ok(),
                        // the other processes write without a pause, so this use is refused too
                        Err(EngineError::Store(StoreError::Busy)) => false,
                        Err(error) => panic!("{error}"),
                    };
                    assert!(!(was_done && admitted));
                    if was_done {
                        return;
                    }
                }
            });
        }
        // four processes that write without a pause can make the revocation time out
        let mut revoke = || {
            test.app_passwords()
                .revoke_app_passwords(&name("alice"), Some(&label("mail")), "root", NOW)
                .ok()
        };
        let revoked = (0..20).find_map(|_| revoke());
        done.store(true, Ordering::SeqCst);
        assert!(revoked.is_some());
    });
}
