//! Fuzzes what posternd replies to a command, read as the command reads it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    postern_fuzz::frames::command_reads(bytes);
});
