//! Mailed codes, requested on the code page. The page waits until the mail is sent or has failed,
//! within a time limit.

use crate::live::outbox;
use crate::live::store_pool::PoolError;
use crate::observe::log;
use crate::observe::metrics::{METRICS, MailResult};
use crate::web::login;
use crate::web::refusal::{ActRefused, HandlerError, PageForm, PageResult};
use crate::web::request::RequestContext;
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

/// Mails a code, and says so on the code page.
pub(crate) async fn submit_mail_request(
    request: &RequestContext<'_>,
    form: &PageForm,
) -> PageResult {
    let requested = login::requested_page(request, form);
    let Some(token) = login::token_of_form(request, form) else {
        return Ok(login::show_expired(request, requested, form.field("user")));
    };
    let language = request.language;
    let refused = match mail_code(request, &token).await? {
        CodeMailed::Sent(to) => {
            let life = request.site.config.email.code_ttl.seconds();
            let text = language.message(messages::code_mailed(&to, life));
            return Err(HandlerError::Done(text));
        }
        CodeMailed::Refused(MailRefusal::Code(Refusal::Expired)) => {
            let requested = login::page_after(requested, &token);
            let user = token.account().as_str();
            return Ok(login::show_expired(request, requested, user));
        }
        CodeMailed::Refused(refusal) => {
            let text = language.message(refusal);
            match refusal {
                MailRefusal::Cooldown { wait } | MailRefusal::Code(Refusal::Delayed { wait }) => {
                    ActRefused::too_many_requests("mail_cooldown", text, wait)
                }
                _ => ActRefused::forbidden("no_mail", text),
            }
        }
        CodeMailed::NotSent => {
            ActRefused::unavailable("not_mailed", language.message(messages::not_mailed()))
        }
        CodeMailed::Queued => {
            ActRefused::unavailable("mail_waits", language.message(messages::mail_waits()))
        }
    };
    Err(refused.into())
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
