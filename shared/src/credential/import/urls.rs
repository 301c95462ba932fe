//! A list of otpauth URIs, one per line, as many programs export them. Blank lines and lines that
//! begin with `#` are skipped.

use super::{ImportEntry, ImportError, ImportedFile, content_lines};
use crate::credential::otpauth_uri::{OtpauthError, OtpauthUri};

/// Adds the authenticators of `text`.
pub(super) fn parse_uris(text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    for numbered in content_lines(text) {
        let (line, text) = numbered?;
        add_uri(line, text, import)?;
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
        label: url.issuer.filter(|issuer| !issuer.is_empty()),
        algorithm: url.algorithm,
        digits: url.digits.into(),
        ..ImportEntry::new(line, url.account, Ok(url.secret), url.moving)
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
    use crate::credential::import::{ImportFormat, ImportLoss};

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
        let import = ImportFormat::Otpauth.import(&text);
        let found: Vec<_> = import
            .found
            .iter()
            .map(|found| (found.line, found.description()))
            .collect();
        let expected = [
            (3, "alice (server-01) SHA1 6 30s".to_owned()),
            (4, "bob (-) SHA256 8 #5".to_owned()),
        ];
        assert_eq!(found, expected);
        let lost = import.omitted.iter().map(|d| (d.line, d.loss));
        let expected = (5..=10).map(|line| (line, ImportLoss::Authenticator));
        assert!(lost.eq(expected));
    }

    #[test]
    fn malformed_lists_are_refused_by_line() {
        let good = format!("otpauth://totp/a?secret={BASE32}\n");
        let long = "x".repeat(5000);
        for (text, expected) in [
            ("hello\n", "line 2: the otpauth URL must begin"),
            (
                "otpauth://totp/b?issuer=x\n",
                "line 2: the otpauth URL has no secret",
            ),
            (
                "otpauth://totp/b?secret=01\n",
                "line 2: the secret is not Base32",
            ),
            (&good.replace("/a", "/%1B:b"), "line 2: a label"),
            (&long, "line 2: the line is longer"),
            (
                &format!("\n{good}"),
                "line 3: it holds the same authenticator",
            ),
        ] {
            ImportFormat::Otpauth.assert_refusals([(format!("{good}{text}"), expected)]);
        }
    }

    #[test]
    fn more_than_ten_thousand_are_refused() {
        let many: String = (0..10_001)
            .map(|n| format!("otpauth://totp/{n}?secret={BASE32}\n"))
            .collect();
        ImportFormat::Otpauth.assert_refusals([(many, "line 10001: more than 10000")]);
    }
}
