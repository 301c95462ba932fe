//! Verification of one input: which time steps are accepted, what a wrong input costs, what is
//! consumed. Pure functions of values, time included: this folder opens no store and reads no
//! clock.

pub mod account;
pub mod app_password;
pub mod break_glass;
mod counter_window;
pub mod decision;
mod grace_period;
pub mod host_clock;
mod mailed_code;
mod matching;
pub mod method;
pub mod one_time_code;
pub mod origin;
pub mod passkey;
pub mod throttle;
pub mod throttle_scope;
mod time_window;
