//! The commands of README.md and the guides, section by section.

use std::fs;
use testhost::checkout;

/// Returns the command lines in the code blocks of a section, without comments. An empty name
/// is for a text without sections.
pub(crate) fn commands(file: &str, section: &str) -> Vec<String> {
    let text = fs::read_to_string(checkout(file)).expect("the checkout has it");
    let of_section = text
        .split("\n## ")
        .find(|part| part.starts_with(section))
        .unwrap_or_else(|| panic!("{file} has no section {section}"));
    let mut commands = Vec::new();
    let mut in_block = false;
    for line in of_section.lines().map(str::trim) {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            let command = line.split_once(" #").map_or(line, |(command, _)| command);
            commands.push(command.trim_end().to_owned());
        }
    }
    assert!(!commands.is_empty(), "{file} has no command in {section}");
    commands
}
