//! HTTP as attackers speak it: bytes over TLS, with no client in between that refuses to send them.

pub(crate) mod browser;
pub(crate) mod echoed;
pub(crate) mod http2;
pub(crate) mod jar;
pub(crate) mod reply;
pub(crate) mod tls;
pub(crate) mod url;
pub(crate) mod wire;
