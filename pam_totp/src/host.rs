//! The calls of the relay to the PAM host, as a trait, so that everything but `ffi` is tested
//! without libpam.
//!
//! MUST NOT name a type of libpam's.

use postern_shared::protocol::{Echo, Severity};
use postern_shared::system::process::TransactionId;
use std::fmt;
use zeroize::Zeroizing;

/// The items of a PAM transaction that are sent to posternd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PamItemType {
    Service,
    User,
    RemoteHost,
    Terminal,
}

/// The conversation failed or was cancelled.
#[derive(Debug)]
pub(crate) struct NoInput;

/// The host process, as one hook sees it.
pub(crate) trait HostCalls {
    /// Returns an item, if it is set and not empty.
    fn item(&self, item: PamItemType) -> Option<Vec<u8>>;
    /// Returns the user, if the host or an earlier module has set one. Unlike [`PamItemType::User`]
    /// it never prompts.
    fn known_user(&self) -> Option<Vec<u8>>;
    /// Returns a variable of the transaction's environment (pam_getenv), never one of the process.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// Shows a prompt and waits for the input. A longer input than
    /// [`postern_shared::credential::input::LONGEST`] is cut to one byte more.
    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, NoInput>;
    /// Shows a text. A host may show it late or never.
    fn tell(&self, text: &str);
    /// Returns the stacked password (PAM_AUTHTOK), if there is one; it is cut like an input.
    fn stacked(&self) -> Option<Zeroizing<Vec<u8>>>;
    /// Sets the stacked password for later modules.
    fn set_stacked(&self, password: &[u8]);
    /// Has libpam wait about so many seconds if the transaction fails.
    fn delay_failure(&self, seconds: u64);
    /// Writes one line to the system log.
    fn log(&self, severity: Severity, line: &str);
    /// Keeps the mark with the transaction.
    fn keep_mark(&self, mark: Vec<u8>);
    /// Returns the mark that was kept.
    fn mark(&self) -> Option<Vec<u8>>;
    /// Gives the transaction a random id, and keeps it with the transaction for later hooks and for
    /// children that the host forks. Returns `None` where the kernel has no random bytes yet, or
    /// libpam does not keep the id.
    fn name_transaction(&self) -> Option<TransactionId>;
    /// Returns the id that [`HostCalls::name_transaction`] gave.
    fn transaction_id(&self) -> Option<TransactionId>;
    fn remove_mark(&self) -> Result<(), MarkStays>;
}

/// libpam did not remove the mark.
#[derive(Debug)]
pub(crate) struct MarkStays;

impl fmt::Display for MarkStays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "libpam still has data of an earlier auth of this transaction; restart the service",
        )
    }
}
