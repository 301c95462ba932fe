//! Files in doubt: the folder of the store, links, the last valid copy, reload.
