//! HTTP independent of pages and endpoints: bodies, forms, header fields, cookies, the Authorization
//! header, tables of routes, replies, and memory limits.

pub(crate) mod authorization;
pub(crate) mod body;
pub(crate) mod cookies;
pub(crate) mod form;
pub(crate) mod header_fields;
pub(crate) mod memory_limit;
pub(crate) mod reply;
pub(crate) mod route_table;
