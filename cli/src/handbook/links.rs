//! Links between the pages, and the table of contents.

use super::generated::{self, checkout};
use super::pages;
use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

/// Returns the lines of a page that are in no block.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_block = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        !is_block && !is_fence
    })
}

/// Returns the targets of the links of a page.
fn links(text: &str) -> Vec<&str> {
    let lines = prose(text);
    lines
        .flat_map(|line| line.split("](").skip(1))
        .filter_map(|rest| rest.split(')').next())
        .filter(|link| !link.contains("://") && !link.starts_with("mailto:"))
        .collect()
}

/// Returns the anchor of a heading, as mdBook and the usual forges make it.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter_map(|line| {
        let heading = line.trim_start_matches('#');
        let is_heading = heading.len() < line.len();
        is_heading
            .then(|| heading.strip_prefix(' ').map(anchor))
            .flatten()
    });
    headings.collect()
}

/// Returns the links of the pages that lead nowhere.
fn broken(pages: &[(String, PathBuf, String)]) -> Vec<String> {
    let by_path: HashMap<PathBuf, BTreeSet<String>> = pages
        .iter()
        .filter_map(|(_, path, text)| Some((path.canonicalize().ok()?, anchors(text))))
        .collect();
    let mut found = Vec::new();
    for (name, path, text) in pages {
        let folder = path.parent().expect("a file is in a folder");
        for link in links(text) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let known = folder.join(file).canonicalize().ok();
            let has_anchor = match file {
                _ if fragment.is_empty() => true,
                "" => anchors(text).contains(fragment),
                _ => known
                    .as_ref()
                    .and_then(|path| by_path.get(path))
                    .is_some_and(|anchors| anchors.contains(fragment)),
            };
            if known.is_none() || !has_anchor {
                found.push(format!("{name}: {link}"));
            }
        }
    }
    found
}

#[test]
fn every_link_of_the_pages_leads_to_a_file_and_a_heading() {
    let mut pages: Vec<_> = pages()
        .into_iter()
        .map(|page| (page.name, page.path, page.text))
        .collect();
    let count: usize = pages.iter().map(|(_, _, text)| links(text).len()).sum();
    assert!(count > 150, "{count}");
    assert_eq!(broken(&pages), Vec::<String>::new());
    // the attack: a file and a heading that do not exist
    let text =
        "[a](b.md) [c](#d)\n# D\n[d](#d) [e](README.md#nothing) `\n```\n[f](g)\n```\n".to_owned();
    pages.push(("new".to_owned(), checkout("new.md"), text));
    assert_eq!(broken(&pages), ["new: b.md", "new: README.md#nothing"]);
}

#[test]
fn the_table_of_contents_has_every_page_once() {
    let contents = std::fs::read_to_string(checkout("docs/SUMMARY.md")).expect("the contents");
    let mut linked: Vec<PathBuf> = links(&contents)
        .into_iter()
        .map(|link| checkout("docs").join(link))
        .collect();
    linked.sort();
    let mut pages = generated::pages();
    pages.retain(|path| !path.ends_with("SUMMARY.md"));
    // README and SECURITY.md are pages of the handbook too
    let is_of_docs = |path: &PathBuf| !path.starts_with(checkout("docs/.."));
    let (of_docs, others): (Vec<_>, Vec<_>) = linked.into_iter().partition(is_of_docs);
    assert_eq!(of_docs, pages);
    assert!(others.iter().all(|path| path.exists()), "{others:?}");
}

/// mdBook makes pages of what its contents name, and no other file.
#[test]
fn every_page_that_a_page_of_the_handbook_links_to_is_in_the_table_of_contents() {
    let contents = std::fs::read_to_string(checkout("docs/SUMMARY.md")).expect("the contents");
    let path_of = |folder: PathBuf, link: &str| {
        let file = link
            .split('#')
            .next()
            .filter(|file| file.ends_with(".md"))?;
        folder.join(file).canonicalize().ok()
    };
    let linked = links(&contents).into_iter();
    let mut known: BTreeSet<PathBuf> = linked
        .filter_map(|link| path_of(checkout("docs"), link))
        .collect();
    known.extend(checkout("docs/SUMMARY.md").canonicalize());
    let mut missing = Vec::new();
    for page in pages() {
        let path = page.path.canonicalize().ok();
        let Some(path) = path.filter(|path| known.contains(path)) else {
            continue;
        };
        let folder = path.parent().expect("a file is in a folder");
        let others = links(&page.text)
            .into_iter()
            .filter(|link| path_of(folder.to_owned(), link).is_some_and(|to| !known.contains(&to)));
        missing.extend(others.map(|link| format!("{}: {link}", page.name)));
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_file_of_the_checkout_that_commands_name_exists() {
    let mut count = 0;
    for page in pages() {
        let mut is_block = false;
        for line in page.text.lines().map(str::trim) {
            is_block ^= line.starts_with("```");
            for word in super::command_lines::split(line).concat() {
                let is_of_checkout = ["config/", "packaging/"]
                    .iter()
                    .any(|start| word.starts_with(start));
                if is_block && is_of_checkout {
                    count += 1;
                    assert!(checkout(&word).exists(), "{}: {word}", page.name);
                }
            }
        }
    }
    assert!(count > 15, "{count}");
}
