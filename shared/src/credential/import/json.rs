//! Exports of phone apps in JSON: Aegis (plain) and 2FAS. Entries are counted from 1 instead of
//! lines. An encrypted export is refused: the app can export without encryption.

use super::{ImportEntry, ImportError, ImportOwners, ImportedFile, MOST, MovingFactor};
use crate::credential::import::imported_file::ImportUnit;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::Algorithm;
use serde_json::Value;
use zeroize::Zeroize;

const NO_JSON: &str = "it is not JSON";
const NO_AEGIS: &str =
    "it is not an export of Aegis; for another app, export as a list of otpauth URIs";
const NO_TWO_FAS: &str =
    "it is not an export of 2FAS; for another app, export as a list of otpauth URIs";
const ENCRYPTED_AEGIS: &str =
    "it is encrypted; in Aegis, export again without \"Encrypt the vault\"";
const ENCRYPTED_TWO_FAS: &str = "it is encrypted; in 2FAS, export again without a password";
const TOO_MANY: &str = "more than 10000 authenticators in one file; split it";

/// Adds the entries of an Aegis vault.
pub(super) fn parse_aegis(
    text: &str,
    owners: ImportOwners,
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    let document = JsonDocument::parse(text)?;
    let database = document.0.get("db").ok_or(ImportError::File(NO_AEGIS))?;
    let has_slots = document.0.pointer("/header/slots");
    if database.is_string() || has_slots.is_some_and(|slots| !slots.is_null()) {
        return Err(ImportError::File(ENCRYPTED_AEGIS));
    }
    let entries = database.get("entries").and_then(Value::as_array);
    let entries = entries.ok_or(ImportError::File(NO_AEGIS))?;
    let described = entries.iter().map(|entry| JsonEntry {
        kind: text_of(entry, "/type"),
        account: text_of(entry, "/name"),
        label: text_of(entry, "/issuer"),
        secret: text_of(entry, "/info/secret"),
        algorithm: entry.pointer("/info/algo"),
        digits: entry.pointer("/info/digits"),
        period: entry.pointer("/info/period"),
        counter: entry.pointer("/info/counter"),
    });
    add_entries(entries.len(), described, owners, import)
}

/// Adds the services of a 2FAS backup.
pub(super) fn parse_two_fas(
    text: &str,
    owners: ImportOwners,
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    let document = JsonDocument::parse(text)?;
    let is_encrypted = document.0.get("servicesEncrypted");
    if is_encrypted.is_some_and(|services| !services.is_null()) {
        return Err(ImportError::File(ENCRYPTED_TWO_FAS));
    }
    let services = document.0.get("services").and_then(Value::as_array);
    let services = services.ok_or(ImportError::File(NO_TWO_FAS))?;
    let described = services.iter().map(|service| JsonEntry {
        kind: text_of(service, "/otp/tokenType").or(Some("totp")),
        account: text_of(service, "/otp/account").or_else(|| text_of(service, "/otp/label")),
        label: text_of(service, "/otp/issuer").or_else(|| text_of(service, "/name")),
        secret: text_of(service, "/secret"),
        algorithm: service.pointer("/otp/algorithm"),
        digits: service.pointer("/otp/digits"),
        period: service.pointer("/otp/period"),
        counter: service.pointer("/otp/counter"),
    });
    add_entries(services.len(), described, owners, import)
}

fn text_of<'a>(entry: &'a Value, pointer: &str) -> Option<&'a str> {
    let text = entry.pointer(pointer).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
}

/// One entry as the app describes it.
struct JsonEntry<'a> {
    kind: Option<&'a str>,
    account: Option<&'a str>,
    label: Option<&'a str>,
    secret: Option<&'a str>,
    algorithm: Option<&'a Value>,
    digits: Option<&'a Value>,
    period: Option<&'a Value>,
    counter: Option<&'a Value>,
}

fn add_entries<'a>(
    count: usize,
    entries: impl Iterator<Item = JsonEntry<'a>>,
    owners: ImportOwners,
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    if count > MOST {
        return Err(ImportError::File(TOO_MANY));
    }
    import.unit = ImportUnit::Entry;
    for (number, entry) in (1..).zip(entries) {
        let account = owners.account_of(None, entry.account);
        match entry.describe(number, account.as_deref()) {
            Ok(entry) => import.add(entry)?,
            Err(why) => import.leave_out(number, account.as_deref(), why)?,
        }
    }
    Ok(())
}

impl JsonEntry<'_> {
    /// Returns the authenticator, or why it cannot be imported. What the app does not write has the
    /// default of an otpauth URI.
    fn describe(&self, number: usize, account: Option<&str>) -> Result<ImportEntry, &'static str> {
        let moving = match self.kind.map(str::to_ascii_lowercase).as_deref() {
            Some("totp") => MovingFactor::Time {
                period: number_of(self.period)?.unwrap_or(30),
            },
            Some("hotp") => MovingFactor::Counter {
                next: number_of(self.counter)?.ok_or("a HOTP authenticator needs its counter")?,
            },
            _ => return Err("neither a TOTP nor a HOTP authenticator"),
        };
        let algorithm = match self.algorithm {
            None | Some(Value::Null) => Some(Algorithm::Sha1),
            Some(name) => name.as_str().and_then(Algorithm::from_name),
        };
        let algorithm = algorithm.ok_or("the algorithm must be SHA1, SHA256 or SHA512")?;
        let secret = Secret::from_imported_base32(self.secret.ok_or("it has no secret")?);
        let account = account
            .ok_or("it names no account; give --user")?
            .to_owned();
        Ok(ImportEntry {
            label: self.label.map(str::to_owned),
            algorithm,
            digits: number_of(self.digits)?.unwrap_or(6),
            ..ImportEntry::new(number, account, secret, moving)
        })
    }
}

fn number_of(value: Option<&Value>) -> Result<Option<u64>, &'static str> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err("digits, period and counter must be numbers"),
        },
    }
}

/// A document that is wiped when dropped. serde_json limits its depth to 128.
struct JsonDocument(Value);

impl JsonDocument {
    fn parse(text: &str) -> Result<JsonDocument, ImportError> {
        let value = serde_json::from_str(text).map_err(|error| match error.line() {
            0 => ImportError::File(NO_JSON),
            line => ImportError::Position(line, error.column(), NO_JSON),
        })?;
        Ok(JsonDocument(value))
    }
}

impl Drop for JsonDocument {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(pairs) => pairs.values_mut().for_each(wipe),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::import::ImportFormat;

    const AEGIS: &str = include_str!("../../../tests/import/aegis/plain.json");
    const TWO_FAS: &str = include_str!("../../../tests/import/2fas/plain.json");

    fn aegis<'a>() -> ImportFormat<'a> {
        ImportFormat::Aegis {
            owners: ImportOwners::default(),
        }
    }

    fn two_fas<'a>() -> ImportFormat<'a> {
        ImportFormat::TwoFas {
            owners: ImportOwners::default(),
        }
    }

    #[test]
    fn exports_of_both_apps_are_imported_without_steam() {
        for (format, text) in [(aegis(), AEGIS), (two_fas(), TWO_FAS)] {
            let import = format.import(text);
            let found: Vec<_> = import
                .found
                .iter()
                .map(|found| (found.line, found.description()))
                .collect();
            let expected = [
                (1, "bob (Example) SHA1 6 30s".to_owned()),
                (3, "dora (Example) SHA256 8 #5".to_owned()),
            ];
            assert_eq!(found, expected);
            let omitted: Vec<_> = import.omitted.iter().map(|one| one.line).collect();
            assert_eq!(omitted, [2, 4]);
            assert_eq!(import.unit, ImportUnit::Entry);
        }
    }

    #[test]
    fn encrypted_and_other_files_are_refused_with_what_to_do() {
        let encrypted = r#"{"version":1,"header":{"slots":[{"type":1}],"params":{}},"db":"AAAA"}"#;
        let deep = "[".repeat(100_000);
        aegis().assert_refusals([
            (encrypted, "it is encrypted; in Aegis, export again"),
            ("{}", "it is not an export of Aegis"),
            (r#"{"db":{"entries":3}}"#, "it is not an export of Aegis"),
            ("otpauth://totp/a", "line 1, column "),
            (&deep, "line 1, column "),
        ]);
        let encrypted = r#"{"services":[],"servicesEncrypted":"AAAA:BBBB:CCCC"}"#;
        two_fas().assert_refusals([
            (encrypted, "it is encrypted; in 2FAS, export again"),
            ("[]", "it is not an export of 2FAS"),
            (r#"{"services":[]}"#, "there is no authenticator in it"),
        ]);
        let many = format!("{{\"services\":[{}{{}}]}}", "{},".repeat(MOST));
        two_fas().assert_refusals([(many, "more than 10000")]);
    }
}
