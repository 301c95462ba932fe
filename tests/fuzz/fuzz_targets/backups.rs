//! Fuzzes the file of a backup.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::backups::forged(bytes);
});
