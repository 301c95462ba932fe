//! Exports of `authelia storage user totp export`: a YAML file whose secret is Base64 of Base32, a
//! CSV file without quoting, or otpauth URIs as printed on the terminal, with a closing line.

use super::{ImportEntry, ImportError, ImportedFile, MovingFactor, lines, stamp, urls, yaml};
use crate::credential::secret::Secret;
use crate::credential::totp::{Algorithm, OtpKind, Step};
use crate::system::clock::Timestamp;
use data_encoding::BASE64;
use zeroize::Zeroizing;

const HEADER: &str = "issuer,username,algorithm,digits,period,secret";
const CLOSING: &str = "Successfully exported ";

/// Adds the authenticators of `text`, in whichever of the three formats.
pub(super) fn parse_authelia(text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("");
    if first.starts_with("otpauth://") {
        let end = text.find(&format!("\n{CLOSING}")).unwrap_or(text.len());
        urls::parse_uris(&text[..end], import)
    } else if first == HEADER {
        parse_csv(text, import)
    } else {
        for record in yaml::parse_records(text, "totp_configurations")? {
            add_record(record.line, &record.pairs, import)?;
        }
        Ok(())
    }
}

fn parse_csv(text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    for numbered in lines(text) {
        let (line, text) = numbered?;
        if text.trim().is_empty() || text == HEADER {
            continue;
        }
        let fields: Vec<&str> = text.split(',').collect();
        let [issuer, username, algorithm, digits, period, secret] = fields[..] else {
            return Err(ImportError::Line(
                line,
                "this line must have six fields; a name with a comma is not supported",
            ));
        };
        let fields = AutheliaFields {
            issuer,
            username,
            algorithm,
            digits,
            period,
        };
        fields.add_to(line, Secret::from_base32(secret), None, import)?;
    }
    Ok(())
}

fn add_record(
    line: usize,
    pairs: &[yaml::YamlPair],
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    let value = |key: &str| {
        let value = pairs
            .iter()
            .find(|pair| pair.key == key)
            .and_then(|pair| pair.value.as_ref());
        value.map(|text| text.as_str())
    };
    let needed = |key: &str| {
        let missing = "each map must have issuer, username, algorithm, digits, period and secret";
        value(key).ok_or(ImportError::Line(line, missing))
    };
    let fields = AutheliaFields {
        issuer: needed("issuer")?,
        username: needed("username")?,
        algorithm: needed("algorithm")?,
        digits: needed("digits")?,
        period: needed("period")?,
    };
    let base32 = BASE64
        .decode(needed("secret")?.as_bytes())
        .map(Zeroizing::new);
    let base32 = base32.map_err(|_| ImportError::Line(line, "the secret is not Base64"))?;
    let base32 = std::str::from_utf8(&base32);
    let base32 =
        base32.map_err(|_| ImportError::Line(line, "the secret is not Base64 of Base32"))?;
    let used = value("last_used_at").map(|text| {
        stamp::parse_rfc3339(text).ok_or(ImportError::Line(
            line,
            "last_used_at must be a time with its zone",
        ))
    });
    let used = used.transpose()?;
    for pair in pairs
        .iter()
        .filter(|pair| !KEYS.contains(&pair.key.as_str()))
    {
        import.note_loss(
            pair.line,
            fields.username,
            "a key that Postern does not know",
        );
    }
    fields.add_to(
        line,
        Secret::from_base32(base32),
        used.map(|used| used.0),
        import,
    )
}

const KEYS: [&str; 8] = [
    "created_at",
    "last_used_at",
    "username",
    "issuer",
    "algorithm",
    "digits",
    "period",
    "secret",
];

/// The fields that YAML and CSV have in common.
struct AutheliaFields<'a> {
    issuer: &'a str,
    username: &'a str,
    algorithm: &'a str,
    digits: &'a str,
    period: &'a str,
}

impl AutheliaFields<'_> {
    fn add_to(
        &self,
        line: usize,
        secret: Result<Secret, crate::credential::secret::SecretError>,
        used: Option<u64>,
        import: &mut ImportedFile,
    ) -> Result<(), ImportError> {
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|_| ImportError::Line(line, "digits and period must be numbers"))
        };
        let (digits, period) = (number(self.digits)?, number(self.period)?);
        let account = self.username.to_owned();
        let Some(algorithm) = Algorithm::from_name(self.algorithm) else {
            return import.leave_out(
                line,
                Some(&account),
                "the algorithm must be SHA1, SHA256 or SHA512",
            );
        };
        import.add(ImportEntry {
            line,
            account,
            label: Some(self.issuer.to_owned()).filter(|issuer| !issuer.is_empty()),
            secret,
            algorithm,
            digits,
            moving: MovingFactor::Time { period },
            floor: used.and_then(|used| floor(used, period)),
            recovery: Vec::new(),
        })
    }
}

/// Returns the floor for the time of the last use. Authelia also accepts a code of the step after
/// the current one, and stores only the time, so that step counts as used.
fn floor(used: u64, period: u64) -> Option<Step> {
    let step = OtpKind::Time { period }.step_at(Timestamp(used))?;
    Some(Step(step.0.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::import::{
        FoundAuthenticator, ImportFormat, ImportLoss, parse_import_file,
    };

    /// Written with Go's yaml.v3 and net/url from the structure and the code of Authelia 4.38.
    const YAML: &str = include_str!("../../../tests/import/authelia/export.yml");
    const CSV: &str = include_str!("../../../tests/import/authelia/export.csv");
    const URLS: &str = include_str!("../../../tests/import/authelia/export.uris");

    fn fields_of(
        found: &FoundAuthenticator,
    ) -> (&str, Option<&str>, String, Algorithm, u32, MovingFactor) {
        let secret = found.secret.to_base32().to_string();
        (
            found.account.as_str(),
            found.label.as_deref(),
            secret,
            found.algorithm,
            found.digits,
            found.moving,
        )
    }

    #[track_caller]
    fn import(text: &str) -> ImportedFile {
        parse_import_file(ImportFormat::Authelia, text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn refused(text: &str) -> String {
        parse_import_file(ImportFormat::Authelia, text.as_bytes())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_three_kinds_of_export_have_the_same_contents() {
        let time = |period| MovingFactor::Time { period };
        let expected = [
            (
                "john",
                Some("Authelia"),
                "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned(),
                Algorithm::Sha1,
                6,
                time(30),
            ),
            (
                "0123",
                Some("auth: it's #1"),
                "MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK".to_owned(),
                Algorithm::Sha512,
                6,
                time(30),
            ),
            (
                "@weird \"x\" \\ ü",
                Some("My Site & Co"),
                "KRUGS4ZANFZSAYJAKRUGS4ZANFZSAYJA".to_owned(),
                Algorithm::Sha1,
                6,
                time(90),
            ),
        ];
        for (name, text) in [("YAML", YAML), ("CSV", CSV), ("URLs", URLS)] {
            let import = import(text);
            assert_eq!(
                import.found.iter().map(fields_of).collect::<Vec<_>>(),
                expected,
                "{name}"
            );
            // a name with a colon, a secret of 80 bit
            assert_eq!(import.dropped.len(), 2, "{name}");
            assert!(
                import
                    .dropped
                    .iter()
                    .all(|dropped| dropped.loss == ImportLoss::Authenticator),
                "{name}"
            );
        }
    }

    #[test]
    fn the_step_after_the_last_use_becomes_the_floor() {
        let floors: Vec<_> = import(YAML).found.iter().map(|found| found.floor).collect();
        assert_eq!(
            floors,
            [
                Some(Step(1_795_278_894 / 30 + 1)),
                Some(Step(1_735_787_045 / 30 + 1)),
                None
            ]
        );
    }

    #[test]
    fn malformed_exports_are_refused_by_line() {
        for (text, expected) in [
            (
                YAML.replace("digits: 6", "digits: six"),
                "line 4: digits and period",
            ),
            (
                YAML.replace("      period: 30\n", ""),
                "line 4: each map must have issuer, username",
            ),
            (
                YAML.replace("secret: R0V", "secret: *0V"),
                "line 11: an unsupported value",
            ),
            (
                YAML.replace("secret: R0V", "secret: R-V"),
                "line 4: the secret is not Base64",
            ),
            (
                YAML.replace("secret: R0V", "secret: AAA"),
                "line 4: the secret is not Base32",
            ),
            (YAML.replace("+01:00", ""), "line 4: last_used_at"),
            (
                YAML.replace("totp_configurations", "webauthn_credentials"),
                "line 3: it is not an export",
            ),
            (
                CSV.replace("Authelia,john", "Authelia, Inc.,john"),
                "line 2: this line must have six fields",
            ),
            (CSV.replace(",6,30,", ",6,x,"), "line 2: digits and period"),
            (
                URLS.replace("secret=GEZ", "secret=01"),
                "line 1: the secret is not Base32",
            ),
            ("".to_owned(), "there is no authenticator"),
        ] {
            let message = refused(&text);
            assert!(message.starts_with(expected), "{message}, not {expected}");
        }
    }

    #[test]
    fn a_key_of_a_later_version_is_reported_as_lost() {
        let import = import(&YAML.replace("      digits: 8", "      skew: 2\n      digits: 8"));
        assert!(
            import
                .dropped
                .iter()
                .any(|dropped| dropped.line == 17 && dropped.loss == ImportLoss::Detail)
        );
    }
}
