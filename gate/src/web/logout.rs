//! Sign-out: every valid session that the browser shows is ended, and its cookies go, whatever else fails. What could not
//! be ended is said.
//!
//! MUST NOT wait for the workers that compare passwords and codes: strangers can fill them.

use super::login::RequestContext;
use super::pages::{self, html};
use crate::check::forward_auth;
use crate::http::cookies::SessionCookies;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::{PoolClient, PoolError, ShareKey};
use crate::observe::log;
use hyper::StatusCode;
use shared::system::admission::Busy;
use shared::token::session::Session;

/// The most sessions that one request ends.
const MOST: usize = 16;
/// What came of a sign-out.
pub(crate) enum SignedOut {
    /// The browser showed no session that could be read.
    Nothing,
    /// Every session that it showed is ended.
    Ended,
    /// These go on; why, for the log.
    Left(Vec<Session>, PoolError),
}

impl RequestContext<'_> {
    /// POST sign-out
    pub(crate) async fn sign_out(&self) -> HttpReply {
        let (status, title, line) = match self.end_sessions().await {
            SignedOut::Ended => (
                StatusCode::OK,
                self.t.say("signed-out"),
                self.t.say("signed-out-line"),
            ),
            SignedOut::Nothing => (
                StatusCode::OK,
                self.t.say("signed-out"),
                self.t.say("no-session-to-end"),
            ),
            SignedOut::Left(left, _) => (
                StatusCode::SERVICE_UNAVAILABLE,
                self.t.say("unavailable"),
                self.left(&left),
            ),
        };
        self.without_cookies(self.notice(status, &title, &[line]))
    }

    /// What to say of sessions that go on.
    pub(crate) fn left(&self, left: &[Session]) -> String {
        let of = |session: &Session| format!("{} ({})", session.name, session.issued);
        let sessions = left.iter().map(of).collect::<Vec<_>>().join(", ");
        self.t.say_of("session-not-ended", "sessions", sessions)
    }

    /// Ends every session whose valid value is among the cookies, in time or not, of this host or not.
    pub(crate) async fn end_sessions(&self) -> SignedOut {
        let Ok(line) = forward_auth::cookie_line(self.headers) else {
            return SignedOut::Nothing;
        };
        // one who signs out is sure to have one of them, so that all are looked at
        let shown = SessionCookies::parse(
            line.as_bytes(),
            self.site.cookies.names.session,
            &self.site.revocation_cache.token_keys(),
            usize::MAX,
        );
        let mut sessions: Vec<Session> = shown
            .signed
            .into_iter()
            .map(|(_, session)| session)
            .collect();
        sessions.sort_by_key(|session| session.id.0);
        sessions.dedup_by_key(|session| session.id);
        if sessions.is_empty() {
            return SignedOut::Nothing;
        }
        let (mut left, mut why) = (Vec::new(), None);
        for (number, session) in sessions.into_iter().enumerate() {
            let ended = match number < MOST {
                true => self.end(&session).await,
                false => Err(PoolError::Busy(Busy::Own)),
            };
            if let Err(error) = ended {
                left.push(session);
                why.get_or_insert(error);
            }
        }
        let Some(why) = why else {
            return SignedOut::Ended;
        };
        if let PoolError::Failed { cause, why } = &why {
            let line = log::event("refused")
                .with("cause", cause)
                .with("address", self.address);
            line.write_with_message(format_args!("a sign-out could not end the session: {why}"));
        }
        SignedOut::Left(left, why)
    }

    /// Its signature is right, so that it takes the share of those who have proven something, whether it is good here or not.
    async fn end(&self, session: &Session) -> Result<(), PoolError> {
        let workers = self
            .site
            .store_pool
            .for_client(PoolClient::proven(ShareKey::SignOut(session.name.clone())));
        let id = session.id;
        workers.with_engine(move |door| door.sign_out(id)).await
    }

    /// GET cookies: clears them where it is clear that this is wanted: they are not clear, or the way led here from a page
    /// of the same site. Another site's link signs nobody out.
    pub(crate) fn cookies_page(&self) -> HttpReply {
        let from = self
            .headers
            .get("sec-fetch-site")
            .map(|site| site.as_bytes());
        let led_here = forward_auth::is_navigation(self.headers)
            && matches!(from, Some(b"none" | b"same-origin" | b"same-site"));
        if led_here || self.unclear().is_some() {
            return self.clear_cookies();
        }
        reply::page(
            StatusCode::OK,
            html(&pages::CookiesPage {
                frame: self.frame(),
            }),
        )
    }

    /// POST cookies
    pub(crate) fn clear_cookies(&self) -> HttpReply {
        let lines = [self.t.say("cookies-line"), self.t.say("cookies-removed")];
        let page = self.notice(StatusCode::OK, &self.t.say("cookies"), &lines);
        reply::with_cookies_cleared(page, &self.site.cookies.expired_cookies())
    }

    /// GET not-covered
    pub(crate) fn not_covered_page(&self, host: &str) -> HttpReply {
        let is_one = shared::network::web_address::is_host(host)
            && !self.site.covers(&host.to_ascii_lowercase());
        let host = if is_one { host } else { "" };
        let lines = [
            self.t.say_of("not-covered-line", "host", host.to_owned()),
            self.t.say("not-covered-ask"),
        ];
        let page = pages::NoticePage {
            frame: self.frame(),
            title: &self.t.say("not-covered"),
            lines: &lines,
            link: None,
            signed_in: false,
            stepped_up: false,
        };
        reply::page(StatusCode::FORBIDDEN, html(&page))
    }
}
