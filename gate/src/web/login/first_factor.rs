//! The first factor at the sign-in page: the password of the store, that of the host, or the identity that the proxy
//! brings; and where each leads.

use super::{LoginRequest, RequestContext};
use crate::http::form::Form;
use crate::http::reply::{self, HttpReply};
use crate::live::host_password::{self, HelperUnavailable};
use crate::live::store_pool::{PoolClient, PoolError, ShareKey};
use crate::observe::log;
use crate::web::pages;
use hyper::StatusCode;
use shared::account::name::UserName;
use shared::config::gate::FirstFactorSource;
use shared::credential::input::Input;
use shared::crypto::password::Password;
use shared::crypto::vault::VaultError;
use shared::engine::{AfterPassword, SERVICE};
use shared::protocol::host_password::{Candidate, HostPasswordReply, HostPasswordRequest};
use shared::token::{LoginToken, TokenKind};
use shared::verify::decision::Refusal;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// PAM takes its time over a wrong password, one that is not looked at takes none: refusals leave at multiples of this,
/// longer than pam_unix's pause, so that the time tells them not apart.
const PACE: Duration = Duration::from_secs(4);

impl RequestContext<'_> {
    /// GET sign-in
    pub(crate) async fn sign_in_page(&self, rd: &str) -> HttpReply {
        let back_to = self.site.valid_return_url(rd).unwrap_or_default();
        if self.may_go_to(back_to) {
            return reply::see_other(back_to);
        }
        match self.site.gate().first_factor {
            FirstFactorSource::Password | FirstFactorSource::Pam => {
                self.sign_in(StatusCode::OK, back_to, "", None)
            }
            FirstFactorSource::Header if self.session().is_some() && back_to.is_empty() => {
                reply::see_other(&self.at(""))
            }
            FirstFactorSource::Header => self.enter_identity(back_to).await,
        }
    }

    /// POST sign-in
    pub(crate) async fn enter_password(&self, form: &Form) -> HttpReply {
        let back_to = self
            .site
            .valid_return_url(form.field("rd"))
            .unwrap_or_default();
        let user = form.field("user").trim();
        let refused = || self.t.say("sign-in-refused");
        let Ok(name) = UserName::parse(user.as_bytes()) else {
            return self.sign_in(StatusCode::UNAUTHORIZED, back_to, "", Some(&refused()));
        };
        if self.site.gate().first_factor == FirstFactorSource::Header {
            // nobody is asked for a password here
            return reply::see_other(&self.to_sign_in(back_to));
        }
        let typed = Zeroizing::new(form.field("password").to_owned());
        let recovery = Input::read(form.field("recovery").as_bytes());
        match self.judge_password(&name, typed, recovery, back_to).await {
            Err(error) => self.not_judged(&error),
            Ok(AfterPassword::Refused(refusal)) => match refusal {
                Refusal::AddressDelayed { wait } => {
                    let text = self.t.refusal(refusal);
                    let page =
                        self.sign_in(StatusCode::TOO_MANY_REQUESTS, back_to, user, Some(&text));
                    reply::with_retry_after(page, wait)
                }
                _ => self.sign_in(StatusCode::UNAUTHORIZED, back_to, user, Some(&refused())),
            },
            Ok(next) => self.go_on(name, next, back_to),
        }
    }

    /// The password of whoever signs in; what was refused stands in the log.
    pub(crate) async fn judge_password(
        &self,
        name: &UserName,
        typed: Zeroizing<String>,
        recovery: Input,
        back_to: &str,
    ) -> Result<AfterPassword, PoolError> {
        let next = match self.site.gate().first_factor {
            FirstFactorSource::Pam => self.ask_host(name, &typed, recovery, back_to).await?,
            FirstFactorSource::Password => self.ask_store(name, typed, recovery, back_to).await?,
            // nobody has one
            FirstFactorSource::Header => AfterPassword::Refused(Refusal::Unfit),
        };
        if let AfterPassword::Refused(refusal) = &next {
            self.log(name, "refused", &format!("password-{refusal}"));
        }
        Ok(next)
    }

    /// The identity that the proxy brings: there is nothing to type before the code.
    async fn enter_identity(&self, back_to: &str) -> HttpReply {
        let Some(name) = self.named() else {
            return self.nobody_is_named();
        };
        // another site may send the browser here, but its pages get nothing done by an image
        let mode = self.headers.get("sec-fetch-mode");
        if mode.is_some_and(|mode| mode.as_bytes() != b"navigate") {
            return reply::bare(StatusCode::FORBIDDEN);
        }
        match self.judge_identity(&name, back_to).await {
            Err(error) => self.not_judged(&error),
            Ok(AfterPassword::Refused(refusal)) => {
                let text = self.t.refusal(refusal);
                self.sign_in(StatusCode::UNAUTHORIZED, back_to, "", Some(&text))
            }
            Ok(next) => self.go_on(name, next, back_to),
        }
    }

    /// Whom the proxy names; where it names nobody, the log says why.
    pub(crate) fn named(&self) -> Option<UserName> {
        let (cause, why) = match (&self.identity, self.identity.missing_reason()) {
            (crate::proxy::identity::Identity::Named(name), None) => return Some(name.clone()),
            (_, nobody) => nobody.unwrap_or_default(),
        };
        log::event("refused")
            .with("cause", cause)
            .with("address", self.address)
            .with("service", SERVICE)
            .write_with_message(why);
        None
    }

    /// The identity of whoever signs in; what was refused stands in the log.
    pub(crate) async fn judge_identity(
        &self,
        name: &UserName,
        back_to: &str,
    ) -> Result<AfterPassword, PoolError> {
        let (who, visit) = (name.clone(), LoginRequest::of(self).to(self.site, back_to));
        // a trusted proxy has established who it is
        let judge = self
            .site
            .store_pool
            .for_client(PoolClient::proven(ShareKey::Account(name.clone())));
        let run = judge
            .with_engine(move |door| door.enter_identity(&visit.browser(), &who, visit.now()?));
        let next = run.await?;
        if let AfterPassword::Refused(refusal) = &next {
            self.log(name, "refused", &format!("identity-{refusal}"));
        }
        Ok(next)
    }

    /// Where a first factor that has passed leads.
    pub(crate) fn go_on(&self, name: UserName, next: AfterPassword, back_to: &str) -> HttpReply {
        match next {
            AfterPassword::Opened(opened) => self.opened(&opened, back_to),
            AfterPassword::Code(token) => self.ask_code(&token.to_page(back_to.to_owned())),
            AfterPassword::Enroll(token) => {
                self.log(&name, "refused", &Refusal::NotEnrolled.to_string());
                self.ask_setup(&token.to_page(back_to.to_owned()))
            }
            AfterPassword::Refused(refusal) => {
                let text = self.t.refusal(refusal);
                self.sign_in(
                    StatusCode::UNAUTHORIZED,
                    back_to,
                    name.as_str(),
                    Some(&text),
                )
            }
            AfterPassword::OtherSpelling(other) => {
                self.log_spelling(&other);
                let text = self.t.say("other-spelling");
                self.sign_in(StatusCode::FORBIDDEN, back_to, name.as_str(), Some(&text))
            }
        }
    }

    async fn ask_store(
        &self,
        name: &UserName,
        typed: Zeroizing<String>,
        recovery: Input,
        back_to: &str,
    ) -> Result<AfterPassword, PoolError> {
        let judge = match self.judge_of_sign_in(name, &recovery).await? {
            Ok(judge) => judge,
            Err(refusal) => return Ok(AfterPassword::Refused(refusal)),
        };
        let visit = LoginRequest::of(self).to(self.site, back_to);
        let (who, password) = (name.clone(), Password::typed(typed));
        let run = judge.with_hashing_engine(move |door| {
            door.enter_password(
                &visit.browser(),
                &who,
                password.as_ref(),
                &recovery,
                visit.now()?,
            )
        });
        run.await
    }

    /// The try is charged at a door, the helper is asked while no door is held, and a door goes on by what it said.
    async fn ask_host(
        &self,
        name: &UserName,
        typed: &str,
        recovery: Input,
        back_to: &str,
    ) -> Result<AfterPassword, PoolError> {
        let came = Instant::now();
        let judge = match self.judge_of_sign_in(name, &recovery).await? {
            Ok(judge) => judge,
            Err(refusal) => return Ok(AfterPassword::Refused(refusal)),
        };
        let (who, visit) = (name.clone(), LoginRequest::of(self));
        let run = judge.with_engine(move |door| {
            let tried =
                door.charge_first_factor(&visit.browser(), &who, &recovery, visit.now()?)?;
            Ok::<_, shared::engine::LoginError>((tried, recovery))
        });
        let (tried, recovery) = match run.await? {
            (Ok(tried), recovery) => (tried, recovery),
            (Err(refusal @ Refusal::AddressDelayed { .. }), _) => {
                return Ok(AfterPassword::Refused(refusal));
            }
            (Err(refusal), _) => {
                pace(came).await;
                return Ok(AfterPassword::Refused(refusal));
            }
        };
        let (said, unasked) = match self.host_says(&judge.client, name, typed).await? {
            Ok(said) => (said, None),
            Err(unasked) => (HostPasswordReply::Unasked, Some(unasked)),
        };
        let (who, visit) = (name.clone(), LoginRequest::of(self).to(self.site, back_to));
        let run = judge.with_engine(move |door| {
            door.settle_first_factor(&visit.browser(), &who, tried, said, &recovery, visit.now()?)
        });
        let next = run.await?;
        if said == HostPasswordReply::Unasked {
            return Err(unasked.unwrap_or_else(|| {
                let why = "postern-password did not ask PAM; its log says why".to_owned();
                PoolError::Failed {
                    cause: "password-unavailable",
                    why,
                }
            }));
        }
        if let AfterPassword::Refused(_) = next {
            pace(came).await;
        }
        Ok(next)
    }

    /// What the host says of a password; why not, where it was never asked.
    pub(crate) async fn host_says(
        &self,
        applicant: &PoolClient,
        name: &UserName,
        typed: &str,
    ) -> Result<Result<HostPasswordReply, PoolError>, PoolError> {
        // no password can be so: it is as wrong as any
        let Some(password) = Candidate::typed(typed.as_bytes()) else {
            return Ok(Ok(HostPasswordReply::Wrong));
        };
        let question = HostPasswordRequest {
            name: name.clone(),
            address: Some(self.address),
            class: applicant.class,
            password,
        };
        match host_password::verify_host_password(applicant.key.clone(), &question).await {
            Ok(said) => Ok(Ok(said)),
            Err(HelperUnavailable::Busy(busy)) => Ok(Err(PoolError::Busy(busy))),
            Err(HelperUnavailable::Absent(why)) => Ok(Err(PoolError::Failed {
                cause: "password-unavailable",
                why,
            })),
            Err(HelperUnavailable::Unanswered(why)) => Err(PoolError::Failed {
                cause: "password-timeout",
                why,
            }),
        }
    }

    fn ask_code(&self, ticket: &LoginToken) -> HttpReply {
        match self.with_login(reply::see_other(&self.at("code")), ticket) {
            Ok(page) => page,
            Err(error) => self.failed("unavailable", &error.to_string()),
        }
    }

    /// The cookie of a sign-in that waits for its code.
    pub(crate) fn with_login(
        &self,
        page: HttpReply,
        ticket: &LoginToken,
    ) -> Result<HttpReply, VaultError> {
        let (jar, value) = (
            &self.site.cookies,
            ticket.seal(&self.site.revocation_cache.token_keys())?,
        );
        Ok(reply::with_cookie(
            page,
            &jar.own_cookie(jar.names.login, &value, TokenKind::Login.life()),
        ))
    }

    fn nobody_is_named(&self) -> HttpReply {
        let lines = [self.t.say("identity-missing-line")];
        let page = pages::NoticePage {
            frame: self.frame(),
            title: &self.t.say("identity-missing"),
            lines: &lines,
            link: None,
            signed_in: false,
            stepped_up: false,
        };
        reply::page(StatusCode::FORBIDDEN, pages::html(&page))
    }
}

/// Waits until a refusal may leave.
async fn pace(came: Instant) {
    let paces = came.elapsed().as_secs() / PACE.as_secs() + 1;
    tokio::time::sleep_until(came + PACE * u32::try_from(paces).unwrap_or(u32::MAX)).await;
}
