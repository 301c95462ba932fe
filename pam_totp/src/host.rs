//! What the relay asks of the host process, so that everything but `ffi` can be tested without libpam.

use shared::protocol::{Echo, Severity};
use shared::system::process::TransactionId;
use std::fmt;
use zeroize::Zeroizing;

/// The items of a PAM transaction that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PamItemType {
    /// PAM_SERVICE
    Service,
    /// PAM_USER
    User,
    /// PAM_RHOST
    RemoteHost,
    /// PAM_TTY
    Terminal,
}

/// The conversation failed or was cancelled.
#[derive(Debug)]
pub(crate) struct NoInput;

/// The host process, as one hook sees it.
pub(crate) trait HostCalls {
    /// An item, if it is set and not empty.
    fn item(&self, item: PamItemType) -> Option<Vec<u8>>;
    /// The user, if the host or an earlier module has named one; unlike [`Item::User`] it asks nobody.
    fn known_user(&self) -> Option<Vec<u8>>;
    /// A variable of the transaction's own environment (pam_getenv), never the process's.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// Asks and waits. An input beyond [`shared::credential::input::LONGEST`] comes cut just above it.
    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, NoInput>;
    /// Shows a text that needs no input; it may arrive late or never.
    fn tell(&self, text: &str);
    /// The stacked password (PAM_AUTHTOK), if there is one; cut like an input.
    fn stacked(&self) -> Option<Zeroizing<Vec<u8>>>;
    /// Sets the stacked password for later modules.
    fn set_stacked(&self, password: &[u8]);
    /// Has libpam wait so many seconds, more or less, if the transaction fails.
    fn delay_failure(&self, seconds: u64);
    /// Writes one line to the system log.
    fn log(&self, severity: Severity, line: &str);
    /// Keeps the mark with the transaction.
    fn keep_mark(&self, mark: Vec<u8>);
    /// The mark that was kept, if any.
    fn mark(&self) -> Option<Vec<u8>>;
    /// Names the transaction by random bytes, and keeps them with it, for later hooks and for children that the host forks;
    /// none where the kernel has no random bytes yet, or libpam does not keep them.
    fn name_transaction(&self) -> Option<TransactionId>;
    /// What the transaction was named.
    fn transaction_id(&self) -> Option<TransactionId>;
    /// Removes the mark.
    fn remove_mark(&self) -> Result<(), MarkStays>;
}

/// libpam keeps a mark that it was to remove.
#[derive(Debug)]
pub(crate) struct MarkStays;

impl fmt::Display for MarkStays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "libpam still has data of an earlier auth of this transaction; restart the service",
        )
    }
}
