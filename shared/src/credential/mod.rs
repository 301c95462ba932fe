//! Credentials: what people type or show, and how authenticators are written down.

pub mod app_password;
pub mod completed_methods;
pub mod import;
pub mod input;
pub mod otpauth_uri;
pub mod qr;
pub mod recovery_code;
pub mod scope;
pub mod secret;
pub mod totp;
