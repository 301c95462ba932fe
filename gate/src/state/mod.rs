//! State of one configuration generation, which a reload replaces as a whole.

pub(crate) mod admin_secret;
pub(crate) mod branding;
pub(crate) mod exit;
pub(crate) mod generation;
pub(crate) mod site;
