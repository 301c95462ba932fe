//! Credentials: the formats of inputs, secrets and codes, and how authenticators are written down.
//! No comparison and no store: those are in `verify` and `store`.

pub mod app_password;
pub mod approval_code;
pub mod break_glass_code;
pub mod completed_methods;
pub mod import;
pub mod input;
pub mod invitation;
pub mod otp;
pub mod passkey;
pub mod recovery_code;
pub mod scope;
