//! Tokens and sessions at the gate that outlive what they came from.
