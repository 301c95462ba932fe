//! Keys and their use: the master key wraps the data keys, which seal and hash. No key is compared,
//! printed or sent from here.

pub mod backup_file;
pub mod fleet;
pub mod master_key;
pub mod password;
pub mod vault;
