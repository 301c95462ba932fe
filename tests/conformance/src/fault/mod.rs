//! A proxy with one planted fault, between the suite and a real proxy. With it, a group of cases
//! must fail: a suite that cannot fail proves nothing.
//!
//! It sees every request and response. A fault lets a request through to the application without
//! asking the gate, changes a request or a response, or answers by itself.

mod faults;
mod message;
mod server;

pub(crate) use faults::NAMES;
pub(crate) use server::{ServerArguments, serve};
