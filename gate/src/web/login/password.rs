//! Verification of a password at sign-in: by the store, or by PAM through postern-password.
//!
//! MUST NOT show by its duration whether PAM was asked.

use crate::live::host_password;
use crate::live::store_pool::{PoolClient, PoolError, PoolHandle, ShareKey, WorkKind};
use crate::web::request::{OwnedBrowserContext, RequestContext};
use postern_shared::account::name::UserName;
use postern_shared::config::gate::FirstFactorSource;
use postern_shared::credential::input::Input;
use postern_shared::crypto::password::Password;
use postern_shared::engine::{AfterPassword, LoginClass, LoginError};
use postern_shared::protocol::host_password::{Candidate, HostPasswordReply, HostPasswordRequest};
use postern_shared::verify::decision::Refusal;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// PAM delays its reply to a wrong password, and a refusal without PAM takes no time. Refusals are
/// sent at multiples of this interval, which is longer than the delay of pam_unix, so that the
/// duration does not tell the two apart.
const REFUSAL_INTERVAL: Duration = Duration::from_secs(4);

/// Returns the pool with the priority of a sign-in: a trusted browser, an address that is familiar
/// to the account, or an unauthenticated client. An address that has to wait occupies no worker,
/// unless a credential comes along that can be accepted in spite of the delay.
pub(crate) async fn pool_for_sign_in(
    request: &RequestContext<'_>,
    name: &UserName,
    recovery: &Input,
) -> Result<Result<PoolHandle, Refusal>, PoolError> {
    let unauthenticated = request
        .site
        .store_pool
        .for_client(PoolClient::unauthenticated(request.address));
    let (account, client) = (name.clone(), OwnedBrowserContext::new(request));
    let class = client.run(
        &unauthenticated,
        WorkKind::Reading,
        move |engine, client, now| {
            engine
                .login()
                .classify_login(&client.browser(), &account, now)
        },
    );
    let pool_client = match class.await? {
        LoginClass::AddressDelayed { wait }
            if matches!(recovery, Input::Malformed | Input::Digits(_)) =>
        {
            return Ok(Err(Refusal::AddressDelayed { wait }));
        }
        LoginClass::TrustedBrowser => {
            PoolClient::authenticated(ShareKey::TrustedBrowser(name.clone()))
        }
        LoginClass::FamiliarAddress => PoolClient::familiar(request.address),
        LoginClass::Elsewhere | LoginClass::AddressDelayed { .. } => {
            return Ok(Ok(unauthenticated));
        }
    };
    Ok(Ok(request.site.store_pool.for_client(pool_client)))
}

/// Verifies the password of a sign-in, and logs a refusal.
pub(crate) async fn verify_password(
    request: &RequestContext<'_>,
    name: &UserName,
    typed: Zeroizing<String>,
    recovery: Input,
    return_url: &str,
) -> Result<AfterPassword, PoolError> {
    let next = match request.site.gate().first_factor {
        FirstFactorSource::Pam => {
            verify_on_host(request, name, &typed, recovery, return_url).await?
        }
        FirstFactorSource::Password => {
            verify_in_store(request, name, typed, recovery, return_url).await?
        }
        // with this first factor there is no password
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
    return_url: &str,
) -> Result<AfterPassword, PoolError> {
    let store_pool = match pool_for_sign_in(request, name, &recovery).await? {
        Ok(store_pool) => store_pool,
        Err(refusal) => return Ok(AfterPassword::Refused(refusal)),
    };
    let client = OwnedBrowserContext::new(request).with_page(request.site, return_url);
    let (account, password) = (name.clone(), Password::from_input(typed));
    let run = client.run(
        &store_pool,
        WorkKind::Hashing,
        move |engine, client, now| {
            engine.login().enter_password(
                &client.browser(),
                &account,
                password.as_ref(),
                &recovery,
                now,
            )
        },
    );
    run.await
}

/// Charges the attempt to the throttle, asks PAM while no worker is occupied, and settles the
/// attempt by the result.
async fn verify_on_host(
    request: &RequestContext<'_>,
    name: &UserName,
    typed: &str,
    recovery: Input,
    return_url: &str,
) -> Result<AfterPassword, PoolError> {
    let started = Instant::now();
    let store_pool = match pool_for_sign_in(request, name, &recovery).await? {
        Ok(store_pool) => store_pool,
        Err(refusal) => return Ok(AfterPassword::Refused(refusal)),
    };
    let (account, client) = (name.clone(), OwnedBrowserContext::new(request));
    let run = client.run(&store_pool, WorkKind::Plain, move |engine, client, now| {
        let attempt =
            engine
                .login()
                .charge_first_factor(&client.browser(), &account, &recovery, now)?;
        Ok::<_, LoginError>((attempt, recovery))
    });
    let (attempt, recovery) = match run.await? {
        (Ok(attempt), recovery) => (attempt, recovery),
        (Err(refusal @ Refusal::AddressDelayed { .. }), _) => {
            return Ok(AfterPassword::Refused(refusal));
        }
        (Err(refusal), _) => {
            delay_refusal(started).await;
            return Ok(AfterPassword::Refused(refusal));
        }
    };
    let (reply, error) = match check_host_password(request, &store_pool.client, name, typed).await?
    {
        Ok(reply) => (reply, None),
        Err(error) => (HostPasswordReply::NotVerified, Some(error)),
    };
    let client = OwnedBrowserContext::new(request).with_page(request.site, return_url);
    let account = name.clone();
    let run = client.run(&store_pool, WorkKind::Plain, move |engine, client, now| {
        let browser = client.browser();
        engine
            .login()
            .settle_first_factor(&browser, &account, attempt, reply, &recovery, now)
    });
    let next = run.await?;
    if reply == HostPasswordReply::NotVerified {
        return Err(error.unwrap_or_else(not_asked));
    }
    if let AfterPassword::Refused(_) = next {
        delay_refusal(started).await;
    }
    Ok(next)
}

/// The error of a password about which PAM was not asked.
pub(crate) fn not_asked() -> PoolError {
    PoolError::Failed {
        cause: "password-unavailable",
        why: "postern-password did not ask PAM; its log says why".to_owned(),
    }
}

/// Asks PAM through postern-password. The inner error means that PAM was not asked.
pub(crate) async fn check_host_password(
    request: &RequestContext<'_>,
    pool_client: &PoolClient,
    name: &UserName,
    typed: &str,
) -> Result<Result<HostPasswordReply, PoolError>, PoolError> {
    // PAM accepts no such password, so it counts as a wrong one
    let Some(password) = Candidate::from_input(typed.as_bytes()) else {
        return Ok(Ok(HostPasswordReply::Wrong));
    };
    let host_request = HostPasswordRequest {
        name: name.clone(),
        address: Some(request.address),
        class: pool_client.class,
        password,
    };
    host_password::verify_host_password(pool_client.key.clone(), &host_request).await
}

/// Waits until the next multiple of [`REFUSAL_INTERVAL`] after `started`.
async fn delay_refusal(started: Instant) {
    let intervals = started.elapsed().as_secs() / REFUSAL_INTERVAL.as_secs() + 1;
    tokio::time::sleep_until(
        started + REFUSAL_INTERVAL * u32::try_from(intervals).unwrap_or(u32::MAX),
    )
    .await;
}
