//! Engines, each used by one worker at a time, and the origin by which their use is shared.

pub mod engines;
pub mod origin;
