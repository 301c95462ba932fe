//! A list of otpauth URIs, one per line, as many programs export them. Blank lines and lines that
//! begin with `#` are skipped.

use super::{ImportEntry, ImportError, ImportedFile, lines};
use crate::credential::otpauth_uri::{OtpauthError, OtpauthUri};

/// Adds the authenticators of `text`.
pub(super) fn parse_uris(text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    for numbered in lines(text) {
        let (line, text) = numbered?;
        let text = text.trim();
        if !text.is_empty() && !text.starts_with('#') {
            add_uri(line, text, import)?;
        }
    }
    Ok(())
}

fn add_uri(line: usize, text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    let url = match OtpauthUri::parse(text) {
        Ok(url) => url,
        Err(error) if is_valid_but_unsupported(&error) => {
            return import.leave_out(line, None, error.text());
        }
        Err(error) => return Err(ImportError::Line(line, error.text())),
    };
    import.add(ImportEntry {
        line,
        account: url.account,
        label: url.issuer.filter(|issuer| !issuer.is_empty()),
        secret: Ok(url.secret),
        algorithm: url.algorithm,
        digits: url.digits.into(),
        moving: url.moving,
        floor: None,
        recovery: Vec::new(),
    })
}

/// Returns whether the URI is valid and only its parameters are not supported.
fn is_valid_but_unsupported(error: &OtpauthError) -> bool {
    use crate::credential::secret::SecretError;
    match error {
        OtpauthError::Algorithm | OtpauthError::Parameters(_) => true,
        OtpauthError::Secret(error) => *error == SecretError::Length,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::credential::import::{ImportFormat, ImportLoss, parse_import_file};
    use crate::credential::otpauth_uri::MovingFactor;

    const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn a_list_is_imported_without_unsupported_entries() {
        let text = format!(
            "# from the old server\n\notpauth://totp/server-01:alice?secret={BASE32}&issuer=server-01\r\n\
             otpauth://hotp/bob?secret={BASE32}&counter=5&digits=8&algorithm=sha256\n\
             otpauth://totp/carol?secret={BASE32}&digits=7\n\
             otpauth://totp/dave?secret=GEZDGNBV\n\
             otpauth://totp/erin?secret={BASE32}&algorithm=MD5\n\
             otpauth://totp/?secret={BASE32}\n\
             otpauth://totp/host:x:root?secret={BASE32}\n\
             otpauth://totp/b%1B[31m?secret={BASE32}\n"
        );
        let import = parse_import_file(ImportFormat::Otpauth, text.as_bytes()).unwrap();
        let found: Vec<_> = import
            .found
            .iter()
            .map(|f| {
                (
                    f.line,
                    f.account.as_str(),
                    f.label.as_deref(),
                    f.digits,
                    f.moving,
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (
                    3,
                    "alice",
                    Some("server-01"),
                    6,
                    MovingFactor::Time { period: 30 }
                ),
                (4, "bob", None, 8, MovingFactor::Counter { next: 5 }),
            ]
        );
        assert!(
            import
                .dropped
                .iter()
                .all(|d| d.loss == ImportLoss::Authenticator)
        );
        assert_eq!(
            import.dropped.iter().map(|d| d.line).collect::<Vec<_>>(),
            [5, 6, 7, 8, 9, 10]
        );
    }

    #[test]
    fn malformed_lists_are_refused_by_line() {
        let good = format!("otpauth://totp/a?secret={BASE32}\n");
        for (text, expected) in [
            (
                format!("{good}hello\n"),
                "line 2: the otpauth URL must begin",
            ),
            (
                format!("{good}otpauth://totp/b?issuer=x\n"),
                "line 2: the otpauth URL has no secret",
            ),
            (
                format!("{good}otpauth://totp/b?secret=01\n"),
                "line 2: the secret is not Base32",
            ),
            (
                format!("{good}otpauth://totp/%1B:b?secret={BASE32}\n"),
                "line 2: a label",
            ),
            (
                format!("{good}{}\n", "x".repeat(5000)),
                "line 2: the line is longer",
            ),
            (
                format!("{good}\n{good}"),
                "line 3: it holds the same authenticator",
            ),
        ] {
            let message = parse_import_file(ImportFormat::Otpauth, text.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(message.starts_with(expected), "{message}");
        }
    }

    #[test]
    fn more_than_ten_thousand_are_refused() {
        let many: String = (0..10_001)
            .map(|n| format!("otpauth://totp/{n}?secret={BASE32}\n"))
            .collect();
        let message = parse_import_file(ImportFormat::Otpauth, many.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("line 10001: more than 10000"),
            "{message}"
        );
    }
}
