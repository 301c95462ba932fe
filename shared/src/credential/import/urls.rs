//! A list of otpauth URIs, one per line, as many programs export them. Blank lines and lines that
//! begin with `#` are skipped.

use super::imported_file::LENGTH;
use super::{ImportEntry, ImportError, ImportedFile, content_lines};
use crate::credential::otp::OtpError;
use crate::credential::otp::otpauth_uri::{OtpauthUri, strip_scheme};

/// What to do with the export of an app whose format is not supported.
pub(super) const NO_LIST: &str =
    "it has no otpauth URI; in the app, export as a list of otpauth URIs";

/// Adds the authenticators of `text`.
pub(super) fn parse_uris(text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    if !text.lines().any(|line| strip_scheme(line.trim()).is_some()) {
        return Err(ImportError::File(NO_LIST));
    }
    for numbered in content_lines(text) {
        match numbered {
            Ok((line, text)) => add_uri(line, text, import)?,
            Err(ImportError::Line(line, why)) => import.leave_out(line, None, why)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn add_uri(line: usize, text: &str, import: &mut ImportedFile) -> Result<(), ImportError> {
    let url = match OtpauthUri::parse(text) {
        Ok(url) => url,
        Err(OtpError::Length) => {
            return import.leave_out(line, None, LENGTH);
        }
        Err(error) => return import.leave_out(line, None, error.text()),
    };
    import.add(ImportEntry {
        label: url.issuer.filter(|issuer| !issuer.is_empty()),
        algorithm: url.algorithm,
        digits: url.digits.into(),
        ..ImportEntry::new(line, url.account, Ok(url.secret), url.moving)
    })
}

#[cfg(test)]
mod tests {
    use crate::credential::import::{ImportFormat, ImportLoss, MovingFactor};

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
    fn an_unusable_line_is_left_out_and_the_others_are_imported() {
        let good = format!("otpauth://totp/a?secret={BASE32}\n");
        let long = "x".repeat(5000);
        for (text, expected) in [
            ("hello\n", "the otpauth URL must begin"),
            (
                "otpauth://steam/b?secret=GEZDGNBV\n",
                "the otpauth URL must",
            ),
            (
                "otpauth://totp/b?issuer=x\n",
                "the otpauth URL has no secret",
            ),
            ("otpauth://totp/b?secret=01\n", "the secret is not Base32"),
            (&good.replace("/a", "/%1B:b"), "a label"),
            (&long, "the line is longer"),
            (&good, "the file has the same authenticator"),
        ] {
            let import = ImportFormat::Otpauth.import(&format!("{good}{text}"));
            assert_eq!(import.found.len(), 1, "{text}");
            let omitted = &import.omitted[0];
            assert!(
                omitted.line == 2 && omitted.why.starts_with(expected),
                "{omitted:?}"
            );
        }
        ImportFormat::Otpauth.assert_refusals([("{}\n", "it has no otpauth URI; in the app")]);
    }

    #[test]
    fn uris_that_apps_accept_are_imported() {
        for pairs in ["&&issuer=x", "&issuer=x&", "&digits=&period=&algorithm="] {
            for scheme in ["otpauth://totp", "OTPAUTH://totp", "otpauth://TOTP"] {
                let text = format!("{scheme}/a?secret={BASE32}{pairs}\n");
                let import = ImportFormat::Otpauth.import(&text);
                let description = import.found[0].description();
                assert!(description.ends_with("SHA1 6 30s"), "{text}: {description}");
            }
        }
    }

    /// The counter that was used at any place is used here.
    #[test]
    fn of_a_repeated_counter_the_highest_is_taken() {
        let line = |counter| format!("otpauth://hotp/a?secret={BASE32}&counter={counter}\n");
        let import = ImportFormat::Otpauth.import(&format!("{}{}{}", line(3), line(9), line(5)));
        let found: Vec<_> = import
            .found
            .iter()
            .map(|one| (one.line, one.moving))
            .collect();
        assert_eq!(found, [(1, MovingFactor::Counter { next: 9 })]);
        assert_eq!(import.omitted.len(), 2);
    }

    #[test]
    fn more_than_ten_thousand_are_refused() {
        let many: String = (0..10_001)
            .map(|n| format!("otpauth://totp/{n}?secret={BASE32}\n"))
            .collect();
        ImportFormat::Otpauth.assert_refusals([(many, "line 10001: more than 10000")]);
    }
}
