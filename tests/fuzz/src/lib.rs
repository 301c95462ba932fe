//! The checks that fuzz targets call, a file for each subject that meets strangers. Those of crates whose parsers are
//! private are in the crates themselves, behind the feature `fuzz`.
#![forbid(unsafe_code)]

pub mod authenticators;
pub mod configuration;
pub mod conversation;
pub mod frames;
pub mod input;
pub mod tokens;
pub mod web;
