//! Fuzzes the replies of posternd to a command, read by the command.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::frames::command_reads(bytes);
});
