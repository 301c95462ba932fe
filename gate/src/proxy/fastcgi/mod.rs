//! FastCGI 1.0 in the role of an Authorizer, as Apache's mod_authnz_fcgi speaks it: one request a
//! connection. It reads bytes and makes bytes, and does no input or output itself.
//!
//! `record` frames, `request` follows one connection, `params` decodes the parameters of the
//! request, and `reply` encodes the reply to a check. The sections in comments are those of the
//! FastCGI specification.

pub(crate) mod params;
mod record;
pub(crate) mod reply;
pub(crate) mod request;
