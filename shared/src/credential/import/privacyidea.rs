//! privacyIDEA's seed CSV, the "OATH CSV" that token vendors deliver: serial number, seed in
//! hexadecimal, type, digits, and period or counter. LinOTP adds a hash function. With the first
//! line `# version: 2` each line begins with user, resolver and realm.

use super::{ImportEntry, ImportError, ImportOwners, ImportedFile, MovingFactor, lines};
use crate::credential::otp::secret::{SHORTEST_IMPORTED, Secret};
use crate::credential::otp::totp::Algorithm;
use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

const DEFAULT_DIGITS: u64 = 6;
const DEFAULT_PERIOD: u64 = 30;
const NO_SEED_LIST: &str =
    "it is no seed list: no line has a serial number and a seed in hexadecimal";
const NO_USER: &str = "it names no user; give --user, or --user-list with its serial number";

/// Adds the authenticators of `text`.
pub(super) fn parse_privacyidea(
    text: &str,
    owners: ImportOwners,
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    let names_users = text
        .lines()
        .next()
        .and_then(|first| first.strip_prefix('#')?.trim().strip_prefix("version:"))
        .is_some_and(|version| version.trim() == "2");
    let mut has_seed = false;
    for numbered in lines(text) {
        let (line, text) = match numbered {
            Ok(numbered) => numbered,
            Err(ImportError::Line(line, why)) => {
                import.leave_out(line, None, why)?;
                continue;
            }
            Err(error) => return Err(error),
        };
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        let mut fields: Vec<&str> = text.split(',').map(str::trim).collect();
        let mut named = None;
        if names_users && fields.len() > 3 {
            named = Some(fields[0]).filter(|user| !user.is_empty());
            fields.drain(..3);
        }
        has_seed |= fields.get(1).is_some_and(|seed| {
            seed.len() >= 2 * SHORTEST_IMPORTED && seed.bytes().all(|b| b.is_ascii_hexdigit())
        });
        let account = owners.account_of(fields.first().copied(), named);
        match parse_line(line, account.as_deref(), &fields) {
            Ok(entry) => import.add(entry)?,
            Err(why) => import.leave_out(line, account.as_deref(), why)?,
        }
    }
    if !has_seed {
        return Err(ImportError::File(NO_SEED_LIST));
    }
    Ok(())
}

/// Parses one line, or returns why it cannot be imported.
fn parse_line(
    line: usize,
    account: Option<&str>,
    fields: &[&str],
) -> Result<ImportEntry, &'static str> {
    let [serial, seed, rest @ ..] = fields else {
        return Err("this line must have a serial number, a seed and a type");
    };
    let seed = HEXLOWER_PERMISSIVE.decode(seed.as_bytes());
    let seed = Zeroizing::new(seed.map_err(|_| "the seed is not hexadecimal")?);
    let field = |at: usize| rest.get(at).copied().filter(|text| !text.is_empty());
    let number = |at: usize| {
        let number = field(at).map(str::parse::<u64>).transpose();
        number.map_err(|_| "digits, period and counter must be numbers")
    };
    // digits and period mean nothing for other types
    let kind = field(0).unwrap_or("hotp").to_ascii_lowercase();
    let moving = match kind.as_str() {
        "totp" => MovingFactor::Time {
            period: number(2)?.unwrap_or(DEFAULT_PERIOD),
        },
        "hotp" => MovingFactor::Counter {
            next: number(2)?.unwrap_or(0),
        },
        _ => return Err("neither a TOTP nor a HOTP token"),
    };
    let digits = number(1)?.unwrap_or(DEFAULT_DIGITS);
    let algorithm = field(3).map_or(Some(Algorithm::Sha1), Algorithm::from_name);
    let algorithm = algorithm.ok_or("the algorithm must be SHA1, SHA256 or SHA512")?;
    let account = account.ok_or(NO_USER)?.to_owned();
    Ok(ImportEntry {
        label: Some((*serial).to_owned()).filter(|serial| !serial.is_empty()),
        algorithm,
        digits,
        ..ImportEntry::new(line, account, Secret::from_imported_bytes(seed), moving)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::import::{ImportFormat, SerialList};

    const LIST: &str = include_str!("../../../tests/import/privacyidea/seeds.csv");
    const WITH_USERS: &str = include_str!("../../../tests/import/privacyidea/users.csv");
    const HEX: &str = "3132333435363738393031323334353637383930";

    #[track_caller]
    fn describe(text: &str, owners: ImportOwners) -> (Vec<String>, Vec<usize>) {
        let import = ImportFormat::PrivacyIdea { owners }.import(text);
        let found = import.found.iter().map(|found| found.description());
        let omitted = import.omitted.iter().map(|omitted| omitted.line);
        (found.collect(), omitted.collect())
    }

    #[test]
    fn tokens_go_to_the_accounts_of_their_serial_numbers() {
        let serials = &SerialList::parse(b"OATH0001,alice\nOATH0002,bob\n").unwrap();
        let owners = ImportOwners {
            user: None,
            serials: Some(serials),
        };
        let (found, omitted) = describe(LIST, owners);
        assert_eq!(
            found,
            ["alice (OATH0001) SHA1 6 30s", "bob (OATH0002) SHA256 8 #7"]
        );
        // a token without an account, and OCRA
        assert_eq!(omitted, [3, 4]);
    }

    #[test]
    fn a_list_of_version_2_names_its_users() {
        let (found, omitted) = describe(WITH_USERS, ImportOwners::default());
        assert_eq!(found, ["alice (OATH0001) SHA1 6 60s"]);
        assert_eq!(omitted, [3]);
    }

    #[test]
    fn unusable_lines_are_left_out() {
        let alice = &"alice".parse().unwrap();
        let owners = ImportOwners {
            user: Some(alice),
            serials: None,
        };
        for line in [
            "OATH0002",
            "OATH0002,no hex,totp",
            "OATH0002,3132,totp,6,30",
            "OATH0002,31323334353637383930313233343536,totp,six,30",
            "OATH0002,31323334353637383930313233343536,totp,6,30,md5",
        ] {
            let text = format!("OATH0001,{HEX},totp,6,30\n{line}\n");
            let (found, omitted) = describe(&text, owners);
            assert_eq!((found.len(), omitted), (1, vec![2]), "{line}");
        }
        let format = ImportFormat::PrivacyIdea { owners };
        format.assert_refusals([("{}\n", "it is no seed list")]);
    }
}
