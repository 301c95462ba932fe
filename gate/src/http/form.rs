//! Fields of an HTML form. Values are wiped from memory, since they hold passwords and codes.
//!
//! Reads at most 16 fields; the first field of a name counts.

use zeroize::Zeroizing;

pub(crate) struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    pub(crate) fn parse(body: &[u8]) -> Form {
        let pairs = form_urlencoded::parse(body);
        Form(
            pairs
                .take(16)
                .map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned())))
                .collect(),
        )
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map_or("", |(_, value)| value.as_str())
    }
}
