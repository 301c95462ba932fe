//! Parameters of a query, which select what a list shows. No parameter is required.

pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// Description for the OpenAPI document.
    pub(super) description: &'static str,
}

/// Returns the first value of a parameter, unless it is empty.
pub(super) fn find_parameter(query: &str, parameter: &Parameter) -> Option<String> {
    let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == parameter.name);
    found
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_counts_and_an_empty_one_is_none() {
        const FIND: Parameter = Parameter {
            name: "find",
            description: "",
        };
        for (query, expected) in [
            ("after=x&find=a%20b&find=c", Some("a b")),
            ("find=a+b", Some("a b")),
            ("find=", None),
            ("find", None),
            ("found=x", None),
            ("", None),
        ] {
            assert_eq!(find_parameter(query, &FIND).as_deref(), expected, "{query}");
        }
    }
}
