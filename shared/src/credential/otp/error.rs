//! Why a text or bytes are no authenticator.

use std::fmt;

/// Reason why a secret, its parameters or an otpauth URI is refused. It MUST NOT repeat what was read,
/// which contains a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtpError {
    NotBase32,
    NotHex,
    /// Shorter than [`SHORTEST`](super::secret::SHORTEST), or
    /// [`SHORTEST_IMPORTED`](super::secret::SHORTEST_IMPORTED) in an import, or longer than
    /// [`LONGEST`](super::secret::LONGEST).
    Length,
    Digits,
    Period,
    Algorithm,
    /// A URI of more bytes than the limit.
    TooLong,
    /// Neither otpauth://totp/ nor otpauth://hotp/.
    NotOtpauth,
    /// An otpauth URI of another type, such as hotp, where a time-based one is required.
    NotTotp,
    /// The URI has no `secret`.
    Missing,
    /// A pair without `=`, a parameter given twice, or invalid percent-encoding.
    Malformed,
    /// The digits, period or counter is not a number.
    Number,
    /// A hotp URI without a counter.
    NoCounter,
}

impl OtpError {
    pub fn text(self) -> &'static str {
        match self {
            OtpError::NotBase32 => "the secret is not Base32 (letters A-Z and digits 2-7)",
            OtpError::NotHex => "the secret is not hexadecimal (pairs of 0-9 and a-f)",
            OtpError::Length => {
                "the secret must have 16 to 128 bytes (26 to 205 characters of Base32)"
            }
            OtpError::Digits => "digits must be 6 or 8",
            OtpError::Period => "the period must be 15 to 120 seconds",
            OtpError::Algorithm => "the algorithm must be SHA1, SHA256 or SHA512",
            OtpError::TooLong => "the otpauth URL is longer than 2048 bytes",
            OtpError::NotOtpauth => {
                "the otpauth URL must begin with otpauth://totp/ or otpauth://hotp/"
            }
            OtpError::NotTotp => "the otpauth URL must begin with otpauth://totp/",
            OtpError::Missing => "the otpauth URL has no secret",
            OtpError::Malformed => "the otpauth URL is malformed",
            OtpError::Number => "digits, period and counter of the otpauth URL must be numbers",
            OtpError::NoCounter => "the otpauth URL has no counter",
        }
    }
}

impl fmt::Display for OtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for OtpError {}
