//! Verification of a password at sign-in: by the store, or by PAM through postern-password.
//!
//! MUST NOT show by its duration whether PAM was asked.

use crate::live::host_password::{self, HelperUnavailable};
use crate::live::store_pool::PoolHandle;
use crate::live::store_pool::{PoolClient, PoolError, ShareKey};
use crate::web::request::{OwnedBrowserContext, RequestContext};
use shared::account::name::UserName;
use shared::config::gate::FirstFactorSource;
use shared::credential::input::Input;
use shared::crypto::password::Password;
use shared::engine::{AfterPassword, LoginClass};
use shared::protocol::host_password::{Candidate, HostPasswordReply, HostPasswordRequest};
use shared::verify::decision::Refusal;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// The workers for a first factor of an account: by where it comes from, as far as that account is concerned. An
/// address that has to wait anyway takes no worker, unless something came along that may be let in nevertheless.
pub(crate) async fn workers_for_sign_in(
    request: &RequestContext<'_>,
    name: &UserName,
    recovery: &Input,
) -> Result<Result<PoolHandle, Refusal>, PoolError> {
    let stranger = request
        .site
        .store_pool
        .for_client(PoolClient::unauthenticated(request.address));
    let (who, client) = (name.clone(), OwnedBrowserContext::new(request));
    let looked = stranger.with_reading_engine(move |engine| {
        engine.classify_login(&client.browser(), &who, client.now()?)
    });
    let applicant = match looked.await? {
        LoginClass::AddressDelayed { wait }
            if matches!(recovery, Input::Malformed | Input::Digits(_)) =>
        {
            return Ok(Err(Refusal::AddressDelayed { wait }));
        }
        LoginClass::TrustedBrowser => PoolClient::proven(ShareKey::TrustedBrowser(name.clone())),
        LoginClass::FamiliarAddress => PoolClient::known(request.address),
        LoginClass::Elsewhere | LoginClass::AddressDelayed { .. } => return Ok(Ok(stranger)),
    };
    Ok(Ok(request.site.store_pool.for_client(applicant)))
}

/// The password of whoever signs in; what was refused stands in the log.
pub(crate) async fn verify_password(
    request: &RequestContext<'_>,
    name: &UserName,
    typed: Zeroizing<String>,
    recovery: Input,
    back_to: &str,
) -> Result<AfterPassword, PoolError> {
    let next = match request.site.gate().first_factor {
        FirstFactorSource::Pam => verify_on_host(request, name, &typed, recovery, back_to).await?,
        FirstFactorSource::Password => {
            verify_in_store(request, name, typed, recovery, back_to).await?
        }
        // nobody has one
        FirstFactorSource::Header => AfterPassword::Refused(Refusal::Malformed),
    };
    if let AfterPassword::Refused(refusal) = &next {
        request.log_sign_in(name, "refused", &format!("password-{refusal}"));
    }
    Ok(next)
}

async fn verify_in_store(
    request: &RequestContext<'_>,
    name: &UserName,
    typed: Zeroizing<String>,
    recovery: Input,
    back_to: &str,
) -> Result<AfterPassword, PoolError> {
    let store_pool = match workers_for_sign_in(request, name, &recovery).await? {
        Ok(store_pool) => store_pool,
        Err(refusal) => return Ok(AfterPassword::Refused(refusal)),
    };
    let client = OwnedBrowserContext::new(request).to_page(request.site, back_to);
    let (who, password) = (name.clone(), Password::from_input(typed));
    let run = store_pool.with_hashing_engine(move |engine| {
        engine.enter_password(
            &client.browser(),
            &who,
            password.as_ref(),
            &recovery,
            client.now()?,
        )
    });
    run.await
}

/// The try is charged at a door, the helper is asked while no door is held, and a door goes on by what it said.
async fn verify_on_host(
    request: &RequestContext<'_>,
    name: &UserName,
    typed: &str,
    recovery: Input,
    back_to: &str,
) -> Result<AfterPassword, PoolError> {
    let came = Instant::now();
    let store_pool = match workers_for_sign_in(request, name, &recovery).await? {
        Ok(store_pool) => store_pool,
        Err(refusal) => return Ok(AfterPassword::Refused(refusal)),
    };
    let (who, client) = (name.clone(), OwnedBrowserContext::new(request));
    let run = store_pool.with_engine(move |engine| {
        let tried =
            engine.charge_first_factor(&client.browser(), &who, &recovery, client.now()?)?;
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
    let (said, unasked) =
        match check_host_password(request, &store_pool.client, name, typed).await? {
            Ok(said) => (said, None),
            Err(unasked) => (HostPasswordReply::NotVerified, Some(unasked)),
        };
    let (who, client) = (
        name.clone(),
        OwnedBrowserContext::new(request).to_page(request.site, back_to),
    );
    let run = store_pool.with_engine(move |engine| {
        engine.settle_first_factor(
            &client.browser(),
            &who,
            tried,
            said,
            &recovery,
            client.now()?,
        )
    });
    let next = run.await?;
    if said == HostPasswordReply::NotVerified {
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
pub(crate) async fn check_host_password(
    request: &RequestContext<'_>,
    applicant: &PoolClient,
    name: &UserName,
    typed: &str,
) -> Result<Result<HostPasswordReply, PoolError>, PoolError> {
    // no password can be so: it is as wrong as any
    let Some(password) = Candidate::from_input(typed.as_bytes()) else {
        return Ok(Ok(HostPasswordReply::Wrong));
    };
    let question = HostPasswordRequest {
        name: name.clone(),
        address: Some(request.address),
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

/// PAM takes its time over a wrong password, one that is not looked at takes none: refusals leave at multiples of this,
/// longer than pam_unix's pause, so that the time tells them not apart.
const PACE: Duration = Duration::from_secs(4);

/// Waits until a refusal may leave.
async fn pace(came: Instant) {
    let paces = came.elapsed().as_secs() / PACE.as_secs() + 1;
    tokio::time::sleep_until(came + PACE * u32::try_from(paces).unwrap_or(u32::MAX)).await;
}
