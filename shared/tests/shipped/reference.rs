//! The reference in docs: the keys of postern.toml, the options of the PAM module, the lines of the
//! logs, and files of the checkout that pages show.

use super::defaults::stated;
use super::generated::{block, checkout, compare_parts};
use super::manual::{markdown, section};
use std::collections::BTreeMap;
use std::fmt::Write as _;

fn read(path: &str) -> String {
    std::fs::read_to_string(checkout(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A table of the sample, with its keys. Keys without a comment of their own share the one before.
#[derive(Default)]
struct Table {
    header: String,
    comment: String,
    /// Name, value and comment of each key.
    keys: Vec<(String, String, String)>,
}

impl Table {
    /// Returns the name of a key with its table, as a page names it.
    fn path(&self, key: &str) -> String {
        format!("{}.{key}", self.header.trim_matches(['[', ']']))
    }
}

/// Reads the sample, in which each key and most tables are commented out.
fn tables(sample: &str) -> Vec<Table> {
    let (mut tables, mut comment) = (Vec::<Table>::new(), String::new());
    for line in sample.lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment += if comment.is_empty() { "" } else { " " };
            comment += text.trim();
            continue;
        }
        let set = line.strip_prefix('#').unwrap_or(line);
        if set.starts_with('[') {
            let (header, comment) = (set.to_owned(), std::mem::take(&mut comment));
            tables.push(Table {
                header,
                comment,
                keys: Vec::new(),
            });
        } else if let (Some((key, value)), Some(table)) = (set.split_once(" = "), tables.last_mut())
        {
            let key = (
                key.to_owned(),
                value.to_owned(),
                std::mem::take(&mut comment),
            );
            table.keys.push(key);
        } else if let (true, Some(table)) = (line.is_empty(), tables.last_mut()) {
            table.comment += &std::mem::take(&mut comment);
        } else {
            // the head of the file
            comment.clear();
        }
    }
    tables
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn keys(defaults: &BTreeMap<String, Option<toml::Value>>) -> String {
    let mut text = String::new();
    for table in tables(&read("config/postern.toml")) {
        let _ = write!(text, "## `{}`\n\n", table.header);
        if !table.comment.is_empty() {
            let _ = write!(text, "{}\n\n", table.comment);
        }
        if table.keys.is_empty() {
            continue;
        }
        text += "| key | default | example | description |\n|---|---|---|---|\n";
        for (key, value, comment) in &table.keys {
            let default = defaults.get(&table.path(key)).cloned().flatten();
            let (default, example) = match default {
                Some(default) => (format!("`{default}`"), String::new()),
                None => ("none".to_owned(), format!("`{value}`")),
            };
            let comment = if comment.is_empty() {
                "as above"
            } else {
                comment
            };
            let row = [format!("`{key}`"), default, example, comment.to_owned()];
            let row: Vec<_> = row.iter().map(|one| cell(one)).collect();
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        text.push('\n');
    }
    text
}

#[test]
fn generated_reference_of_the_keys_is_that_of_the_sample() {
    let defaults = stated(&read("docs/defaults.md"));
    let count = tables(&read("config/postern.toml"))
        .iter()
        .map(|table| table.keys.len())
        .sum::<usize>();
    assert!(count > 80, "{count}");
    assert_eq!(compare_parts("keys", &|_| keys(&defaults)), 1);
}

#[test]
fn generated_parts_of_the_man_pages_are_theirs() {
    let of_page = |words: &[&str]| {
        let name = words[1..].join(" ");
        markdown(section(
            &read(&format!("packaging/man/{}", words[0])),
            &name,
        ))
    };
    assert!(compare_parts("manual", &of_page) >= 4);
}

#[test]
fn generated_blocks_of_files_are_the_files() {
    let of_file = |words: &[&str]| {
        let language = words.get(1).copied().unwrap_or("text");
        format!("{}\n", block(language, &read(words[0])))
    };
    assert!(compare_parts("file", &of_file) >= 8);
}

/// Returns a section of a page at the top of the checkout, with its links as seen from docs.
fn of_section(words: &[&str]) -> String {
    let (page, name) = (read(words[0]), words[1..].join(" "));
    let (_, rest) = page.split_once(&format!("\n## {name}\n")).expect(&name);
    let text = rest.split("\n## ").next().unwrap_or(rest);
    let parts = text
        .split("](")
        .enumerate()
        .map(|(at, part)| match part.strip_prefix("docs/") {
            _ if at == 0 || part.contains("://") => part.to_owned(),
            Some(part) => part.to_owned(),
            None => format!("../{part}"),
        });
    parts.collect::<Vec<_>>().join("](")
}

#[test]
fn generated_sections_are_those_of_their_pages() {
    assert!(compare_parts("section", &of_section) >= 3);
}

#[test]
fn every_generated_part_has_a_test() {
    let of_library = ["keys", "manual", "file", "section"];
    let of_programs = [
        "commands",
        "print-config",
        "proxy-settings",
        "endpoints",
        "metrics",
        "status-metrics",
    ];
    for path in super::generated::pages() {
        let text = std::fs::read_to_string(&path).expect("a page");
        for part in text.split("<!-- generated: ").skip(1) {
            let kind = part.split(' ').next().unwrap_or_default();
            let is_known = of_library.contains(&kind) || of_programs.contains(&kind);
            assert!(is_known, "{}: {kind}", path.display());
        }
    }
}
