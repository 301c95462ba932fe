//! Fuzzes input at a prompt, and names.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::input::typed(bytes);
});
