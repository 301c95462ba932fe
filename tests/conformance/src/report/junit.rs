//! Results as JUnit XML, and back.

use crate::report::results::{CaseEnd, Column, Verdict};
use std::fmt::Write;
use std::path::PathBuf;

/// Returns the results as JUnit XML.
pub(crate) fn render(columns: &[Column]) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for column in columns {
        let [_, failed, skipped] = column.counts();
        let _ = writeln!(
            text,
            "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" \
             skipped=\"{skipped}\">",
            escaped(&column.target),
            column.ends.len(),
        );
        for end in &column.ends {
            let _ = write!(
                text,
                "<testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">",
                escaped(&end.group),
                escaped(&end.name),
                end.seconds
            );
            let _ = match &end.verdict {
                Verdict::Passed => Ok(()),
                Verdict::Failed(message) => {
                    write!(text, "<failure message=\"{}\"/>", escaped(message))
                }
                Verdict::Skipped(reason) => {
                    write!(text, "<skipped message=\"{}\"/>", escaped(reason))
                }
            };
            text.push_str("</testcase>\n");
        }
        text.push_str("</testsuite>\n");
    }
    text + "</testsuites>\n"
}

/// Reads a file that `render` wrote.
pub(crate) fn read(path: &PathBuf) -> Result<Vec<Column>, String> {
    let about = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| about(&error))?;
    parse(&text).map_err(|error| about(&error))
}

fn parse(text: &str) -> Result<Vec<Column>, String> {
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let named = |node: &roxmltree::Node<'_, '_>, name: &str| {
        let value = node.attribute(name).map(str::to_owned);
        value.ok_or_else(|| format!("a {} without {name}", node.tag_name().name()))
    };
    let mut columns = Vec::new();
    for suite in document
        .descendants()
        .filter(|node| node.has_tag_name("testsuite"))
    {
        let mut ends = Vec::new();
        for case in suite
            .children()
            .filter(|node| node.has_tag_name("testcase"))
        {
            let found = |tag: &str| case.children().find(|node| node.has_tag_name(tag));
            let verdict = match (found("failure"), found("skipped")) {
                (Some(node), _) => Verdict::Failed(named(&node, "message")?),
                (None, Some(node)) => Verdict::Skipped(named(&node, "message")?),
                (None, None) => Verdict::Passed,
            };
            ends.push(CaseEnd {
                group: named(&case, "classname")?,
                name: named(&case, "name")?,
                verdict,
                seconds: named(&case, "time")?.parse().unwrap_or(0.0),
            });
        }
        columns.push(Column {
            target: named(&suite, "name")?,
            ends,
        });
    }
    Ok(columns)
}

/// Escapes a text for an attribute. XML 1.0 has no other control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_as_they_were_written() {
        let end = |verdict| CaseEnd {
            group: "rd".to_owned(),
            name: "a <b> & \"c\"".to_owned(),
            verdict,
            seconds: 0.5,
        };
        let column = Column {
            target: "nginx".to_owned(),
            ends: vec![
                end(Verdict::Passed),
                end(Verdict::Failed("\u{e9} ]]>".to_owned())),
                end(Verdict::Skipped("no command".to_owned())),
            ],
        };
        let columns = vec![column];
        assert_eq!(parse(&render(&columns)), Ok(columns));
    }
}
