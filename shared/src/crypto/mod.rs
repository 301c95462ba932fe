//! Keys and what is done with them: the master key wraps the data keys, which seal and hash.

pub mod master_key;
pub mod password;
pub mod vault;
