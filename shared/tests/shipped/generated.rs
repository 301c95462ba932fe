//! Parts of the pages in docs that are generated from declarations and files. A part begins with the
//! line `<!-- generated: KIND ARGUMENTS -->` and ends with `<!-- end -->`. The tests of the crate that
//! has the declaration compare the part with it, and write it if `POSTERN_WRITE_DOCS` is set.

use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end -->";

pub(crate) fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Returns every page below docs.
pub(crate) fn pages() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![checkout("docs")]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the checkout has it") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Replaces what the parts of a kind contain, and returns the text with their number.
fn replace_parts(text: &str, kind: &str, generate: &dyn Fn(&[&str]) -> String) -> (String, usize) {
    let (mut result, mut rest, mut count) = (String::new(), text, 0);
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (words, after) = after.split_once(" -->\n").expect("a marker ends its line");
        let (content, after) = after.split_once(END).expect(words);
        assert!(
            !content.contains(BEGIN),
            "{words}: the part before has no end"
        );
        let words: Vec<&str> = words.split(' ').collect();
        let content = match words[0] == kind {
            true => {
                count += 1;
                format!("\n{}\n\n", generate(&words[1..]).trim())
            }
            false => content.to_owned(),
        };
        result += &format!("{before}{BEGIN}{} -->\n{content}{END}", words.join(" "));
        rest = after;
    }
    (result + rest, count)
}

/// Compares each part of a kind with what is generated for its arguments, and returns the number of
/// parts.
#[track_caller]
pub(crate) fn compare_parts(kind: &str, generate: &dyn Fn(&[&str]) -> String) -> usize {
    let mut count = 0;
    for path in pages() {
        let text = std::fs::read_to_string(&path).expect("a page");
        let (expected, parts) = replace_parts(&text, kind, generate);
        count += parts;
        if expected == text {
            continue;
        }
        if std::env::var_os("POSTERN_WRITE_DOCS").is_some() {
            std::fs::write(&path, expected).expect("the page can be written");
        } else {
            let differs = text
                .lines()
                .zip(expected.lines())
                .find(|(is, should)| is != should);
            panic!(
                "{}: the part \"{kind}\" is not up to date at {differs:?}; write it: \
                 POSTERN_WRITE_DOCS=1 cargo test generated",
                path.display()
            );
        }
    }
    count
}

/// Returns a text as a block.
#[allow(
    dead_code,
    reason = "not every crate that includes this file has blocks"
)]
pub(crate) fn block(language: &str, text: &str) -> String {
    assert!(
        !text.contains("```"),
        "a block cannot contain the end of a block"
    );
    format!("```{language}\n{}\n```", text.trim_end())
}

#[test]
fn generated_parts_are_replaced_and_others_stay() {
    let text =
        "a\n<!-- generated: x 1 2 -->\nold\n<!-- end -->\nb <!-- generated: y -->\nc<!-- end -->d";
    let (replaced, count) = replace_parts(text, "x", &|words| words.join("+"));
    let expected = "a\n<!-- generated: x 1 2 -->\n\n1+2\n\n<!-- end -->\nb <!-- generated: y -->\nc<!-- end -->d";
    assert_eq!((replaced.as_str(), count), (expected, 1));
    assert_eq!(
        replace_parts(&replaced, "x", &|words| words.join("+")).0,
        expected
    );
}
