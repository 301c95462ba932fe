//! Elements of a key container: found by name, read as text, and refused with their line.

use crate::credential::import::ImportError;
use data_encoding::BASE64;
use roxmltree::Node;
use zeroize::Zeroizing;

/// Decodes the Base64 of an element, which may span several lines.
pub(super) fn decode_base64(node: Node) -> Result<Zeroizing<Vec<u8>>, ImportError> {
    let text = plain_text(node)?;
    let mut packed = Zeroizing::new(Vec::with_capacity(text.len()));
    packed.extend(text.bytes().filter(|b| !b.is_ascii_whitespace()));
    BASE64
        .decode(&packed)
        .map(Zeroizing::new)
        .map_err(|_| refusal(node, "this is not Base64"))
}

/// Returns the only child element of that name, in any of the namespaces that containers use.
pub(super) fn child<'a>(
    node: Node<'a, 'a>,
    name: &str,
) -> Result<Option<Node<'a, 'a>>, ImportError> {
    let mut same = node
        .children()
        .filter(|child| child.is_element() && child.tag_name().name() == name);
    let first = same.next();
    match (first, same.next()) {
        (Some(first), Some(second)) => Err(ImportError::Lines(
            line_of(second),
            line_of(first),
            "it holds the same element",
        )),
        _ => Ok(first),
    }
}

/// Returns the only child element of that name, or the error `why`.
pub(super) fn required_child<'a>(
    node: Node<'a, 'a>,
    name: &str,
    why: &'static str,
) -> Result<Node<'a, 'a>, ImportError> {
    child(node, name)?.ok_or_else(|| refusal(node, why))
}

/// Refuses the file with the line of an element.
pub(super) fn refusal(node: Node, why: &'static str) -> ImportError {
    ImportError::Line(line_of(node), why)
}

/// Returns the line of an element. It counts from the beginning of the file, so it MUST NOT be
/// called for each element.
pub(super) fn line_of(node: Node) -> usize {
    let before = &node.document().input_text().as_bytes()[..node.range().start];
    before.iter().filter(|b| **b == b'\n').count() + 1
}

pub(super) fn text_of<'a>(node: Node<'a, 'a>, name: &str) -> Result<Option<&'a str>, ImportError> {
    let Some(node) = child(node, name)? else {
        return Ok(None);
    };
    Ok(Some(plain_text(node)?.trim()).filter(|text| !text.is_empty()))
}

/// Returns the text of an element. Text that a comment divides (`ro<!---->ot`) is refused, since
/// parsers differ in what they read.
pub(super) fn plain_text<'a>(node: Node<'a, 'a>) -> Result<&'a str, ImportError> {
    let mut children = node.children();
    match (children.next(), children.next()) {
        (None, _) => Ok(""),
        (Some(text), None) if text.is_text() => Ok(text.text().unwrap_or("")),
        _ => Err(refusal(node, "this element may contain only text")),
    }
}
