//! A code by mail, asked for on the code page. The page waits for what becomes of the letter, within its time limit.

use super::{CodePageNote, LoginRequest, RequestContext};
use crate::http::reply::{self, HttpReply};
use crate::live::outbox;
use crate::live::store_pool::PoolError;
use crate::observe::log;
use crate::observe::metrics::{METRICS, MailResult};
use hyper::StatusCode;
use shared::account::email::EmailAddress;
use shared::engine::{
    LoginError, MailRefusal, MailRequest, NotMailed, SERVICE, VerificationRequest,
};
use shared::token::LoginToken;
use shared::verify::decision::Refusal;
use shared::verify::throttle::Phase;
use std::sync::Arc;

/// What became of a code that was asked for.
pub(crate) enum CodeMailed {
    /// It is on its way to this address.
    Sent(EmailAddress),
    /// It was not sent.
    NotSent,
    /// posternd has not taken it.
    Waits,
    /// None is mailed.
    Refused(MailRefusal),
}

impl RequestContext<'_> {
    /// POST mail
    pub(crate) async fn mail_code(&self) -> HttpReply {
        let Some(ticket) = self.ticket() else {
            let text = self.t.refusal(Refusal::Expired);
            return self.sign_in(StatusCode::UNAUTHORIZED, "", "", Some(&text));
        };
        match self.post_code(&ticket).await {
            Err(error) => self.not_judged(&error),
            Ok(CodeMailed::Refused(refusal)) => {
                let text = self.t.mail_refusal(refusal);
                let page = |status| self.code(status, &ticket, CodePageNote::Alert(&text), false);
                match refusal {
                    MailRefusal::Code(Refusal::Expired) => {
                        let (back_to, user) =
                            (&ticket.payload().back_to, ticket.account().as_str());
                        self.sign_in(StatusCode::UNAUTHORIZED, back_to, user, Some(&text))
                    }
                    MailRefusal::Cooldown { wait }
                    | MailRefusal::Code(Refusal::Delayed { wait }) => {
                        reply::with_retry_after(page(StatusCode::TOO_MANY_REQUESTS), wait)
                    }
                    _ => page(StatusCode::FORBIDDEN),
                }
            }
            Ok(CodeMailed::Sent(to)) => {
                let text = self
                    .t
                    .mailed(&to, self.site.config.email.code_ttl.seconds());
                self.code(StatusCode::OK, &ticket, CodePageNote::Status(&text), false)
            }
            Ok(not_sent @ (CodeMailed::NotSent | CodeMailed::Waits)) => {
                let text = match not_sent {
                    CodeMailed::Waits => self.t.mail_waits(),
                    _ => self.t.not_mailed(),
                };
                self.code(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &ticket,
                    CodePageNote::Alert(&text),
                    false,
                )
            }
        }
    }

    /// Leaves a code for a sign-in in the outbox, and waits for what becomes of the letter.
    pub(crate) async fn post_code(&self, ticket: &LoginToken) -> Result<CodeMailed, PoolError> {
        let (token, visit) = (ticket.clone(), LoginRequest::of(self));
        let asked = self.judge().with_engine(move |door| {
            let visitor = VerificationRequest {
                name: token.account(),
                phase: Phase::After,
                origin: &visit.origin,
                browser: None,
                service: SERVICE,
            };
            door.mail_code(&visitor, Some(&token), visit.now()?)
                .map_err(LoginError::Engine)
        });
        let posted = match asked.await? {
            MailRequest::For(posted) => Arc::new(posted),
            MailRequest::Refused(refusal) => {
                self.log(ticket.account(), "not mailed", &refusal.to_string());
                return Ok(CodeMailed::Refused(refusal));
            }
        };
        let fate = outbox::wait_for_delivery(&self.judge(), &posted).await?;
        let (mailed, became) = match &fate {
            Ok(()) => (MailResult::Sent, CodeMailed::Sent(posted.to.clone())),
            Err(NotMailed::Waits) => (MailResult::Queued, CodeMailed::Waits),
            Err(_) => (MailResult::Failed, CodeMailed::NotSent),
        };
        METRICS.count_mail(mailed);
        if let Err(why) = fate {
            let line = log::event("not mailed")
                .with("cause", mailed.name())
                .with("address", self.address);
            line.with("service", SERVICE)
                .quoted("user", ticket.account())
                .write_with_message(why);
        }
        Ok(became)
    }
}
