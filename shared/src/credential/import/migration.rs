//! otpauth-migration URIs, which the Google Authenticator app exports as QR codes: Base64 of a
//! small protobuf message. A large export has several parts, and states how many; all of them must
//! be in the file, one per line.
//!
//! ```text
//! MigrationPayload { 1: repeated OtpParameters  2: version  3: batch_size  4: batch_index  5: batch_id }
//! OtpParameters { 1: secret  2: name  3: issuer  4: algorithm  5: digits  6: type  7: counter }
//! ```

use super::protobuf::{ProtobufField, ProtobufFields, ProtobufValue};
use super::{ImportEntry, ImportError, ImportedFile, MovingFactor, lines};
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
    for numbered in lines(text) {
        let (line, text) = numbered?;
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let data = text.strip_prefix(PREFIX);
        let data = data.ok_or(ImportError::Line(
            line,
            "it must begin with otpauth-migration://offline?data=",
        ))?;
        let message = decode_base64(data).ok_or(ImportError::Line(
            line,
            "its data is damaged; copy it again",
        ))?;
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
    for field in ProtobufFields::new(message) {
        match field.map_err(|_| broken(line))? {
            ProtobufField {
                number: 1,
                value: ProtobufValue::Bytes(bytes),
            } => entries.push(bytes),
            ProtobufField {
                number: 2,
                value: ProtobufValue::Number(value),
            } => set_once(line, &mut version, value)?,
            ProtobufField {
                number: 3,
                value: ProtobufValue::Number(value),
            } => set_once(line, &mut size, value)?,
            ProtobufField {
                number: 4,
                value: ProtobufValue::Number(value),
            } => set_once(line, &mut index, value)?,
            ProtobufField {
                number: 5,
                value: ProtobufValue::Number(value),
            } => set_once(line, &mut batch, value)?,
            ProtobufField { number: 1..=5, .. } => return Err(broken(line)),
            ProtobufField { .. } => {}
        }
    }
    if !matches!(version, Some(1 | 2)) {
        return Err(ImportError::Line(
            line,
            "a version of the export that Postern does not know",
        ));
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
            return import.leave_out(
                line,
                Some(account),
                "the algorithm must be SHA1, SHA256 or SHA512",
            );
        }
    };
    let digits = match values.digits.unwrap_or(0) {
        0 | 1 => 6,
        2 => 8,
        _ => return import.leave_out(line, Some(account), "digits must be 6 or 8"),
    };
    let moving = match values.kind.unwrap_or(0) {
        1 => {
            let next = values.counter.unwrap_or(0);
            MovingFactor::Counter {
                next: i64::try_from(next)
                    .map_err(|_| broken(line))?
                    .unsigned_abs(),
            }
        }
        2 => MovingFactor::Time { period: PERIOD },
        _ => {
            return import.leave_out(
                line,
                Some(account),
                "neither a TOTP nor a HOTP authenticator",
            );
        }
    };
    import.add(ImportEntry {
        line,
        account: account.to_owned(),
        label,
        secret: Secret::from_bytes(Zeroizing::new(values.secret.unwrap_or(&[]).to_vec())),
        algorithm,
        digits,
        moving,
        floor: None,
        recovery: Vec::new(),
    })
}

fn parse_parameters(line: usize, message: &[u8]) -> Result<MigrationParameters<'_>, ImportError> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| broken(line));
    let mut values = MigrationParameters::default();
    for field in ProtobufFields::new(message) {
        match field.map_err(|_| broken(line))? {
            ProtobufField {
                number: 1,
                value: ProtobufValue::Bytes(bytes),
            } => set_once(line, &mut values.secret, bytes)?,
            ProtobufField {
                number: 2,
                value: ProtobufValue::Bytes(bytes),
            } => set_once(line, &mut values.name, text(bytes)?)?,
            ProtobufField {
                number: 3,
                value: ProtobufValue::Bytes(bytes),
            } => set_once(line, &mut values.issuer, text(bytes)?)?,
            ProtobufField {
                number: 4,
                value: ProtobufValue::Number(value),
            } => set_once(line, &mut values.algorithm, value)?,
            ProtobufField {
                number: 5,
                value: ProtobufValue::Number(value),
            } => set_once(line, &mut values.digits, value)?,
            ProtobufField {
                number: 6,
                value: ProtobufValue::Number(value),
            } => set_once(line, &mut values.kind, value)?,
            ProtobufField {
                number: 7,
                value: ProtobufValue::Number(value),
            } => set_once(line, &mut values.counter, value)?,
            ProtobufField { number: 1..=7, .. } => return Err(broken(line)),
            // 8, in newer versions, is the name of the entry inside the app
            ProtobufField { .. } => {}
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
            return Err(ImportError::Lines(
                line,
                earlier,
                "it claims to be the same part of the same export",
            ));
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
    ImportError::Line(
        line,
        "it is not an export of Google Authenticator, or it is damaged",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::import::{ImportFormat, ImportLoss, parse_import_file};

    /// Two parts, the second one first, made with protobuf's own Python library.
    const BATCH: &str = include_str!("../../../tests/import/migration/batch");
    const SINGLE: &str = include_str!("../../../tests/import/migration/single");

    #[track_caller]
    fn import(text: &str) -> ImportedFile {
        parse_import_file(ImportFormat::OtpauthMigration, text.as_bytes()).unwrap()
    }

    #[track_caller]
    fn refused(text: &str) -> String {
        parse_import_file(ImportFormat::OtpauthMigration, text.as_bytes())
            .unwrap_err()
            .to_string()
    }

    fn url(message: &[u8]) -> String {
        format!("{PREFIX}{}\n", BASE64.encode(message))
    }

    #[test]
    fn all_parts_of_an_export_are_imported() {
        let import = import(BATCH);
        let found: Vec<_> = import
            .found
            .iter()
            .map(|f| {
                (
                    f.line,
                    f.account.as_str(),
                    f.label.as_deref(),
                    f.algorithm,
                    f.digits,
                    f.moving,
                )
            })
            .collect();
        let (time, server) = (MovingFactor::Time { period: 30 }, Some("server-01"));
        assert_eq!(
            found,
            [
                (1, "ü@x.org", server, Algorithm::Sha512, 6, time),
                (2, "alice", server, Algorithm::Sha1, 6, time),
                (
                    2,
                    "bob",
                    Some("A & B"),
                    Algorithm::Sha256,
                    8,
                    MovingFactor::Counter { next: 42 }
                ),
            ]
        );
        assert_eq!(import.found[1].secret.expose(), b"12345678901234567890");
        let dropped: Vec<_> = import
            .dropped
            .iter()
            .map(|d| (d.account.as_ref().map(|name| name.as_str()), d.loss))
            .collect();
        assert_eq!(
            dropped,
            [
                (Some("old"), ImportLoss::Authenticator),
                (Some("md5"), ImportLoss::Authenticator)
            ]
        );
    }

    #[test]
    fn an_export_of_one_part_takes_the_apps_defaults() {
        let import = import(SINGLE);
        assert_eq!(
            (import.found[0].account.as_str(), import.found[0].digits),
            ("carol", 6)
        );
    }

    #[test]
    fn a_part_that_is_missing_or_repeated_is_named() {
        let first = BATCH.lines().next().unwrap();
        assert!(refused(first).starts_with("line 1: the export has more parts"));
        assert!(
            refused(&format!("{BATCH}{first}"))
                .starts_with("line 3: it claims to be the same part")
        );
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
            let message = refused(&format!("# export\n{text}"));
            assert!(message.starts_with("line 2: "), "{message}");
        }
    }
}
