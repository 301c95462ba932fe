//! A code by mail, asked for on the code page. The page waits for what becomes of the letter, within its time limit.

use super::CodePageNote;
use crate::http::reply::{self, HttpReply};
use crate::live::outbox;
use crate::live::store_pool::PoolError;
use crate::observe::log;
use crate::observe::metrics::{METRICS, MailResult};
use crate::web::login;
use crate::web::notice;
use crate::web::request::{OwnedBrowserContext, RequestContext};
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

/// POST mail
pub(crate) async fn submit_mail_request(request: &RequestContext<'_>) -> HttpReply {
    let Some(ticket) = request.login_token() else {
        let text = request.t.refusal(Refusal::Expired);
        return login::render_sign_in_page(request, StatusCode::UNAUTHORIZED, "", "", Some(&text));
    };
    match mail_code(request, &ticket).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(CodeMailed::Refused(refusal)) => {
            let text = request.t.mail_refusal(refusal);
            let page = |status| {
                login::render_code_page(request, status, &ticket, CodePageNote::Alert(&text), false)
            };
            match refusal {
                MailRefusal::Code(Refusal::Expired) => {
                    let (back_to, user) = (&ticket.payload().back_to, ticket.account().as_str());
                    login::render_sign_in_page(
                        request,
                        StatusCode::UNAUTHORIZED,
                        back_to,
                        user,
                        Some(&text),
                    )
                }
                MailRefusal::Cooldown { wait } | MailRefusal::Code(Refusal::Delayed { wait }) => {
                    reply::with_retry_after(page(StatusCode::TOO_MANY_REQUESTS), wait)
                }
                _ => page(StatusCode::FORBIDDEN),
            }
        }
        Ok(CodeMailed::Sent(to)) => {
            let text = request
                .t
                .mailed(&to, request.site.config.email.code_ttl.seconds());
            login::render_code_page(
                request,
                StatusCode::OK,
                &ticket,
                CodePageNote::Status(&text),
                false,
            )
        }
        Ok(not_sent @ (CodeMailed::NotSent | CodeMailed::Waits)) => {
            let text = match not_sent {
                CodeMailed::Waits => request.t.mail_waits(),
                _ => request.t.not_mailed(),
            };
            login::render_code_page(
                request,
                StatusCode::SERVICE_UNAVAILABLE,
                &ticket,
                CodePageNote::Alert(&text),
                false,
            )
        }
    }
}

/// Leaves a code for a sign-in in the outbox, and waits for what becomes of the letter.
pub(crate) async fn mail_code(
    request: &RequestContext<'_>,
    ticket: &LoginToken,
) -> Result<CodeMailed, PoolError> {
    let (token, client) = (ticket.clone(), OwnedBrowserContext::new(request));
    let asked = request.store_pool().with_engine(move |engine| {
        let visitor = VerificationRequest {
            name: token.account(),
            phase: Phase::After,
            origin: &client.origin,
            browser: None,
            service: SERVICE,
        };
        engine
            .mail_code(&visitor, Some(&token), client.now()?)
            .map_err(LoginError::Engine)
    });
    let posted = match asked.await? {
        MailRequest::Queued(posted) => Arc::new(posted),
        MailRequest::Refused(refusal) => {
            request.log_sign_in(ticket.account(), "not mailed", &refusal.to_string());
            return Ok(CodeMailed::Refused(refusal));
        }
    };
    let fate = outbox::wait_for_delivery(&request.store_pool(), &posted).await?;
    let (mailed, became) = match &fate {
        Ok(()) => (MailResult::Sent, CodeMailed::Sent(posted.to.clone())),
        Err(NotMailed::Queued) => (MailResult::Queued, CodeMailed::Waits),
        Err(_) => (MailResult::Failed, CodeMailed::NotSent),
    };
    METRICS.count_mail(mailed);
    if let Err(why) = fate {
        let line = log::event("not mailed")
            .with("cause", mailed.name())
            .with("address", request.address);
        line.with("service", SERVICE)
            .quoted("user", ticket.account())
            .write_with_message(why);
    }
    Ok(became)
}
