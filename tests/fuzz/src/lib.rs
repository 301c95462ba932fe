//! The checks that fuzz targets call, a file for each parser that meets strangers.
#![forbid(unsafe_code)]

pub mod conversation;
pub mod frames;
