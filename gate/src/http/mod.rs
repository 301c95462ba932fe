//! HTTP, as far as it does not depend on what is asked: bodies, forms, cookies, replies, and the memory they take.

pub(crate) mod authorization;
pub(crate) mod body;
pub(crate) mod cookies;
pub(crate) mod form;
pub(crate) mod memory_limit;
pub(crate) mod reply;
