//! otpauth-migration URIs, which the Google Authenticator app exports as QR codes: Base64 of a
//! small protobuf message. A large export has several parts, and states how many; all of them must
//! be in the file, one per line.
//!
//! ```text
//! MigrationPayload { 1: repeated OtpParameters  2: version  3: batch_size  4: batch_index  5: batch_id }
//! OtpParameters { 1: secret  2: name  3: issuer  4: algorithm  5: digits  6: type  7: counter }
//! ```

use super::protobuf::ProtobufValue::{Bytes, Number};
use super::protobuf::parse_fields;
use super::{ImportEntry, ImportError, ImportedFile, MovingFactor, content_lines};
use crate::credential::otpauth_uri::split_label;
use crate::credential::secret::Secret;
use crate::credential::totp::Algorithm;
use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

const PREFIX: &str = "otpauth-migration://offline?data=";
/// Period of the app in seconds; it supports no other.
const PERIOD: u64 = 30;
/// More parts than the app exports.
const MOST_PARTS: u64 = 1000;

/// Adds the authenticators of `text`.
pub(super) fn parse_migration(text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    let mut parts = Vec::new();
    for numbered in content_lines(text) {
        let (line, text) = numbered?;
        let why = "it must begin with otpauth-migration://offline?data=";
        let data = text
            .strip_prefix(PREFIX)
            .ok_or(ImportError::Line(line, why))?;
        let why = "its data is damaged; copy it again";
        let message = decode_base64(data).ok_or(ImportError::Line(line, why))?;
        parts.push(parse_part(line, &message, import)?);
    }
    check_parts(parts)
}

fn decode_base64(data: &str) -> Option<Zeroizing<Vec<u8>>> {
    let base64 = Zeroizing::new(percent_decode_str(data).collect::<Vec<u8>>());
    BASE64.decode(&base64).ok().map(Zeroizing::new)
}

#[derive(Clone, Copy)]
struct MigrationPart {
    line: usize,
    batch: u64,
    size: u64,
    index: u64,
}

fn parse_part(
    line: usize,
    message: &[u8],
    import: &mut ImportedFile,
) -> Result<MigrationPart, ImportError> {
    let (mut version, mut size, mut index, mut batch) = (None, None, None, None);
    let mut entries = Vec::new();
    for field in parse_fields(message).ok_or(broken(line))? {
        match field {
            (1, Bytes(bytes)) => entries.push(bytes),
            (2, Number(value)) => set_once(line, &mut version, value)?,
            (3, Number(value)) => set_once(line, &mut size, value)?,
            (4, Number(value)) => set_once(line, &mut index, value)?,
            (5, Number(value)) => set_once(line, &mut batch, value)?,
            (1..=5, _) => return Err(broken(line)),
            _ => {}
        }
    }
    if !matches!(version, Some(1 | 2)) {
        let why = "a version of the export that Postern does not know";
        return Err(ImportError::Line(line, why));
    }
    for entry in entries {
        add_authenticator(line, entry, import)?;
    }
    let (size, index, batch) = (size.unwrap_or(1), index.unwrap_or(0), batch.unwrap_or(0));
    if !(1..=MOST_PARTS).contains(&size) || index >= size {
        return Err(broken(line));
    }
    Ok(MigrationPart {
        line,
        batch,
        size,
        index,
    })
}

/// The message OtpParameters; a missing field is 0 or empty.
#[derive(Default)]
struct MigrationParameters<'a> {
    secret: Option<&'a [u8]>,
    name: Option<&'a str>,
    issuer: Option<&'a str>,
    algorithm: Option<u64>,
    digits: Option<u64>,
    kind: Option<u64>,
    counter: Option<u64>,
}

fn add_authenticator(
    line: usize,
    message: &[u8],
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    let values = parse_parameters(line, message)?;
    let (issuer, account) = split_label(values.name.unwrap_or(""), values.issuer);
    let label = values
        .issuer
        .filter(|text| !text.is_empty())
        .or(issuer)
        .map(str::to_owned);
    let algorithm = match values.algorithm.unwrap_or(0) {
        0 | 1 => Algorithm::Sha1,
        2 => Algorithm::Sha256,
        3 => Algorithm::Sha512,
        _ => {
            let why = "the algorithm must be SHA1, SHA256 or SHA512";
            return import.leave_out(line, Some(account), why);
        }
    };
    let digits = match values.digits.unwrap_or(0) {
        0 | 1 => 6,
        2 => 8,
        _ => return import.leave_out(line, Some(account), "digits must be 6 or 8"),
    };
    let moving = match values.kind.unwrap_or(0) {
        1 => {
            let next = i64::try_from(values.counter.unwrap_or(0)).map_err(|_| broken(line))?;
            let next = next.unsigned_abs();
            MovingFactor::Counter { next }
        }
        2 => MovingFactor::Time { period: PERIOD },
        _ => {
            let why = "neither a TOTP nor a HOTP authenticator";
            return import.leave_out(line, Some(account), why);
        }
    };
    let secret = Secret::from_imported_bytes(Zeroizing::new(values.secret.unwrap_or(&[]).to_vec()));
    import.add(ImportEntry {
        label,
        algorithm,
        digits,
        ..ImportEntry::new(line, account.to_owned(), secret, moving)
    })
}

fn parse_parameters(line: usize, message: &[u8]) -> Result<MigrationParameters<'_>, ImportError> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| broken(line));
    let mut values = MigrationParameters::default();
    for field in parse_fields(message).ok_or(broken(line))? {
        match field {
            (1, Bytes(bytes)) => set_once(line, &mut values.secret, bytes)?,
            (2, Bytes(bytes)) => set_once(line, &mut values.name, text(bytes)?)?,
            (3, Bytes(bytes)) => set_once(line, &mut values.issuer, text(bytes)?)?,
            (4, Number(value)) => set_once(line, &mut values.algorithm, value)?,
            (5, Number(value)) => set_once(line, &mut values.digits, value)?,
            (6, Number(value)) => set_once(line, &mut values.kind, value)?,
            (7, Number(value)) => set_once(line, &mut values.counter, value)?,
            (1..=7, _) => return Err(broken(line)),
            // 8, in newer versions, is the name of the entry inside the app
            _ => {}
        }
    }
    Ok(values)
}

/// Checks that each batch has all its parts, and each part once.
fn check_parts(mut parts: Vec<MigrationPart>) -> Result<(), ImportError> {
    parts.sort_by_key(|part| (part.batch, part.index, part.line));
    for pair in parts.windows(2) {
        let (one, next) = (pair[0], pair[1]);
        if one.batch == next.batch && (one.index == next.index || one.size != next.size) {
            let (line, earlier) = (one.line.max(next.line), one.line.min(next.line));
            let why = "it claims to be the same part of the same export";
            return Err(ImportError::Lines(line, earlier, why));
        }
    }
    for batch in parts.chunk_by(|one, next| one.batch == next.batch) {
        if batch.len() as u64 != batch[0].size {
            let why =
                "the export has more parts than this file: add the contents of its other QR codes";
            return Err(ImportError::Line(batch[0].line, why));
        }
    }
    Ok(())
}

fn set_once<T>(line: usize, slot: &mut Option<T>, value: T) -> Result<(), ImportError> {
    match slot.replace(value) {
        Some(_) => Err(broken(line)),
        None => Ok(()),
    }
}

fn broken(line: usize) -> ImportError {
    let why = "it is not an export of Google Authenticator, or it is damaged";
    ImportError::Line(line, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::import::ImportFormat::OtpauthMigration;
    use crate::credential::import::ImportLoss;

    /// Two parts, the second one first, made with protobuf's own Python library.
    const BATCH: &str = include_str!("../../../tests/import/migration/batch");
    const SINGLE: &str = include_str!("../../../tests/import/migration/single");

    fn url(message: &[u8]) -> String {
        format!("{PREFIX}{}\n", BASE64.encode(message))
    }

    #[test]
    fn all_parts_of_an_export_are_imported() {
        let import = OtpauthMigration.import(BATCH);
        let found: Vec<_> = import
            .found
            .iter()
            .map(|found| (found.line, found.description()))
            .collect();
        let expected = [
            (1, "old (Example) SHA1 6 30s".to_owned()),
            (1, "ü@x.org (server-01) SHA512 6 30s".to_owned()),
            (2, "alice (server-01) SHA1 6 30s".to_owned()),
            (2, "bob (A & B) SHA256 8 #42".to_owned()),
        ];
        assert_eq!(found, expected);
        assert_eq!(import.found[2].secret.expose(), b"12345678901234567890");
        let omitted: Vec<_> = import
            .omitted
            .iter()
            .map(|d| (d.account.as_ref().map(|name| name.as_str()), d.loss))
            .collect();
        let expected = [
            (Some("old"), ImportLoss::Strength),
            (Some("md5"), ImportLoss::Authenticator),
        ];
        assert_eq!(omitted, expected);
    }

    #[test]
    fn an_export_of_one_part_takes_the_apps_defaults() {
        let found = &OtpauthMigration.import(SINGLE).found[0];
        assert_eq!((found.account.as_str(), found.digits), ("carol", 6));
    }

    #[test]
    fn a_part_that_is_missing_or_repeated_is_named() {
        let first = BATCH.lines().next().unwrap();
        OtpauthMigration.assert_refusals([
            (first.to_owned(), "line 1: the export has more parts"),
            (
                format!("{BATCH}{first}"),
                "line 3: it claims to be the same part",
            ),
        ]);
    }

    #[test]
    fn malformed_messages_are_refused_by_line() {
        for text in [
            "otpauth://totp/x".to_owned(),
            format!("{PREFIX}%%%"),
            format!("{PREFIX}AAA"),
            // no version; version 9; a length beyond the end; a number for the secret; size 0;
            // index 1 of 1
            url(&[0x18, 1]),
            url(&[0x10, 9]),
            url(&[0x10, 1, 0x0a, 200]),
            url(&[0x10, 1, 0x0a, 2, 0x08, 1]),
            url(&[0x10, 1, 0x18, 0]),
            url(&[0x10, 1, 0x18, 1, 0x20, 1]),
            // the version twice; a counter below zero
            url(&[0x10, 1, 0x10, 1]),
            url(&[
                0x10, 1, 0x0a, 13, 0x30, 1, 0x38, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1,
            ]),
        ] {
            OtpauthMigration.assert_refusals([(format!("# export\n{text}"), "line 2: ")]);
        }
    }
}
