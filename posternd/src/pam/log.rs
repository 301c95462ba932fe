//! The module's log lines. Every one has the same fields in the same order, which fail2ban's filter and pam_totp(8) go by:
//! `RESULT cause=CAUSE address=ADDRESS service=SERVICE user="USER": DETAIL`. What a stranger typed stands behind all of
//! them, quoted and escaped, and a name that no account can have not at all: it may be a password typed too early.

use super::host::PamHost;
use super::user;
use shared::account::name::{Service, UserName};
use shared::network::address::Address;
use shared::protocol::Severity;
use std::fmt::Display;

/// Whom a line of the log is about.
pub struct LogFields {
    pub(crate) address: Option<Address>,
    pub(crate) service: Service,
    pub(crate) user: Option<UserName>,
}

impl LogFields {
    /// What the host says, where the configuration cannot be read or was not read yet: an sshd is one by its name. Asks
    /// nobody for a name.
    pub fn of_host(host: &dyn PamHost) -> LogFields {
        let service = user::service(host);
        let origin = user::origin(host, service.as_str() == "sshd", false).ok();
        let address = origin.and_then(|origin| origin.address());
        let user = host
            .known_user()
            .and_then(|name| UserName::parse(&name).ok());
        LogFields {
            address,
            service,
            user,
        }
    }

    /// Nobody, where the host cannot be asked.
    pub fn unknown() -> LogFields {
        LogFields {
            address: None,
            service: Service::from_pam(b""),
            user: None,
        }
    }

    /// One line of the log.
    pub fn line(&self, result: &str, cause: &str, detail: Option<&dyn Display>) -> String {
        let LogFields {
            address,
            service,
            user,
        } = self;
        let address = address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let user = user.as_ref().map_or("-", UserName::as_str);
        let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
        format!("{result} cause={cause} address={address} service={service} user={user:?}{detail}")
    }

    /// Writes it.
    pub fn write(
        &self,
        host: &dyn PamHost,
        severity: Severity,
        result: &str,
        cause: &str,
        detail: Option<&dyn Display>,
    ) {
        host.log(severity, &self.line(result, cause, detail));
    }
}
