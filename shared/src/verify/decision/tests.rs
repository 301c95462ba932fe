//! The decision in tables: situations, and the result of each.

mod situations;

use super::*;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{Algorithm, OtpParameters, generate_code};
use crate::verify::account::StoredRecoveryCode;
use crate::verify::throttle::ThrottleFailure;
use zeroize::Zeroizing;

const NOW: Timestamp = Timestamp(1_800_000_015);
const PERIOD: u64 = 30;
const PARAMETERS: OtpParameters = OtpParameters {
    algorithm: Algorithm::Sha1,
    digits: 6,
    moving: OtpKind::Time { period: PERIOD },
};
const BY_COUNTER: OtpParameters = OtpParameters {
    moving: OtpKind::Counter,
    ..PARAMETERS
};

fn authenticator(seed: u8) -> LiveAuthenticator {
    LiveAuthenticator {
        secret: Secret::from_bytes(Zeroizing::new(vec![seed; 20])).unwrap(),
        parameters: PARAMETERS,
        fingerprint: SecretFingerprint([seed; 32]),
        floor: None,
        used_above: Vec::new(),
    }
}

fn account() -> AccountCredentials {
    let recovery_code = |hash: u8, used| StoredRecoveryCode {
        hash: RecoveryHash([hash; 32]),
        length: 10,
        used,
    };
    AccountCredentials {
        authenticators: vec![authenticator(1)],
        recovery_codes: vec![recovery_code(1, false), recovery_code(2, true)],
        ..AccountCredentials::without_credentials()
    }
}

fn step(offset: i64) -> Step {
    Step((NOW.0 / PERIOD).checked_add_signed(offset).unwrap())
}

fn code_of(seed: u8, offset: i64) -> String {
    generate_code(&authenticator(seed).secret, PARAMETERS, step(offset)).to_string()
}

/// Decides about an input. Every keyed hash of the input is made of this byte.
fn decide_input(
    account: &AccountCredentials,
    input: &Input,
    hash: u8,
    phase: Phase,
    totp: &TotpConfig,
    at: Timestamp,
) -> Decision {
    let attempt = Attempt {
        input,
        recovery_hash: matches!(input, Input::RecoveryCode(_)).then_some(RecoveryHash([hash; 32])),
        one_time_hash: matches!(input, Input::OneTimeCode(_)).then_some(OneTimeHash([hash; 32])),
        mailed_hash: None,
        configured_length: 10,
        phase,
    };
    decide(account, &attempt, totp, &ThrottleConfig::default(), at)
}

fn decide_typed(
    account: &AccountCredentials,
    typed: &str,
    phase: Phase,
    at: Timestamp,
) -> Decision {
    let (input, totp) = (Input::parse(typed.as_bytes()), TotpConfig::default());
    decide_input(account, &input, 0, phase, &totp, at)
}

fn result_of(account: &AccountCredentials, typed: &str) -> VerificationResult {
    decide_typed(account, typed, Phase::After, NOW).result
}

fn accepted(seed: u8, offset: i64) -> VerificationResult {
    let consumed = Consumed::Step(SecretFingerprint([seed; 32]), step(offset));
    Ok(Accepted { consumed })
}

const WRONG: VerificationResult = Err(Refusal::Wrong);

fn used(wait: u64) -> Decision {
    Decision::refuse_free(Refusal::Used { wait })
}

fn behind(steps: u64) -> VerificationResult {
    let seconds = steps * PERIOD;
    Err(Refusal::Behind { steps, seconds })
}

fn ahead(steps: u64) -> VerificationResult {
    let seconds = steps * PERIOD;
    Err(Refusal::Ahead { steps, seconds })
}

/// Formats a decision as the table writes it: `in`, or the cause and the cost.
fn describe(decision: &Decision) -> String {
    let mut text = match decision.result {
        Ok(_) => "in".to_owned(),
        Err(refusal) => refusal.to_string(),
    };
    match decision.bucket_cost {
        Some(1) => text += "+bucket",
        Some(more) => text += &format!("+bucket×{more}"),
        None => {}
    }
    text + if decision.charges_address {
        "+address"
    } else {
        ""
    }
}

#[test]
fn the_window_is_one_step_to_each_side_and_drift_beyond_ten_minutes_is_just_wrong() {
    for (offset, expected) in [
        (-21, WRONG),
        (-20, behind(20)),
        (-2, behind(2)),
        (-1, accepted(1, -1)),
        (0, accepted(1, 0)),
        (1, accepted(1, 1)),
        (2, ahead(2)),
        (21, WRONG),
    ] {
        let result = result_of(&account(), &code_of(1, offset));
        assert_eq!(result, expected, "{offset}");
    }
}

#[test]
fn the_window_moves_at_the_second() {
    let (code, begin) = (code_of(1, 0), Timestamp(step(0).0 * PERIOD));
    for (at, passes) in [
        (-31, false),
        (-30, true),
        (0, true),
        (59, true),
        (60, false),
    ] {
        let at = Timestamp(begin.0.checked_add_signed(at).unwrap());
        let decision = decide_typed(&account(), &code, Phase::After, at);
        assert_eq!(decision.result.is_ok(), passes, "{at:?}");
    }
}

#[test]
fn past_and_future_steps_are_configured_apart() {
    let totp: TotpConfig = toml::from_str("past_steps = 3\nfuture_steps = 0").unwrap();
    for (offset, passes) in [(-4, false), (-3, true), (0, true), (1, false)] {
        let input = Input::parse(code_of(1, offset).as_bytes());
        let decision = decide_input(&account(), &input, 0, Phase::After, &totp, NOW);
        assert_eq!(decision.result.is_ok(), passes, "{offset}");
    }
}

#[test]
fn a_used_step_and_every_older_one_are_refused_free_of_charge() {
    let mut account = account();
    account.authenticators[0].floor = Some(step(0));
    for offset in [-3, -1, 0] {
        let decision = decide_typed(&account, &code_of(1, offset), Phase::After, NOW);
        assert_eq!(decision, used(15), "{offset}");
    }
    assert_eq!(result_of(&account, &code_of(1, 1)), accepted(1, 1));
    account.authenticators[0].floor = Some(step(1));
    let result = result_of(&account, &code_of(1, 1));
    assert_eq!(result, used(45).result);
}

#[test]
fn a_used_code_of_one_authenticator_does_not_consume_a_step_of_another() {
    let mut account = account();
    account.authenticators.push(authenticator(2));
    account.authenticators[0].floor = Some(step(1));
    assert_eq!(result_of(&account, &code_of(2, 0)), accepted(2, 0));
}

/// An account with a counter-based authenticator whose last used code was that of counter 19.
fn by_counter() -> AccountCredentials {
    let token = LiveAuthenticator {
        parameters: BY_COUNTER,
        floor: Some(Step(19)),
        ..authenticator(3)
    };
    AccountCredentials {
        authenticators: vec![token],
        ..account()
    }
}

fn counter_code(counter: u64) -> String {
    generate_code(&authenticator(3).secret, BY_COUNTER, Step(counter)).to_string()
}

fn accepted_counter(counter: u64) -> VerificationResult {
    Ok(Accepted {
        consumed: Consumed::Step(SecretFingerprint([3; 32]), Step(counter)),
    })
}

#[test]
fn a_counter_is_found_within_the_look_ahead_and_no_further() {
    for (counter, expected) in [
        (20, accepted_counter(20)),
        (21, accepted_counter(21)),
        (30, accepted_counter(30)),
        (31, WRONG),
        (9, WRONG),
    ] {
        let result = result_of(&by_counter(), &counter_code(counter));
        assert_eq!(result, expected, "{counter}");
    }
    for counter in [10, 19] {
        let decision = decide_typed(&by_counter(), &counter_code(counter), Phase::After, NOW);
        assert_eq!(decision, used(0), "{counter}");
    }
    let mut new = by_counter();
    new.authenticators[0].floor = None;
    assert_eq!(result_of(&new, &counter_code(0)), accepted_counter(0));
}

#[test]
fn two_consecutive_codes_resynchronise_a_counter() {
    let pair =
        |first: u64, second: u64| format!("{} {}", counter_code(first), counter_code(second));
    for counter in [20, 500, 1019] {
        let result = result_of(&by_counter(), &pair(counter, counter + 1));
        assert_eq!(result, accepted_counter(counter + 1));
    }
    for (first, second) in [(500, 502), (501, 500), (18, 19), (19, 20), (1020, 1021)] {
        let decision = decide_typed(&by_counter(), &pair(first, second), Phase::After, NOW);
        assert_eq!(describe(&decision), "wrong+bucket", "{first}");
    }
    // two consecutive codes are malformed for an account whose codes are all time-based
    let result = result_of(&account(), &pair(500, 501));
    assert_eq!(result, Err(Refusal::Malformed));
}

#[test]
fn a_clock_set_back_is_a_cause_of_its_own() {
    let mut account = account();
    account.authenticators[0].floor = Some(step(10));
    for offset in [-5, 0, 1, 10] {
        let decision = decide_typed(&account, &code_of(1, offset), Phase::After, NOW);
        let expected = Decision::refuse_free(Refusal::ClockSetBack { seconds: 285 });
        assert_eq!(decision, expected, "{offset}");
    }
    assert_eq!(result_of(&account, &code_of(1, 11)), ahead(11));
    assert_eq!(result_of(&account, "000000"), WRONG);
}

#[test]
fn wrong_codes_cost_by_what_they_were_compared_with() {
    let mut account = account();
    let cost = |account: &AccountCredentials| {
        decide_typed(account, "000000", Phase::After, NOW).bucket_cost
    };
    assert_eq!(cost(&account), Some(1));
    account.authenticators.push(authenticator(2));
    assert_eq!(cost(&account), Some(2));
}

#[test]
fn the_first_and_the_last_second_do_not_overflow() {
    for at in [Timestamp(0), Timestamp(u64::MAX)] {
        let decision = decide_typed(&account(), "000000", Phase::After, at);
        assert!(decision.result.is_err());
    }
}

#[test]
fn every_algorithm_length_and_period_has_its_window() {
    for algorithm in [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512] {
        for (digits, period) in [(6, 15), (8, 30), (6, 60), (8, 120)] {
            let parameters = OtpParameters {
                algorithm,
                digits,
                moving: OtpKind::Time { period },
            };
            let account = AccountCredentials {
                authenticators: vec![LiveAuthenticator {
                    parameters,
                    ..authenticator(1)
                }],
                ..account()
            };
            let current = NOW.0 / period;
            for (step, expected) in [
                (current - 2, "behind-2-steps+bucket"),
                (current - 1, "in"),
                (current, "in"),
                (current + 1, "in"),
                (current + 2, "ahead-2-steps+bucket"),
            ] {
                let secret = &account.authenticators[0].secret;
                let typed = generate_code(secret, parameters, Step(step));
                let decision = decide_typed(&account, &typed, Phase::After, NOW);
                assert_eq!(describe(&decision), expected, "{parameters:?} {step}");
            }
        }
    }
}

/// The better match counts, whichever authenticator is compared first: an input that is right for
/// one authenticator is no guess at the other.
#[test]
fn of_several_authenticators_the_best_match_counts() {
    for (floors, typed, expected) in [
        ([Some(1), None], code_of(2, 0), "in"),
        ([Some(0), None], code_of(1, 0), "used"),
        ([Some(0), Some(10)], code_of(1, 1), "in"),
        ([None, Some(10)], code_of(2, 0), "clock-set-back-285s"),
        ([None, None], code_of(2, -5), "behind-5-steps+bucket×2"),
        ([None, None], code_of(1, 5), "ahead-5-steps+bucket×2"),
        ([None, None], "000000".to_owned(), "wrong+bucket×2"),
    ] {
        let of = |seed: u8, floor: Option<i64>| LiveAuthenticator {
            floor: floor.map(step),
            ..authenticator(seed)
        };
        for order in [[0, 1], [1, 0]] {
            let authenticators = order
                .map(|number: u8| of(number + 1, floors[usize::from(number)]))
                .into_iter()
                .collect();
            let account = AccountCredentials {
                authenticators,
                ..account()
            };
            let decision = decide_typed(&account, &typed, Phase::After, NOW);
            assert_eq!(describe(&decision), expected, "{floors:?} {order:?}");
        }
    }
}

/// If the lower of two steps were accepted, an equal code of the higher one would stay usable.
#[test]
fn of_equal_codes_the_highest_step_is_consumed() {
    // the first step after NOW whose neighbours to both sides have one code
    const BETWEEN: u64 = 60_216_135;
    let (now, equal) = (Timestamp(BETWEEN * PERIOD), "339909");
    for step in [BETWEEN - 1, BETWEEN + 1] {
        let code = generate_code(&authenticator(1).secret, PARAMETERS, Step(step));
        assert_eq!(code.as_str(), equal);
    }
    let consumed = Consumed::Step(SecretFingerprint([1; 32]), Step(BETWEEN + 1));
    let accepted_now = decide_typed(&account(), equal, Phase::After, now);
    assert_eq!(accepted_now.result, Ok(Accepted { consumed }));
}
