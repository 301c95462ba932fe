//! A person's authenticator app: holds the secret, shows codes by its own clock, which goes with the host's.

use crate::clock::Clock;
use shared::credential::otpauth_uri;
use shared::credential::secret::Secret;
use shared::credential::totp::{OtpParameters, Step, generate_code};
use shared::system::clock::Timestamp;

/// Codes this far from now are never taken for wrong ones, in steps.
const FAR: i64 = 45;

/// An authenticator.
pub struct Phone {
    secret: Secret,
    parameters: OtpParameters,
}

impl Phone {
    /// Scans a URL, or takes Base32 typed in.
    #[track_caller]
    pub fn scans(text: &str) -> Phone {
        let (secret, parameters) =
            otpauth_uri::parse_declared_secret(text).expect("an app can read this");
        Phone { secret, parameters }
    }

    /// The code shown now.
    pub fn code(&self) -> String {
        self.code_in(0)
    }

    /// The code shown so many steps from now.
    pub fn code_in(&self, steps: i64) -> String {
        let now = self
            .parameters
            .moving
            .step_at(Timestamp(Clock.now()))
            .expect("an app goes by time");
        let step = Step(now.0.saturating_add_signed(steps));
        generate_code(&self.secret, self.parameters, step).to_string()
    }

    /// A code that this app shows neither now nor within some twenty minutes.
    pub fn wrong(&self) -> String {
        self.wrong_codes(1).remove(0)
    }

    /// As many different ones.
    pub fn wrong_codes(&self, count: usize) -> Vec<String> {
        let near: Vec<String> = (-FAR..=FAR).map(|steps| self.code_in(steps)).collect();
        let numbers = (100_000..)
            .step_by(7_919)
            .map(|number: u32| format!("{:06}", number % 1_000_000));
        numbers
            .filter(|code| !near.contains(code))
            .take(count)
            .collect()
    }

    /// The secret, as typed into other apps.
    pub fn secret(&self) -> String {
        self.secret.to_base32().to_string()
    }

    /// The secret's bytes, in upper-case hexadecimal digits.
    pub fn secret_in_hex(&self) -> String {
        self.secret
            .expose()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect()
    }
}
