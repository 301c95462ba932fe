//! The approval of a prompt by a passkey at the web: an empty input makes a request, whose address and
//! number are shown with the next prompt.
//!
//! MUST NOT hold a worker while a request waits.
//! MUST put every text into a prompt: hosts show messages late or never.

use super::conversation::{HookResult, PamConversation};
use super::host::NoAnswer;
use super::input::{InputSource, TypedInput};
use super::options::FirstPass;
use postern_shared::credential::input::InputReading;
use postern_shared::credential::otp::qr;
use postern_shared::engine::{PamGrant, PamRefusal, PendingApproval, messages};
use postern_shared::protocol::Severity;
use postern_shared::verify::throttle::Phase;
use std::thread;
use std::time::{Duration, Instant};

/// Requests of one conversation, at most, and prompts of each. With those for codes, they are fewer
/// than the module allows.
pub(super) const MOST_REQUESTS: u32 = 2;
const MOST_PROMPTS: u32 = 5;

/// How often a request is read.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often the module is told that its hook still runs, and is found to have gone.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);
/// How long one prompt waits for an approval. The module gives up after 30 s, which denies access.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// What became of a request.
pub(super) enum AfterRequest {
    Granted(PamGrant),
    Refused(PamRefusal),
    /// A code was typed instead.
    Typed(TypedInput),
}

impl PamConversation<'_> {
    /// Returns whether the prompt offers an approval: where it is on, where the host can show a text
    /// and prompt again, and where the account has a passkey that can approve.
    pub(super) fn offers_approval(&self) -> HookResult<bool> {
        let settings = &self.settings;
        let has_prompts =
            settings.first_pass != FirstPass::Used && settings.reading == InputReading::Whole;
        if !settings.approval || !has_prompts {
            return Ok(false);
        }
        let available = self.engine.offers_approval(self.context(Phase::After));
        available.map_err(|error| self.deny_unavailable(&*error))
    }

    /// Makes a request, and prompts until it is approved, refused or expired, or a code is typed.
    pub(super) fn ask_for_approval(&self) -> HookResult<AfterRequest> {
        let context = self.context(Phase::After);
        let made = self.engine.request_approval(context);
        let pending = match made.map_err(|error| self.deny_unavailable(&*error))? {
            Ok(pending) => pending,
            Err(refusal) => return Ok(AfterRequest::Refused(refusal)),
        };
        self.log_result(Severity::Info, "requested", "approval");
        let mut prompt = compose_request(&pending);
        for _ in 0..MOST_PROMPTS {
            let text = match self.host.ask(&prompt, self.settings.echo) {
                Ok(text) => text,
                Err(NoAnswer) => {
                    self.end_request(&pending);
                    return Err(self.deny_cancelled());
                }
            };
            if !text.trim_ascii().is_empty() {
                self.end_request(&pending);
                let source = InputSource::Prompt;
                return Ok(AfterRequest::Typed(TypedInput { text, source }));
            }
            if self.wait_for_answer(&pending)? {
                break;
            }
            // the QR code is not repeated: the terminal still shows it
            prompt = format!(
                "{}\n{}",
                messages::APPROVAL_NOT_YET,
                messages::APPROVAL_PROMPT
            );
        }
        // an open request is ended by this
        let granted = self.engine.grant_approval(context, &pending);
        Ok(
            match granted.map_err(|error| self.deny_unavailable(&*error))? {
                Ok(grant) => AfterRequest::Granted(grant),
                Err(refusal) => AfterRequest::Refused(refusal),
            },
        )
    }

    /// Waits until a request is not open any more, for as long as the module waits. Returns whether it
    /// is not.
    fn wait_for_answer(&self, pending: &PendingApproval) -> HookResult<bool> {
        let (began, mut reported) = (Instant::now(), Instant::now());
        loop {
            let open = self
                .engine
                .is_approval_open(self.context(Phase::After), pending);
            if !open.map_err(|error| self.deny_unavailable(&*error))? {
                return Ok(true);
            }
            if began.elapsed() >= LONGEST_WAIT {
                return Ok(false);
            }
            if reported.elapsed() >= SIGN_OF_LIFE {
                reported = Instant::now();
                if !self.host.report_waiting() {
                    self.end_request(pending);
                    return Err(self.deny_cancelled());
                }
            }
            thread::sleep(INTERVAL);
        }
    }

    /// Ends a request that is given up. It expires soon where this fails.
    fn end_request(&self, pending: &PendingApproval) {
        let ended = self
            .engine
            .end_approval(self.context(Phase::After), pending);
        if let Err(error) = ended {
            let cause = format!("approval-not-ended: {error}");
            self.log_result(Severity::Notice, "warning", &cause);
        }
    }
}

/// Returns the prompt that shows a request. The address is above the QR code, so that a terminal of 24
/// rows shows the QR code with the number and the prompt.
fn compose_request(pending: &PendingApproval) -> String {
    let picture = qr::draw_half_blocks(pending.url());
    format!(
        "{}\n    {}\n{}Number: {}\n{}",
        messages::APPROVAL_INTRODUCTION,
        pending.url(),
        picture.as_ref().map_or("", |picture| picture.as_str()),
        pending.number().value(),
        messages::APPROVAL_PROMPT,
    )
}
