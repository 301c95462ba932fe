//! How far a session goes, and the way from one that the first factor alone opened to one with the code, where a page
//! takes that.

use super::login::{LoginRequest, RequestContext};
use crate::check::rules::{self, ReturnPage, SessionLevel};
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use hyper::StatusCode;
use shared::engine::AfterPassword;
use shared::token::session::Session;

impl RequestContext<'_> {
    /// The session, if it is enough for the gate's own pages.
    pub(crate) fn session(&self) -> Option<Session> {
        self.any_session()
            .filter(|session| rules::is_full_session(self.site, session, Some(self.address)))
    }

    /// Whether the session is enough for a page behind the gate, or nothing ever would be.
    pub(crate) fn may_go_to(&self, back_to: &str) -> bool {
        let Some(session) = self.any_session() else {
            return false;
        };
        match ReturnPage::parse(self.site, back_to) {
            Some(page) => {
                let (_, reach) =
                    rules::decide_session(self.site, &page.request(self.address), &session);
                reach != SessionLevel::UpgradeRequired
            }
            None => {
                !back_to.is_empty()
                    && rules::is_full_session(self.site, &session, Some(self.address))
            }
        }
    }

    /// What a session takes to be enough everywhere; nothing but the whole sign-in, if nothing.
    pub(crate) async fn rise(&self, session: Session) -> Result<Option<AfterPassword>, PoolError> {
        let visit = LoginRequest::of(self);
        self.judge()
            .with_engine(move |door| door.upgrade_session(&visit.browser(), &session, visit.now()?))
            .await
    }

    /// GET upgrade
    pub(crate) async fn rise_page(&self, rd: &str) -> HttpReply {
        let back_to = self
            .site
            .valid_return_url(rd)
            .unwrap_or_default()
            .to_owned();
        let Some(session) = self.any_session() else {
            return self.sign_in(StatusCode::OK, &back_to, "", None);
        };
        // an application's pages get nothing done by an image
        let mode = self.headers.get("sec-fetch-mode");
        if mode.is_some_and(|mode| mode.as_bytes() != b"navigate") {
            return reply::bare(StatusCode::FORBIDDEN);
        }
        let name = session.name.clone();
        match self.rise(session).await {
            Err(error) => self.not_judged(&error),
            Ok(Some(next)) => self.go_on(name, next, &back_to),
            // nothing but the whole sign-in raises it
            Ok(None) => self.sign_in(StatusCode::OK, &back_to, name.as_str(), None),
        }
    }
}
