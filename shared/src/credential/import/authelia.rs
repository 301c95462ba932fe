//! Exports of `authelia storage user totp export`: a YAML file whose secret is Base64 of Base32, a
//! CSV file without quoting, or otpauth URIs as printed on the terminal, with a closing line.

use super::{ImportEntry, ImportError, ImportedFile, MovingFactor, lines, stamp, urls, yaml};
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{Algorithm, OtpKind, Step};
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
            let added = add_record(record.line, &record.pairs, import);
            import.leave_out_malformed(added)?;
        }
        Ok(())
    }
}

fn parse_csv(text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    for numbered in lines(text) {
        let added = numbered.and_then(|(line, text)| add_csv_line(line, text, import));
        import.leave_out_malformed(added)?;
    }
    Ok(())
}

fn add_csv_line(line: usize, text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    if text.trim().is_empty() || text == HEADER {
        return Ok(());
    }
    let fields: Vec<&str> = text.split(',').collect();
    let [issuer, username, algorithm, digits, period, secret] = fields[..] else {
        let why = "this line must have six fields; a name with a comma is not supported";
        return Err(ImportError::Line(line, why));
    };
    let fields = AutheliaFields {
        issuer,
        username,
        algorithm,
        digits,
        period,
    };
    fields.add_to(line, Secret::from_imported_base32(secret), None, import)
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
    let refuse = |why| ImportError::Line(line, why);
    let base32 = BASE64
        .decode(needed("secret")?.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| refuse("the secret is not Base64"))?;
    let base32 =
        std::str::from_utf8(&base32).map_err(|_| refuse("the secret is not Base64 of Base32"))?;
    let parse_used = |text| {
        stamp::parse_rfc3339(text).ok_or(refuse("last_used_at must be a time with its zone"))
    };
    let used = value("last_used_at").map(parse_used).transpose()?;
    for pair in pairs
        .iter()
        .filter(|pair| !KEYS.contains(&pair.key.as_str()))
    {
        let why = "a key that Postern does not know";
        import.note_loss(pair.line, fields.username, why);
    }
    fields.add_to(line, Secret::from_imported_base32(base32), used, import)
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
        secret: Result<Secret, crate::credential::otp::OtpError>,
        used: Option<Timestamp>,
        import: &mut ImportedFile,
    ) -> Result<(), ImportError> {
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|_| ImportError::Line(line, "digits and period must be numbers"))
        };
        let (digits, period) = (number(self.digits)?, number(self.period)?);
        let account = self.username.to_owned();
        let Some(algorithm) = Algorithm::from_name(self.algorithm) else {
            let why = "the algorithm must be SHA1, SHA256 or SHA512";
            return import.leave_out(line, Some(&account), why);
        };
        import.add(ImportEntry {
            label: Some(self.issuer.to_owned()).filter(|issuer| !issuer.is_empty()),
            algorithm,
            digits,
            floor: used.and_then(|used| floor(used, period)),
            ..ImportEntry::new(line, account, secret, MovingFactor::Time { period })
        })
    }
}

/// Returns the floor for the time of the last use. Authelia also accepts a code of the step after
/// the current one, and stores only the time, so that step counts as used.
fn floor(used: Timestamp, period: u64) -> Option<Step> {
    let step = OtpKind::Time { period }.step_at(used)?;
    Some(Step(step.0.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::import::ImportFormat::Authelia;
    use crate::credential::import::{ImportLoss, OmittedEntry};

    /// Written with Go's yaml.v3 and net/url from the structure and the code of Authelia 4.38.
    const YAML: &str = include_str!("../../../tests/import/authelia/export.yml");
    const CSV: &str = include_str!("../../../tests/import/authelia/export.csv");
    const URLS: &str = include_str!("../../../tests/import/authelia/export.uris");

    #[test]
    fn the_three_kinds_of_export_have_the_same_contents() {
        let expected = [
            "john (Authelia) SHA1 6 30s GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
            "0123 (auth: it's #1) SHA512 6 30s MFRGGZDFMZTWQ2LKMFRGGZDFMZTWQ2LK",
            "@weird \"x\" \\ ü (My Site & Co) SHA1 6 90s KRUGS4ZANFZSAYJAKRUGS4ZANFZSAYJA",
            "short (Authelia) SHA1 6 30s GEZDGNBVGY3TQOJQ",
        ];
        for (name, text) in [("YAML", YAML), ("CSV", CSV), ("URLs", URLS)] {
            let mut import = Authelia.import(text);
            for (found, expected) in import.found.iter_mut().zip(expected) {
                found.floor = None;
                let secret = found.secret.to_base32();
                let found = format!("{} {}", found.description(), secret.as_str());
                assert_eq!(found, expected, "{name}");
            }
            assert_eq!(import.found.len(), expected.len(), "{name}");
            // a name with a colon, a secret of 80 bits
            let losses: Vec<_> = import.omitted.iter().map(|omitted| omitted.loss).collect();
            assert_eq!(
                losses,
                [ImportLoss::Authenticator, ImportLoss::Strength],
                "{name}"
            );
        }
    }

    #[test]
    fn the_step_after_the_last_use_becomes_the_floor() {
        let floors = Authelia.import(YAML).found.into_iter();
        let floors: Vec<_> = floors.map(|found| found.floor).collect();
        let after = |second: u64| Some(Step(second / 30 + 1));
        assert_eq!(
            floors,
            [after(1_795_278_894), after(1_735_787_045), None, None]
        );
    }

    #[test]
    fn malformed_entries_are_left_out_and_other_files_refused() {
        let with_comma = CSV.replace("Authelia,john", "Authelia, Inc.,john");
        let other_title = YAML.replace("totp_configurations", "webauthn_credentials");
        let secret = |base64| YAML.replace("secret: R0V", &format!("secret: {base64}"));
        let other_secret = URLS.replace("secret=GEZ", "secret=01");
        let words_for_number = YAML.replace("digits: 6", "digits: six");
        let no_period = YAML.replace("      period: 30\n", "");
        let no_number = CSV.replace(",6,30,", ",6,x,");
        Authelia.assert_left_out([
            (words_for_number, "line 4: digits and period"),
            (no_period, "line 4: each map must have issuer, username"),
            (secret("R-V"), "line 4: the secret is not Base64"),
            (secret("AAA"), "line 4: the secret is not Base32"),
            (YAML.replace("+01:00", ""), "line 4: last_used_at"),
            (with_comma, "line 2: this line must have six fields"),
            (no_number, "line 2: digits and period"),
            (other_secret, "line 1: the secret is not Base32"),
        ]);
        Authelia.assert_refusals([
            (secret("*0V"), "line 11, column 15: an unsupported value"),
            (other_title, "line 3: it is not an export"),
            (String::new(), "there is no authenticator"),
        ]);
    }

    #[test]
    fn a_key_of_a_later_version_is_reported_as_lost() {
        let import =
            Authelia.import(&YAML.replace("      digits: 8", "      skew: 2\n      digits: 8"));
        let is_lost =
            |omitted: &OmittedEntry| (omitted.line, omitted.loss) == (17, ImportLoss::Detail);
        assert!(import.omitted.iter().any(is_lost));
    }
}
