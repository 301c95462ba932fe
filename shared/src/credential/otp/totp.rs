//! One-time passwords: TOTP (RFC 6238) and HOTP (RFC 4226). Algorithms, time steps, and the code of
//! a step, which the totp-rs crate generates. Which steps are accepted is decided in
//! [`crate::verify::decision`].

use super::error::OtpError;
use super::secret::Secret;
use crate::system::clock::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Hash function of the HMAC (RFC 6238, section 1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// HMAC-SHA-1, which every authenticator app supports.
    #[default]
    Sha1,
    Sha256,
    Sha512,
}

impl Algorithm {
    /// Returns the name in otpauth URIs and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::Sha1 => "SHA1",
            Algorithm::Sha256 => "SHA256",
            Algorithm::Sha512 => "SHA512",
        }
    }

    /// Parses [`Algorithm::name`] in any case.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512]
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(name))
    }
}

/// Value of the moving factor: the time step T of RFC 6238, section 4.2 (seconds since 1970 divided
/// by the period), or the counter C of RFC 4226.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Step(pub u64);

/// Kind of the moving factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OtpKind {
    Time {
        /// Length of a time step in seconds: 15 to 120.
        period: u64,
    },
    Counter,
}

impl OtpKind {
    /// Returns the length of a time step in seconds, 0 for a counter: the form in the store and in
    /// associated data.
    pub fn period(self) -> u64 {
        match self {
            OtpKind::Time { period } => period,
            OtpKind::Counter => 0,
        }
    }

    /// Makes the kind from the number of [`OtpKind::period`].
    pub fn from_period(period: u64) -> OtpKind {
        match period {
            0 => OtpKind::Counter,
            period => OtpKind::Time { period },
        }
    }

    /// Returns when a time step begins; `None` for a counter.
    pub fn begin_of_step(self, step: Step) -> Option<Timestamp> {
        match self {
            OtpKind::Time { period } => Some(Timestamp(step.0.saturating_mul(period))),
            OtpKind::Counter => None,
        }
    }

    /// Returns the time step of `now`; `None` for a counter.
    pub fn step_at(self, now: Timestamp) -> Option<Step> {
        now.0.checked_div(self.period()).map(Step)
    }
}

/// The parameters of an authenticator without its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtpParameters {
    pub algorithm: Algorithm,
    /// Digits of a code: 6 or 8.
    pub digits: u32,
    pub moving: OtpKind,
}

impl OtpParameters {
    /// Refuses digits and periods outside the supported range.
    pub fn check(self) -> Result<OtpParameters, OtpError> {
        if self.digits != 6 && self.digits != 8 {
            return Err(OtpError::Digits);
        }
        match self.moving {
            OtpKind::Time { period } if !(15..=120).contains(&period) => Err(OtpError::Period),
            OtpKind::Time { .. } | OtpKind::Counter => Ok(self),
        }
    }
}

/// Generates the code of one step, always with all its digits.
pub fn generate_code(secret: &Secret, parameters: OtpParameters, step: Step) -> Zeroizing<String> {
    let algorithm = match parameters.algorithm {
        Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
        Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
        Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
    };
    // With a period of 1 the time of totp-rs is the step itself, so that no multiplication can
    // overflow.
    let maker = totp_rs::TOTP::new_unchecked(
        algorithm,
        parameters.digits as usize,
        0,
        1,
        secret.expose().to_vec(),
    );
    Zeroizing::new(maker.generate(step.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(bytes: &[u8]) -> Secret {
        Secret::from_bytes(Zeroizing::new(bytes.to_vec())).unwrap()
    }

    /// RFC 4226, appendix D.
    #[test]
    fn the_table_of_rfc_4226_holds() {
        let secret = secret(b"12345678901234567890");
        let parameters = OtpParameters {
            algorithm: Algorithm::Sha1,
            digits: 6,
            moving: OtpKind::Counter,
        };
        let table = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (counter, expected) in (0..).zip(table) {
            assert_eq!(
                generate_code(&secret, parameters, Step(counter)).as_str(),
                expected,
                "counter {counter}"
            );
        }
    }

    /// RFC 6238, appendix B (with the secrets of its errata: 20, 32 and 64 bytes).
    #[test]
    fn the_table_of_rfc_6238_holds() {
        let table = [
            (59, "94287082", "46119246", "90693936"),
            (1_111_111_109, "07081804", "68084774", "25091201"),
            (1_111_111_111, "14050471", "67062674", "99943326"),
            (1_234_567_890, "89005924", "91819424", "93441116"),
            (2_000_000_000, "69279037", "90698825", "38618901"),
            (20_000_000_000, "65353130", "77737706", "47863826"),
        ];
        let digits = b"1234567890".repeat(7);
        for (time, sha1, sha256, sha512) in table {
            for (algorithm, length, expected) in [
                (Algorithm::Sha1, 20, sha1),
                (Algorithm::Sha256, 32, sha256),
                (Algorithm::Sha512, 64, sha512),
            ] {
                let parameters = OtpParameters {
                    algorithm,
                    digits: 8,
                    moving: OtpKind::Time { period: 30 },
                };
                let step = parameters.moving.step_at(Timestamp(time)).unwrap();
                let made = generate_code(&secret(&digits[..length]), parameters, step);
                assert_eq!(made.as_str(), expected, "{} at {time}", algorithm.name());
            }
        }
    }

    #[test]
    fn unsupported_parameters_are_refused() {
        let good = OtpParameters {
            algorithm: Algorithm::Sha1,
            digits: 6,
            moving: OtpKind::Counter,
        };
        assert!(good.check().is_ok());
        assert_eq!(
            OtpParameters { digits: 7, ..good }.check(),
            Err(OtpError::Digits)
        );
        for (period, right) in [(14, false), (15, true), (120, true), (121, false)] {
            let by_time = OtpParameters {
                moving: OtpKind::Time { period },
                ..good
            };
            assert_eq!(by_time.check().is_ok(), right, "{period}");
        }
    }
}
