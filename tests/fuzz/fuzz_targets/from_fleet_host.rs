//! Fuzzes the frames of a host of a fleet, read by a server.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::frames::server_reads(bytes);
});
