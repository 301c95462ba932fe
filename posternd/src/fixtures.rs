//! Values that several unit tests use.

use postern_shared::protocol::{PamFunction, PamTransaction};

/// Returns a transaction of alice's in an `auth` hook, without a remote host or terminal.
pub(crate) fn transaction_of(service: &str) -> PamTransaction {
    PamTransaction {
        hook: PamFunction::Auth,
        options: Vec::new(),
        service: Some(service.into()),
        user: Some(b"alice".to_vec()),
        remote_host: None,
        terminal: None,
        ssh_connection: None,
        ssh_auth_info: None,
        real_uid: 0,
        mark: None,
    }
}
