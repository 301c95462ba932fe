//! Tests of README and the handbook in docs: each command and each block of them is run, parsed or
//! generated, and each link leads somewhere. The parts about the command are generated from its
//! declaration.

mod blocks;
mod command_lines;
#[path = "../../../shared/tests/shipped/generated.rs"]
mod generated;
mod links;
mod manual_pages;
mod metrics;
mod reference;
mod standards;
#[path = "../../../shared/tests/shipped/test_names.rs"]
mod test_names;

use generated::checkout;
use std::path::PathBuf;

/// Pages outside of docs.
const OTHERS: [&str; 6] = [
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "ARCHITECTURE.md",
    "pam_totp/BESIDE.md",
    "tests/conformance/README.md",
];

/// A page, by its path in the checkout.
struct Page {
    name: String,
    path: PathBuf,
    text: String,
}

fn pages() -> Vec<Page> {
    let mut paths = generated::pages();
    paths.extend(OTHERS.map(checkout));
    let page = |path: PathBuf| {
        let name = path.strip_prefix(checkout("")).expect("it is there");
        Page {
            name: name.to_str().expect("names are ASCII").to_owned(),
            text: std::fs::read_to_string(&path).expect("a page"),
            path,
        }
    };
    paths.into_iter().map(page).collect()
}
