//! Invariants of otpauth URIs and of import files.

use postern_shared::account::name::UserName;
use postern_shared::credential::import::{
    FoundAuthenticator, ImportFormat, ImportOwners, ImportUnit, LARGEST, MOST, NAMES, PskcKey,
    SerialList, parse_import_file,
};
use postern_shared::credential::otp::otpauth_uri;
use postern_shared::credential::otp::otpauth_uri::OtpauthUri;
use postern_shared::credential::otp::secret::Secret;
use postern_shared::credential::otp::totp::OtpParameters;
use postern_shared::system::clock::Timestamp;

/// Longest otpauth URI that is parsed, in bytes.
const LONGEST_URI: usize = 2048;

/// Parses a text as an otpauth URI, and as the file of a declared account. Returns whether either
/// is valid.
pub fn otpauth(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let declared = otpauth_uri::parse_declared_secret(text);
    if let Ok((secret, parameters)) = &declared {
        assert!(parameters.check().is_ok());
        is_read_back("", "alice", secret, *parameters, 0);
    }
    let Ok(url) = OtpauthUri::parse(text) else {
        return declared.is_ok();
    };
    assert!(text.len() <= LONGEST_URI);
    let parameters = OtpParameters {
        algorithm: url.algorithm,
        digits: url.digits,
        moving: url.moving.kind(),
    };
    assert!(parameters.check().is_ok());
    let issuer = url.issuer.as_deref().unwrap_or_default();
    is_read_back(
        issuer,
        &url.account,
        &url.secret,
        parameters,
        url.moving.first_step().0,
    );
    true
}

/// Checks that an authenticator written as a URI is parsed as the same authenticator.
fn is_read_back(
    issuer: &str,
    account: &str,
    secret: &Secret,
    parameters: OtpParameters,
    first: u64,
) {
    let text = otpauth_uri::format_uri(
        issuer,
        account,
        secret,
        parameters,
        postern_shared::credential::otp::totp::Step(first),
    );
    if text.len() > LONGEST_URI {
        return;
    }
    let url = OtpauthUri::parse(&text).expect("what was written can be read");
    assert_eq!(
        (url.issuer.as_deref(), url.account.as_str()),
        (Some(issuer), account)
    );
    assert_eq!(url.secret.expose(), secret.expose());
    assert_eq!(
        (url.algorithm, url.digits, url.moving.kind()),
        (parameters.algorithm, parameters.digits, parameters.moving)
    );
    assert_eq!(url.moving.first_step().0, first);
}

/// Parses an import file whose format is named in the first line. Returns whether it can be
/// imported.
pub fn import(bytes: &[u8]) -> bool {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (name, file) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let alice: UserName = "alice".parse().expect("a name");
    let now = Timestamp(1_700_000_000);
    // The file is also parsed as a list of serial numbers, which must not panic.
    let listed = SerialList::parse(file);
    let owners = ImportOwners {
        user: Some(&alice),
        serials: listed.as_ref().ok(),
    };
    // A PSKC key derived by PBKDF2 is excluded: the container chooses the number of rounds, which
    // may take seconds.
    let formats = [
        ImportFormat::GoogleAuthenticator {
            account: &alice,
            now,
            future_steps: 1,
        },
        ImportFormat::Oath { now },
        ImportFormat::Otpauth,
        ImportFormat::OtpauthMigration,
        ImportFormat::Pskc {
            key: PskcKey::None,
            owners,
            now,
        },
        ImportFormat::Pskc {
            key: PskcKey::Shared(b"0123456789abcdef"),
            owners,
            now,
        },
        ImportFormat::Authelia,
        ImportFormat::Aegis { owners },
        ImportFormat::TwoFas { owners },
        ImportFormat::PrivacyIdea { owners },
    ];
    assert!(formats.iter().all(|format| NAMES.contains(&format.name())));
    let mut is_read = false;
    for format in formats
        .into_iter()
        .filter(|format| format.name().as_bytes() == name)
    {
        let Ok(import) = parse_import_file(format, file) else {
            continue;
        };
        assert!(file.len() <= LARGEST && import.found.len() <= MOST);
        let lines = match import.unit {
            ImportUnit::Line => file.split(|byte| *byte == b'\n').count(),
            // an entry has at least a brace at each end
            ImportUnit::Entry => file.len() / 2,
        };
        import.found.iter().for_each(|found| is_sound(found, lines));
        assert!(import.omitted.iter().all(|omitted| !omitted.why.is_empty()));
        is_read = true;
    }
    is_read
}

fn is_sound(found: &FoundAuthenticator, lines: usize) {
    assert!(
        (1..=lines).contains(&found.line),
        "line {} of {lines}",
        found.line
    );
    assert!(found.label.as_ref().is_none_or(|label| label.len() <= 256));
    let parameters = OtpParameters {
        algorithm: found.algorithm,
        digits: found.digits,
        moving: found.moving.kind(),
    };
    assert!(parameters.check().is_ok());
    let is_scratch = |code: &str| code.len() == 8 && code.bytes().all(|byte| byte.is_ascii_digit());
    assert!(found.recovery.iter().all(|code| is_scratch(code.plain())));
    is_read_back(
        "",
        found.account.as_str(),
        &found.secret,
        parameters,
        found.moving.first_step().0,
    );
}
