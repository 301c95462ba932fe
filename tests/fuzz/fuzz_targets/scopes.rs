//! Fuzzes scopes of app passwords.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::web::scope(bytes);
});
