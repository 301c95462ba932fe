//! otpauth-migration URIs, which the Google Authenticator app exports as QR codes: Base64 of a
//! small protobuf message. A large export has several parts, and states how many; all of them must
//! be in the file, one per line.
//!
//! ```text
//! MigrationPayload { 1: repeated OtpParameters  2: version  3: batch_size  4: batch_index  5: batch_id }
//! OtpParameters { 1: secret  2: name  3: issuer  4: algorithm  5: digits  6: type  7: counter }
//! ```

use super::protobuf::ProtobufValue::{Bytes, Number, Other};
use super::protobuf::parse_fields;
use super::{ImportEntry, ImportError, ImportedFile, MovingFactor, content_lines};
use crate::credential::otp::otpauth_uri::split_label;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::Algorithm;
use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

const PREFIX: &str = "otpauth-migration://offline?data=";
/// Period of the app in seconds; it supports no other.
const PERIOD: u64 = 30;
/// More parts than the app exports.
const MOST_PARTS: u64 = 1000;

/// Adds the authenticators of `text`. A part that is damaged or repeated, or whose other parts are
/// missing, is reported; those of the other parts are imported.
pub(super) fn parse_migration(text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    let (mut parts, mut first) = (Vec::new(), None);
    for numbered in content_lines(text) {
        match numbered.and_then(|(line, text)| parse_part(line, text)) {
            Ok(part) => parts.push(part),
            Err(error @ ImportError::Line(line, why)) => {
                import.leave_out(line, None, why)?;
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    // a file of another kind, or nothing of it can be read
    if let (true, Some(error)) = (parts.is_empty(), first) {
        return Err(error);
    }
    for part in check_parts(parts, import)? {
        let fields = parse_fields(&part.message).unwrap_or_default();
        for field in fields {
            if let (1, Bytes(entry)) = field {
                let added = add_authenticator(part.line, entry, import);
                import.leave_out_malformed(added)?;
            }
        }
    }
    Ok(())
}

fn decode_base64(data: &str) -> Option<Zeroizing<Vec<u8>>> {
    let base64 = Zeroizing::new(percent_decode_str(data).collect::<Vec<u8>>());
    BASE64.decode(&base64).ok().map(Zeroizing::new)
}

struct MigrationPart {
    line: usize,
    batch: u64,
    size: u64,
    index: u64,
    message: Zeroizing<Vec<u8>>,
}

fn parse_part(line: usize, text: &str) -> Result<MigrationPart, ImportError> {
    let why = "it must begin with otpauth-migration://offline?data=";
    let data = text
        .strip_prefix(PREFIX)
        .ok_or(ImportError::Line(line, why))?;
    let why = "its data is damaged; copy it again";
    let message = decode_base64(data).ok_or(ImportError::Line(line, why))?;
    let (mut version, mut size, mut index, mut batch) = (None, None, None, None);
    for field in parse_fields(&message).ok_or(broken(line))? {
        match field {
            (2, Number(value)) => set_once(line, &mut version, value)?,
            (3, Number(value)) => set_once(line, &mut size, value)?,
            (4, Number(value)) => set_once(line, &mut index, value)?,
            (5, Number(value)) => set_once(line, &mut batch, value)?,
            (2..=5, _) | (1, Number(_) | Other) => return Err(broken(line)),
            _ => {}
        }
    }
    if !matches!(version, Some(1 | 2)) {
        let why = "a version of the export that Postern does not know";
        return Err(ImportError::Line(line, why));
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
        message,
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

/// Returns the parts in the order of their lines, each part of an export once. Repeated and missing
/// ones are reported.
fn check_parts(
    mut parts: Vec<MigrationPart>,
    import: &mut ImportedFile,
) -> Result<Vec<MigrationPart>, ImportError> {
    parts.sort_by_key(|part| (part.batch, part.index, part.line));
    let mut checked: Vec<MigrationPart> = Vec::new();
    for part in parts {
        let before = checked.last().filter(|before| before.batch == part.batch);
        match before.map(|before| before.index == part.index || before.size != part.size) {
            Some(true) => {
                let why = "another line claims to be the same part of the same export";
                import.leave_out(part.line, None, why)?;
            }
            Some(false) | None => checked.push(part),
        }
    }
    for batch in checked.chunk_by(|one, next| one.batch == next.batch) {
        if batch.len() as u64 != batch[0].size {
            let why =
                "the export has more parts than this file: add the contents of its other QR codes";
            import.leave_out(batch[0].line, None, why)?;
        }
    }
    checked.sort_by_key(|part| part.line);
    Ok(checked)
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

    /// The parts of an export are independent of one another.
    #[test]
    fn a_part_that_is_missing_repeated_or_damaged_is_named_and_the_rest_imported() {
        let lines: Vec<&str> = BATCH.lines().collect();
        let (first, second) = (lines[0], lines[1]);
        let damaged = second.replace("data=", "data=%%");
        let cut = &second[..second.len() - 8];
        let left_out = |text: &str| {
            let import = OtpauthMigration.import(text);
            let omitted = import.omitted.iter();
            let omitted = omitted.filter(|one| one.account.is_none());
            let omitted: Vec<(usize, &str)> = omitted.map(|one| (one.line, one.why)).collect();
            (import.found.len(), omitted)
        };
        let incomplete =
            "the export has more parts than this file: add the contents of its other QR codes";
        let repeated = "another line claims to be the same part of the same export";
        let copy = "its data is damaged; copy it again";
        assert_eq!(left_out(first), (2, vec![(1, incomplete)]));
        assert_eq!(
            left_out(&format!("{BATCH}{first}")),
            (4, vec![(3, repeated)])
        );
        assert_eq!(
            left_out(&format!("{first}\n{damaged}\n")),
            (2, vec![(1, incomplete), (2, copy)])
        );
        let (found, omitted) = left_out(&format!("{first}\n{cut}\nhello\n"));
        assert_eq!((found, omitted.len()), (2, 3), "{omitted:?}");
    }

    #[test]
    fn a_malformed_entry_is_left_out() {
        let good = [&[0x0a, 25, 0x0a, 20][..], &[0x31; 20], &[0x12, 1, b'a']].concat();
        for entry in [
            // a number for the secret; a length beyond the end; a counter below zero
            &[0x0a, 2, 0x08, 1][..],
            &[0x0a, 2, 0x0a, 9],
            &[
                0x0a, 13, 0x30, 1, 0x38, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1,
            ],
        ] {
            let message = [&[0x10, 1][..], entry, &good[..]].concat();
            let import = OtpauthMigration.import(&url(&message));
            let omitted: Vec<&str> = import.omitted.iter().map(|one| one.why).collect();
            assert!(omitted[0].ends_with("or it is damaged"), "{omitted:?}");
        }
    }

    #[test]
    fn a_file_of_which_nothing_can_be_read_is_refused_by_line() {
        for text in [
            "otpauth://totp/x".to_owned(),
            format!("{PREFIX}%%%"),
            format!("{PREFIX}AAA"),
            // no version; version 9; a length beyond the end; size 0; index 1 of 1
            url(&[0x18, 1]),
            url(&[0x10, 9]),
            url(&[0x10, 1, 0x0a, 200]),
            url(&[0x10, 1, 0x18, 0]),
            url(&[0x10, 1, 0x18, 1, 0x20, 1]),
            // the version twice; a number for an entry
            url(&[0x10, 1, 0x10, 1]),
            url(&[0x10, 1, 0x08, 1]),
        ] {
            OtpauthMigration.assert_refusals([(format!("# export\n{text}"), "line 2: ")]);
        }
    }
}
