//! Fuzzes session cookies and sealed tokens.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::tokens::forged(bytes);
});
