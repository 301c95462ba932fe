//! The commands of README.md, section by section.

use std::fs;

/// Returns the command lines in the code blocks of a section, without comments.
pub(crate) fn commands(section: &str) -> Vec<String> {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"));
    let readme = readme.expect("the checkout has one");
    let of_section = readme
        .split("\n## ")
        .find(|part| part.starts_with(section))
        .unwrap_or_else(|| panic!("README has no section {section}"));
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
    assert!(!commands.is_empty(), "README has no command in {section}");
    commands
}
