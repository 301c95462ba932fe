//! `unenrolled=enroll`: a first setup at the prompt, by someone who has passed the first factor. All that is to be read
//! stands in prompts, since hosts show messages late or never. It becomes active in the `auth` line, once a code has
//! confirmed it and the recovery codes are saved; until then nothing keeps it.

use super::entry::{PamConversation, deny_misconfigured};
use super::host::NoAnswer;
use shared::credential::qr;
use shared::engine::{PamGrant, PamRefusal, PromptEnrollment, ShownAuthenticator, messages};
use shared::protocol::command_request::TypedText;
use shared::protocol::{Denial, Echo, PamFunctionResult, Severity};
use shared::verify::throttle::Phase;
use zeroize::Zeroizing;

/// What the person types when the recovery codes are saved.
const SAVED: &[u8] = b"saved";

impl PamConversation<'_> {
    /// From the QR to the recovery codes; each part asks as often as `tries` allows.
    pub(crate) fn enroll_at_prompt(&self) -> PamFunctionResult {
        if self.account != self.user {
            return deny_misconfigured(
                self.host,
                &"unenrolled=enroll is only for the user's own account; remove it or user=",
            );
        }
        let ended = self.begin_enrollment().and_then(|shown| {
            let confirmed = self.confirm_enrollment(&shown)?;
            self.wait_until_saved(&shown.recovery_codes)?;
            self.activate_enrollment(&confirmed)
        });
        match ended {
            Ok(granted) => self.grant_access(granted),
            Err(denied) => denied,
        }
    }

    /// The authenticator counts from here on, whatever becomes of the rest of the stack.
    fn activate_enrollment(&self, confirmed: &TypedText) -> Result<PamGrant, PamFunctionResult> {
        let activated = self
            .engine
            .activate_enrollment(self.context(Phase::After), confirmed);
        let (granted, told) = activated.map_err(|error| self.deny_unavailable(&error))?;
        self.show_messages(&told);
        self.host.show_message(messages::IS_SET_UP);
        Ok(granted)
    }

    fn begin_enrollment(&self) -> Result<ShownAuthenticator, PamFunctionResult> {
        let context = self.context(Phase::After);
        let mut code: Option<Zeroizing<Vec<u8>>> = None;
        let mut said: Option<String> = None;
        let mut tries = self.settings.tries;
        // the first time without a code, which may not be needed
        loop {
            let begun = self
                .engine
                .begin_enrollment(context, code.as_ref().map(|code| code.as_slice()));
            match begun.map_err(|error| self.deny_unavailable(&error))? {
                PromptEnrollment::Begun(shown) => return Ok(shown),
                PromptEnrollment::OneTimeCodeNeeded => {}
                PromptEnrollment::Refused(refusal) => {
                    said = Some(self.log_enrollment_refusal(refusal))
                }
            }
            tries = match tries.checked_sub(1) {
                Some(left) => left,
                None => return Err(self.deny_too_many_tries(said)),
            };
            let above = said.as_deref().unwrap_or(messages::SET_UP_BY_INVITATION);
            code = Some(self.ask(
                &format!("{above}\n{}", messages::ONE_TIME_CODE_PROMPT),
                Echo::Off,
            )?);
        }
    }

    /// What confirms the authenticator: a ticket to its activation.
    fn confirm_enrollment(
        &self,
        shown: &ShownAuthenticator,
    ) -> Result<TypedText, PamFunctionResult> {
        let Some(picture) = qr::half_blocks(&shown.url) else {
            return Err(deny_misconfigured(
                self.host,
                &"the otpauth URI is too long for a QR code; shorten totp.issuer",
            ));
        };
        let (secret, url) = (group_by_four(&shown.secret), &*shown.url);
        // secret and URL stand above the picture, whose last row the prompt follows: 24 rows show it whole
        let mut prompt = Zeroizing::new(format!(
            "{}\nSecret: {}\n{url}\n{}{}",
            messages::SET_UP_AT_PROMPT,
            *secret,
            *picture,
            messages::CODE_PROMPT
        ));
        let context = self.context(Phase::After);
        let mut said = None;
        for _ in 0..self.settings.tries {
            let typed = self.ask(&prompt, Echo::On)?;
            let confirmed = self
                .engine
                .confirm_enrollment(context, &shown.token, &typed);
            match confirmed.map_err(|error| self.deny_unavailable(&error))? {
                Ok(ticket) => return Ok(ticket),
                Err(refusal) => {
                    let why = self.log_enrollment_refusal(refusal);
                    // it is shown once, and still stands above
                    prompt = Zeroizing::new(format!("{why}\n{}", messages::CODE_PROMPT));
                    said = Some(why);
                }
            }
        }
        Err(self.deny_too_many_tries(said))
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
        Err(self.deny_too_many_tries(None))
    }

    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, PamFunctionResult> {
        self.host
            .ask(prompt, echo)
            .map_err(|NoAnswer| self.deny_cancelled())
    }

    /// Notes a refusal; why, for the next prompt.
    fn log_enrollment_refusal(&self, refusal: PamRefusal) -> String {
        self.log_result(Severity::Notice, "enrollment failed", &refusal.cause);
        refusal.message
    }

    fn deny_too_many_tries(&self, said: Option<String>) -> PamFunctionResult {
        if let Some(said) = said {
            self.host.show_message(&said);
        }
        self.host.show_message(messages::NOT_SET_UP);
        self.deny_unenrolled();
        PamFunctionResult::Denied(Denial::TooManyTries)
    }
}

/// The secret in groups of four, as people type it.
fn group_by_four(secret: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (at, letter) in secret.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push(' ');
        }
        text.push(letter);
    }
    text
}
