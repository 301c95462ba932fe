//! Tokens and sessions that outlive what they came from.
