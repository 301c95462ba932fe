//! Fuzzes the options of pam_totp.so in a service file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    posternd::fuzz::pam_options(bytes);
});
