//! Texts from untrusted sources: the corpus of the fuzz targets and mutations of it.
//! `tests/fuzz/run` does the same for a longer time.

// the functions that the fuzz targets call
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/authenticators.rs"]
mod authenticators;
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/backups.rs"]
mod backups;
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/configuration.rs"]
mod configuration;
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/input.rs"]
mod input;
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/mutations.rs"]
mod mutations;
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/tokens.rs"]
mod tokens;
#[allow(unreachable_pub)]
#[path = "../../tests/fuzz/src/web.rs"]
mod web;

use mutations::try_all;

#[test]
fn a_host_a_path_a_url_and_an_address_mean_one_thing_or_are_refused() {
    try_all("web_addresses", 6_000, web::addresses);
}

#[test]
fn a_scope_is_kept_as_it_was_read() {
    try_all("scopes", 6_000, web::scope);
}

#[test]
fn an_otpauth_uri_is_written_as_it_was_read() {
    try_all("otpauth", 6_000, authenticators::otpauth);
}

#[test]
fn what_is_imported_can_be_enrolled() {
    try_all("imports", 4_000, authenticators::import);
}

#[test]
fn a_configuration_is_kept_as_it_was_understood() {
    try_all("configuration", 2_000, configuration::postern_toml);
}

#[test]
fn what_is_typed_is_one_credential_or_none() {
    try_all("input", 6_000, input::typed);
}

#[test]
fn completed_methods_that_cannot_be_read_are_not_taken_for_none() {
    try_all("auth_info", 6_000, input::auth_info);
}

#[test]
fn a_token_that_was_changed_is_refused() {
    try_all("tokens", 3_000, tokens::forged);
}

#[test]
fn a_backup_that_was_changed_is_refused() {
    try_all("backups", 3_000, backups::forged);
}
