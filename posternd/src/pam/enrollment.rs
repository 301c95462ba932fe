//! `unenrolled=enroll`: an enrollment in the `auth` hook, by a user who has passed the first
//! factor. The authenticator is activated once a code has confirmed it and the recovery codes are
//! saved; until then nothing is stored.
//!
//! MUST put every text into a prompt: hosts show messages late or never.

use super::conversation::{HookResult, PamConversation, deny};
use super::host::NoAnswer;
use postern_shared::credential::otp::qr;
use postern_shared::credential::otp::secret::group_by_four;
use postern_shared::engine::{PamGrant, PamRefusal, PromptEnrollment, messages};
use postern_shared::protocol::command_request::{ShownAuthenticator, TypedText};
use postern_shared::protocol::{Denial, Echo, Severity};
use postern_shared::verify::throttle::Phase;
use zeroize::Zeroizing;

/// The input that confirms that the recovery codes are saved.
const SAVED: &[u8] = b"saved";

impl PamConversation<'_> {
    /// Runs the enrollment, from the QR code to the recovery codes. Each step prompts at most
    /// `tries` times.
    pub(crate) fn enroll_at_prompt(&self) -> HookResult {
        if self.account != self.user {
            let why = "unenrolled=enroll is only for the user's own account; remove it or user=";
            return Err(deny(self.host, Denial::Misconfigured, &why));
        }
        let shown = self.begin_enrollment()?;
        let confirmed = self.confirm_enrollment(&shown)?;
        self.wait_until_saved(&shown.recovery_codes)?;
        Ok(self.grant_access(self.activate_enrollment(&confirmed)?))
    }

    /// Activates the authenticator, which is stored then, whatever the rest of the stack returns.
    fn activate_enrollment(&self, confirmed: &TypedText) -> HookResult<PamGrant> {
        let activated = self
            .engine
            .activate_enrollment(self.context(Phase::After), confirmed);
        let granted = activated.map_err(|error| self.deny_unavailable(&*error))?;
        self.show_messages(&granted.messages);
        self.host.show_message(messages::ENROLLMENT_DONE);
        Ok(granted)
    }

    fn begin_enrollment(&self) -> HookResult<ShownAuthenticator> {
        let context = self.context(Phase::After);
        let mut code: Option<Zeroizing<Vec<u8>>> = None;
        let mut text: Option<String> = None;
        let mut tries = self.settings.tries;
        // the first attempt is without a one-time code, which may not be required
        loop {
            let begun = self
                .engine
                .begin_enrollment(context, code.as_ref().map(|code| code.as_slice()));
            match begun.map_err(|error| self.deny_unavailable(&*error))? {
                PromptEnrollment::Begun(shown) => return Ok(shown),
                PromptEnrollment::OneTimeCodeNeeded => {}
                PromptEnrollment::Refused(refusal) => {
                    text = Some(self.log_enrollment_refusal(refusal))
                }
            }
            let Some(left) = tries.checked_sub(1) else {
                return Err(self.deny_too_many_tries(text));
            };
            tries = left;
            let above = text
                .as_deref()
                .unwrap_or(messages::ENROLLMENT_NEEDS_ONE_TIME_CODE);
            let prompt = format!("{above}\n{}", messages::ONE_TIME_CODE_PROMPT);
            code = Some(self.ask(&prompt, Echo::Off)?);
        }
    }

    /// Confirms the authenticator by a code. Returns the token for its activation.
    fn confirm_enrollment(&self, shown: &ShownAuthenticator) -> HookResult<TypedText> {
        let Some(picture) = qr::draw_half_blocks(&shown.url) else {
            let why = "the otpauth URI is too long for a QR code; shorten totp.issuer";
            return Err(deny(self.host, Denial::Misconfigured, &why));
        };
        let (secret, url) = (group_by_four(&shown.secret), &*shown.url);
        // secret and URI come before the QR code, so that a terminal of 24 rows shows the whole QR
        // code with the prompt
        let mut prompt = Zeroizing::new(format!(
            "{}\nSecret: {}\n{url}\n{}{}",
            messages::ENROLLMENT_INTRODUCTION,
            *secret,
            *picture,
            messages::CODE_PROMPT
        ));
        let context = self.context(Phase::After);
        let mut text = None;
        for _ in 0..self.settings.tries {
            let typed = self.ask(&prompt, Echo::On)?;
            let confirmed = self
                .engine
                .confirm_enrollment(context, &shown.token, &typed);
            match confirmed.map_err(|error| self.deny_unavailable(&*error))? {
                Ok(token) => return Ok(token),
                Err(refusal) => {
                    let why = self.log_enrollment_refusal(refusal);
                    // the QR code is not repeated: the terminal still shows it
                    prompt = Zeroizing::new(format!("{why}\n{}", messages::CODE_PROMPT));
                    text = Some(why);
                }
            }
        }
        Err(self.deny_too_many_tries(text))
    }

    fn wait_until_saved(&self, codes: &[TypedText]) -> HookResult<()> {
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

    fn ask(&self, prompt: &str, echo: Echo) -> HookResult<Zeroizing<Vec<u8>>> {
        self.host
            .ask(prompt, echo)
            .map_err(|NoAnswer| self.deny_cancelled())
    }

    /// Logs a refusal. Returns the text for the next prompt.
    fn log_enrollment_refusal(&self, refusal: PamRefusal) -> String {
        self.log_result(Severity::Notice, "enrollment failed", &refusal.cause);
        refusal.message
    }

    fn deny_too_many_tries(&self, text: Option<String>) -> Denial {
        if let Some(text) = text {
            self.host.show_message(&text);
        }
        self.host.show_message(messages::ENROLLMENT_CANCELLED);
        self.deny_unenrolled();
        Denial::TooManyTries
    }
}
