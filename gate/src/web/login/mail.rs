//! A code by mail, asked for on the code page. The page waits for what becomes of the letter, within its time limit.

use super::{Guest, Said, Visit};
use crate::http::reply::{self, Reply};
use crate::live::outbox;
use crate::live::store_pool::NotJudged;
use crate::observe::log;
use crate::observe::metrics::{METRICS, MailResult};
use hyper::StatusCode;
use shared::account::email::EmailAddress;
use shared::engine::{Asked, MailRefusal, NotMailed, SERVICE, SignInError, Visitor};
use shared::token::LoginToken;
use shared::verify::decision::Refusal;
use shared::verify::throttle::Stage;
use std::sync::Arc;

/// What became of a code that was asked for.
pub(crate) enum Posted {
    /// It is on its way to this address.
    Sent(EmailAddress),
    /// It was not sent.
    NotSent,
    /// posternd has not taken it.
    Waits,
    /// None is mailed.
    Refused(MailRefusal),
}

impl Guest<'_> {
    /// POST mail
    pub(crate) async fn mail_code(&self) -> Reply {
        let Some(ticket) = self.ticket() else {
            let text = self.t.refusal(Refusal::Expired);
            return self.sign_in(StatusCode::UNAUTHORIZED, "", "", Some(&text));
        };
        match self.post_code(&ticket).await {
            Err(error) => self.not_judged(&error),
            Ok(Posted::Refused(refusal)) => {
                let text = self.t.mail_refusal(refusal);
                let page = |status| self.code(status, &ticket, Said::Alert(&text), false);
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
            Ok(Posted::Sent(to)) => {
                let text = self
                    .t
                    .mailed(&to, self.site.config.email.code_ttl.seconds());
                self.code(StatusCode::OK, &ticket, Said::Status(&text), false)
            }
            Ok(not_sent @ (Posted::NotSent | Posted::Waits)) => {
                let text = match not_sent {
                    Posted::Waits => self.t.mail_waits(),
                    _ => self.t.not_mailed(),
                };
                self.code(
                    StatusCode::SERVICE_UNAVAILABLE,
                    &ticket,
                    Said::Alert(&text),
                    false,
                )
            }
        }
    }

    /// Leaves a code for a sign-in in the outbox, and waits for what becomes of the letter.
    pub(crate) async fn post_code(&self, ticket: &LoginToken) -> Result<Posted, NotJudged> {
        let (token, visit) = (ticket.clone(), Visit::of(self));
        let asked = self.judge().run(move |door| {
            let visitor = Visitor {
                name: token.account(),
                stage: Stage::After,
                origin: &visit.origin,
                browser: None,
                service: SERVICE,
            };
            door.mail_code(&visitor, Some(&token), visit.now()?)
                .map_err(SignInError::Door)
        });
        let posted = match asked.await? {
            Asked::For(posted) => Arc::new(posted),
            Asked::Refused(refusal) => {
                self.log(ticket.account(), "not mailed", &refusal.to_string());
                return Ok(Posted::Refused(refusal));
            }
        };
        let fate = outbox::fate(&self.judge(), &posted).await?;
        let (mailed, became) = match &fate {
            Ok(()) => (MailResult::Sent, Posted::Sent(posted.to.clone())),
            Err(NotMailed::Waits) => (MailResult::Waits, Posted::Waits),
            Err(_) => (MailResult::NotSent, Posted::NotSent),
        };
        METRICS.mailed(mailed);
        if let Err(why) = fate {
            let line = log::event("not mailed")
                .with("cause", mailed.name())
                .with("address", self.address);
            line.with("service", SERVICE)
                .quoted("user", ticket.account())
                .because(why);
        }
        Ok(became)
    }
}
