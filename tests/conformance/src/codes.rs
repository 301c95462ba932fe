//! Codes of the accounts: each one is shown to the gate at most once, unless a case wants otherwise.

use crate::target::{Account, Target};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use totp_rs::{Algorithm, TOTP};

/// Seconds of a time step.
pub(crate) const PERIOD: u64 = 30;
const DIGITS: usize = 6;
/// Codes at most this many time steps from now are never used as wrong codes.
const FAR: u64 = 45;

/// The last time step that was used of each account.
#[derive(Debug, Default)]
pub(crate) struct Codes(Mutex<HashMap<String, u64>>);

impl Codes {
    /// Returns a code that was not used before. Where the target cannot set the clock, this waits
    /// for the next time step.
    pub(crate) fn fresh(&self, target: &Target, account: &Account) -> Result<String, String> {
        let Some(secret) = &account.secret else {
            let command = account.code_command.as_deref().unwrap_or_default();
            let printed = crate::commands::run(command, &[("user", &account.user)])?;
            return printed.out.map(|code| code.trim().to_owned());
        };
        let mut used = self.0.lock().map_err(|_| "a case panicked".to_owned())?;
        let mut step = now() / PERIOD;
        if used.is_empty() && target.commands.advance.is_some() {
            // An earlier run may have used this time step.
            used.insert(account.user.clone(), step);
        }
        while used.get(&account.user).is_some_and(|last| *last >= step) {
            match &target.commands.advance {
                Some(command) => {
                    let seconds = PERIOD.to_string();
                    crate::commands::run(command, &[("seconds", &seconds)])?.out?;
                }
                None => {
                    let rest = PERIOD - now() % PERIOD;
                    std::thread::sleep(Duration::from_secs(rest));
                }
            }
            let next = now() / PERIOD;
            if target.commands.advance.is_some() && next <= step {
                return Err("the command advance does not set this program's clock".to_owned());
            }
            step = next;
        }
        used.insert(account.user.clone(), step);
        Ok(generate(&decode_secret(secret)?, step))
    }

    /// Returns different codes that are wrong now and in the next twenty minutes.
    pub(crate) fn wrong(&self, account: &Account, count: usize) -> Vec<String> {
        let near = near_codes(account, FAR);
        let numbers = (100_000_u32..).step_by(7_919);
        let codes = numbers.map(|number| format!("{:06}", number % 1_000_000));
        codes
            .filter(|code| !near.contains(code))
            .take(count)
            .collect()
    }
}

/// Returns the codes of an account at most so many time steps from now.
pub(crate) fn near_codes(account: &Account, steps: u64) -> Vec<String> {
    let secret = account.secret.as_deref().map(decode_secret);
    let Some(Ok(secret)) = secret else {
        return Vec::new();
    };
    let step = now() / PERIOD;
    (step.saturating_sub(steps)..=step + steps)
        .map(|step| generate(&secret, step))
        .collect()
}

/// Decodes Base32 (RFC 4648), in any case, with or without padding and blanks.
pub(crate) fn decode_secret(text: &str) -> Result<Vec<u8>, String> {
    let letters = text.trim_end_matches('=').replace(' ', "");
    data_encoding::BASE32_NOPAD
        .decode(letters.to_ascii_uppercase().as_bytes())
        .map_err(|_| "an account's secret is not Base32".to_owned())
}

/// Returns the time in seconds since 1970.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

fn generate(secret: &[u8], step: u64) -> String {
    // With a period of 1 the time of totp-rs is the step itself.
    TOTP::new_unchecked(Algorithm::SHA1, DIGITS, 0, 1, secret.to_vec()).generate(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let secret = decode_secret("gezdgnbvgy3tqojq gezdgnbvgy3tqojq").expect("Base32");
        assert_eq!(generate(&secret, 1), "287082");
        assert!(decode_secret("1").is_err());
    }
}
