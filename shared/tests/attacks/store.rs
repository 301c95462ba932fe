//! Stores that somebody crafted, or that an error of the disk left behind.
