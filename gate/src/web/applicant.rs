//! Whose share of the workers a request takes, by what it has proven.

use super::login::{LoginRequest, RequestContext};
use crate::live::store_pool::{PoolClient, PoolError, PoolHandle, ShareKey};
use shared::account::name::UserName;
use shared::credential::input::Input;
use shared::engine::LoginClass;
use shared::verify::decision::Refusal;

impl RequestContext<'_> {
    /// The workers, for this request: of a valid session or token that it carries, else of its address.
    pub(crate) fn judge(&self) -> PoolHandle {
        let applicant = if let Some(session) = self.any_session() {
            PoolClient::of_session(&session)
        } else if let Some(ticket) = self.ticket() {
            PoolClient::proven(ShareKey::Account(ticket.account().clone()))
        } else if let Some(ticket) = self.setup_ticket() {
            PoolClient::proven(ShareKey::Account(ticket.account().clone()))
        } else {
            PoolClient::unauthenticated(self.address)
        };
        self.site.store_pool.for_client(applicant)
    }

    /// The workers for a first factor of an account: by where it comes from, as far as that account is concerned. An
    /// address that has to wait anyway takes no worker, unless something came along that may be let in nevertheless.
    pub(super) async fn judge_of_sign_in(
        &self,
        name: &UserName,
        recovery: &Input,
    ) -> Result<Result<PoolHandle, Refusal>, PoolError> {
        let stranger = self
            .site
            .store_pool
            .for_client(PoolClient::unauthenticated(self.address));
        let (who, visit) = (name.clone(), LoginRequest::of(self));
        let looked = stranger.with_reading_engine(move |door| {
            door.classify_login(&visit.browser(), &who, visit.now()?)
        });
        let applicant = match looked.await? {
            LoginClass::AddressDelayed { wait }
                if matches!(recovery, Input::Unfit | Input::Digits(_)) =>
            {
                return Ok(Err(Refusal::AddressDelayed { wait }));
            }
            LoginClass::TrustedBrowser => {
                PoolClient::proven(ShareKey::TrustedBrowser(name.clone()))
            }
            LoginClass::FamiliarAddress => PoolClient::known(self.address),
            LoginClass::Elsewhere | LoginClass::AddressDelayed { .. } => return Ok(Ok(stranger)),
        };
        Ok(Ok(self.site.store_pool.for_client(applicant)))
    }
}
