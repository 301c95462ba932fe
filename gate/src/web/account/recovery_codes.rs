//! A new set of recovery codes: shown once, and in force when the person says that they are saved.

use crate::http::form::Form;
use crate::http::reply::{self, Reply};
use crate::live::store_pool::at_door;
use crate::web::login::{Guest, Visit};
use crate::web::pages::account::Asked;
use crate::web::refusal::Refused;
use crate::web::step_up::{Fresh, Proven};
use hyper::StatusCode;
use shared::engine::{Caller, SignInError};
use shared::protocol::command_request::{Answer, Change, Errand, Finish, Task, Typed};
use shared::token::session::Session;

/// New codes as people read them, and what makes them good.
pub(crate) struct NewCodes {
    pub(crate) codes: Vec<Typed>,
    pub(crate) ticket: Typed,
}

impl Guest<'_> {
    /// Makes new codes, which nothing keeps yet.
    pub(crate) async fn begin_recovery_codes(&self, proven: &Proven) -> Result<NewCodes, Refused> {
        let change = Change::BeginRecoveryCodes;
        match self
            .errand(proven, Task::Change { code: None, change })
            .await?
        {
            Answer::RecoveryCodes { codes, ticket } => Ok(NewCodes { codes, ticket }),
            _ => Err(Refused::new(
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
        ticket: Typed,
    ) -> Result<(), Refused> {
        let (session, visit) = (session.clone(), Visit::of(self));
        let run = self.judge().run(move |door| {
            let task = Task::Finish(Finish::KeepRecoveryCodes { ticket });
            let errand = Errand {
                account: session.name.clone(),
                task,
            };
            let caller = Caller::SteppedUp(&session, &visit.origin);
            at_door(door.run_errand(caller, &errand, visit.now()?)).map_err(SignInError::Door)
        });
        let kept = run.await.map_err(|error| self.not_run(&error))?;
        self.came_of(kept.map(|_| ()))
    }

    /// GET recovery-codes
    pub(crate) async fn recovery_codes_page(&self, refused: Option<&Refused>) -> Reply {
        let asked = Asked {
            act: "recovery-codes",
            title: self.t.say("new-codes"),
            lines: vec![self.t.say("new-codes-line")],
            button: self.t.say("new-codes"),
            hidden: Vec::new(),
        };
        self.ask(asked, refused).await
    }

    /// POST recovery-codes
    pub(crate) async fn make_recovery_codes(&self, form: &Form) -> Reply {
        let made = match self.prove(&Fresh::of(form)).await {
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
    pub(crate) async fn recovery_codes_are_saved(&self, form: &Form) -> Reply {
        if form.field("saved") != "yes" {
            return reply::bare(StatusCode::BAD_REQUEST);
        }
        let ticket = Typed::from(form.field("confirmed").to_owned());
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
