//! Results as a matrix of targets and cases: for the terminal, as JUnit XML, and as Markdown.

pub(crate) mod junit;
pub(crate) mod markdown;
pub(crate) mod matrix;
pub(crate) mod results;
