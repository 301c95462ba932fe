//! The result of every kind of input in every situation of an account, as one table, and the
//! lengths of digits that are compared.

use super::*;

/// The situation of an account.
#[derive(Clone, Copy, Debug)]
enum Situation {
    Open,
    Delayed,
    Locked,
    AddressDelayed,
    /// Both the bucket and the address are delayed.
    DelayedAndAddressDelayed,
    /// No second factor, or no such account: the input is compared with a decoy.
    Off,
}

fn account_in(situation: Situation) -> AccountCredentials {
    let mut account = account();
    account.one_time_code = Some(StoredOneTimeCode {
        hash: OneTimeHash([1; 32]),
        issued: NOW,
        expires: NOW.plus(1),
        used: false,
    });
    account.authenticators[0].floor = Some(step(-1));
    match situation {
        Situation::Open => {}
        Situation::Delayed => {
            account.bucket.failures = vec![ThrottleFailure { at: NOW, cost: 1 }; 5]
        }
        Situation::Locked => account.bucket.locked = true,
        Situation::AddressDelayed => account.address_wait = Some(7),
        Situation::DelayedAndAddressDelayed => {
            account.address_wait = Some(7);
            account.bucket.failures = vec![ThrottleFailure { at: NOW, cost: 1 }; 5];
        }
        Situation::Off => {
            account.enrolled = Enrolled::No;
            account.authenticators[0].floor = None;
        }
    }
    account
}

/// The results of each situation and phase, in the order of the inputs above the table.
#[test]
fn every_input_has_its_result_in_every_situation() {
    use Phase::{After, Before};
    use Situation::{AddressDelayed, Delayed, DelayedAndAddressDelayed, Locked, Off, Open};
    let coded = |offset| code_of(1, offset);
    let typed = |text: &str| (text.to_owned(), 0);
    let inputs = [
        // a code: valid, used, wrong; no code
        (coded(0), 0),
        (coded(-1), 0),
        typed("000000"),
        typed("a password"),
        // a recovery code: valid, used, wrong; a password with the shape of one, of another length
        ("ABCDEFGH23".to_owned(), 1),
        ("ABCDEFGH23".to_owned(), 2),
        ("ABCDEFGH23".to_owned(), 9),
        ("kubernetes7".to_owned(), 9),
        // a one-time code: valid, wrong
        ("P-222222222222".to_owned(), 1),
        ("P-222222222222".to_owned(), 9),
    ];
    let table = [
        (
            Open,
            After,
            "in used wrong+bucket malformed in used wrong+address malformed in wrong+address",
        ),
        (
            Open,
            Before,
            "in used wrong+bucket+address malformed in used wrong+address malformed in wrong+address",
        ),
        (
            Delayed,
            After,
            "delayed-30s delayed-30s delayed-30s malformed in used wrong+address malformed in wrong+address",
        ),
        (
            Delayed,
            Before,
            "delayed-30s delayed-30s delayed-30s malformed in used wrong+address malformed in wrong+address",
        ),
        (
            Locked,
            After,
            "locked locked locked malformed in used wrong+address malformed in wrong+address",
        ),
        (
            AddressDelayed,
            After,
            "in used wrong+bucket malformed in used a malformed in a",
        ),
        (
            AddressDelayed,
            Before,
            "a a a malformed in used a malformed in a",
        ),
        (
            DelayedAndAddressDelayed,
            After,
            "delayed-30s delayed-30s delayed-30s malformed in used a malformed in a",
        ),
        (
            DelayedAndAddressDelayed,
            Before,
            "a a a malformed in used a malformed in a",
        ),
        (Off, After, "off off off off off off off off off off"),
        (
            Off,
            Before,
            "wrong+bucket+address wrong+bucket+address wrong+bucket+address malformed wrong+address wrong+address \
             wrong+address malformed wrong+address wrong+address",
        ),
    ];
    for (situation, phase, expected) in table {
        let results: Vec<_> = inputs
            .iter()
            .map(|(text, hash)| {
                let input = Input::parse(text.as_bytes());
                describe(&decide_input(
                    &account_in(situation),
                    &input,
                    *hash,
                    phase,
                    &TotpConfig::default(),
                    NOW,
                ))
            })
            .collect();
        let results = results
            .join(" ")
            .replace("address-delayed-7s", "a")
            .replace("not-enrolled", "off");
        assert_eq!(results, expected, "{situation:?} {phase:?}");
    }
}

#[test]
fn a_one_time_code_is_accepted_once_before_it_expires() {
    let stored = StoredOneTimeCode {
        hash: OneTimeHash([1; 32]),
        issued: NOW,
        expires: NOW.plus(10),
        used: false,
    };
    for (used, after, expected) in [
        (false, 0, "in"),
        (false, 9, "in"),
        (false, 10, "code-expired"),
        (false, 1_000_000, "code-expired"),
        (true, 0, "used"),
        (true, 10, "used"),
    ] {
        let account = AccountCredentials {
            one_time_code: Some(StoredOneTimeCode { used, ..stored }),
            ..account()
        };
        let input = Input::parse(b"P-222222222222");
        let decision = decide_input(
            &account,
            &input,
            1,
            Phase::After,
            &TotpConfig::default(),
            NOW.plus(after),
        );
        assert_eq!(describe(&decision), expected, "{used} {after}");
    }
}

/// Before the first factor the length of an input that is refused without cost MUST NOT show which
/// authenticators the account has.
#[test]
fn which_lengths_are_compared() {
    let mut eight = account();
    eight.authenticators[0].parameters.digits = 8;
    let both = || {
        vec![
            authenticator(1),
            LiveAuthenticator {
                parameters: eight.authenticators[0].parameters,
                ..authenticator(2)
            },
        ]
    };
    let both = AccountCredentials {
        authenticators: both(),
        ..account()
    };
    let malformed = "malformed";
    for (length, six_after, eight_after, both_after, before) in [
        (5, malformed, malformed, malformed, malformed),
        (
            6,
            "wrong+bucket",
            malformed,
            "wrong+bucket",
            "wrong+bucket+address",
        ),
        (7, malformed, malformed, malformed, malformed),
        (
            8,
            malformed,
            "wrong+bucket",
            "wrong+bucket",
            "wrong+bucket+address",
        ),
        (12, malformed, malformed, malformed, "wrong+bucket+address"),
        (16, malformed, malformed, malformed, "wrong+bucket+address"),
        (18, malformed, malformed, malformed, malformed),
    ] {
        let typed = "0".repeat(length);
        for (account, after) in [
            (&account(), six_after),
            (&eight, eight_after),
            (&both, both_after),
        ] {
            assert_eq!(
                describe(&decide_typed(account, &typed, Phase::After, NOW)),
                after,
                "{length} after"
            );
            assert_eq!(
                describe(&decide_typed(account, &typed, Phase::Before, NOW)),
                before,
                "{length} before"
            );
        }
    }
}
