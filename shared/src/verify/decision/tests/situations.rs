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
    let failures = vec![ThrottleFailure { at: NOW, cost: 1 }; 5];
    match situation {
        Situation::Open => {}
        Situation::Delayed => account.bucket.failures = failures,
        Situation::Locked => account.bucket.locked = true,
        Situation::AddressDelayed => account.address_wait = Some(7),
        Situation::DelayedAndAddressDelayed => {
            account.address_wait = Some(7);
            account.bucket.failures = failures;
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
    // the results of codes, and of recovery codes and one-time codes: these are not delayed
    let (undelayed, address_delayed) = (
        "in used wrong+address malformed in wrong+address",
        "in used a malformed in a",
    );
    let wrong_codes = "wrong+bucket+address wrong+bucket+address wrong+bucket+address malformed";
    let wrong_others =
        "wrong+address wrong+address wrong+address malformed wrong+address wrong+address";
    let table = [
        (Open, After, "in used wrong+bucket malformed", undelayed),
        (
            Open,
            Before,
            "in used wrong+bucket+address malformed",
            undelayed,
        ),
        (Delayed, After, "d d d malformed", undelayed),
        (Delayed, Before, "d d d malformed", undelayed),
        (Locked, After, "locked locked locked malformed", undelayed),
        (
            AddressDelayed,
            After,
            "in used wrong+bucket malformed",
            address_delayed,
        ),
        (AddressDelayed, Before, "a a a malformed", address_delayed),
        (
            DelayedAndAddressDelayed,
            After,
            "d d d malformed",
            address_delayed,
        ),
        (
            DelayedAndAddressDelayed,
            Before,
            "a a a malformed",
            address_delayed,
        ),
        (Off, After, "off off off off", "off off off off off off"),
        (Off, Before, wrong_codes, wrong_others),
    ];
    for (situation, phase, codes, others) in table {
        let decide = |(text, hash): &(String, u8)| {
            let (input, totp) = (Input::parse(text.as_bytes()), TotpConfig::default());
            describe(&decide_input(
                &account_in(situation),
                &input,
                *hash,
                phase,
                &totp,
                NOW,
            ))
        };
        let results: Vec<_> = inputs.iter().map(decide).collect();
        let results = results
            .join(" ")
            .replace("address-delayed-7s", "a")
            .replace("delayed-30s", "d")
            .replace("not-enrolled", "off");
        assert_eq!(
            results,
            format!("{codes} {others}"),
            "{situation:?} {phase:?}"
        );
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
        let (input, totp) = (Input::parse(b"P-222222222222"), TotpConfig::default());
        let now = NOW.plus(after);
        let decision = decide_input(&account, &input, 1, Phase::After, &totp, now);
        assert_eq!(describe(&decision), expected, "{used} {after}");
    }
}

/// Before the first factor the length of an input that is refused without cost MUST NOT show which
/// authenticators the account has.
#[test]
fn which_lengths_are_compared() {
    let mut eight = account();
    eight.authenticators[0].parameters.digits = 8;
    let mut both = account();
    both.authenticators.push(LiveAuthenticator {
        parameters: eight.authenticators[0].parameters,
        ..authenticator(2)
    });
    let (malformed, wrong, wrong_before) = ("malformed", "wrong+bucket", "wrong+bucket+address");
    for (length, six_after, eight_after, both_after, before) in [
        (5, malformed, malformed, malformed, malformed),
        (6, wrong, malformed, wrong, wrong_before),
        (7, malformed, malformed, malformed, malformed),
        (8, malformed, wrong, wrong, wrong_before),
        (12, malformed, malformed, malformed, wrong_before),
        (16, malformed, malformed, malformed, wrong_before),
        (18, malformed, malformed, malformed, malformed),
    ] {
        let typed = "0".repeat(length);
        for (account, after) in [
            (&account(), six_after),
            (&eight, eight_after),
            (&both, both_after),
        ] {
            for (phase, expected) in [(Phase::After, after), (Phase::Before, before)] {
                let decision = decide_typed(account, &typed, phase, NOW);
                assert_eq!(describe(&decision), expected, "{length} {phase:?}");
            }
        }
    }
}
