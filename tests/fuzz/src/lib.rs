//! The checks that fuzz targets call, one file for each subject that parses untrusted bytes. Crates
//! with private parsers contain their own checks, behind the feature `fuzz`.
#![forbid(unsafe_code)]

pub mod authenticators;
pub mod backups;
pub mod configuration;
pub mod conversation;
pub mod frames;
pub mod input;
pub mod passkeys;
pub mod tokens;
pub mod web;
