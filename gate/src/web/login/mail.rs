//! Mailed codes, requested on the code page. The page waits until the mail is sent or has failed,
//! within a time limit.

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
use postern_shared::account::email::EmailAddress;
use postern_shared::engine::{
    LoginError, MailRefusal, MailRequest, NotMailed, SERVICE, VerificationRequest,
};
use postern_shared::token::LoginToken;
use postern_shared::verify::decision::Refusal;
use postern_shared::verify::throttle::Phase;
use std::sync::Arc;

pub(crate) enum CodeMailed {
    /// The mail was accepted for this address.
    Sent(EmailAddress),
    NotSent,
    /// posternd has not taken the mail from the outbox.
    Queued,
    Refused(MailRefusal),
}

/// Handles a POST request for mail.
pub(crate) async fn submit_mail_request(request: &RequestContext<'_>) -> HttpReply {
    let Some(token) = request.login_token() else {
        let text = request.language.refusal(Refusal::Expired);
        return login::render_sign_in_page(request, StatusCode::UNAUTHORIZED, "", "", Some(&text));
    };
    match mail_code(request, &token).await {
        Err(error) => notice::show_pool_error(request, &error),
        Ok(CodeMailed::Refused(refusal)) => {
            let text = request.language.mail_refusal(refusal);
            let page = |status| {
                login::render_code_page(request, status, &token, CodePageNote::Alert(&text), false)
            };
            match refusal {
                MailRefusal::Code(Refusal::Expired) => {
                    let (back_to, user) = (&token.payload().back_to, token.account().as_str());
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
                .language
                .mailed(&to, request.site.config.email.code_ttl.seconds());
            login::render_code_page(
                request,
                StatusCode::OK,
                &token,
                CodePageNote::Status(&text),
                false,
            )
        }
        Ok(not_sent @ (CodeMailed::NotSent | CodeMailed::Queued)) => {
            let text = match not_sent {
                CodeMailed::Queued => request.language.mail_waits(),
                _ => request.language.not_mailed(),
            };
            login::render_code_page(
                request,
                StatusCode::SERVICE_UNAVAILABLE,
                &token,
                CodePageNote::Alert(&text),
                false,
            )
        }
    }
}

/// Puts a code into the outbox, and waits until the mail is sent or has failed.
pub(crate) async fn mail_code(
    request: &RequestContext<'_>,
    token: &LoginToken,
) -> Result<CodeMailed, PoolError> {
    let (owned_token, client) = (token.clone(), OwnedBrowserContext::new(request));
    let queued = request.store_pool().with_engine(move |engine| {
        let verification =
            VerificationRequest::new(owned_token.account(), Phase::After, &client.origin, SERVICE);
        engine
            .mail()
            .mail_code(&verification, Some(&owned_token), client.now()?)
            .map_err(LoginError::Engine)
    });
    let posted = match queued.await? {
        MailRequest::Queued(posted) => Arc::new(posted),
        MailRequest::Refused(refusal) => {
            request.log_sign_in(token.account(), "not mailed", &refusal.to_string());
            return Ok(CodeMailed::Refused(refusal));
        }
    };
    let delivery = outbox::wait_for_delivery(&request.store_pool(), &posted).await?;
    let (mailed, result) = match &delivery {
        Ok(()) => (MailResult::Sent, CodeMailed::Sent(posted.to.clone())),
        Err(NotMailed::Queued) => (MailResult::Queued, CodeMailed::Queued),
        Err(_) => (MailResult::Failed, CodeMailed::NotSent),
    };
    METRICS.count_mail(mailed);
    if let Err(why) = delivery {
        let line = log::event("not mailed")
            .with("cause", mailed.name())
            .with("address", request.address);
        line.with("service", SERVICE)
            .quoted("user", token.account())
            .write_with_message(why);
    }
    Ok(result)
}
