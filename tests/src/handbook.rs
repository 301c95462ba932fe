//! Blocks of the handbook, for stories that do what a page says.

use crate::checkout;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Returns the text of the block of a page whose first line begins so.
#[track_caller]
pub fn handbook_block(page: &str, first: &str) -> String {
    let text = fs::read_to_string(checkout(page)).expect("the checkout has it");
    let mut blocks = text.split("```").skip(1).step_by(2);
    let found = blocks.find_map(|block| {
        let (_, lines) = block.split_once('\n')?;
        let lines = lines.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        lines.starts_with(first).then_some(lines)
    });
    found.unwrap_or_else(|| panic!("{page} has no block with {first}"))
}

/// Returns a shell that runs the lines of a block in a folder, until one fails. Stories are root.
#[track_caller]
pub fn handbook_shell(page: &str, first: &str, folder: &Path) -> Command {
    let script = handbook_block(page, first).replace("sudo ", "");
    let mut shell = Command::new("bash");
    shell
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(folder);
    shell
}
