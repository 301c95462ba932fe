//! The password of the built-in first factor, changed by its owner.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::web::login::RequestContext;
use crate::web::pages::{self, html};
use crate::web::refusal::ActRefused;
use crate::web::step_up::{FreshStepUp, StepUpProof};
use hyper::StatusCode;
use shared::config::gate::FirstFactorSource;
use shared::crypto::password::Password;
use shared::engine::{AdministrationError, AppPasswordsAfter, OpenedSession};
use zeroize::Zeroizing;

impl RequestContext<'_> {
    /// Changes it; every other session and every trusted browser has ended then.
    pub(crate) async fn set_password(
        &self,
        proven: &StepUpProof,
        new: Zeroizing<String>,
    ) -> Result<(AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
        if self.site.gate().first_factor != FirstFactorSource::Password {
            return Err(ActRefused::new(
                StatusCode::CONFLICT,
                "password_not_managed",
                self.t.say("password-elsewhere"),
            ));
        }
        let password = Password::new(new)
            .map_err(|error| ActRefused::act(self.t, &AdministrationError::Password(error)))?;
        let account = proven.session.name.clone();
        self.hash_and_go_on(&proven.session, move |door, actor, now| {
            door.set_password(&account, &password, actor, now)
        })
        .await
    }

    /// GET password
    pub(crate) async fn password_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        if self.site.gate().first_factor != FirstFactorSource::Password {
            return reply::bare(StatusCode::NOT_FOUND);
        }
        let proof = match self.asks_for_proof().await {
            Ok(proof) => proof,
            Err(refused) => return self.refused(&refused),
        };
        let page = pages::account::NewPasswordPage {
            frame: self.frame(),
            proof,
            least: shared::crypto::password::SHORTEST,
            message: refused.map(|refused| refused.text.as_str()),
        };
        self.page_after(html(&page), refused)
    }

    /// POST password
    pub(crate) async fn change_password(&self, form: &Form) -> HttpReply {
        match self.password_changed(form).await {
            Err(refused) => self.password_page(Some(&refused)).await,
            Ok((proven, after, opened)) => {
                let line = self.t.say("password-changed-line");
                let lines: Vec<String> = std::iter::once(line)
                    .chain(self.t.app_passwords(after))
                    .collect();
                self.after_end(
                    Some(&proven),
                    opened.as_ref(),
                    self.t.say("password-changed"),
                    &lines,
                )
            }
        }
    }

    async fn password_changed(
        &self,
        form: &Form,
    ) -> Result<(StepUpProof, AppPasswordsAfter, Option<OpenedSession>), ActRefused> {
        let new = form.field("new");
        if new != form.field("repeat") {
            return Err(ActRefused::unreadable(self.t.say("passwords-differ")));
        }
        // before a code is spent on it
        Password::new(Zeroizing::new(new.to_owned()))
            .map_err(|error| ActRefused::act(self.t, &AdministrationError::Password(error)))?;
        let proven = self.prove(&FreshStepUp::of(form)).await?;
        let (after, opened) = self
            .set_password(&proven, Zeroizing::new(new.to_owned()))
            .await?;
        Ok((proven, after, opened))
    }
}
