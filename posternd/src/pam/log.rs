//! The log lines of PAM conversations. Each has the same fields in the same order, on which
//! fail2ban's filter and pam_totp(8) depend: `RESULT cause=CAUSE address=ADDRESS service=SERVICE
//! user="USER": DETAIL`. Text of an unauthenticated client comes after these fields, quoted and
//! escaped.
//!
//! MUST NOT log a name that no account can have: it may be a password typed at the prompt for the
//! name.

use super::host::PamHost;
use super::user;
use postern_shared::account::name::{Service, UserName};
use postern_shared::protocol::Severity;
use postern_shared::system::network::address::Address;
use std::fmt::Display;

/// The client, the service and the user of a log line.
pub struct LogFields {
    pub(crate) address: Option<Address>,
    pub(crate) service: Service,
    pub(crate) user: Option<UserName>,
}

impl LogFields {
    /// Returns what the host states, where the configuration is not loaded: the service named sshd
    /// counts as an sshd. Never prompts for a name.
    pub fn of_host(host: &dyn PamHost) -> LogFields {
        let service = user::read_service(host);
        let origin = user::find_origin(host, service.as_str() == "sshd", false).ok();
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

    /// Returns no fields, where there is no host.
    pub fn unknown() -> LogFields {
        LogFields {
            address: None,
            service: Service::from_pam(b""),
            user: None,
        }
    }

    /// Formats a log line.
    pub fn format_line(&self, result: &str, cause: &str, detail: Option<&dyn Display>) -> String {
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

    /// Writes a log line through the host.
    pub fn write(
        &self,
        host: &dyn PamHost,
        severity: Severity,
        result: &str,
        cause: &str,
        detail: Option<&dyn Display>,
    ) {
        host.log(severity, &self.format_line(result, cause, detail));
    }
}
