//! Authenticators that make one-time passwords (RFC 6238, RFC 4226): secret, parameters, code, and how
//! they are shown: the otpauth URI and its QR code.

mod error;
pub mod otpauth_uri;
pub mod qr;
pub mod secret;
pub mod totp;

pub use error::OtpError;
