//! Compares README and the guides with the declaration of the command line: each command of
//! postern in their blocks and tables parses, and each file of the checkout that they name exists.

use crate::arguments::Arguments;
use clap::CommandFactory;
use std::path::{Path, PathBuf};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn documents() -> Vec<PathBuf> {
    let guides = std::fs::read_dir(checkout().join("docs/guides")).unwrap();
    let mut documents: Vec<_> = guides.map(|entry| entry.unwrap().path()).collect();
    documents.push(checkout().join("README.md"));
    for page in ["defaults", "standards", "support"] {
        documents.push(checkout().join(format!("docs/{page}.md")));
    }
    documents
}

/// Returns the lines in blocks of commands, and the commands in tables and sentences.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block = None;
    for line in text.lines().map(str::trim) {
        match (line.strip_prefix("```"), block) {
            (Some(language), None) => block = Some(language),
            (Some(_), Some(_)) => block = None,
            (None, Some("")) => found.push(line.to_owned()),
            (None, Some(_)) => {}
            (None, None) => {
                let quoted = line.split('`').skip(1).step_by(2);
                let is_whole = |quoted: &&str| {
                    ["sudo postern ", "postern "]
                        .iter()
                        .any(|start| quoted.starts_with(start))
                };
                found.extend(quoted.filter(is_whole).map(str::to_owned));
            }
        }
    }
    assert!(block.is_none(), "a block does not end");
    found
}

/// Splits a command line into simple commands, and each into its words. Words may be quoted.
fn words(line: &str) -> Vec<Vec<String>> {
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

#[test]
fn every_command_in_readme_and_guides_parses() {
    let mut count = 0;
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in commands(&text) {
            for mut words in words(&line) {
                if words[0] == "sudo" {
                    words.remove(0);
                }
                // in a container: docker compose run OPTION... postern ...
                let service = words.iter().position(|word| word == "postern");
                if words[0] == "docker" {
                    words.drain(..service.unwrap_or(0));
                }
                if words[0] == "postern" {
                    count += 1;
                    let parsed = Arguments::command().try_get_matches_from(&words);
                    if let Err(error) = parsed {
                        panic!("{}: {line}\n{error}", path.display());
                    }
                }
            }
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_file_that_readme_and_guides_name_exists() {
    for path in documents() {
        let text = std::fs::read_to_string(&path).unwrap();
        let folder = path.parent().unwrap();
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            assert!(folder.join(link).exists(), "{}: {link}", path.display());
        }
        let of_checkout = ["config/", "packaging/"];
        for line in commands(&text) {
            for word in words(&line).concat() {
                if of_checkout.iter().any(|start| word.starts_with(start)) {
                    let exists = checkout().join(&word).exists();
                    assert!(exists, "{}: {word}", path.display());
                }
            }
        }
    }
}

#[test]
fn a_command_line_is_split_as_a_shell_does() {
    let split = words("sudo postern x --y \"a b\" | tee /c && d  # e | f");
    let expected = [
        vec!["sudo", "postern", "x", "--y", "a b"],
        vec!["tee", "/c"],
        vec!["d"],
    ];
    assert_eq!(split, expected);
}
