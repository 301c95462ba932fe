//! A person's authenticator app: it holds the secret, and shows codes by the host's clock.

use crate::machine::clock::Clock;
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::credential::otp::secret::Secret;
use postern_shared::credential::otp::totp::{OtpParameters, Step, generate_code};
use postern_shared::system::clock::Timestamp;

/// Codes at most this many time steps from now are never used as wrong codes.
const FAR: i64 = 45;

pub struct Phone {
    secret: Secret,
    parameters: OtpParameters,
}

impl Phone {
    /// Reads an otpauth URI, or a secret in Base32.
    #[track_caller]
    pub fn scans(text: &str) -> Phone {
        let (secret, parameters) =
            otpauth_uri::parse_declared_secret(text).expect("an app can read this");
        Phone { secret, parameters }
    }

    /// Returns the code shown now.
    pub fn code(&self) -> String {
        self.code_in(0)
    }

    /// Returns the code shown in so many time steps from now.
    pub fn code_in(&self, steps: i64) -> String {
        let now = self
            .parameters
            .moving
            .step_at(Timestamp(Clock.now()))
            .expect("an app shows codes by time");
        let step = Step(now.0.saturating_add_signed(steps));
        generate_code(&self.secret, self.parameters, step).to_string()
    }

    /// Returns a code that this app shows neither now nor within some twenty minutes.
    pub fn wrong(&self) -> String {
        self.wrong_codes(1).remove(0)
    }

    /// Returns so many different wrong codes.
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

    /// Returns the secret in Base32, as it is typed into other apps.
    pub fn secret(&self) -> String {
        self.secret.to_base32().to_string()
    }

    /// Returns the secret's bytes, in upper-case hexadecimal digits.
    pub fn secret_in_hex(&self) -> String {
        self.secret
            .expose()
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect()
    }
}
