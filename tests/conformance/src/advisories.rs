//! Public advisories of this class of software. Each is looked for by a case, or, where it shows
//! only at PAM or in another layout than the suite's, by a story of this repository.

use crate::cases;

/// Advisories and the software in which the fault was found.
pub(crate) const ADVISORIES: [(&str, &str); 47] = [
    ("CVE-2021-32637", "Authelia: a malformed URL grants access"),
    ("CVE-2021-29456", "Authelia: open redirect"),
    ("tinyauth f9fff24c", "tinyauth: open redirect"),
    (
        "CVE-2025-24806",
        "Authelia: other spellings of a name are throttled apart",
    ),
    (
        "CVE-2026-47203",
        "Authelia: other spellings of a name are throttled apart",
    ),
    (
        "CVE-2026-48794",
        "Authelia: other spellings of a host evade a rule",
    ),
    (
        "CVE-2026-27588",
        "Caddy: other spellings of a host evade a rule",
    ),
    (
        "CVE-2026-40575",
        "oauth2-proxy: X-Forwarded-Uri of a client is trusted",
    ),
    ("GHSA-7x63-xv5r-3p2x", "the same"),
    (
        "CVE-2026-34457",
        "oauth2-proxy: a User-Agent of health checks grants access",
    ),
    ("GHSA-5hvv-m4w4-gf6v", "the same"),
    (
        "GHSA-pxq7-h93f-9jrg",
        "oauth2-proxy: an open path in the query",
    ),
    ("CVE-2025-54576", "oauth2-proxy: an open path in the query"),
    ("GHSA-7rh7-c77v-6434", "the same"),
    (
        "CVE-2025-64484",
        "oauth2-proxy: Remote_User for Remote-User",
    ),
    ("GHSA-vjrc-mh2v-45x6", "the same"),
    ("CVE-2026-39858", "Traefik: Remote_User for Remote-User"),
    ("GHSA-f59h-q822-g45g", "Caddy: Remote_User for Remote-User"),
    ("GHSA-f24x-5g9q-753f", "oauth2-proxy: session fixation"),
    (
        "GHSA-6384-m2mw-rf54",
        "Traefik: X-Forwarded-Prefix of a client",
    ),
    (
        "CVE-2026-40912",
        "Traefik: another path at the check than at the application",
    ),
    (
        "CVE-2024-45410",
        "Traefik: Connection removes headers before the check",
    ),
    (
        "CVE-2026-30851",
        "Caddy: identity headers of the client that the gate did not set",
    ),
    ("GHSA-7r4p-vjf4-gxv4", "the same"),
    (
        "CVE-2026-25748",
        "authentik: a malformed cookie grants access",
    ),
    (
        "authentik #18063",
        "authentik: a gate in trouble grants access",
    ),
    ("tinyauth v5.0.3", "tinyauth: empty headers of the proxy"),
    ("tinyauth #123", "tinyauth: Basic skips the second factor"),
    (
        "CVE-2026-32245",
        "tinyauth: what was issued for one host is accepted at another",
    ),
    (
        "GHSA-8vcm-4gq3-w9fr",
        "nginx-sso: the order of rules decides instead of the stricter",
    ),
    (
        "caddy-security (Trail of Bits)",
        "address spoofing, guesses, sign-out, HTML in fields",
    ),
    (
        "CVE-2026-32729",
        "Runtipi: codes can be guessed without limit",
    ),
    (
        "CVE-2026-44460",
        "FileRise: the secret is shown after the password",
    ),
    (
        "hanko PR#2723",
        "hanko: the code that confirmed an enrollment is accepted again",
    ),
    (
        "Infisical PR#6112",
        "Infisical: the last time step moves back",
    ),
    ("CVE-2026-48710", "Starlette: a Host with a path"),
    (
        "CVE-2026-95811",
        "LemonLDAP::NG: rules see the path undecoded",
    ),
    (
        "LemonLDAP::NG deb12u8",
        "LemonLDAP::NG: the absolute form with another Host",
    ),
    (
        "CVE-2024-52948",
        "LemonLDAP::NG: second factors can be registered by other sites",
    ),
    ("CVE-2024-52946", "LemonLDAP::NG: a level is raised wrongly"),
    (
        "61131 ngx_http_auth_totp",
        "made-up cookies, a missing secret, codes that are used twice",
    ),
    (
        "nforwardauth",
        "sessions without an end, crashes at garbage",
    ),
    ("CVE-2025-23013", "pam-u2f: an error is no refusal"),
    (
        "CVE-2019-12209",
        "pam-u2f: root follows a link for its debug log",
    ),
    (
        "CVE-2019-12210",
        "pam-u2f: debug output goes to a file of the caller",
    ),
    ("CVE-2024-47191", "pam_oath: root follows a link of a user"),
    (
        "google-authenticator-libpam (by trial)",
        "one code at once, learned skew, names as paths",
    ),
];

/// Advisories that show elsewhere, and the stories that look for them.
pub(crate) const STORIES: [(&str, &str); 15] = [
    (
        "authentik #18063",
        "attacks::log_and_memory::a_gate_whose_store_takes_no_writes_is_not_ready",
    ),
    (
        "CVE-2026-40575",
        "gate::bad_input::odd_contract_headers_are_denied",
    ),
    (
        "CVE-2026-32245",
        "gate::checks::a_host_only_session_is_refused_at_another_host",
    ),
    (
        "CVE-2026-32245",
        "gate::own_paths::a_session_of_one_application_is_refused_at_another",
    ),
    (
        "hanko PR#2723",
        "enrollment::command::a_confirmed_setup_is_on_at_once_and_its_code_is_spent",
    ),
    (
        "Infisical PR#6112",
        "sign_in::codes::a_used_code_and_every_older_one_are_refused",
    ),
    (
        "Infisical PR#6112",
        "sign_in::clocks::a_code_is_not_accepted_twice_when_the_clock_jumps_back_and_forth",
    ),
    (
        "61131 ngx_http_auth_totp",
        "store::bad_files::a_key_file_that_is_wrong_denies_all_access",
    ),
    (
        "CVE-2025-23013",
        "store::bad_files::a_store_that_is_missing_or_broken_denies_all_access",
    ),
    (
        "CVE-2024-47191",
        "beside::beside_the_other_modules_ours_has_no_fault_and_is_as_the_page_says",
    ),
    (
        "CVE-2019-12209",
        "administration::log::no_log_contains_what_was_typed",
    ),
    (
        "CVE-2019-12210",
        "administration::log::no_log_contains_what_was_typed",
    ),
    (
        "google-authenticator-libpam (by trial)",
        "sign_in::races::of_many_sessions_with_one_code_exactly_one_enters",
    ),
    (
        "google-authenticator-libpam (by trial)",
        "services::every_service::a_fast_phone_never_moves_the_window",
    ),
    (
        "google-authenticator-libpam (by trial)",
        "pam::bad_input::names_that_lead_elsewhere_or_never_end_are_refused",
    ),
];

/// Returns where an advisory is looked for: titles of cases, and names of stories.
pub(crate) fn places(advisory: &str) -> Vec<String> {
    let cases = cases::all().into_iter();
    let cases = cases.filter(|case| case.advisories.contains(&advisory));
    let cases = cases.map(|case| format!("{}: {}", case.group, case.name));
    let stories = STORIES.iter().filter(|(number, _)| *number == advisory);
    cases
        .chain(stories.map(|(_, story)| format!("`{story}`")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_advisory_is_looked_for() {
        for (advisory, _) in ADVISORIES {
            assert!(!places(advisory).is_empty(), "{advisory}");
        }
    }

    #[test]
    fn each_number_of_a_case_or_story_is_in_the_list() {
        let known = |number: &str| ADVISORIES.iter().any(|(advisory, _)| *advisory == number);
        for case in cases::all() {
            for number in case.advisories {
                assert!(known(number), "{number} of {}", case.name);
            }
        }
        for (number, story) in STORIES {
            assert!(known(number), "{number} of {story}");
        }
    }
}
