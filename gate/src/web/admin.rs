//! Administration through the gate: where it is reached, and the pages of people. Programs come by the API. Whatever of it
//! is not configured, or is asked for from elsewhere, is not there: 404.

mod accounts;
mod audit_log;
mod pages;

pub(crate) use accounts::AdminAct;
pub(crate) use pages::SeenAccount;

use super::login::RequestContext;
use zeroize::Zeroizing;

impl RequestContext<'_> {
    /// Whether administration is reached at this address of the gate, and from there: not at a place that it shares with an
    /// application.
    fn is_at_administration(&self) -> bool {
        self.site.url.has_own_host()
            && self
                .site
                .gate()
                .administration
                .is_reached_from(self.address)
    }

    /// The secret, where programs may show it.
    pub(crate) fn administration_secret(&self) -> Option<&Zeroizing<String>> {
        self.site
            .admin_secret
            .secret
            .as_ref()
            .filter(|_| self.is_at_administration())
    }
}
