//! Groups that no source knows, and PAM hosts that try to avoid the code.
