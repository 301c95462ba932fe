//! The engines, each used by one worker at a time, and the origins by which conversations wait for
//! them.

pub mod engines;
pub mod origin;
