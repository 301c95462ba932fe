//! What every kind of answer meets in every situation of an account, as one table; and which are compared at all.

use super::*;

/// How an account may stand.
#[derive(Clone, Copy, Debug)]
enum Stands {
    /// Nothing is counted.
    Open,
    /// Its row is delayed.
    Delayed,
    /// Its row is locked.
    Locked,
    /// The address waits.
    AddressWaits,
    /// Both.
    DelayedAndAddressWaits,
    /// It has no second factor, or there is no such account: a decoy stands in its place.
    Off,
}

fn standing(stands: Stands) -> AccountCredentials {
    let mut account = account();
    account.one_time_code = Some(StoredOneTimeCode {
        hash: OneTimeHash([1; 32]),
        issued: NOW,
        expires: NOW.plus(1),
        used: false,
    });
    account.authenticators[0].floor = Some(step(-1));
    match stands {
        Stands::Open => {}
        Stands::Delayed => account.bucket.failures = vec![ThrottleFailure { at: NOW, cost: 1 }; 5],
        Stands::Locked => account.bucket.locked = true,
        Stands::AddressWaits => account.address_wait = Some(7),
        Stands::DelayedAndAddressWaits => {
            account.address_wait = Some(7);
            account.bucket.failures = vec![ThrottleFailure { at: NOW, cost: 1 }; 5];
        }
        Stands::Off => {
            account.enrolled = Enrolled::No;
            account.authenticators[0].floor = None;
        }
    }
    account
}

/// Sections 5 and 6, row by row: what the answers of the first line meet. One-time codes: live, used, over, wrong.
#[test]
fn every_answer_in_every_situation() {
    use Phase::{After, Before};
    use Stands::{AddressWaits, Delayed, DelayedAndAddressWaits, Locked, Off, Open};
    let coded = |offset| code_of(1, offset);
    let typed = |text: &str| (text.to_owned(), 0);
    let answers = [
        // a code: live, used, wrong; no code
        (coded(0), 0),
        (coded(-1), 0),
        typed("000000"),
        typed("a password"),
        // a recovery code: live, used, wrong; a password that looks like one of another length
        ("ABCDEFGH23".to_owned(), 1),
        ("ABCDEFGH23".to_owned(), 2),
        ("ABCDEFGH23".to_owned(), 9),
        ("kubernetes7".to_owned(), 9),
        // a one-time code: live, wrong
        ("P-222222222222".to_owned(), 1),
        ("P-222222222222".to_owned(), 9),
    ];
    let table = [
        (
            Open,
            After,
            "in used wrong+row malformed in used wrong+address malformed in wrong+address",
        ),
        (
            Open,
            Before,
            "in used wrong+row+address malformed in used wrong+address malformed in wrong+address",
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
            AddressWaits,
            After,
            "in used wrong+row malformed in used a malformed in a",
        ),
        (
            AddressWaits,
            Before,
            "a a a malformed in used a malformed in a",
        ),
        (
            DelayedAndAddressWaits,
            After,
            "delayed-30s delayed-30s delayed-30s malformed in used a malformed in a",
        ),
        (
            DelayedAndAddressWaits,
            Before,
            "a a a malformed in used a malformed in a",
        ),
        (Off, After, "off off off off off off off off off off"),
        (
            Off,
            Before,
            "wrong+row+address wrong+row+address wrong+row+address malformed wrong+address wrong+address \
             wrong+address malformed wrong+address wrong+address",
        ),
    ];
    for (stands, stage, expected) in table {
        let met: Vec<_> = answers
            .iter()
            .map(|(text, hash)| {
                let answer = Input::parse(text.as_bytes());
                told(&decided(
                    &standing(stands),
                    &answer,
                    *hash,
                    stage,
                    &TotpConfig::default(),
                    NOW,
                ))
            })
            .collect();
        let met = met
            .join(" ")
            .replace("address-delayed-7s", "a")
            .replace("not-enrolled", "off");
        assert_eq!(met, expected, "{stands:?} {stage:?}");
    }
}

#[test]
fn a_one_time_code_opens_once_within_its_life() {
    let kept = StoredOneTimeCode {
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
            one_time_code: Some(StoredOneTimeCode { used, ..kept }),
            ..account()
        };
        let answer = Input::parse(b"P-222222222222");
        let ruling = decided(
            &account,
            &answer,
            1,
            Phase::After,
            &TotpConfig::default(),
            NOW.plus(after),
        );
        assert_eq!(told(&ruling), expected, "{used} {after}");
    }
}

/// Before the first factor the length of what is refused free of charge must not tell what the account has.
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
        (6, "wrong+row", malformed, "wrong+row", "wrong+row+address"),
        (7, malformed, malformed, malformed, malformed),
        (8, malformed, "wrong+row", "wrong+row", "wrong+row+address"),
        (12, malformed, malformed, malformed, "wrong+row+address"),
        (16, malformed, malformed, malformed, "wrong+row+address"),
        (18, malformed, malformed, malformed, malformed),
    ] {
        let typed = "0".repeat(length);
        for (account, after) in [
            (&account(), six_after),
            (&eight, eight_after),
            (&both, both_after),
        ] {
            assert_eq!(
                told(&ruling(account, &typed, Phase::After, NOW)),
                after,
                "{length} after"
            );
            assert_eq!(
                told(&ruling(account, &typed, Phase::Before, NOW)),
                before,
                "{length} before"
            );
        }
    }
}
