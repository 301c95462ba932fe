//! The examples of the man pages: each command of postern in them parses.

use super::command_lines::{parse, split, without_runner};
use super::generated::checkout;

/// Returns the lines of a man page that show what is typed: displays of one line, and lines of a
/// literal display that begin with a prompt or with the name of the command.
fn typed(page: &str) -> Vec<&str> {
    let (mut found, mut is_literal) = (Vec::new(), false);
    for line in page.lines() {
        if line.starts_with(".Bd -literal") {
            is_literal = true;
        } else if line == ".Ed" {
            is_literal = false;
        } else if let Some(line) = line.strip_prefix(".Dl ") {
            found.push(line);
        } else if is_literal
            && ["# postern", "$ postern", "postern "]
                .iter()
                .any(|start| line.starts_with(start))
        {
            found.push(line);
        }
    }
    found
}

#[test]
fn every_command_in_the_examples_of_the_man_pages_parses() {
    let mut count = 0;
    for entry in std::fs::read_dir(checkout("packaging/man")).expect("the checkout has them") {
        let path = entry.expect("a file").path();
        let page = std::fs::read_to_string(&path).expect("a text");
        for line in typed(&page) {
            let line = line.trim_start_matches(['#', '$', ' ']);
            // a line of cron names the user before the command
            let line = line
                .split_once("* * * root ")
                .map_or(line, |(_, command)| command);
            for words in split(line) {
                count += usize::from(parse(&without_runner(words), &path.display().to_string()));
            }
        }
    }
    assert!(count > 14, "{count}");
}
