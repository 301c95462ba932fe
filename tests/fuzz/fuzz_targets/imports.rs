//! Fuzzes the import files of other systems.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::authenticators::import(bytes);
});
