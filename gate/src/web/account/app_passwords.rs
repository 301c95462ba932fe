//! App passwords, for programs that can show no page: made, renamed, revoked.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::web::login::RequestContext;
use crate::web::pages::{self, html};
use crate::web::refusal::ActRefused;
use crate::web::step_up::{FreshStepUp, StepUpProof};
use hyper::StatusCode;
use shared::account::name::Label;
use shared::credential::app_password::AppPassword;
use shared::credential::scope::AppPasswordScope;
use shared::store::AppPasswordRecord;
use shared::system::clock::{self, Timestamp};
use shared::token::session::Session;

/// Lives that the page offers, in days.
pub(crate) const LIVES: [u64; 3] = [30, 90, 365];
/// Seconds of a day.
const DAY: u64 = 86_400;

/// What a new one is to be.
pub(crate) struct CreatedAppPassword {
    pub(crate) name: Label,
    pub(crate) scope: AppPasswordScope,
    pub(crate) expires: Option<Timestamp>,
}

impl RequestContext<'_> {
    /// Makes one; it is shown once.
    pub(crate) async fn add_app_password(
        &self,
        proven: &StepUpProof,
        new: CreatedAppPassword,
    ) -> Result<AppPassword, ActRefused> {
        let account = proven.session.name.clone();
        self.act(&proven.session, move |door, actor, now| {
            door.add_app_password(&account, &new.name, &new.scope, new.expires, actor, now)
        })
        .await
    }

    /// The account's.
    pub(crate) async fn app_passwords(
        &self,
        session: &Session,
    ) -> Result<Vec<AppPasswordRecord>, ActRefused> {
        let account = session.name.clone();
        self.act(session, move |door, _, _| {
            door.app_passwords(Some(&account))
        })
        .await
    }

    /// Gives one another name.
    pub(crate) async fn rename_app_password(
        &self,
        session: &Session,
        name: Label,
        new: Label,
    ) -> Result<(), ActRefused> {
        let account = session.name.clone();
        self.act(session, move |door, actor, now| {
            door.rename_app_password(&account, &name, &new, actor, now)
        })
        .await
    }

    /// Revokes one, or all; how many.
    pub(crate) async fn revoke_app_passwords(
        &self,
        session: &Session,
        one: Option<Label>,
    ) -> Result<usize, ActRefused> {
        let account = session.name.clone();
        self.act(session, move |door, actor, now| {
            door.revoke_app_passwords(&account, one.as_ref(), actor, now)
        })
        .await
    }

    /// GET app-passwords
    pub(crate) async fn app_passwords_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        let listed = match self.signed_in() {
            Ok(session) => match self.proof(&session).await {
                Ok(proof) => self.app_passwords(&session).await.map(|all| (proof, all)),
                Err(refused) => Err(refused),
            },
            Err(refused) => Err(refused),
        };
        let (proof, all) = match listed {
            Ok(listed) => listed,
            Err(refused) => return self.refused(&refused),
        };
        let named: Vec<String> = self
            .site
            .gate()
            .scope
            .keys()
            .map(ToString::to_string)
            .collect();
        let page = pages::account::AppPasswordsPage {
            frame: self.frame(),
            all: &all,
            named: &named,
            lives: &LIVES,
            proof,
            message: refused.map(|refused| refused.text.as_str()),
        };
        self.page_after(html(&page), refused)
    }

    /// POST app-passwords
    pub(crate) async fn make_app_password(&self, form: &Form) -> HttpReply {
        match self.made(form).await {
            Err(refused) => self.app_passwords_page(Some(&refused)).await,
            Ok((proven, name, password)) => {
                let page = pages::account::NewAppPasswordPage {
                    frame: self.frame(),
                    user: proven.session.name.as_str(),
                    name: name.as_str(),
                    password: &password.grouped(),
                };
                self.with_proof(reply::page(StatusCode::OK, html(&page)), &proven)
            }
        }
    }

    async fn made(&self, form: &Form) -> Result<(StepUpProof, Label, AppPassword), ActRefused> {
        let name = self.label(form.field("name"))?;
        let lines: Vec<&str> = form
            .field("scope")
            .lines()
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect();
        let scope: AppPasswordScope =
            lines
                .join("\n")
                .parse()
                .map_err(|error: shared::credential::scope::ScopeError| {
                    ActRefused::unreadable(self.t.say_of("scope-invalid", "why", error.to_string()))
                })?;
        let days = form
            .field("days")
            .parse::<u64>()
            .ok()
            .filter(|days| LIVES.contains(days));
        let now =
            clock::now().map_err(|_| ActRefused::unreadable(self.t.say("unavailable-line")))?;
        let expires = days.map(|days| now.plus(days * DAY));
        let proven = self.prove(&FreshStepUp::of(form)).await?;
        let new = CreatedAppPassword {
            name: name.clone(),
            scope,
            expires,
        };
        let password = self.add_app_password(&proven, new).await?;
        Ok((proven, name, password))
    }

    /// POST app-passwords/change
    pub(crate) async fn change_app_password(&self, form: &Form) -> HttpReply {
        match self.changed(form).await {
            Err(refused) => self.app_passwords_page(Some(&refused)).await,
            Ok(()) => reply::see_other(&self.at("app-passwords")),
        }
    }

    async fn changed(&self, form: &Form) -> Result<(), ActRefused> {
        let session = self.signed_in()?;
        let name = self.label(form.field("name"))?;
        match form.field("action") {
            "rename" => {
                let new = self.label(form.field("new"))?;
                self.rename_app_password(&session, name, new).await
            }
            "revoke" => self
                .revoke_app_passwords(&session, Some(name))
                .await
                .map(|_| ()),
            _ => Err(ActRefused::unreadable(self.t.say("act-failed"))),
        }
    }

    /// A name as typed.
    pub(crate) fn label(&self, text: &str) -> Result<Label, ActRefused> {
        text.trim()
            .parse()
            .map_err(|_| ActRefused::unreadable(self.t.say("name-invalid")))
    }
}
