//! A code by mail, asked for on the code page. The page waits for what becomes of the letter, within its time limit.

use super::{Guest, Said, Visit};
use crate::mailer;
use crate::reply::{self, Reply};
use hyper::StatusCode;
use shared::decision::Refusal;
use shared::door::{Asked, MailRefusal, SERVICE, SignInError, Visitor};
use shared::guess::Stage;

impl Guest<'_> {
    /// POST mail
    pub(crate) async fn mail_code(&self) -> Reply {
        let Some(ticket) = self.ticket() else {
            let text = self.t.refusal(Refusal::Expired);
            return self.sign_in(StatusCode::UNAUTHORIZED, "", "", Some(&text));
        };
        let (name, pass, visit) = (ticket.name.clone(), ticket.pass, Visit::of(self));
        let asked = self.site.judge.run(move |door| {
            let visitor = Visitor {
                name: &name,
                stage: Stage::After,
                origin: &visit.origin,
                browser: None,
                service: SERVICE,
            };
            door.mail_code(&visitor, Some(&pass), visit.now()?).map_err(SignInError::Door)
        });
        let letter = match asked.await {
            Err(error) => return self.not_judged(&error),
            Ok(Asked::For(letter)) => letter,
            Ok(Asked::Refused(refusal)) => {
                self.log(&ticket.name, "not mailed", &refusal.to_string());
                let text = self.t.mail_refusal(refusal);
                let page = |status| self.code(status, &ticket, Said::Alert(&text), false);
                return match refusal {
                    MailRefusal::Code(Refusal::Expired) => {
                        let (back_to, user) = (&ticket.back_to, ticket.name.as_str());
                        self.sign_in(StatusCode::UNAUTHORIZED, back_to, user, Some(&text))
                    }
                    MailRefusal::Cooldown { wait } | MailRefusal::Code(Refusal::Delayed { wait }) => {
                        reply::with_retry_after(page(StatusCode::TOO_MANY_REQUESTS), wait)
                    }
                    _ => page(StatusCode::FORBIDDEN),
                };
            }
        };
        let to = letter.to.clone();
        let sent = self.site.mailer.send(&letter).await;
        let is_sent = sent.is_ok();
        mailer::note(&self.site.judge, letter, sent).await;
        match is_sent {
            true => {
                let text = self.t.mailed(&to, self.site.config.email.code_ttl.seconds());
                self.code(StatusCode::OK, &ticket, Said::Status(&text), false)
            }
            false => {
                let text = self.t.say("not-mailed");
                self.code(StatusCode::SERVICE_UNAVAILABLE, &ticket, Said::Alert(&text), false)
            }
        }
    }
}
