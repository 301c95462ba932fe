//! `unenrolled=enroll`: a first setup at the prompt, by someone who has passed the first factor. All that is to be read
//! stands in prompts, since hosts show messages late or never. It becomes active in the `auth` line, once a code has
//! confirmed it and the recovery codes are saved; until then nothing keeps it.

use super::engine_access::{Begun, Granted, PamRefusal};
use super::entry::{PamEntry, misconfigured};
use super::host::NoAnswer;
use shared::credential::qr;
use shared::engine::messages;
use shared::protocol::command_request::TypedText;
use shared::protocol::{Denial, Echo, PamFunctionResult, Severity};
use shared::verify::throttle::Phase;
use zeroize::Zeroizing;

/// What the person types when the recovery codes are saved.
const SAVED: &[u8] = b"saved";

/// A new authenticator, as it is shown once.
struct ShownText {
    secret: TypedText,
    url: TypedText,
    recovery_codes: Vec<TypedText>,
    ticket: TypedText,
}

impl PamEntry<'_> {
    /// From the QR to the recovery codes; each part asks as often as `tries` allows.
    pub(crate) fn set_up(&self) -> PamFunctionResult {
        if self.account != self.user {
            return misconfigured(
                self.host,
                &"unenrolled=enroll is only for the user's own account; remove it or user=",
            );
        }
        let ended = self.begin().and_then(|shown| {
            let confirmed = self.confirm(&shown)?;
            self.wait_until_saved(&shown.recovery_codes)?;
            self.activate(&confirmed)
        });
        match ended {
            Ok(granted) => self.passed(granted),
            Err(denied) => denied,
        }
    }

    /// The authenticator counts from here on, whatever becomes of the rest of the stack.
    fn activate(&self, confirmed: &TypedText) -> Result<Granted, PamFunctionResult> {
        let activated = self
            .desk
            .activate_setup(&self.person(Phase::After), confirmed);
        let (granted, told) = activated.map_err(|error| self.unavailable(&error))?;
        self.tell(&told);
        self.host.tell(messages::ENROLLMENT_DONE);
        Ok(granted)
    }

    fn begin(&self) -> Result<ShownText, PamFunctionResult> {
        let person = self.person(Phase::After);
        let mut code: Option<Zeroizing<Vec<u8>>> = None;
        let mut said: Option<String> = None;
        let mut tries = self.settings.tries;
        // the first time without a code, which may not be needed
        loop {
            let begun = self
                .desk
                .begin_setup(&person, code.as_ref().map(|code| code.as_slice()));
            match begun.map_err(|error| self.unavailable(&error))? {
                Begun::Setup {
                    secret,
                    url,
                    recovery_codes,
                    ticket,
                } => {
                    return Ok(ShownText {
                        secret,
                        url,
                        recovery_codes,
                        ticket,
                    });
                }
                Begun::OneTimeCodeNeeded => {}
                Begun::Refused(refusal) => said = Some(self.not_this(refusal)),
            }
            tries = match tries.checked_sub(1) {
                Some(left) => left,
                None => return Err(self.too_many(said)),
            };
            let above = said
                .as_deref()
                .unwrap_or(messages::ENROLLMENT_NEEDS_ONE_TIME_CODE);
            code = Some(self.ask(
                &format!("{above}\n{}", messages::ONE_TIME_CODE_PROMPT),
                Echo::Off,
            )?);
        }
    }

    /// What confirms the authenticator: a ticket to its activation.
    fn confirm(&self, shown: &ShownText) -> Result<TypedText, PamFunctionResult> {
        let Some(picture) = qr::draw_half_blocks(&shown.url) else {
            return Err(misconfigured(
                self.host,
                &"the otpauth URI is too long for a QR code; shorten totp.issuer",
            ));
        };
        let (secret, url) = (in_fours(&shown.secret), &*shown.url);
        // secret and URL stand above the picture, whose last row the prompt follows: 24 rows show it whole
        let mut prompt = Zeroizing::new(format!(
            "{}\nSecret: {}\n{url}\n{}{}",
            messages::ENROLLMENT_INTRODUCTION,
            *secret,
            *picture,
            messages::CODE_PROMPT
        ));
        let person = self.person(Phase::After);
        let mut said = None;
        for _ in 0..self.settings.tries {
            let typed = self.ask(&prompt, Echo::On)?;
            let confirmed = self.desk.confirm_setup(&person, &shown.ticket, &typed);
            match confirmed.map_err(|error| self.unavailable(&error))? {
                Ok(ticket) => return Ok(ticket),
                Err(refusal) => {
                    let why = self.not_this(refusal);
                    // it is shown once, and still stands above
                    prompt = Zeroizing::new(format!("{why}\n{}", messages::CODE_PROMPT));
                    said = Some(why);
                }
            }
        }
        Err(self.too_many(said))
    }

    fn wait_until_saved(&self, codes: &[TypedText]) -> Result<(), PamFunctionResult> {
        let mut prompt = Zeroizing::new(format!("{}\n", messages::RECOVERY_CODES));
        for code in codes {
            prompt.push_str("    ");
            prompt.push_str(code);
            prompt.push('\n');
        }
        prompt.push_str(messages::SAVED_PROMPT);
        for _ in 0..self.settings.tries {
            if self
                .ask(&prompt, Echo::On)?
                .trim_ascii()
                .eq_ignore_ascii_case(SAVED)
            {
                return Ok(());
            }
            prompt = Zeroizing::new(messages::SAVED_PROMPT.to_owned());
        }
        Err(self.too_many(None))
    }

    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, PamFunctionResult> {
        self.host
            .ask(prompt, echo)
            .map_err(|NoAnswer| self.cancelled())
    }

    /// Notes a refusal; why, for the next prompt.
    fn not_this(&self, refusal: PamRefusal) -> String {
        self.log(Severity::Notice, "enrollment failed", &refusal.cause);
        refusal.words
    }

    fn too_many(&self, said: Option<String>) -> PamFunctionResult {
        if let Some(said) = said {
            self.host.tell(&said);
        }
        self.host.tell(messages::ENROLLMENT_CANCELLED);
        self.not_enrolled();
        PamFunctionResult::Denied(Denial::TooManyTries)
    }
}

/// The secret in groups of four, as people type it.
fn in_fours(secret: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (at, letter) in secret.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}
