//! Configuration in doubt: links, owners, modes, the last valid copy.
