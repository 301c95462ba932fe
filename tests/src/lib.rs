//! The test host: accounts, sshd, clock, log, and the people who sign in.
