//! A setup, page by page: the QR, a code, the recovery codes, and only then the way on. Someone who must have a second
//! factor and has none finds nothing else open.

use super::login::{LoginRequest, RequestContext};
use super::pages::{self, html};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::store_pool::PoolError;
use hyper::StatusCode;
use shared::account::name::UserName;
use shared::config::OnUse;
use shared::credential::input::Input;
use shared::credential::qr;
use shared::engine::{
    AfterEnrollment, AfterEnrollmentCode, EnrollmentPermission, EnrollmentToken, ShownEnrollment,
};
use shared::protocol::command_request::TypedText;
use shared::system::clock;
use shared::token::TokenKind;
use shared::verify::decision::Refusal;
use zeroize::Zeroizing;

/// Where the code of a first authenticator, or of one in place of all, goes.
const FIRST: &str = "enroll/code";
/// Where its recovery codes are said to be saved.
const FINISH: &str = "enroll/finish";

impl RequestContext<'_> {
    /// The password has passed, and there is no second factor.
    pub(crate) fn ask_setup(&self, token: &EnrollmentToken) -> HttpReply {
        let page = match token.payload().may {
            EnrollmentPermission::WithOneTimeCode => {
                self.invitation(StatusCode::FORBIDDEN, token.account(), None)
            }
            EnrollmentPermission::Yes
            | EnrollmentPermission::Replacing
            | EnrollmentPermission::Invited(_) => reply::see_other(&self.at("enroll")),
        };
        match self.with_ticket(page, token) {
            Ok(page) => page,
            Err(error) => self.not_judged(&error),
        }
    }

    /// A new authenticator, which nothing keeps yet; none, if the setup is over.
    pub(crate) async fn begin_setup(
        &self,
        ticket: &EnrollmentToken,
    ) -> Result<Option<ShownEnrollment>, PoolError> {
        let (asked, visit) = (ticket.clone(), LoginRequest::of(self));
        self.judge()
            .with_engine(move |door| door.begin_web_setup(&asked, visit.now()?))
            .await
    }

    /// The one-time code without which a setup may not begin; what was refused stands in the log.
    pub(crate) async fn invite(
        &self,
        ticket: &EnrollmentToken,
        answer: Input,
    ) -> Result<Result<EnrollmentToken, Refusal>, PoolError> {
        let (asked, visit) = (ticket.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            door.invite_to_setup(&visit.browser(), asked, &answer, visit.now()?)
        });
        let invited = run.await?;
        if let Err(refusal) = &invited {
            self.log(ticket.account(), "refused", &refusal.to_string());
        }
        Ok(invited)
    }

    /// The first code of the new authenticator.
    pub(crate) async fn enter_setup_code(
        &self,
        ticket: &EnrollmentToken,
        draft: TypedText,
        answer: Input,
    ) -> Result<AfterEnrollmentCode, PoolError> {
        let (asked, visit) = (ticket.clone(), LoginRequest::of(self));
        let run = self
            .judge()
            .with_engine(move |door| door.confirm_web_setup(&asked, draft, &answer, visit.now()?));
        run.await
    }

    /// The recovery codes are saved: it is all active.
    pub(crate) async fn activate_setup(
        &self,
        ticket: &EnrollmentToken,
        confirmed: TypedText,
    ) -> Result<AfterEnrollment, PoolError> {
        let (asked, visit) = (ticket.clone(), LoginRequest::of(self));
        let run = self.judge().with_engine(move |door| {
            door.finish_web_setup(&visit.browser(), &asked, &confirmed, visit.now()?)
        });
        run.await
    }

    /// GET enroll
    pub(crate) async fn setup_page(&self) -> HttpReply {
        let Some(ticket) = self.setup_ticket() else {
            return reply::see_other(&self.at("sign-in"));
        };
        if ticket.payload().may == EnrollmentPermission::WithOneTimeCode {
            return self.invitation(StatusCode::OK, ticket.account(), None);
        }
        match self.begin_setup(&ticket).await {
            Err(error) => self.not_judged(&error),
            Ok(None) => self.setup_is_over(),
            Ok(Some(shown)) => {
                self.new_authenticator(StatusCode::OK, FIRST, ticket.account(), &shown, None)
            }
        }
    }

    /// POST enroll/one-time-code
    pub(crate) async fn enter_invitation(&self, form: &Form) -> HttpReply {
        let Some(ticket) = self.setup_ticket() else {
            return self.setup_is_over();
        };
        let answer = Input::read(form.field("code").as_bytes());
        match self.invite(&ticket, answer).await {
            Err(error) => self.not_judged(&error),
            Ok(Ok(ticket)) => {
                match self.with_ticket(reply::see_other(&self.at("enroll")), &ticket) {
                    Ok(page) => page,
                    Err(error) => self.not_judged(&error),
                }
            }
            Ok(Err(Refusal::Expired)) => self.setup_is_over(),
            Ok(Err(refusal)) => {
                let text = match refusal {
                    Refusal::Unfit => self.t.say("one-time-code-invalid"),
                    refusal => self.t.refusal(refusal),
                };
                match refusal {
                    Refusal::AddressDelayed { wait } => {
                        let status = StatusCode::TOO_MANY_REQUESTS;
                        let page = self.invitation(status, ticket.account(), Some(&text));
                        reply::with_retry_after(page, wait)
                    }
                    _ => self.invitation(StatusCode::UNAUTHORIZED, ticket.account(), Some(&text)),
                }
            }
        }
    }

    /// POST enroll/code
    pub(crate) async fn confirm_setup(&self, form: &Form) -> HttpReply {
        let Some(ticket) = self.setup_ticket() else {
            return self.setup_is_over();
        };
        let answer = Input::read(form.field("code").as_bytes());
        match self
            .enter_setup_code(&ticket, form.field("pending").to_owned().into(), answer)
            .await
        {
            Err(error) => self.not_judged(&error),
            Ok(AfterEnrollmentCode::Over) => self.setup_is_over(),
            Ok(AfterEnrollmentCode::Refused(refusal, shown)) => {
                let text = self.t.refusal(refusal);
                self.new_authenticator(
                    StatusCode::UNAUTHORIZED,
                    FIRST,
                    ticket.account(),
                    &shown,
                    Some(&text),
                )
            }
            Ok(AfterEnrollmentCode::Confirmed { codes, confirmed }) => {
                let codes: Vec<&str> = codes.iter().map(|code| &**code).collect();
                self.new_codes(&codes, FINISH, &confirmed, self.t.say("turn-on"))
            }
        }
    }

    /// POST enroll/finish
    pub(crate) async fn finish_setup(&self, form: &Form) -> HttpReply {
        let Some(ticket) = self.setup_ticket() else {
            return self.setup_is_over();
        };
        // browsers insist on the tick; whoever leaves it out wrote the request by hand
        if form.field("saved") != "yes" {
            return reply::bare(StatusCode::BAD_REQUEST);
        }
        match self
            .activate_setup(&ticket, form.field("confirmed").to_owned().into())
            .await
        {
            Err(error) => self.not_judged(&error),
            Ok(AfterEnrollment::Over) => self.setup_is_over(),
            Ok(AfterEnrollment::Opened(opened)) => {
                self.without_ticket(self.opened(&opened, &ticket.payload().back_to))
            }
        }
    }

    /// Recovery codes, shown once; `ticket` makes them good.
    pub(crate) fn new_codes(
        &self,
        codes: &[&str],
        act: &str,
        ticket: &str,
        button: String,
    ) -> HttpReply {
        let page = pages::RecoveryCodesPage {
            frame: self.frame(),
            codes,
            act,
            ticket,
            button,
            first: act == FINISH,
            turns_off: self.site.config.recovery.on_use == OnUse::Disable,
        };
        reply::page(StatusCode::OK, html(&page))
    }

    /// The setup that has begun.
    pub(crate) fn setup_ticket(&self) -> Option<EnrollmentToken> {
        let (keys, now) = (self.site.revocation_cache.token_keys(), clock::now().ok()?);
        let read = |value: &str| EnrollmentToken::read(value, &keys, now);
        let ticket = self
            .token(self.site.cookies.names.enrollment, read)
            .ok()??;
        self.may_go_on(ticket.account()).then_some(ticket)
    }

    /// The cookie of a setup.
    pub(crate) fn with_ticket(
        &self,
        page: HttpReply,
        ticket: &EnrollmentToken,
    ) -> Result<HttpReply, PoolError> {
        let (jar, value) = (
            &self.site.cookies,
            ticket.seal(&self.site.revocation_cache.token_keys()),
        );
        let value = value.map_err(|error| unavailable(&error))?;
        Ok(reply::with_cookie(
            page,
            &jar.strict_cookie(jar.names.enrollment, &value, TokenKind::Enrollment.life()),
        ))
    }

    /// The setup is over.
    pub(crate) fn without_ticket(&self, page: HttpReply) -> HttpReply {
        reply::with_cookie(
            page,
            &self
                .site
                .cookies
                .strict_cookie(self.site.cookies.names.enrollment, "", 0),
        )
    }

    fn setup_is_over(&self) -> HttpReply {
        let page = self.sign_in(
            StatusCode::UNAUTHORIZED,
            "",
            "",
            Some(&self.t.say("enrollment-expired")),
        );
        self.without_ticket(page)
    }

    fn invitation(&self, status: StatusCode, name: &UserName, message: Option<&str>) -> HttpReply {
        let word = |word: &str| match word.strip_prefix('%') {
            Some(group) => self.t.say_of("group", "name", group.to_owned()),
            None => word.to_owned(),
        };
        let administrators: Vec<String> = self
            .site
            .config
            .policy
            .administrators
            .words()
            .map(word)
            .collect();
        let ask = match administrators.is_empty() {
            true => self.t.say("enrollment-required-line"),
            false => self.t.say_of(
                "enrollment-required-one-of",
                "administrators",
                administrators.join(", "),
            ),
        };
        let page = pages::InvitationPage {
            frame: self.frame(),
            user: name.as_str(),
            ask: &ask,
            message,
        };
        reply::page(status, html(&page))
    }

    /// The page that shows it; `act` is where its code goes.
    pub(crate) fn new_authenticator(
        &self,
        status: StatusCode,
        act: &str,
        name: &UserName,
        shown: &ShownEnrollment,
        message: Option<&str>,
    ) -> HttpReply {
        let Some(picture) = qr::svg(&shown.url) else {
            return self.failed(
                "unavailable",
                "the otpauth URI is too long for a QR code; shorten totp.issuer",
            );
        };
        let page = pages::EnrollmentPage {
            frame: self.frame(),
            user: name.as_str(),
            qr: &picture,
            secret: &in_fours(&shown.secret),
            url: &shown.url,
            draft: &shown.draft,
            act,
            digits: shown.digits,
            message,
        };
        reply::page(status, html(&page))
    }
}

/// What no door was asked for.
pub(crate) fn unavailable(error: &dyn std::error::Error) -> PoolError {
    PoolError::Failed {
        cause: "unavailable",
        why: error.to_string(),
    }
}

/// As people copy it by hand; apps read over the blanks.
fn in_fours(secret: &str) -> Zeroizing<String> {
    let mut grouped = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for (at, character) in secret.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(character);
    }
    grouped
}
