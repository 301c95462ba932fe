//! What every act of the engine shares: the opened engine and its objects by subject, a transaction
//! with configuration and keys, and who acts.

pub(super) mod conflict;
pub(super) mod engine;
pub(super) mod principal;
pub mod privileges;
pub(super) mod subjects;
pub(super) mod transaction;
pub(super) mod warning;
