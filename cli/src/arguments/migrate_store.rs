//! `postern migrate-store`: its arguments.

use clap::{Args, ValueHint};
use postern_shared::config::StoreUrl;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct MigrateStoreArguments {
    /// The new place, as store.url names it: sqlite:PATH or postgres://USER@HOST/DATABASE
    #[arg(long, value_name = "URL", value_parser = parse_url)]
    pub(crate) to: StoreUrl,
    /// The file with the password at PostgreSQL, as store.password_file will name it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) password_file: Option<PathBuf>,
    /// The certificate authorities of PostgreSQL, as store.ca_file will name them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) ca_file: Option<PathBuf>,
    /// Only show whether the store can be moved there, and how many rows it has
    #[arg(long)]
    pub(crate) dry_run: bool,
}

fn parse_url(text: &str) -> Result<StoreUrl, &'static str> {
    StoreUrl::try_from(text.to_owned())
}
