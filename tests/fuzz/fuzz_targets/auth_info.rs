//! Fuzzes SSH_AUTH_INFO_0 of sshd.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::input::auth_info(bytes);
});
