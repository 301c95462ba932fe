//! Where the account is signed in, and which browsers it trusts: listed, and ended one by one or all at once.

use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::web::login::RequestContext;
use crate::web::pages::{self, html};
use crate::web::refusal::ActRefused;
use shared::store::{BrowserRecord, SessionRecord};
use shared::token::session::{Session, SessionId};

/// The most of a list that is shown, newest first.
const MOST: usize = 200;

impl RequestContext<'_> {
    /// The account's sessions, newest first.
    pub(crate) async fn sessions(
        &self,
        session: &Session,
    ) -> Result<Vec<SessionRecord>, ActRefused> {
        let account = session.name.clone();
        self.act(session, move |door, _, now| door.sessions(&account, now))
            .await
    }

    /// The browsers that it trusts, newest first.
    pub(crate) async fn browsers(
        &self,
        session: &Session,
    ) -> Result<Vec<BrowserRecord>, ActRefused> {
        let account = session.name.clone();
        self.act(session, move |door, _, now| {
            door.trusted_browsers(&account, now)
        })
        .await
    }

    /// Ends one session, or all, this one too; how many.
    pub(crate) async fn revoke_sessions(
        &self,
        session: &Session,
        one: Option<SessionId>,
    ) -> Result<usize, ActRefused> {
        let account = session.name.clone();
        self.act(session, move |door, actor, now| {
            door.revoke_sessions(&account, one, actor, now)
        })
        .await
    }

    /// Trusts one browser, or all, no longer; how many.
    pub(crate) async fn revoke_browsers(
        &self,
        session: &Session,
        one: Option<i64>,
    ) -> Result<usize, ActRefused> {
        let account = session.name.clone();
        self.act(session, move |door, actor, now| {
            door.revoke_browsers(&account, one, actor, now)
        })
        .await
    }

    /// GET sign-ins
    pub(crate) async fn sign_ins_page(&self, refused: Option<&ActRefused>) -> HttpReply {
        let listed = match self.signed_in() {
            Ok(session) => self.listed(session).await,
            Err(refused) => Err(refused),
        };
        let (session, sessions, browsers) = match listed {
            Ok(listed) => listed,
            Err(refused) => return self.refused(&refused),
        };
        let page = pages::account::SessionsPage {
            frame: self.frame(),
            own: session.id,
            sessions: &sessions,
            browsers: &browsers,
            message: refused.map(|refused| refused.text.as_str()),
        };
        self.page_after(html(&page), refused)
    }

    async fn listed(
        &self,
        session: Session,
    ) -> Result<(Session, Vec<SessionRecord>, Vec<BrowserRecord>), ActRefused> {
        let mut sessions = self.sessions(&session).await?;
        let mut browsers = self.browsers(&session).await?;
        sessions.truncate(MOST);
        browsers.truncate(MOST);
        Ok((session, sessions, browsers))
    }

    /// POST sign-ins
    pub(crate) async fn change_sign_ins(&self, form: &Form) -> HttpReply {
        match self.ended(form).await {
            Err(refused) => self.sign_ins_page(Some(&refused)).await,
            Ok(()) => reply::see_other(&self.at("sign-ins")),
        }
    }

    async fn ended(&self, form: &Form) -> Result<(), ActRefused> {
        let session = self.signed_in()?;
        let unreadable = || ActRefused::unreadable(self.t.say("act-failed"));
        match (form.field("action"), form.field("id")) {
            ("end", "all") => self.revoke_sessions(&session, None).await.map(|_| ()),
            ("end", id) => {
                let id = SessionId::parse(id).ok_or_else(unreadable)?;
                self.revoke_sessions(&session, Some(id)).await.map(|_| ())
            }
            ("forget", "all") => self.revoke_browsers(&session, None).await.map(|_| ()),
            ("forget", number) => {
                let number = number.parse().map_err(|_| unreadable())?;
                self.revoke_browsers(&session, Some(number))
                    .await
                    .map(|_| ())
            }
            _ => Err(unreadable()),
        }
    }
}
