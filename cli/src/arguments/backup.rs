//! `postern backup` and `postern restore`: their arguments.

use clap::{Args, ValueHint};
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct BackupArguments {
    /// The file to write; - is standard output
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Include the key file, protected by a passphrase
    #[arg(long)]
    pub(crate) with_key: bool,
    /// Read the passphrase from this file instead of the terminal
    #[arg(long, value_name = "FILE", requires = "with_key", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Args)]
pub(crate) struct RestoreArguments {
    /// The backup
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Restore the key file too, from a backup that contains it
    #[arg(long)]
    pub(crate) with_key: bool,
    /// Read the passphrase from this file instead of the terminal
    #[arg(long, value_name = "FILE", requires = "with_key", value_hint = ValueHint::FilePath)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Revoke all app passwords: one that was revoked after the backup would be valid again
    #[arg(long)]
    pub(crate) revoke_app_passwords: bool,
    /// Remove all recovery codes: one that was used after the backup could be valid again
    #[arg(long)]
    pub(crate) revoke_recovery_codes: bool,
    /// Restore without asking
    #[arg(long)]
    pub(crate) yes: bool,
}
