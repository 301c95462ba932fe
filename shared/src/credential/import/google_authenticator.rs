//! `~/.google_authenticator` of libpam-google-authenticator: the secret, option lines that begin
//! with `"`, and scratch codes of eight digits. The parser is stricter than that of the PAM module:
//! an option that is given twice is refused.

use super::{ImportEntry, ImportError, ImportedFile, MovingFactor, ScratchCode, lines};
use crate::account::name::UserName;
use crate::credential::otp::OtpError;
use crate::credential::otp::secret::Secret;
use crate::credential::otp::totp::{OtpKind, Step};
use crate::system::clock::Timestamp;
use zeroize::Zeroizing;

/// More unused scratch codes than the tool makes.
const MOST_SCRATCH_CODES: usize = 10;
const MOST_OPTIONS: usize = 100;
/// Period in seconds if STEP_SIZE is missing.
const DEFAULT_PERIOD: u64 = 30;
/// Largest WINDOW_SIZE of the PAM module: half of it are steps after now.
const LARGEST_WINDOW: u64 = 100;

/// Adds the one authenticator of `text`.
pub(super) fn parse_google_authenticator(
    text: &str,
    account: &UserName,
    now: Timestamp,
    future_steps: u64,
    import: &mut ImportedFile,
) -> Result<(), ImportError> {
    let mut lines = lines(text);
    let (line, secret) = lines.next().ok_or(ImportError::File("it is empty"))??;
    if secret.trim().is_empty() {
        let why = "the first line must hold the secret";
        return Err(ImportError::Line(line, why));
    }
    let secret = match Secret::from_imported_base32(secret) {
        Err(OtpError::NotBase32) => {
            return Err(ImportError::Line(line, OtpError::NotBase32.text()));
        }
        secret => secret,
    };

    let mut options = GoogleOptions::default();
    let mut recovery: Vec<ScratchCode> = Vec::new();
    for numbered in lines {
        let (line, text) = numbered?;
        if let Some(option) = text.strip_prefix('"') {
            options.parse_option(line, option, account, import)?;
        } else if text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()) {
            if recovery.len() == MOST_SCRATCH_CODES
                || recovery.iter().any(|code| code.plain() == text)
            {
                let why = "a doubled scratch code, or more than 10 of them";
                return Err(ImportError::Line(line, why));
            }
            recovery.push(ScratchCode(Zeroizing::new(text.to_owned())));
        } else if !text.is_empty() {
            let why = "this is neither an option nor a scratch code of 8 digits";
            return Err(ImportError::Line(line, why));
        }
    }

    let (moving, floor) = options.moving_factor(line, now, future_steps)?;
    import.add(ImportEntry {
        floor,
        recovery,
        ..ImportEntry::new(line, account.to_string(), secret, moving)
    })
}

/// The options that determine how codes are made.
#[derive(Default)]
struct GoogleOptions {
    /// Name and line of every option.
    seen: Vec<(String, usize)>,
    time: Option<usize>,
    counter: Option<(usize, u64)>,
    period: Option<u64>,
    used: Option<u64>,
    /// DISALLOW_REUSE: the file lists every used step that the module would accept.
    lists_used: bool,
    window: u64,
}

impl GoogleOptions {
    /// Parses one option line, without its quotation mark.
    fn parse_option(
        &mut self,
        line: usize,
        text: &str,
        account: &UserName,
        import: &mut ImportedFile,
    ) -> Result<(), ImportError> {
        let mut words = text.split_ascii_whitespace();
        let (true, Some(name)) = (text.starts_with(' '), words.next()) else {
            let why = "an option is a quotation mark, a blank and its name";
            return Err(ImportError::Line(line, why));
        };
        if let Some((_, earlier)) = self.seen.iter().find(|(seen, _)| seen == name) {
            let why = "it gives the same option";
            return Err(ImportError::Lines(line, *earlier, why));
        }
        if self.seen.len() == MOST_OPTIONS {
            return Err(ImportError::Line(line, "more than 100 options"));
        }
        self.seen.push((name.to_owned(), line));
        match name {
            "TOTP_AUTH" => self.time = Some(line),
            "HOTP_COUNTER" => self.counter = Some((line, parse_number(line, words.next())?)),
            "STEP_SIZE" => self.period = Some(parse_number(line, words.next())?),
            "DISALLOW_REUSE" => {
                self.lists_used = true;
                for step in words {
                    self.used = self.used.max(Some(parse_number(line, Some(step))?));
                }
            }
            "WINDOW_SIZE" => {
                self.window = parse_number(line, words.next())?.min(LARGEST_WINDOW);
                import.note_loss(line, account.as_str(), explain_loss(name));
            }
            _ => import.note_loss(line, account.as_str(), explain_loss(name)),
        }
        Ok(())
    }

    /// Returns the moving factor and the highest used step.
    /// Without a list of used steps, every step that the module or Postern accepts now may be used.
    fn moving_factor(
        &self,
        line: usize,
        now: Timestamp,
        future_steps: u64,
    ) -> Result<(MovingFactor, Option<Step>), ImportError> {
        match (self.time, self.counter) {
            (Some(_), None) => {
                let period = self.period.unwrap_or(DEFAULT_PERIOD);
                let ahead = future_steps.max(self.window / 2);
                let floor = if self.lists_used {
                    self.used.map(Step)
                } else {
                    let step = OtpKind::Time { period }.step_at(now);
                    step.map(|step| Step(step.0.saturating_add(ahead)))
                };
                Ok((MovingFactor::Time { period }, floor))
            }
            (None, Some((_, next))) => Ok((MovingFactor::Counter { next }, None)),
            (Some(time), Some((counter, _))) => Err(ImportError::Line(
                time.max(counter),
                "TOTP_AUTH and HOTP_COUNTER exclude each other",
            )),
            (None, None) => Err(ImportError::Line(
                line,
                "the file has neither TOTP_AUTH nor HOTP_COUNTER",
            )),
        }
    }
}

/// Returns why an option that has no effect on codes is not imported.
fn explain_loss(option: &str) -> &'static str {
    match option {
        "RATE_LIMIT" => "its rate limit: Postern counts guesses itself",
        "WINDOW_SIZE" => {
            "its window: [totp] past_steps and future_steps say how far a code may be off"
        }
        "TIME_SKEW" | "RESETTING_TIME_SKEW" => {
            "the clock skew it learnt: Postern does not learn one; set the clock of the person's device"
        }
        _ => "an option that Postern does not know",
    }
}

fn parse_number(line: usize, text: Option<&str>) -> Result<u64, ImportError> {
    text.and_then(|text| text.parse().ok())
        .ok_or(ImportError::Line(line, "the option needs a number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credential::import::{ImportFormat, ImportLoss};

    const UNUSED: &str = include_str!("../../../tests/import/google-authenticator/unused");
    const USED: &str = include_str!("../../../tests/import/google-authenticator/used");
    const COUNTER: &str = include_str!("../../../tests/import/google-authenticator/counter-used");

    const SECRET: &str = "WPYVHDTMXW2OUSRHQOXG4N74EY\n";

    const NOW: Timestamp = Timestamp(1_795_278_900);

    fn format(account: &UserName) -> ImportFormat<'_> {
        ImportFormat::GoogleAuthenticator {
            account,
            now: NOW,
            future_steps: 1,
        }
    }

    #[track_caller]
    fn import(text: &str) -> ImportedFile {
        let account = &"alice".parse().unwrap();
        format(account).import(text)
    }

    #[test]
    fn a_file_of_the_tool_is_imported() {
        let import = import(UNUSED);
        let found = &import.found[0];
        assert_eq!(found.description(), "alice (-) SHA1 6 30s");
        assert_eq!(found.secret.to_base32().as_str(), SECRET.trim());
        let codes: Vec<&str> = found.recovery.iter().map(ScratchCode::plain).collect();
        assert_eq!(
            codes,
            ["20972959", "46097071", "18212242", "37292819", "74323161"]
        );
    }

    /// Written by the PAM module after two codes, a scratch code, and two codes from a clock 20
    /// minutes behind.
    #[test]
    fn the_highest_used_step_becomes_the_floor_and_used_scratch_codes_are_gone() {
        let import = import(USED);
        assert_eq!(import.found[0].floor, Some(Step(59_842_624)));
        assert_eq!(import.found[0].recovery.len(), 4);
        let omitted = import.omitted.iter().map(|d| (d.line, d.loss));
        assert!(omitted.eq((2..=4).map(|line| (line, ImportLoss::Detail))));
        assert!(import.omitted[0].why.contains("clock skew"));
    }

    #[test]
    fn a_counter_continues_after_the_last_one_used() {
        let moving = import(COUNTER).found[0].moving;
        assert_eq!(moving, MovingFactor::Counter { next: 3 });
    }

    /// Without DISALLOW_REUSE the file does not say which codes were used: one that the module
    /// accepted a moment ago must not be accepted once more.
    #[test]
    fn without_a_list_of_used_steps_no_step_of_now_is_left() {
        let now = NOW.0 / 30;
        for (options, floor) in [
            ("", Some(now + 1)),
            ("\" WINDOW_SIZE 17\n", Some(now + 8)),
            ("\" WINDOW_SIZE 18446744073709551615\n", Some(now + 50)),
            ("\" DISALLOW_REUSE\n", None),
        ] {
            let import = import(&format!("{SECRET}\" TOTP_AUTH\n{options}"));
            assert_eq!(import.found[0].floor, floor.map(Step), "{options}");
        }
    }

    #[test]
    fn an_old_secret_of_80_bits_is_imported_with_a_warning() {
        let short = import("GEZDGNBVGY3TQOJQ\n\" TOTP_AUTH\n");
        assert_eq!(short.found.len(), 1);
        assert_eq!(short.omitted[0].loss, ImportLoss::Strength);
    }

    #[test]
    fn a_secret_of_64_bits_and_an_odd_period_are_left_out() {
        let short = import("GEZDGNBVGY3TQ\n\" TOTP_AUTH\n");
        assert!(short.found.is_empty());
        assert!(
            short.omitted[0].loss == ImportLoss::Authenticator
                && short.omitted[0].why.contains("10 to 128")
        );
        let quick = import(&format!("{SECRET}\" TOTP_AUTH\n\" STEP_SIZE 10\n"));
        assert!(quick.found.is_empty() && quick.omitted[0].why.contains("period"));
    }

    #[test]
    fn malformed_and_contradictory_files_are_refused_with_the_line() {
        let account = &"alice".parse().unwrap();
        let format = format(account);
        let both = "\" TOTP_AUTH\n\" HOTP_COUNTER 1\n";
        let twice = "\" TOTP_AUTH\n\" TOTP_AUTH\n";
        let doubled = "\" TOTP_AUTH\n12345678\n12345678\n";
        for (rest, expected) in [
            ("", "line 1: the file has neither"),
            (both, "line 3: TOTP_AUTH and HOTP_COUNTER"),
            (twice, "line 3: it gives the same option as line 2"),
            ("\" HOTP_COUNTER\n", "line 2: the option needs a number"),
            (
                "\" DISALLOW_REUSE 1 x\n",
                "line 2: the option needs a number",
            ),
            ("\"TOTP_AUTH\n", "line 2: an option is a quotation mark"),
            ("\" TOTP_AUTH\n1234567\n", "line 3: this is neither"),
            (doubled, "line 4: a doubled scratch code"),
        ] {
            format.assert_refusals([(format!("{SECRET}{rest}"), expected)]);
        }
        format.assert_refusals([
            (
                "not base32!\n\" TOTP_AUTH\n",
                "line 1: the secret is not Base32",
            ),
            (
                "\n\" TOTP_AUTH\n",
                "line 1: the first line must hold the secret",
            ),
        ]);
        assert_eq!(format.refusal(""), "it is empty");
    }
}
