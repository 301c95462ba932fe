//! otpauth URIs, the text in each enrollment QR code (Google Authenticator's "Key Uri Format"):
//! written with every parameter explicit, parsed strictly. hotp URIs are parsed for imports only.

use super::error::OtpError;
use super::secret::Secret;
use super::totp::{Algorithm, OtpKind, OtpParameters, Step};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

/// Longest URI that is parsed, in bytes.
const LONGEST: usize = 2048;

/// Escapes all but the unreserved characters of RFC 3986, section 2.3.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Formats the URI of one authenticator: label `issuer:account`, issuer, algorithm, digits, and
/// period or first counter.
pub fn format_uri(
    issuer: &str,
    account: &str,
    secret: &Secret,
    parameters: OtpParameters,
    first: Step,
) -> Zeroizing<String> {
    let issuer = utf8_percent_encode(issuer, &ESCAPED);
    let account = utf8_percent_encode(account, &ESCAPED);
    let (kind, moving) = match parameters.moving {
        OtpKind::Time { period } => ("totp", format!("period={period}")),
        OtpKind::Counter => ("hotp", format!("counter={}", first.0)),
    };
    Zeroizing::new(format!(
        "otpauth://{kind}/{issuer}:{account}?secret={}&issuer={issuer}&algorithm={}&digits={}&{moving}",
        secret.to_base32().as_str(),
        parameters.algorithm.name(),
        parameters.digits,
    ))
}

/// Values of parameters that a URI omits. They are those of the format and MUST NOT be those of the
/// configuration: a change there must not change existing authenticators.
const DEFAULTS: OtpParameters = OtpParameters {
    algorithm: Algorithm::Sha1,
    digits: 6,
    moving: OtpKind::Time { period: 30 },
};

/// Parses the file of a declared account: an otpauth://totp URI, or Base32 alone.
pub fn parse_declared_secret(text: &str) -> Result<(Secret, OtpParameters), OtpError> {
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(OtpError::TooLong);
    }
    let Some(rest) = strip_scheme(text) else {
        return Ok((Secret::from_base32(text)?, DEFAULTS));
    };
    let kind = rest.split_once('/').map_or("", |(kind, _)| kind);
    if !kind.eq_ignore_ascii_case("totp") {
        return Err(OtpError::NotTotp);
    }
    let url = OtpauthUri::parse(text)?;
    Ok((
        url.secret.check_recommended()?,
        OtpParameters {
            algorithm: url.algorithm,
            digits: url.digits,
            moving: url.moving.kind(),
        },
    ))
}

/// Returns what follows `otpauth://`, which is in any case (RFC 3986, section 3.1).
pub fn strip_scheme(text: &str) -> Option<&str> {
    const SCHEME: &str = "otpauth://";
    let (scheme, rest) = text.split_at_checked(SCHEME.len())?;
    scheme.eq_ignore_ascii_case(SCHEME).then_some(rest)
}

/// A parsed otpauth URI.
#[derive(Debug)]
pub struct OtpauthUri {
    /// The issuer from the label, or else from the parameter.
    pub issuer: Option<String>,
    /// The account from the label; may be empty.
    pub account: String,
    pub secret: Secret,
    pub algorithm: Algorithm,
    /// Digits of a code: 6 or 8.
    pub digits: u32,
    pub moving: MovingFactor,
}

/// The moving factor and its first value: `totp` or `hotp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MovingFactor {
    Time {
        /// Length of a time step in seconds: 15 to 120.
        period: u64,
    },
    Counter {
        /// Counter of the next code.
        next: u64,
    },
}

impl MovingFactor {
    pub fn kind(self) -> OtpKind {
        match self {
            MovingFactor::Time { period } => OtpKind::Time { period },
            MovingFactor::Counter { .. } => OtpKind::Counter,
        }
    }

    /// Returns the first counter whose code is accepted; 0 for time steps.
    pub fn first_step(self) -> Step {
        match self {
            MovingFactor::Time { .. } => Step(0),
            MovingFactor::Counter { next } => Step(next),
        }
    }
}

impl OtpauthUri {
    /// Parses an otpauth URI of either type, with a secret of at least 80 bits. A parameter that is
    /// given twice is refused. An empty one has its default, and an empty pair has no meaning.
    pub fn parse(text: &str) -> Result<OtpauthUri, OtpError> {
        if text.len() > LONGEST {
            return Err(OtpError::TooLong);
        }
        let rest = strip_scheme(text).ok_or(OtpError::NotOtpauth)?;
        let (kind, rest) = rest.split_once('/').ok_or(OtpError::Malformed)?;
        let kind = kind.to_ascii_lowercase();
        if !matches!(kind.as_str(), "totp" | "hotp") {
            return Err(OtpError::NotOtpauth);
        }
        let (label, pairs) = rest.split_once('?').ok_or(OtpError::Missing)?;
        let mut query = OtpauthQuery::default();
        for pair in pairs.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or(OtpError::Malformed)?;
            query.set_parameter(key, Zeroizing::new(decode_percent(value)?))?;
        }
        let secret = Secret::from_imported_base32(&query.secret.ok_or(OtpError::Missing)?)?;
        let algorithm = query
            .algorithm
            .map_or(Some(DEFAULTS.algorithm), |name| Algorithm::from_name(&name));
        let algorithm = algorithm.ok_or(OtpError::Algorithm)?;
        let digits = parse_number(query.digits)?.unwrap_or(DEFAULTS.digits.into());
        let digits = u32::try_from(digits).map_err(|_| OtpError::Digits)?;
        let moving = match kind.as_str() {
            "totp" => {
                let period = parse_number(query.period)?.unwrap_or(DEFAULTS.moving.period());
                MovingFactor::Time { period }
            }
            "hotp" => {
                let next = parse_number(query.counter)?.ok_or(OtpError::NoCounter)?;
                MovingFactor::Counter { next }
            }
            _ => return Err(OtpError::NotOtpauth),
        };
        OtpParameters {
            algorithm,
            digits,
            moving: moving.kind(),
        }
        .check()?;
        let label = decode_percent(label)?;
        let (issuer, account) = split_label(&label, query.issuer.as_deref().map(String::as_str));
        let issuer = issuer
            .map(str::to_owned)
            .or(query.issuer.map(|issuer| issuer.to_string()));
        let account = account.to_owned();
        Ok(OtpauthUri {
            issuer,
            account,
            secret,
            algorithm,
            digits,
            moving,
        })
    }
}

/// Splits a decoded label, `issuer:account` or the account alone. The account is all that follows
/// the first colon, unless the issuer itself is known to contain one: `x:root` MUST NOT become
/// `root`.
pub fn split_label<'a>(label: &'a str, issuer: Option<&str>) -> (Option<&'a str>, &'a str) {
    // some programs write blanks as + as in forms
    let written = issuer
        .into_iter()
        .flat_map(|issuer| [issuer.to_owned(), issuer.replace('+', " ")]);
    for issuer in written.filter(|issuer| !issuer.is_empty()) {
        if let Some(account) = label
            .strip_prefix(&issuer)
            .and_then(|rest| rest.strip_prefix(':'))
        {
            return (Some(&label[..issuer.len()]), account.trim());
        }
    }
    match label.split_once(':') {
        Some((issuer, account)) => (Some(issuer.trim()), account.trim()),
        None => (None, label.trim()),
    }
}

#[derive(Default)]
struct OtpauthQuery {
    secret: Option<Zeroizing<String>>,
    algorithm: Option<Zeroizing<String>>,
    digits: Option<Zeroizing<String>>,
    period: Option<Zeroizing<String>>,
    counter: Option<Zeroizing<String>>,
    issuer: Option<Zeroizing<String>>,
}

impl OtpauthQuery {
    fn set_parameter(&mut self, key: &str, value: Zeroizing<String>) -> Result<(), OtpError> {
        let field = match key {
            "secret" => &mut self.secret,
            "algorithm" => &mut self.algorithm,
            "digits" => &mut self.digits,
            "period" => &mut self.period,
            "counter" => &mut self.counter,
            "issuer" => &mut self.issuer,
            // image and other parameters do not concern codes
            _ => return Ok(()),
        };
        if value.is_empty() {
            return Ok(());
        }
        match field.replace(value) {
            Some(_) => Err(OtpError::Malformed),
            None => Ok(()),
        }
    }
}

fn decode_percent(text: &str) -> Result<String, OtpError> {
    Ok(percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| OtpError::Malformed)?
        .into_owned())
}

fn parse_number(text: Option<Zeroizing<String>>) -> Result<Option<u64>, OtpError> {
    text.map(|text| text.parse().map_err(|_| OtpError::Number))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn issuer_and_account_are_encoded_and_defaults_are_explicit() {
        let secret = Secret::from_base32(BASE32).unwrap();
        assert_eq!(
            format_uri("A & B", "ü@x.org", &secret, DEFAULTS, Step(0)).as_str(),
            "otpauth://totp/A%20%26%20B:%C3%BC%40x.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=A%20%26%20B&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn a_formatted_uri_is_parsed_to_the_same_values() {
        let secret = Secret::from_base32(BASE32).unwrap();
        let parameters = OtpParameters {
            algorithm: Algorithm::Sha512,
            digits: 8,
            moving: OtpKind::Time { period: 60 },
        };
        let url = format_uri("host", "alice", &secret, parameters, Step(0));
        assert!(parse_declared_secret(&url).unwrap() == (secret, parameters));
    }

    #[test]
    fn base32_alone_takes_the_formats_defaults() {
        let (_, parameters) = parse_declared_secret(&format!("{BASE32}\n")).unwrap();
        assert_eq!(parameters, DEFAULTS);
    }

    #[test]
    fn both_types_and_all_forms_of_a_label_are_parsed() {
        for (label, issuer, account) in [
            ("alice", Some("it:+us"), "alice"),
            ("A%20%26%20B:alice", Some("A & B"), "alice"),
            ("host%3A%20%C3%BC%40x.org", Some("host"), "ü@x.org"),
            ("host:x:root", Some("host"), "x:root"),
            ("it:%20us:alice", Some("it: us"), "alice"),
        ] {
            let text = format!("otpauth://hotp/{label}?secret={BASE32}&counter=7&issuer=it:+us");
            let url = OtpauthUri::parse(&text).unwrap();
            let parts = (url.issuer.as_deref(), url.account.as_str());
            assert_eq!(parts, (issuer, account));
            assert_eq!(url.moving, MovingFactor::Counter { next: 7 });
        }
        let text = format!("otpauth://totp/alice?secret={BASE32}&issuer=host&period=60");
        let url = OtpauthUri::parse(&text).unwrap();
        assert_eq!(url.issuer.as_deref(), Some("host"));
        assert_eq!(url.moving, MovingFactor::Time { period: 60 });
        let no_counter = OtpauthUri::parse(&format!("otpauth://hotp/alice?secret={BASE32}"));
        assert_eq!(no_counter.err(), Some(OtpError::NoCounter));
    }

    #[test]
    fn malformed_uris_are_refused_with_their_reason() {
        let with = |pair: &str| format!("otpauth://totp/a?secret={BASE32}&{pair}");
        let twice = with(&format!("secret={BASE32}"));
        let hotp = "otpauth://hotp/a?secret=x&counter=1";
        for (text, why) in [
            (hotp, OtpError::NotTotp),
            ("otpauth://totp/a", OtpError::Missing),
            ("otpauth://totp/a?issuer=b", OtpError::Missing),
            ("otpauth://totp/a?secret", OtpError::Malformed),
            (&with("digits=7"), OtpError::Digits),
            (&with("period=x"), OtpError::Number),
            (&with("period=7"), OtpError::Period),
            (&with("algorithm=MD5"), OtpError::Algorithm),
            (&twice, OtpError::Malformed),
            ("", OtpError::Length),
            (&"A".repeat(4096), OtpError::TooLong),
        ] {
            assert_eq!(parse_declared_secret(text).err(), Some(why), "{text}");
        }
    }
}
