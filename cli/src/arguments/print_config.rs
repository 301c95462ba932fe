//! `postern print-config` on the command line.

use clap::{Args, ValueEnum};

#[derive(Args)]
pub(crate) struct PrintConfig {
    /// The proxy
    #[arg(value_enum)]
    pub(crate) proxy: Proxy,
    /// The host of the application; a likely one if not given
    #[arg(long, value_name = "HOST")]
    pub(crate) app: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Proxy {
    /// auth_request
    Nginx,
    /// ForwardAuth
    Traefik,
}
