//! The codes of an authenticator by a clock that runs: each is valid, and none was shown before.

use crate::machine::clock::Clock;
use crate::user::phone::Phone;

/// The hosts of these stories accept as many time steps before now (`totp.past_steps`).
pub(crate) const PAST_STEPS: i64 = 10;
/// Time steps of 30 s.
const PERIOD: u64 = 30;

/// An authenticator, and the last time step whose code it has shown.
pub struct UnusedCodes {
    phone: Phone,
    last: u64,
}

impl UnusedCodes {
    pub fn of(phone: Phone) -> UnusedCodes {
        UnusedCodes { phone, last: 0 }
    }

    /// Returns a code that is valid for two minutes at least. Some seven follow one another at once,
    /// and one more every 30 s.
    #[track_caller]
    pub fn next_code(&mut self) -> String {
        self.find_next()
            .expect("the authenticator has an unused code")
    }

    /// Returns such a code, if there is one at this time.
    pub fn find_next(&mut self) -> Option<String> {
        let now = Clock.now() / PERIOD;
        let oldest = now.saturating_add_signed(4 - PAST_STEPS);
        let step = oldest.max(self.last + 1);
        if step > now {
            return None;
        }
        self.last = step;
        let back = i64::try_from(now - step).ok()?;
        Some(self.phone.code_in(-back))
    }

    /// Returns codes that are not valid.
    pub fn wrong_codes(&self, count: usize) -> Vec<String> {
        self.phone.wrong_codes(count)
    }
}
