//! Policy: who must give a second factor, which rule decides a web request, and the groups that
//! both depend on. Decisions are pure functions; only [`groups`] asks the host's name service.

pub mod groups;
pub mod requirement;
pub mod rule;
pub mod session_groups;
