//! The users file of pam_oath (liboath's usersfile.c): type, account, PIN, secret in hex, moving
//! factor, last code, and the time of its use. Fields are separated by blanks; `#` begins a
//! comment.
//!
//! Three fields are misleading. A HOTP counter is already *used* if a last code follows it. The
//! moving factor of a TOTP line has no meaning. The time is a local time.

use super::{ImportEntry, ImportError, ImportedFile, MovingFactor, lines, stamp};
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{self, Algorithm, OtpKind, OtpParameters, Step};
use crate::system::clock::Timestamp;
use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

/// Largest differences of local time from UTC in seconds: behind it, and ahead of it.
const BEHIND: u64 = 12 * 3600;
const AHEAD: u64 = 14 * 3600;
/// Widest window in the manual of the PAM module, in steps.
const WINDOW: u64 = 50;

/// Adds the authenticators of `text`.
pub(super) fn parse_oath(
    text: &str,
    now: Timestamp,
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    let has_type = |line: &str| {
        let line = line.trim_start();
        ["HOTP", "MOTP"].iter().any(|kind| line.starts_with(kind))
    };
    let is_content = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
    if text.lines().any(|line| is_content(&line)) && !text.lines().any(has_type) {
        let why = "no line begins with a type such as HOTP/T30";
        return Err(ImportError::File(why));
    }
    for numbered in lines(text) {
        let (line, text) = match numbered {
            Ok(numbered) => numbered,
            Err(error) => {
                import.leave_out_malformed(Err(error))?;
                continue;
            }
        };
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        match fields.first() {
            None => {}
            Some(first) if first.starts_with('#') => {}
            Some(kind) => match OathKind::parse(kind) {
                Some(kind) => {
                    let added = add_line(line, kind, &fields[1..], now, import);
                    import.leave_out_malformed(added)?;
                }
                None => {
                    let account = fields.get(1).copied();
                    import.leave_out(line, account, "an unknown type, also to pam_oath")?;
                }
            },
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct OathKind {
    period: Option<u64>,
    digits: u32,
}

impl OathKind {
    fn parse(text: &str) -> Option<OathKind> {
        let rest = text.strip_prefix("HOTP")?;
        let (period, rest) = match rest {
            "" => (None, ""),
            _ => match rest.split_at_checked(4) {
                Some(("/T30", rest)) => (Some(30), rest),
                Some(("/T60", rest)) => (Some(60), rest),
                _ => (None, rest.strip_prefix("/E")?),
            },
        };
        let digits = match rest {
            "" | "/6" => 6,
            "/7" => 7,
            "/8" => 8,
            _ => return None,
        };
        Some(OathKind { period, digits })
    }
}

fn add_line(
    line: usize,
    kind: OathKind,
    fields: &[&str],
    now: Timestamp,
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    let broken = |why| ImportError::Line(line, why);
    let (account, pin, secret, rest) = match fields {
        [account, pin, secret, rest @ ..] if rest.len() <= 3 => (*account, *pin, *secret, rest),
        _ => {
            return Err(broken(
                "this line must have type, account, PIN and secret, and at most three more fields",
            ));
        }
    };
    let secret = HEXLOWER_PERMISSIVE.decode(secret.as_bytes());
    let secret = Zeroizing::new(secret.map_err(|_| broken("the secret is not hexadecimal"))?);
    let factor: Option<u64> = rest
        .first()
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| broken("the moving factor is not a number"))?;
    let last = rest.get(1).copied();
    if last.is_some_and(|code| {
        !(6..=8).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit())
    }) {
        return Err(broken("the last code must have 6 to 8 digits"));
    }
    let used = rest.get(2).map(|text| {
        text.strip_suffix('L')
            .and_then(stamp::parse_civil)
            .ok_or(broken("the time of the last use must end in L"))
    });
    let used = used.transpose()?;

    // "+": another module asks for the password
    if !matches!(pin, "-" | "+") {
        let why = "its PIN: another PAM module asks for the first factor";
        import.note_loss(line, account, why);
    }
    let secret = Secret::from_imported_bytes(secret);
    let (moving, floor) = match (kind.period, last) {
        (None, last) => {
            let next = factor
                .unwrap_or(0)
                .checked_add(u64::from(last.is_some()))
                .ok_or(broken("the moving factor is too large"))?;
            (MovingFactor::Counter { next }, None)
        }
        (Some(period), None) => (MovingFactor::Time { period }, None),
        (Some(period), Some(last)) => {
            let moving = OtpKind::Time { period };
            let parameters = OtpParameters {
                algorithm: Algorithm::Sha1,
                digits: kind.digits,
                moving,
            };
            let floor = secret
                .as_ref()
                .ok()
                .and_then(|secret| find_floor(secret, parameters, last, used, now));
            (MovingFactor::Time { period }, floor)
        }
    };
    import.add(ImportEntry {
        digits: kind.digits.into(),
        floor,
        ..ImportEntry::new(line, account.to_owned(), secret, moving)
    })
}

/// Returns the step of the last code. Without a time zone its time is uncertain by 26 hours, so the
/// step is found by the code. If no step has this code, the latest possible step is the floor.
fn find_floor(
    secret: &Secret,
    parameters: OtpParameters,
    last: &str,
    used: Option<Timestamp>,
    now: Timestamp,
) -> Option<Step> {
    let step_at = |at| parameters.moving.step_at(at);
    let Some(used) = used else {
        return step_at(now);
    };
    let latest = step_at(used.plus(BEHIND).min(now))?;
    let earliest = step_at(used.minus(AHEAD))?;
    let found = (earliest.0.saturating_sub(WINDOW)..=latest.0.saturating_add(WINDOW))
        .rev()
        .map(Step)
        .find(|step| totp::generate_code(secret, parameters, *step).as_str() == last);
    Some(found.unwrap_or(latest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::import::{ImportFormat, ImportLoss};

    /// Written by pam_oath in Berlin, one hour ahead of UTC, at 1795278894 and, the last line, at
    /// 1795278925.
    const USED: &str = include_str!("../../../tests/import/oath/users.oath");
    const NOW: Timestamp = Timestamp(1_795_278_930);
    const HEX: &str = "3132333435363738393031323334353637383930";

    #[track_caller]
    fn import(text: &str, now: Timestamp) -> ImportedFile {
        ImportFormat::Oath { now }.import(text)
    }

    #[test]
    fn a_file_of_pam_oath_is_imported() {
        let import = import(USED, NOW);
        let found: Vec<_> = import
            .found
            .iter()
            .map(|found| (found.line, found.description()))
            .collect();
        let floor = |account, digits, period: u64, step: u64| {
            format!("{account} (-) SHA1 {digits} {period}s floor {step}")
        };
        let expected = [
            (2, "alice (-) SHA1 6 #4".to_owned()),
            (3, "bob (-) SHA1 8 #7".to_owned()),
            // a code of the step before
            (4, floor("carol", 6, 30, 1_795_278_894 / 30 - 1)),
            (5, floor("dave", 8, 60, 1_795_278_894 / 60)),
            // codes of two steps later
            (6, floor("erin", 6, 30, 1_795_278_894 / 30 + 2)),
            (7, "frank (-) SHA1 6 30s".to_owned()),
            (8, floor("frank", 6, 30, 1_795_278_925 / 30 + 2)),
            (11, "unused (-) SHA1 6 30s".to_owned()),
            (12, "henry (-) SHA1 6 #9".to_owned()),
        ];
        assert_eq!(found, expected);
        let omitted: Vec<_> = import.omitted.iter().map(|d| (d.line, d.loss)).collect();
        assert_eq!(
            omitted,
            [(6, ImportLoss::Detail), (9, ImportLoss::Authenticator)]
        );
        assert!(import.omitted[0].why.contains("PIN") && import.omitted[1].why.contains("digits"));
    }

    #[test]
    fn without_the_step_of_the_last_code_the_latest_possible_step_is_the_floor() {
        let unstamped = format!("HOTP/T30 alice - {HEX} 0 000000");
        let stamped = format!("{unstamped} 2026-11-21T17:34:54L\n");
        for (line, now, floor) in [
            (&stamped, NOW, NOW.0),
            (
                &stamped,
                NOW.plus(7 * 86_400),
                1_795_278_894 + 3600 + BEHIND,
            ),
            (&unstamped, NOW, NOW.0),
        ] {
            let found = import(line, now).found[0].floor;
            assert_eq!(found, Some(Step(floor / 30)), "{line} {now}");
        }
    }

    /// Arch's recipe makes secrets of 80 bits.
    #[test]
    fn secrets_of_80_and_120_bits_are_imported_with_a_warning() {
        const SHORT: &str = include_str!("../../../tests/import/oath/short.oath");
        let import = import(SHORT, NOW);
        let lengths = import.found.iter().map(|found| found.secret.expose().len());
        assert!(lengths.eq([10, 15]));
        let losses = import.omitted.iter().map(|omitted| omitted.loss);
        assert!(losses.eq([ImportLoss::Strength; 2]));
    }

    #[test]
    fn every_type_is_known() {
        for (text, period, digits) in [
            ("HOTP", None, 6),
            ("HOTP/E", None, 6),
            ("HOTP/E/8", None, 8),
            ("HOTP/T30", Some(30), 6),
            ("HOTP/T60/7", Some(60), 7),
        ] {
            let kind = OathKind::parse(text).unwrap();
            assert_eq!((kind.period, kind.digits), (period, digits), "{text}");
        }
        for text in [
            "",
            "TOTP",
            "HOTP/8",
            "HOTP/T45",
            "HOTP/E/9",
            "HOTP/T30x",
            "HOTP/E/",
            "HOTPü",
        ] {
            assert!(OathKind::parse(text).is_none(), "{text}");
        }
        let unknown = import("MOTP x - 00\n", NOW).omitted[0].loss;
        assert_eq!(unknown, ImportLoss::Authenticator);
    }

    #[test]
    fn malformed_and_repeated_lines_are_left_out() {
        let format = ImportFormat::Oath { now: NOW };
        let too_large = format!("{} 123456", u64::MAX);
        let twice = format!("\nHOTP b - {HEX}\nHOTP a - {HEX} 9\n");
        for (rest, expected) in [
            (
                "1 123456 2026-11-21T17:34:54L x",
                "line 1: this line must have type, account",
            ),
            ("x", "line 1: the moving factor"),
            ("-1", "line 1: the moving factor"),
            (&too_large, "line 1: the moving factor is too large"),
            ("1 12345x", "line 1: the last code"),
            ("1 123456 2026-11-21T17:34:54", "line 1: the time"),
            (&twice, "line 3: the file has the same"),
        ] {
            let text = format!("HOTP a - {HEX} {rest}");
            format.assert_left_out([(&text, expected)]);
        }
        let after_comment = format!("# x\nHOTP alice - {HEX} x");
        format.assert_left_out([
            (
                "HOTP alice -",
                "line 1: this line must have type, account, PIN and secret",
            ),
            (
                "HOTP alice - secret",
                "line 1: the secret is not hexadecimal",
            ),
            (&after_comment, "line 2: the moving factor"),
            ("HOTP a - 00\nx", "line 2: an unknown type"),
        ]);
        format.assert_refusals([
            ("<xml>", "no line begins with a type"),
            ("# nothing\n", "there is no authenticator"),
        ]);
    }
}
