//! Policy: who must give a second factor, and what a web request needs. Pure functions.

pub mod groups;
pub mod requirement;
pub mod rule;
pub mod session_groups;
