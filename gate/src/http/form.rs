//! Fields of an HTML form. Values are wiped from memory, since they hold passwords and codes.
//!
//! Reads at most 32 fields. Of a name the first field counts, except where a page has several boxes to
//! tick.

use postern_shared::protocol::command_request::TypedText;
use std::borrow::Cow;
use zeroize::Zeroizing;

pub(crate) struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Form {
        Form::parse_fields(body, 32)
    }

    /// Parses the query of a URL, whose length is limited.
    pub(crate) fn of_query(query: &str) -> Form {
        Form::parse_fields(query.as_bytes(), usize::MAX)
    }

    fn parse_fields(text: &[u8], most: usize) -> Form {
        let pairs = form_urlencoded::parse(text).take(most);
        let field = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
            (name.into_owned(), Zeroizing::new(value.into_owned()))
        };
        Form(pairs.map(field).collect())
    }

    /// Puts these fields before the others.
    pub(crate) fn with_first(self, first: Vec<(String, String)>) -> Form {
        let first = first
            .into_iter()
            .map(|(name, value)| (name, Zeroizing::new(value)));
        Form(first.chain(self.0).collect())
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// Returns every field of a name.
    pub(crate) fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.0.iter().filter(move |(field, _)| field == name);
        of_name.map(|(_, value)| value.as_str())
    }

    pub(crate) fn typed(&self, name: &str) -> TypedText {
        self.field(name).to_owned().into()
    }

    /// Returns the field of a query as a parameter, unless it is empty.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let value = self.field(name);
        (!value.is_empty()).then(|| value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_counts_and_an_empty_one_is_none() {
        for (query, expected) in [
            ("after=x&find=a%20b&find=c", Some("a b")),
            ("find=a+b", Some("a b")),
            ("find=", None),
            ("find", None),
            ("found=x", None),
            ("", None),
        ] {
            assert_eq!(
                Form::of_query(query).parameter("find").as_deref(),
                expected,
                "{query}"
            );
        }
    }
}
