//! Fuzzes otpauth URIs, and the files of declared accounts.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::authenticators::otpauth(bytes);
});
