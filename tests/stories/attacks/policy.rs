//! Groups, guards and names through real PAM hosts.
