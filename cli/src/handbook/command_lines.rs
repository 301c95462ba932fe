//! Command lines of the pages: split as a shell does, and parsed by the declaration of the command.

use crate::arguments::Arguments;
use clap::CommandFactory;

/// Splits a command line into simple commands, and each into its words. Words may be quoted.
pub(super) fn split(line: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, Some(open)) if c == open => quote = None,
            ('#', None) if word.is_none() => break,
            (' ' | '|' | '&' | ';', None) => {
                words.extend(word.take());
                if c != ' ' {
                    all.push(std::mem::take(&mut words));
                }
            }
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    all.push(words);
    all.retain(|words| !words.is_empty());
    all
}

/// Removes what runs the command: `sudo`, or `docker compose run OPTION...`.
pub(super) fn without_runner(mut words: Vec<String>) -> Vec<String> {
    if words[0] == "sudo" && words.get(1).is_some_and(|word| !word.starts_with('-')) {
        words.remove(0);
    }
    let service = words.iter().position(|word| word == "postern");
    if words[0] == "docker" {
        words.drain(..service.unwrap_or(0));
    }
    words
}

/// Parses a simple command if it is postern's. Returns whether it is.
#[track_caller]
pub(super) fn parse(words: &[String], place: &str) -> bool {
    if words[0] != "postern" {
        return false;
    }
    // a redirection is not an argument
    let arguments = words
        .iter()
        .take_while(|word| !word.starts_with(['>', '<']));
    if let Err(error) = Arguments::command().try_get_matches_from(arguments) {
        panic!("{place}: {}\n{error}", words.join(" "));
    }
    true
}

/// Whether the words are the name of a command alone, as in "postern restore".
fn is_name(words: &[String]) -> bool {
    let declaration = Arguments::command();
    let mut command = &declaration;
    words[1..].iter().all(|word| {
        let sub = command.find_subcommand(word);
        sub.is_some_and(|sub| {
            command = sub;
            true
        })
    })
}

/// Returns the commands of postern in the sentences and tables of a text.
pub(super) fn quoted(text: &str) -> Vec<&str> {
    let (mut found, mut is_block) = (Vec::new(), false);
    for line in text.lines().map(str::trim) {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if !is_block {
            let quoted = line.split('`').skip(1).step_by(2);
            let is_whole = |quoted: &&str| {
                ["sudo postern ", "postern "]
                    .iter()
                    .any(|start| quoted.starts_with(start))
            };
            found.extend(quoted.filter(is_whole));
        }
    }
    assert!(!is_block, "a block does not end");
    found
}

#[test]
fn every_command_in_sentences_and_tables_parses() {
    let mut count = 0;
    for page in super::pages() {
        // generated: names of commands without arguments
        if page.name.starts_with("docs/reference/") {
            continue;
        }
        for line in quoted(&page.text) {
            for words in split(line).into_iter().map(without_runner) {
                count += usize::from(is_name(&words) || parse(&words, &page.name));
            }
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn a_command_line_is_split_as_a_shell_does() {
    let words = split("sudo postern x --y \"a b\" | tee /c && d  # e | f");
    let expected = [
        vec!["sudo", "postern", "x", "--y", "a b"],
        vec!["tee", "/c"],
        vec!["d"],
    ];
    assert_eq!(words, expected);
}
