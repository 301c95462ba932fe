//! A table of routes, and the only code that matches a path with one. The pages and the API have
//! one each; the OpenAPI document is made from that of the API.

use hyper::Method;
use percent_encoding::percent_decode_str;

/// Segments of a path that are compared at most.
const MAX_SEGMENTS: usize = 8;

pub(crate) struct Route<H> {
    pub(crate) method: Method,
    /// Below the table's own path. Segments in braces are variable.
    pub(crate) path: &'static str,
    pub(crate) handler: H,
}

impl<H> Route<H> {
    pub(crate) fn new(method: Method, path: &'static str, handler: H) -> Route<H> {
        Route {
            method,
            path,
            handler,
        }
    }
}

pub(crate) struct RouteTable<H>(Vec<Route<H>>);

impl<H> RouteTable<H> {
    pub(crate) fn new(routes: impl IntoIterator<Item = Vec<Route<H>>>) -> RouteTable<H> {
        RouteTable(routes.into_iter().flatten().collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Route<H>> {
        self.0.iter()
    }

    /// Returns the route with the arguments in its path, decoded, or the methods that the path has.
    pub(crate) fn find(
        &self,
        method: &Method,
        path: &str,
    ) -> Result<(&Route<H>, Vec<String>), Vec<&str>> {
        let segments: Vec<&str> = path.split('/').take(MAX_SEGMENTS).collect();
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let mut allowed = Vec::new();
        for route in &self.0 {
            let Some(arguments) = match_path(route.path, &segments) else {
                continue;
            };
            if route.method == *method {
                return Ok((route, arguments));
            }
            allowed.push(route.method.as_str());
            if route.method == Method::GET {
                allowed.push("HEAD");
            }
        }
        Err(allowed)
    }
}

/// Returns the arguments in a path, decoded, if the path has the form.
fn match_path(form: &str, segments: &[&str]) -> Option<Vec<String>> {
    let form: Vec<&str> = form.split('/').collect();
    if form.len() != segments.len() {
        return None;
    }
    let mut arguments = Vec::new();
    for (part, segment) in form.iter().zip(segments) {
        match part.starts_with('{') {
            true if segment.is_empty() => return None,
            true => arguments.push(percent_decode_str(segment).decode_utf8().ok()?.into_owned()),
            false if part == segment => {}
            false => return None,
        }
    }
    Some(arguments)
}

#[cfg(test)]
impl<H> RouteTable<H> {
    /// Asserts that no two routes answer the same request.
    pub(crate) fn assert_unambiguous(&self) {
        for (at, one) in self.0.iter().enumerate() {
            let segments: Vec<&str> = one.path.split('/').collect();
            for other in &self.0[at + 1..] {
                let same =
                    one.method == other.method && match_path(other.path, &segments).is_some();
                assert!(!same, "{} {} and {}", one.method, one.path, other.path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_one_route_and_its_variable_parts_are_decoded() {
        let route = |method, path| Route::new(method, path, ());
        let table = RouteTable::new([vec![
            route(Method::GET, "account"),
            route(Method::DELETE, "authenticators/{name}"),
            route(Method::POST, "accounts/{name}/code"),
            route(Method::DELETE, "accounts/{name}/code"),
        ]]);
        table.assert_unambiguous();
        let (route, arguments) = table
            .find(&Method::DELETE, "authenticators/my%20t%2fken")
            .ok()
            .unwrap();
        assert_eq!(
            (route.path, arguments),
            ("authenticators/{name}", vec!["my t/ken".to_owned()])
        );
        assert!(table.find(&Method::HEAD, "account").is_ok());
        for path in [
            "",
            "accounts",
            "account/",
            "/account",
            "authenticators/",
            "authenticators/%ff",
            "a/b/c/d",
        ] {
            assert_eq!(
                table.find(&Method::DELETE, path).err(),
                Some(Vec::new()),
                "{path}"
            );
        }
        assert_eq!(
            table.find(&Method::POST, "account").err(),
            Some(vec!["GET", "HEAD"])
        );
        let (_, arguments) = table
            .find(&Method::DELETE, "accounts/a%20b/code")
            .ok()
            .unwrap();
        assert_eq!(arguments, ["a b"]);
        assert_eq!(
            table.find(&Method::GET, "accounts/a%20b/code").err(),
            Some(vec!["POST", "DELETE"])
        );
    }
}
