//! The account at a glance: the gate's front page for whoever is signed in.

use crate::http::reply::{self, HttpReply};
use crate::web::login::RequestContext;
use crate::web::pages::account::BucketNotice;
use crate::web::pages::{self, html};
use crate::web::refusal::ActRefused;
use hyper::StatusCode;
use shared::config::gate::FirstFactorSource;
use shared::engine::AdministratorStatus;
use shared::token::session::Session;

impl RequestContext<'_> {
    /// How the account stands.
    pub(crate) async fn standing(&self, session: &Session) -> Result<BucketNotice, ActRefused> {
        let (name, has_pages) = (session.name.clone(), self.has_administration());
        self.act(session, move |door, _, now| {
            Ok(BucketNotice {
                status: door.account_status(&name)?,
                authenticators: door.authenticators(&name)?,
                app_passwords: door.app_passwords(Some(&name))?.len(),
                sessions: door.sessions(&name, now)?.len(),
                browsers: door.trusted_browsers(&name, now)?.len(),
                administers: if has_pages {
                    door.administrator_status(&name)?
                } else {
                    AdministratorStatus::No
                },
            })
        })
        .await
    }

    /// GET the gate's own address
    pub(crate) async fn home(&self) -> HttpReply {
        let Some(session) = self.session() else {
            if self.any_session().is_some() {
                return reply::see_other(&self.at("upgrade"));
            }
            let lines = [self.t.say("not-signed-in-line")];
            return self.notice(StatusCode::OK, &self.t.say("not-signed-in"), &lines);
        };
        let standing = match self.standing(&session).await {
            Ok(standing) => standing,
            Err(refused) => return self.refused(&refused),
        };
        let page = pages::account::OverviewPage {
            frame: self.frame(),
            user: session.name.as_str(),
            standing: &standing,
            mails: self.site.config.email.is_on(),
            has_password: self.site.gate().first_factor == FirstFactorSource::Password,
            administers: standing.administers == AdministratorStatus::Yes,
        };
        reply::page(StatusCode::OK, html(&page))
    }
}
