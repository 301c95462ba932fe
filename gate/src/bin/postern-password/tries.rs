//! Limits on wrong passwords, by account and in total. The gate counts guesses itself, by account
//! and scope. These limits are far above the gate's and hold when an attacker controls the gate.

use postern_shared::account::name::UserName;
use std::collections::HashMap;
use std::time::Duration;

/// Limit for one account: a burst, and one more try each time `every` has passed.
const ACCOUNT_LIMIT: TryLimit = TryLimit {
    at_once: 30,
    every: Duration::from_secs(120),
};
/// Limit for all accounts together. It holds only for accounts that had a wrong password lately, so
/// that guesses at many accounts keep no other account out.
const TOTAL_LIMIT: TryLimit = TryLimit {
    at_once: 600,
    every: Duration::from_secs(1),
};

struct TryLimit {
    at_once: u32,
    every: Duration,
}

/// Time at which every try is available again, since the helper started.
#[derive(Clone, Copy, Default)]
struct SpentTries(Duration);

#[derive(Default)]
pub(crate) struct PasswordTries {
    total: SpentTries,
    accounts: HashMap<UserName, SpentTries>,
}

impl SpentTries {
    fn take_try(&mut self, limit: &TryLimit, now: Duration) -> bool {
        let from = self.0.max(now);
        let is_allowed = from - now <= limit.every * (limit.at_once - 1);
        if is_allowed {
            self.0 = from + limit.every;
        }
        is_allowed
    }

    fn return_try(&mut self, limit: &TryLimit) {
        self.0 = self.0.saturating_sub(limit.every);
    }
}

/// A try that was taken. `in_all` says whether it counts against the limit for all accounts.
pub(crate) struct TakenTry {
    in_all: bool,
}

impl PasswordTries {
    /// Takes a try of an account, if its limits allow one.
    pub(crate) fn take_try(&mut self, name: &UserName, now: Duration) -> Option<TakenTry> {
        self.accounts.retain(|_, spent| spent.0 > now);
        let had_none = !self.accounts.contains_key(name);
        let in_all = self.total.take_try(&TOTAL_LIMIT, now);
        let is_allowed = (in_all || had_none)
            && self
                .accounts
                .entry(name.clone())
                .or_default()
                .take_try(&ACCOUNT_LIMIT, now);
        let taken = TakenTry { in_all };
        match is_allowed {
            true => Some(taken),
            false => {
                self.return_to_total(taken);
                None
            }
        }
    }

    /// Returns a try: a right password uses none up, nor does one that PAM was not asked about.
    pub(crate) fn return_try(&mut self, name: &UserName, taken: TakenTry) {
        self.return_to_total(taken);
        if let Some(spent) = self.accounts.get_mut(name) {
            spent.return_try(&ACCOUNT_LIMIT);
        }
    }

    fn return_to_total(&mut self, taken: TakenTry) {
        if taken.in_all {
            self.total.return_try(&TOTAL_LIMIT);
        }
    }

    /// Whether no limit is in use, so that the process may exit without forgetting a wrong
    /// password.
    pub(crate) fn is_clear(&self, now: Duration) -> bool {
        self.total.0 <= now && self.accounts.values().all(|spent| spent.0 <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);

    fn name(text: &str) -> UserName {
        text.parse().unwrap()
    }

    #[test]
    fn an_account_has_a_burst_of_tries_and_then_one_at_a_time() {
        let (mut tries, alice) = (PasswordTries::default(), name("alice"));
        assert_eq!(
            (0..1000)
                .filter(|_| tries.take_try(&alice, NOW).is_some())
                .count(),
            30
        );
        assert!(
            tries.take_try(&name("bob"), NOW).is_some(),
            "another account is another"
        );
        let later = NOW + Duration::from_secs(120);
        assert!(tries.take_try(&alice, later).is_some() && tries.take_try(&alice, later).is_none());
    }

    #[test]
    fn a_right_password_uses_up_no_try() {
        let (mut tries, alice) = (PasswordTries::default(), name("alice"));
        for _ in 0..1000 {
            let taken = tries.take_try(&alice, NOW).unwrap();
            tries.return_try(&alice, taken);
        }
        assert!(tries.is_clear(NOW));
    }

    #[test]
    fn guesses_at_many_accounts_are_limited_and_keep_no_other_account_out() {
        let mut tries = PasswordTries::default();
        let of = |number: usize| name(&format!("user{number}"));
        let got = (0..100).flat_map(|number| (0..30).map(move |_| number));
        let got = got
            .filter(|number| tries.take_try(&of(*number), NOW).is_some())
            .count();
        assert!((600..=700).contains(&got), "{got}");
        let taken = tries
            .take_try(&name("alice"), NOW)
            .expect("she had no wrong one lately");
        assert!(tries.take_try(&name("alice"), NOW).is_none());
        // Alice's try was taken beyond the limit for all, so that returning it adds nothing there.
        tries.return_try(&name("alice"), taken);
        assert!(tries.take_try(&of(0), NOW).is_none());
        assert!(!tries.is_clear(NOW));
        assert!(tries.is_clear(NOW + Duration::from_secs(3600)));
    }
}
