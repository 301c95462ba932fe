//! What the module asks of the host process, so that everything but `ffi` can be tested without libpam.

use zeroize::Zeroizing;

/// The items of a PAM transaction that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// PAM_SERVICE
    Service,
    /// PAM_USER
    User,
    /// PAM_RHOST
    RemoteHost,
    /// PAM_RUSER
    RemoteUser,
}

/// Whether typing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Echo {
    /// Yes.
    On,
    /// No.
    Off,
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Someone must mend something.
    Error,
    /// A refusal.
    Notice,
    /// An entry.
    Info,
    /// For whoever looks for a fault.
    Debug,
}

/// The conversation failed or was cancelled.
#[derive(Debug)]
pub(crate) struct NoAnswer;

/// The host process, as one hook sees it.
pub(crate) trait Host {
    /// An item, if it is set and not empty.
    fn item(&self, item: Item) -> Option<Vec<u8>>;
    /// A variable of the transaction's own environment (pam_getenv), never the process's.
    fn variable(&self, name: &str) -> Option<Vec<u8>>;
    /// Asks and waits. An answer beyond [`shared::answer::LONGEST`] comes cut just above it.
    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, NoAnswer>;
    /// Tells something that needs no answer; it may arrive late or never.
    fn tell(&self, text: &str);
    /// Writes one line to the system log.
    fn log(&self, severity: Severity, line: &str);
    /// Keeps the mark with the transaction.
    fn remember(&self, mark: Vec<u8>);
    /// The mark that was kept, if any.
    fn recall(&self) -> Option<Vec<u8>>;
}
