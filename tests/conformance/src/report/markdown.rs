//! Results as a page of Markdown.

use crate::advisories::{ADVISORIES, places};
use crate::cases;
use crate::passkeys::PASSKEYS;
use crate::report::results::{Column, Verdict, rows};
use std::collections::BTreeMap;
use std::fmt::Write;

const HEAD: &str = "# Conformance

What must hold of a gate behind each proxy, tried from outside by the
[conformance suite](../tests/conformance/README.md). That suite writes this page; `tests/run` runs it
behind every proxy, and fails where a result differs from this page.

A case that lacks what it needs is *skipped*, and the reason is below the table. Each group is also
shown to fail behind a proxy with a planted fault.
";

const ADVISORIES_HEAD: &str = "
## Advisories

Faults that others had, and what looks for each: a case above, or, where it shows only at PAM or in
another layout, a story below `tests/stories`.

| advisory | fault | looked for by |
|---|---|---|
";

const PASSKEYS_HEAD: &str = "
## Passkeys

The suite has no browser with an authenticator. What must hold of passkeys is looked for by stories below
`tests/stories`, in a real browser and at real sshd and sudo, and by tests of the library, which send what
a browser refuses to send.

| what must hold | looked for by |
|---|---|
";

pub(crate) fn render(columns: &[Column]) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&render_table(columns));
    text.push_str(&render_reasons(columns));
    text.push_str(ADVISORIES_HEAD);
    for (advisory, fault) in ADVISORIES {
        let places = places(advisory).join("; ");
        let _ = writeln!(text, "| {advisory} | {fault} | {places} |");
    }
    text.push_str(PASSKEYS_HEAD);
    for row in &PASSKEYS {
        let _ = writeln!(text, "| {} | {} |", row.holds, row.places());
    }
    text
}

fn render_table(columns: &[Column]) -> String {
    let mut text = "\n| group | case | advisories |".to_owned();
    for column in columns {
        let _ = write!(text, " {} |", plain(&column.target));
    }
    let _ = writeln!(text, "\n|---|---|---|{}", "---|".repeat(columns.len()));
    let all = cases::all();
    for (group, name) in rows(columns) {
        let mut known = all.iter();
        let case = known.find(|case| (case.group, case.name) == (group, name));
        let advisories = case.map_or_else(String::new, |case| case.advisories.join(", "));
        let _ = write!(
            text,
            "| {} | {} | {advisories} |",
            plain(group),
            plain(name)
        );
        for column in columns {
            let shown = match column.end(group, name).map(|end| &end.verdict) {
                Some(Verdict::Passed) => "passed",
                Some(Verdict::Failed(_)) => "**failed**",
                Some(Verdict::Skipped(_)) => "skipped",
                None => "",
            };
            let _ = write!(text, " {shown} |");
        }
        text.push('\n');
    }
    text
}

/// Returns the reasons for what was skipped or failed, each with the targets that it is true of.
fn render_reasons(columns: &[Column]) -> String {
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for column in columns {
        for end in &column.ends {
            let (word, reason) = match &end.verdict {
                Verdict::Passed => continue,
                Verdict::Failed(message) => ("failed", message),
                Verdict::Skipped(reason) => ("skipped", reason),
            };
            let line = format!("{}: {}, {word}: {}", end.group, end.name, plain(reason));
            reasons.entry(line).or_default().push(&column.target);
        }
    }
    let mut text = String::new();
    for (reason, targets) in reasons {
        let _ = write!(text, "\n- {} ({})", reason, plain(&targets.join(", ")));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// Returns a text that ends no cell and no line of a table.
fn plain(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md");

    /// The page names a case that is gone, or lacks a new one.
    #[test]
    fn the_page_has_the_cases_and_the_advisories_of_the_program() {
        let page = std::fs::read_to_string(PAGE).expect("docs/conformance.md");
        let (table, advisories) = page.split_once("\n## Advisories\n").expect("a heading");
        let listed = table.lines().filter(|line| line.starts_with("| "));
        let listed: Vec<_> = listed
            .skip(1)
            .map(|line| line.split(" | ").take(3).collect::<Vec<_>>().join(" | "))
            .collect();
        let present = cases::all().into_iter().map(|case| {
            let advisories = case.advisories.join(", ");
            format!("| {} | {} | {advisories}", case.group, case.name)
        });
        assert_eq!(listed, present.collect::<Vec<_>>());
        let rendered = render(&[]);
        assert!(rendered.ends_with(advisories), "the advisories differ");
    }
}
