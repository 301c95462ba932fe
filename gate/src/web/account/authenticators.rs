//! Authenticators beside the first: added, with a code that they show, and removed.

use crate::http::form::Form;
use crate::http::reply::HttpReply;
use crate::live::store_pool::separate_engine_error;
use crate::web::login::{LoginRequest, RequestContext};
use crate::web::pages::account::StepUpQuestion;
use crate::web::pages::{self, html};
use crate::web::refusal::ActRefused;
use crate::web::step_up::{FreshStepUp, StepUpProof};
use hyper::StatusCode;
use shared::account::name::Label;
use shared::credential::totp::Algorithm;
use shared::engine::{
    AdministrationError, Engine, LoginError, OpenedSession, Principal, Requester, ShownEnrollment,
};
use shared::protocol::command_request::{
    AuthenticatorKind, ChangeOperation, CommandRequest, EnrollmentOperation, FinishOperation,
    Operation, ReplyBody, TypedText,
};
use shared::token::session::Session;
use shared::verify::decision::Refusal;

/// Where the code of a new one goes.
const CONFIRM: &str = "authenticators/confirm";

/// What came of a new one's code.
pub(crate) enum ConfirmedAuthenticator {
    /// It is live; the session to go on in.
    Live(Option<Box<OpenedSession>>),
    /// The code is not of it, and why; another one may be.
    Not(Refusal),
}

impl RequestContext<'_> {
    /// Makes a new authenticator, which nothing keeps yet.
    pub(crate) async fn begin_authenticator(
        &self,
        proven: &StepUpProof,
        setup: EnrollmentOperation,
    ) -> Result<TypedText, ActRefused> {
        let change = ChangeOperation::BeginSetup(setup);
        match self
            .errand(proven, Operation::Change { code: None, change })
            .await?
        {
            ReplyBody::Setup { ticket, .. } => Ok(ticket),
            _ => Err(ActRefused::new(
                StatusCode::CONFLICT,
                "stale",
                self.t.say("stale"),
            )),
        }
    }

    /// What is shown of it.
    pub(crate) async fn shown(
        &self,
        session: &Session,
        ticket: TypedText,
    ) -> Result<ShownEnrollment, ActRefused> {
        let (session, visit) = (session.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            let caller = Requester::SteppedUp(&session, &visit.origin);
            let shown = door.shown_again(caller, &session.name, &ticket, visit.now()?);
            separate_engine_error(shown).map_err(LoginError::Engine)
        });
        let shown = run.await.map_err(|error| self.not_run(&error))?;
        self.came_of(shown)
    }

    /// Confirms it by its code; then it is live, and every other session of the account has ended.
    pub(crate) async fn confirm_authenticator(
        &self,
        session: &Session,
        ticket: TypedText,
        code: TypedText,
    ) -> Result<ConfirmedAuthenticator, ActRefused> {
        let (session, visit) = (session.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            let now = visit.now()?;
            let caller = Requester::SteppedUp(&session, &visit.origin);
            let errand = |finish| CommandRequest {
                account: session.name.clone(),
                task: Operation::Finish(finish),
            };
            let confirm = errand(FinishOperation::Confirm { ticket, code });
            let ticket = match separate_engine_error(door.run_errand(caller, &confirm, now))
                .map_err(LoginError::Engine)?
            {
                Err(error) => return Ok::<_, LoginError>(Err(error)),
                Ok(reply) => match reply.answer {
                    ReplyBody::Confirmed { ticket } => ticket,
                    ReplyBody::NotConfirmed(why) => {
                        return Ok(Ok(ConfirmedAuthenticator::Not(why)));
                    }
                    _ => return Ok(Err(AdministrationError::Stale)),
                },
            };
            let activate = errand(FinishOperation::Activate { ticket });
            if let Err(error) = separate_engine_error(door.run_errand(caller, &activate, now))
                .map_err(LoginError::Engine)?
            {
                return Ok(Err(error));
            }
            let opened = door.reopen_session(&visit.browser(), &session, now)?;
            Ok(Ok(ConfirmedAuthenticator::Live(opened.map(Box::new))))
        });
        let confirmed = run.await.map_err(|error| self.not_run(&error))?;
        self.came_of(confirmed)
    }

    /// Removes an authenticator that is not the only one.
    pub(crate) async fn remove_authenticator(
        &self,
        proven: &StepUpProof,
        label: Label,
    ) -> Result<Option<OpenedSession>, ActRefused> {
        let name = proven.session.name.clone();
        let remove = move |door: &mut Engine, actor: Principal<'_>, now| {
            door.remove_authenticator(&name, &label, actor, now)
        };
        Ok(self.act_and_go_on(&proven.session, remove).await?.1)
    }

    /// GET authenticators/add
    pub(crate) async fn add_authenticator_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        let proof = match self.asks_for_proof().await {
            Ok(proof) => proof,
            Err(refused) => return self.refused(&refused),
        };
        let page = pages::account::AddAuthenticatorPage {
            frame: self.frame(),
            proof,
            message: refused.map(|refused| refused.text.as_str()),
        };
        self.page_after(html(&page), refused)
    }

    /// POST authenticators/add
    pub(crate) async fn add_authenticator(&self, form: &Form) -> HttpReply {
        match self.begun(form).await {
            Err(refused) => self.add_authenticator_page(Some(&refused)).await,
            Ok((proven, shown)) => {
                let name = &proven.session.name;
                let page = self.new_authenticator(StatusCode::OK, CONFIRM, name, &shown, None);
                self.with_proof(page, &proven)
            }
        }
    }

    async fn begun(&self, form: &Form) -> Result<(StepUpProof, ShownEnrollment), ActRefused> {
        let setup = self.described(form)?;
        let proven = self.prove(&FreshStepUp::of(form)).await?;
        let ticket = self.begin_authenticator(&proven, setup).await?;
        let shown = self.shown(&proven.session, ticket).await?;
        Ok((proven, shown))
    }

    /// What the form says that it is to be like: an app's unless a token's seed is given.
    fn described(&self, form: &Form) -> Result<EnrollmentOperation, ActRefused> {
        let name = form.field("name").trim().parse::<Label>();
        let name = name.map_err(|_| ActRefused::unreadable(self.t.say("name-invalid")))?;
        let seed: String = form.field("secret").split_whitespace().collect();
        let mut setup = EnrollmentOperation {
            kind: AuthenticatorKind::Further,
            name,
            seed: None,
            counter: None,
            algorithm: None,
            digits: None,
            period: None,
        };
        if seed.is_empty() {
            return Ok(setup);
        }
        setup.seed = Some(seed.into());
        setup.digits = Some(if form.field("digits") == "8" { 8 } else { 6 });
        setup.algorithm = Some(match form.field("algorithm") {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => Algorithm::Sha1,
        });
        match form.field("type") {
            "counter" => setup.counter = Some(0),
            "60" => setup.period = Some(60),
            _ => setup.period = Some(30),
        }
        Ok(setup)
    }

    /// POST authenticators/confirm
    pub(crate) async fn confirm_added(&self, form: &Form) -> HttpReply {
        let session = match self.signed_in() {
            Ok(session) => session,
            Err(refused) => return self.refused(&refused),
        };
        // of the session as it is: the act ends it
        let proven = self.stepped_up();
        let typed = |field| TypedText::from(form.field(field).to_owned());
        let ticket = typed("pending");
        match self
            .confirm_authenticator(&session, ticket.clone(), typed("code"))
            .await
        {
            Err(refused) => self.refused(&refused),
            Ok(ConfirmedAuthenticator::Not(why)) => match self.shown(&session, ticket).await {
                Err(refused) => self.refused(&refused),
                Ok(shown) => {
                    let (status, text) = (StatusCode::FORBIDDEN, self.t.refusal(why));
                    self.new_authenticator(status, CONFIRM, &session.name, &shown, Some(&text))
                }
            },
            Ok(ConfirmedAuthenticator::Live(opened)) => {
                let (title, lines) = (
                    self.t.say("authenticator-added"),
                    [self.t.say("authenticator-added-line")],
                );
                self.after_end(proven.as_ref(), opened.as_deref(), title, &lines)
            }
        }
    }

    /// GET authenticators/remove
    pub(crate) async fn remove_authenticator_page(
        &self,
        label: &str,
        refused: Option<&ActRefused>,
    ) -> HttpReply {
        let asked = StepUpQuestion {
            act: "authenticators/remove",
            title: self.t.say("remove-authenticator"),
            lines: vec![
                self.t
                    .say_of("remove-authenticator-line", "name", label.to_owned()),
            ],
            button: self.t.say("remove"),
            hidden: vec![("name", label.to_owned())],
        };
        self.ask(asked, refused).await
    }

    /// POST authenticators/remove
    pub(crate) async fn remove_authenticator_asked(&self, form: &Form) -> HttpReply {
        let label = form.field("name");
        match self.removed(form, label).await {
            Err(refused) => self.remove_authenticator_page(label, Some(&refused)).await,
            Ok((proven, opened)) => {
                let (title, line) = (
                    self.t.say("authenticator-removed"),
                    self.t.say("authenticator-removed-line"),
                );
                self.after_end(Some(&proven), opened.as_ref(), title, &[line])
            }
        }
    }

    async fn removed(
        &self,
        form: &Form,
        label: &str,
    ) -> Result<(StepUpProof, Option<OpenedSession>), ActRefused> {
        let name = label
            .parse::<Label>()
            .map_err(|_| ActRefused::unreadable(self.t.say("name-invalid")))?;
        let proven = self.prove(&FreshStepUp::of(form)).await?;
        let opened = self.remove_authenticator(&proven, name).await?;
        Ok((proven, opened))
    }
}
