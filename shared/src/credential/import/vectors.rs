//! Made-up files of each format, one for each property: `tests/import_vectors/FORMAT/NAME`. The
//! head of a file, up to the first empty line, says what is right; the rest is the file.

use super::*;
use std::path::Path;

const NOW: Timestamp = Timestamp(1_795_278_900);

#[test]
fn every_vector_has_its_result() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import_vectors");
    let mut checked = 0;
    for format in NAMES {
        let files = std::fs::read_dir(folder.join(format));
        let files = files.unwrap_or_else(|error| panic!("{format}: {error}"));
        for file in files {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let (head, body) = text.split_once("\n\n").unwrap();
            assert_eq!(outcome(format, head, body), expected(head), "{path:?}");
            checked += 1;
        }
    }
    assert!(checked >= 30, "{checked} vectors");
}

/// Returns the head without the options of the import.
fn expected(head: &str) -> Vec<String> {
    let is_option = |line: &&str| line.starts_with("user: ") || line.starts_with("serial: ");
    let lines = head.lines().filter(|line| !is_option(line));
    lines.map(str::to_owned).collect()
}

fn outcome(format: &str, head: &str, body: &str) -> Vec<String> {
    let option = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    let user: Option<UserName> = option("user: ").map(|user| user.parse().unwrap());
    let serials = option("serial: ").map(|line| SerialList::parse(line.as_bytes()).unwrap());
    let owners = ImportOwners {
        user: user.as_ref(),
        serials: serials.as_ref(),
    };
    let now = NOW;
    let format = match NAMES.iter().position(|name| *name == format).unwrap() {
        0 => ImportFormat::GoogleAuthenticator {
            account: user.as_ref().unwrap(),
            now,
            future_steps: 1,
        },
        1 => ImportFormat::Oath { now },
        2 => ImportFormat::Otpauth,
        3 => ImportFormat::OtpauthMigration,
        4 => ImportFormat::Pskc {
            key: PskcKey::None,
            owners,
            now,
        },
        5 => ImportFormat::Authelia,
        6 => ImportFormat::Aegis { owners },
        7 => ImportFormat::TwoFas { owners },
        _ => ImportFormat::PrivacyIdea { owners },
    };
    let import = match parse_import_file(format, body.as_bytes()) {
        Ok(import) => import,
        Err(error) => return vec![format!("refused: {error}")],
    };
    let found = import
        .found
        .iter()
        .map(|found| format!("found: {}: {}", found.line, found.description()));
    let omitted = import.omitted.iter().map(|omitted| {
        let kind = match omitted.loss {
            ImportLoss::Authenticator => "left out",
            ImportLoss::Detail => "lost",
            ImportLoss::Strength => "warning",
        };
        format!("{kind}: {}: {}", omitted.line, omitted.why)
    });
    found.chain(omitted).collect()
}
