//! Mailed codes, requested on the code page. The page waits until the mail is sent or has failed,
//! within a time limit.

use super::CodePageNote;
use crate::http::reply;
use crate::live::outbox;
use crate::live::store_pool::PoolError;
use crate::observe::log;
use crate::observe::metrics::{METRICS, MailResult};
use crate::web::login;
use crate::web::refusal::{PageForm, PageResult};
use crate::web::request::RequestContext;
use hyper::StatusCode;
use postern_shared::account::email::EmailAddress;
use postern_shared::engine::messages;
use postern_shared::engine::{MailRefusal, MailRequest, NotMailed, SERVICE, VerificationRequest};
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

pub(crate) async fn submit_mail_request(
    request: &RequestContext<'_>,
    _form: &PageForm,
) -> PageResult {
    let Some(token) = request.login_token() else {
        return Ok(login::render_expired(request, None));
    };
    let language = request.language;
    let page = |status, note| login::render_code_page(request, status, &token, note, false);
    Ok(match mail_code(request, &token).await? {
        CodeMailed::Refused(MailRefusal::Code(Refusal::Expired)) => {
            login::render_expired(request, Some(&token))
        }
        CodeMailed::Refused(refusal) => {
            let text = language.message(refusal);
            let note = CodePageNote::Alert(&text);
            match refusal {
                MailRefusal::Cooldown { wait } | MailRefusal::Code(Refusal::Delayed { wait }) => {
                    reply::with_retry_after(page(StatusCode::TOO_MANY_REQUESTS, note), wait)
                }
                _ => page(StatusCode::FORBIDDEN, note),
            }
        }
        CodeMailed::Sent(to) => {
            let life = request.site.config.email.code_ttl.seconds();
            let text = language.message(messages::code_mailed(&to, life));
            page(StatusCode::OK, CodePageNote::Status(&text))
        }
        CodeMailed::NotSent => page(
            StatusCode::SERVICE_UNAVAILABLE,
            CodePageNote::Alert(&language.message(messages::not_mailed())),
        ),
        CodeMailed::Queued => page(
            StatusCode::SERVICE_UNAVAILABLE,
            CodePageNote::Alert(&language.message(messages::mail_waits())),
        ),
    })
}

/// Puts a code into the outbox, and waits until the mail is sent or has failed.
pub(crate) async fn mail_code(
    request: &RequestContext<'_>,
    token: &LoginToken,
) -> Result<CodeMailed, PoolError> {
    let owned_token = token.clone();
    let queued = request.run(move |engine, client, now| {
        let verification =
            VerificationRequest::new(owned_token.account(), Phase::After, &client.origin, SERVICE);
        engine
            .mail()
            .mail_code(&verification, Some(&owned_token), now)
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
