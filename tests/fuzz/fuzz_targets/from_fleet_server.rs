//! Fuzzes the frames of a server of a fleet, read by a host.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::frames::host_reads(bytes);
});
