//! What stays the same until the configuration is reloaded.

pub(crate) mod admin_secret;
pub(crate) mod branding;
pub(crate) mod exit;
pub(crate) mod generation;
pub(crate) mod site;
