//! otpauth:// URLs, the text in every enrolment QR: written with every parameter explicit, read strictly.
//! The format is Google Authenticator's "Key Uri Format".

use crate::secret::{Secret, SecretError};
use crate::totp::{Algorithm, Moving, Parameters, ParametersError, Step};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;
use zeroize::Zeroizing;

/// The longest URL that is read, in bytes.
const LONGEST: usize = 2048;

/// All but the unreserved characters of RFC 3986, section 2.3.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The URL for one authenticator: label `issuer:account`, issuer, algorithm, digits, and period or first counter
/// explicit.
pub fn url(
    issuer: &str,
    account: &str,
    secret: &Secret,
    parameters: Parameters,
    first: Step,
) -> Zeroizing<String> {
    let issuer = utf8_percent_encode(issuer, &ESCAPED);
    let account = utf8_percent_encode(account, &ESCAPED);
    let (kind, moving) = match parameters.moving {
        Moving::Time { period } => ("totp", format!("period={period}")),
        Moving::Counter => ("hotp", format!("counter={}", first.0)),
    };
    Zeroizing::new(format!(
        "otpauth://{kind}/{issuer}:{account}?secret={}&issuer={issuer}&algorithm={}&digits={}&{moving}",
        secret.to_base32().as_str(),
        parameters.algorithm.name(),
        parameters.digits,
    ))
}

/// What the format leaves out has these values. Never the host's own: a change there leaves every existing
/// authenticator as it was.
const DEFAULTS: Parameters =
    Parameters { algorithm: Algorithm::Sha1, digits: 6, moving: Moving::Time { period: 30 } };

/// Reads what a declared account's file holds: an otpauth://totp URL, or Base32 alone.
pub fn read(text: &str) -> Result<(Secret, Parameters), OtpauthError> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(OtpauthError::TooLong);
    }
    let Some(rest) = text.strip_prefix("otpauth://") else {
        return Ok((Secret::from_base32(text)?, DEFAULTS));
    };
    let rest = rest.strip_prefix("totp/").ok_or(OtpauthError::NotTotp)?;
    let (_label, query) = rest.split_once('?').ok_or(OtpauthError::Missing)?;
    let mut secret = None;
    let mut parameters = DEFAULTS;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').ok_or(OtpauthError::Malformed)?;
        let value = percent_decode_str(value).decode_utf8().map_err(|_| OtpauthError::Malformed)?;
        match key {
            "secret" if secret.is_some() => return Err(OtpauthError::Malformed),
            "secret" => secret = Some(Secret::from_base32(&value)?),
            "algorithm" => {
                parameters.algorithm = Algorithm::from_name(&value).ok_or(OtpauthError::Algorithm)?;
            }
            "digits" => parameters.digits = value.parse().map_err(|_| ParametersError::Digits)?,
            "period" => {
                let period = value.parse().map_err(|_| ParametersError::Period)?;
                parameters.moving = Moving::Time { period };
            }
            // issuer and image say nothing about codes
            _ => {}
        }
    }
    Ok((secret.ok_or(OtpauthError::Missing)?, parameters.check()?))
}

/// Why text is no otpauth URL. Never repeats the text: it holds a secret.
#[derive(Debug, PartialEq, Eq)]
pub enum OtpauthError {
    /// More than 2048 bytes.
    TooLong,
    /// An otpauth URL of another type, such as hotp.
    NotTotp,
    /// No `secret` in it.
    Missing,
    /// A pair without `=`, a doubled secret, broken percent-encoding.
    Malformed,
    /// Not SHA1, SHA256 or SHA512.
    Algorithm,
    /// The secret itself.
    Secret(SecretError),
    /// Digits or period.
    Parameters(ParametersError),
}

impl From<SecretError> for OtpauthError {
    fn from(error: SecretError) -> OtpauthError {
        OtpauthError::Secret(error)
    }
}

impl From<ParametersError> for OtpauthError {
    fn from(error: ParametersError) -> OtpauthError {
        OtpauthError::Parameters(error)
    }
}

impl fmt::Display for OtpauthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OtpauthError::TooLong => f.write_str("the otpauth URL is longer than 2048 bytes"),
            OtpauthError::NotTotp => f.write_str("the otpauth URL must begin with otpauth://totp/"),
            OtpauthError::Missing => f.write_str("the otpauth URL has no secret"),
            OtpauthError::Malformed => f.write_str("the otpauth URL is malformed"),
            OtpauthError::Algorithm => f.write_str("the algorithm must be SHA1, SHA256 or SHA512"),
            OtpauthError::Secret(error) => error.fmt(f),
            OtpauthError::Parameters(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OtpauthError {}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn issuer_and_account_are_encoded_and_defaults_are_explicit() {
        let secret = Secret::from_base32(BASE32).unwrap();
        assert_eq!(
            url("A & B", "ü@x.org", &secret, DEFAULTS, Step(0)).as_str(),
            "otpauth://totp/A%20%26%20B:%C3%BC%40x.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=A%20%26%20B&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let secret = Secret::from_base32(BASE32).unwrap();
        let parameters =
            Parameters { algorithm: Algorithm::Sha512, digits: 8, moving: Moving::Time { period: 60 } };
        let url = url("host", "alice", &secret, parameters, Step(0));
        assert!(read(&url).unwrap() == (secret, parameters));
    }

    #[test]
    fn base32_alone_takes_the_formats_defaults() {
        assert_eq!(read(&format!("{BASE32}\n")).unwrap().1, DEFAULTS);
    }

    #[test]
    fn broken_urls_are_refused_by_name() {
        for (text, why) in [
            ("otpauth://hotp/a?secret=x&counter=1", OtpauthError::NotTotp),
            ("otpauth://totp/a", OtpauthError::Missing),
            ("otpauth://totp/a?issuer=b", OtpauthError::Missing),
            ("otpauth://totp/a?secret", OtpauthError::Malformed),
            (&format!("otpauth://totp/a?secret={BASE32}&digits=7"), ParametersError::Digits.into()),
            (&format!("otpauth://totp/a?secret={BASE32}&period=x"), ParametersError::Period.into()),
            (&format!("otpauth://totp/a?secret={BASE32}&algorithm=MD5"), OtpauthError::Algorithm),
            (&format!("otpauth://totp/a?secret={BASE32}&secret={BASE32}"), OtpauthError::Malformed),
            ("", SecretError::Length.into()),
            (&"A".repeat(4096), OtpauthError::TooLong),
        ] {
            assert_eq!(read(text).err(), Some(why), "{text}");
        }
    }
}
