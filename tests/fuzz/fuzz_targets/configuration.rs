//! Fuzzes the configuration file postern.toml.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::configuration::postern_toml(bytes);
});
