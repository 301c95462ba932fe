//! The address that codes are mailed to: set, confirmed by a code that was mailed there, removed.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::outbox;
use crate::web::login::RequestContext;
use crate::web::pages::account::StepUpQuestion;
use crate::web::pages::{self, html};
use crate::web::refusal::ActRefused;
use crate::web::step_up::{FreshStepUp, StepUpProof};
use hyper::StatusCode;
use shared::account::email::EmailAddress;
use shared::account::second_factor::Enrolled;
use shared::credential::input::Input;
use shared::engine::{AdministrationError, AppPasswordsAfter, Engine, OpenedSession, Principal};
use shared::store::MailAddresses;
use shared::token::session::Session;
use std::sync::Arc;

impl RequestContext<'_> {
    /// The account's addresses.
    pub(crate) async fn addresses(&self, session: &Session) -> Result<MailAddresses, ActRefused> {
        let account = session.name.clone();
        Ok(self
            .act(session, move |door, _, _| door.status(&account))
            .await?
            .tally
            .addresses)
    }

    /// Mails a code to a new address; it is in force when that is given back.
    pub(crate) async fn set_email(
        &self,
        proven: &StepUpProof,
        to: EmailAddress,
    ) -> Result<(), ActRefused> {
        let account = proven.session.name.clone();
        let set = move |door: &mut Engine, actor: Principal<'_>, now| {
            door.set_email(&account, &to, actor, now)
        };
        let posted = self.act(&proven.session, set).await?;
        match outbox::wait_for_delivery(&self.judge(), &Arc::new(posted)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(why)) => Err(ActRefused::act(
                self.t,
                &AdministrationError::NotMailed(why),
            )),
            Err(error) => Err(self.not_run(&error)),
        }
    }

    /// The code that was mailed there.
    pub(crate) async fn confirm_email(
        &self,
        session: &Session,
        answer: Input,
    ) -> Result<(AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
        let account = session.name.clone();
        let confirm = move |door: &mut Engine, actor: Principal<'_>, now| {
            door.confirm_email(&account, &answer, actor, now)
        };
        let ((_, after), opened) = self.act_and_go_on(session, confirm).await?;
        Ok((after, opened))
    }

    /// No codes are mailed any more; unless it was the last second factor of someone who must have one.
    pub(crate) async fn remove_email(
        &self,
        proven: &StepUpProof,
    ) -> Result<(Enrolled, AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
        let account = proven.session.name.clone();
        if self.is_required(&account).await? && self.addresses_are_all(&proven.session).await? {
            return Err(ActRefused::new(
                StatusCode::CONFLICT,
                "required",
                self.t.say("turn-off-required"),
            ));
        }
        let remove = move |door: &mut Engine, actor: Principal<'_>, now| {
            door.remove_email(&account, actor, now)
        };
        let ((enrolled, after), opened) = self.act_and_go_on(&proven.session, remove).await?;
        Ok((enrolled, after, opened))
    }

    /// Whether mailed codes are the account's only second factor.
    async fn addresses_are_all(&self, session: &Session) -> Result<bool, ActRefused> {
        let account = session.name.clone();
        let status = self
            .act(session, move |door, _, _| door.status(&account))
            .await?;
        Ok(status.tally.authenticators == 0)
    }

    /// GET email
    pub(crate) async fn email_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        let known = match self.signed_in() {
            Ok(session) => match self.proof(&session).await {
                Ok(proof) => self
                    .addresses(&session)
                    .await
                    .map(|addresses| (proof, addresses)),
                Err(refused) => Err(refused),
            },
            Err(refused) => Err(refused),
        };
        let (proof, addresses) = match known {
            Ok(known) => known,
            Err(refused) => return self.refused(&refused),
        };
        let page = pages::account::EmailPage {
            frame: self.frame(),
            addresses: &addresses,
            proof,
            message: refused.map(|refused| refused.text.as_str()),
        };
        self.page_after(html(&page), refused)
    }

    /// POST email
    pub(crate) async fn change_email(&self, form: &Form) -> HttpReply {
        let to = form.field("address").trim().parse::<EmailAddress>();
        let set = match to {
            Err(_) => Err(ActRefused::unreadable(self.t.say("address-invalid"))),
            Ok(to) => match self.prove(&FreshStepUp::of(form)).await {
                Ok(proven) => self.set_email(&proven, to).await.map(|()| proven),
                Err(refused) => Err(refused),
            },
        };
        match set {
            Err(refused) => self.email_page(Some(&refused)).await,
            Ok(proven) => self.with_proof(reply::see_other(&self.at("email")), &proven),
        }
    }

    /// POST email/confirm
    pub(crate) async fn confirm_new_email(&self, form: &Form) -> HttpReply {
        let answer = Input::read(form.field("code").as_bytes());
        // of the session as it is: the act ends it
        let proven = self.stepped_up();
        let confirmed = match self.signed_in() {
            Ok(session) => self.confirm_email(&session, answer).await,
            Err(refused) => Err(refused),
        };
        match confirmed {
            Err(refused) => self.email_page(Some(&refused)).await,
            Ok((after, opened)) => {
                let lines: Vec<String> = std::iter::once(self.t.say("address-confirmed-line"))
                    .chain(self.t.app_passwords(after))
                    .collect();
                self.after_end(
                    proven.as_ref(),
                    opened.as_ref(),
                    self.t.say("address-confirmed"),
                    &lines,
                )
            }
        }
    }

    /// GET email/remove
    pub(crate) async fn remove_email_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        let asked = StepUpQuestion {
            act: "email/remove",
            title: self.t.say("remove-address"),
            lines: vec![self.t.say("remove-address-line")],
            button: self.t.say("remove"),
            hidden: Vec::new(),
        };
        self.ask(asked, refused).await
    }

    /// POST email/remove
    pub(crate) async fn remove_email_asked(&self, form: &Form) -> HttpReply {
        let removed = match self.prove(&FreshStepUp::of(form)).await {
            Ok(proven) => self
                .remove_email(&proven)
                .await
                .map(|removed| (proven, removed)),
            Err(refused) => Err(refused),
        };
        match removed {
            Err(refused) => self.remove_email_page(Some(&refused)).await,
            Ok((proven, (enrolled, after, opened))) => {
                let rest = match enrolled {
                    Enrolled::Yes => self.t.say("address-removed-line"),
                    Enrolled::No => self.t.say("turned-off-line"),
                };
                let lines: Vec<String> = std::iter::once(rest)
                    .chain(self.t.app_passwords(after))
                    .collect();
                self.after_end(
                    Some(&proven),
                    opened.as_ref(),
                    self.t.say("address-removed"),
                    &lines,
                )
            }
        }
    }
}
