//! Fuzzes hosts, paths, URLs and e-mail addresses.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::web::addresses(bytes);
});
