//! A new set of recovery codes: shown once, and in force when the person says that they are saved.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::separate_engine_error;
use crate::web::login::{LoginRequest, RequestContext};
use crate::web::pages::account::StepUpQuestion;
use crate::web::refusal::ActRefused;
use crate::web::step_up::{FreshStepUp, StepUpProof};
use hyper::StatusCode;
use shared::engine::{LoginError, Requester};
use shared::protocol::command_request::{
    ChangeOperation, CommandRequest, FinishOperation, Operation, ReplyBody, TypedText,
};
use shared::token::session::Session;

/// New codes as people read them, and what makes them good.
pub(crate) struct RenewedCodes {
    pub(crate) codes: Vec<TypedText>,
    pub(crate) ticket: TypedText,
}

impl RequestContext<'_> {
    /// Makes new codes, which nothing keeps yet.
    pub(crate) async fn begin_recovery_codes(
        &self,
        proven: &StepUpProof,
    ) -> Result<RenewedCodes, ActRefused> {
        let change = ChangeOperation::BeginRecoveryCodes;
        match self
            .errand(proven, Operation::Change { code: None, change })
            .await?
        {
            ReplyBody::RecoveryCodes { codes, ticket } => Ok(RenewedCodes { codes, ticket }),
            _ => Err(ActRefused::new(
                StatusCode::CONFLICT,
                "stale",
                self.t.say("stale"),
            )),
        }
    }

    /// They take the place of the old ones.
    pub(crate) async fn keep_recovery_codes(
        &self,
        session: &Session,
        ticket: TypedText,
    ) -> Result<(), ActRefused> {
        let (session, visit) = (session.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            let task = Operation::Finish(FinishOperation::KeepRecoveryCodes { ticket });
            let errand = CommandRequest {
                account: session.name.clone(),
                task,
            };
            let caller = Requester::SteppedUp(&session, &visit.origin);
            separate_engine_error(door.run_errand(caller, &errand, visit.now()?))
                .map_err(LoginError::Engine)
        });
        let kept = run.await.map_err(|error| self.not_run(&error))?;
        self.came_of(kept.map(|_| ()))
    }

    /// GET recovery-codes
    pub(crate) async fn recovery_codes_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        let asked = StepUpQuestion {
            act: "recovery-codes",
            title: self.t.say("new-codes"),
            lines: vec![self.t.say("new-codes-line")],
            button: self.t.say("new-codes"),
            hidden: Vec::new(),
        };
        self.ask(asked, refused).await
    }

    /// POST recovery-codes
    pub(crate) async fn make_recovery_codes(&self, form: &Form) -> HttpReply {
        let made = match self.prove(&FreshStepUp::of(form)).await {
            Ok(proven) => self
                .begin_recovery_codes(&proven)
                .await
                .map(|new| (proven, new)),
            Err(refused) => Err(refused),
        };
        match made {
            Err(refused) => self.recovery_codes_page(Some(&refused)).await,
            Ok((proven, new)) => {
                let codes: Vec<&str> = new.codes.iter().map(|code| &**code).collect();
                let page = self.new_codes(
                    &codes,
                    "recovery-codes/confirm",
                    &new.ticket,
                    self.t.say("use-new-codes"),
                );
                self.with_proof(page, &proven)
            }
        }
    }

    /// POST recovery-codes/confirm
    pub(crate) async fn recovery_codes_are_saved(&self, form: &Form) -> HttpReply {
        if form.field("saved") != "yes" {
            return reply::bare(StatusCode::BAD_REQUEST);
        }
        let ticket = TypedText::from(form.field("confirmed").to_owned());
        let kept = match self.signed_in() {
            Ok(session) => self.keep_recovery_codes(&session, ticket).await,
            Err(refused) => Err(refused),
        };
        match kept {
            Err(refused) => self.refused(&refused),
            Ok(()) => self.done(
                self.t.say("codes-renewed"),
                &[self.t.say("codes-renewed-line")],
            ),
        }
    }
}
