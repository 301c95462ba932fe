//! The second factor as a whole: turned on, replaced, turned off.

use crate::http::form::Form;
use crate::http::reply::HttpReply;
use crate::web::login::{LoginRequest, RequestContext};
use crate::web::pages::account::StepUpQuestion;
use crate::web::refusal::ActRefused;
use crate::web::step_up::{FreshStepUp, StepUpProof};
use hyper::StatusCode;
use shared::account::name::UserName;
use shared::engine::{AppPasswordsAfter, EnrollmentToken, OpenedSession};

impl RequestContext<'_> {
    /// Turns it off, unless the policy requires one.
    pub(crate) async fn turn_second_factor_off(
        &self,
        proven: &StepUpProof,
    ) -> Result<(AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
        if self.is_required(&proven.session.name).await? {
            return Err(ActRefused::new(
                StatusCode::CONFLICT,
                "required",
                self.t.say("turn-off-required"),
            ));
        }
        let name = proven.session.name.clone();
        let done = self
            .act_and_go_on(&proven.session, move |door, actor, now| {
                door.disable(&name, actor, now)
            })
            .await?;
        self.log(&proven.session.name, "disabled", "step-up");
        Ok(done)
    }

    pub(super) async fn is_required(&self, name: &UserName) -> Result<bool, ActRefused> {
        let name = name.clone();
        let run = self
            .judge()
            .with_engine(move |door| door.is_required(&name))
            .await;
        run.map_err(|error| self.not_run(&error))
    }

    /// GET turn-off
    pub(crate) async fn turn_off_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        let asked = StepUpQuestion {
            act: "turn-off",
            title: self.t.say("turn-off"),
            lines: vec![self.t.say("turn-off-line")],
            button: self.t.say("turn-off"),
            hidden: Vec::new(),
        };
        self.ask(asked, refused).await
    }

    /// POST turn-off
    pub(crate) async fn turn_off(&self, form: &Form) -> HttpReply {
        let done = match self.prove(&FreshStepUp::of(form)).await {
            Ok(proven) => self
                .turn_second_factor_off(&proven)
                .await
                .map(|done| (proven, done)),
            Err(refused) => Err(refused),
        };
        match done {
            Err(refused) => self.turn_off_page(Some(&refused)).await,
            Ok((proven, (after, opened))) => {
                let off = self.t.say("turned-off-line");
                let lines: Vec<String> = std::iter::once(off)
                    .chain(self.t.app_passwords(after))
                    .collect();
                self.after_end(
                    Some(&proven),
                    opened.as_ref(),
                    self.t.say("turned-off"),
                    &lines,
                )
            }
        }
    }

    /// GET replace
    pub(crate) async fn replace_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        let asked = StepUpQuestion {
            act: "replace",
            title: self.t.say("replace"),
            lines: vec![self.t.say("enroll-new-line")],
            button: self.t.say("continue"),
            hidden: Vec::new(),
        };
        self.ask(asked, refused).await
    }

    /// POST replace
    pub(crate) async fn replace(&self, form: &Form) -> HttpReply {
        let proven = match self.prove(&FreshStepUp::of(form)).await {
            Ok(proven) => proven,
            Err(refused) => return self.replace_page(Some(&refused)).await,
        };
        match self.begin_replacement(&proven).await {
            Ok(token) => self.with_proof(self.ask_setup(&token), &proven),
            Err(refused) => self.replace_page(Some(&refused)).await,
        }
    }

    /// What leads to a second factor in place of the one that there is.
    pub(crate) async fn begin_replacement(
        &self,
        proven: &StepUpProof,
    ) -> Result<EnrollmentToken, ActRefused> {
        let (session, token, visit) = (
            proven.session.clone(),
            proven.token().clone(),
            LoginRequest::of(self),
        );
        let run = self
            .judge()
            .with_engine(move |door| door.replace(&session, &token, visit.now()?));
        run.await.map_err(|error| self.not_run(&error))
    }

    /// What leads to a first second factor; refused, if there is one.
    pub(crate) async fn begin_turning_on(
        &self,
        proven: &StepUpProof,
    ) -> Result<EnrollmentToken, ActRefused> {
        let (session, token, visit) = (
            proven.session.clone(),
            proven.token().clone(),
            LoginRequest::of(self),
        );
        let run = self
            .judge()
            .with_engine(move |door| door.turn_on(&session, &token, &visit.origin, visit.now()?));
        let begun = run.await.map_err(|error| self.not_run(&error))?;
        begun.ok_or_else(|| {
            ActRefused::new(
                StatusCode::CONFLICT,
                "already_enrolled",
                self.t.say("already-enrolled"),
            )
        })
    }

    /// GET turn-on
    pub(crate) async fn turn_on_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        let asked = StepUpQuestion {
            act: "turn-on",
            title: self.t.say("enroll"),
            lines: vec![
                self.t.say("turn-on-line"),
                self.t.say("app-password-needed"),
            ],
            button: self.t.say("continue"),
            hidden: Vec::new(),
        };
        self.ask(asked, refused).await
    }

    /// POST turn-on
    pub(crate) async fn turn_on(&self, form: &Form) -> HttpReply {
        let proven = match self.prove(&FreshStepUp::of(form)).await {
            Ok(proven) => proven,
            Err(refused) => return self.turn_on_page(Some(&refused)).await,
        };
        match self.begin_turning_on(&proven).await {
            Err(refused) => self.turn_on_page(Some(&refused)).await,
            Ok(token) => self.ask_setup(&token),
        }
    }
}
