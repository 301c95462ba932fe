//! What must hold of passkeys, and what looks for it: no case, since the suite has no browser with an
//! authenticator. Stories of this repository do it in real browsers, at real sshd and sudo; tests of the
//! library send what a browser refuses to send.

/// Something that must hold of passkeys.
pub(crate) struct PasskeyRow {
    pub(crate) holds: &'static str,
    /// Names of stories.
    pub(crate) stories: &'static [&'static str],
    /// Files below the repository, each with names of tests in it.
    pub(crate) tests: &'static [(&'static str, &'static [&'static str])],
}

/// Tests of the decision, with the vectors of W3C Web Authentication.
const DECISION: &str = "shared/src/verify/passkey/tests.rs";
/// Tests of accounts and their passkeys in a store.
const ACCOUNTS: &str = "shared/tests/passkeys.rs";
const ALONE: &str = "shared/tests/passkey_sign_in.rs";
const CODES: &str = "shared/tests/passkey_codes.rs";
const APPROVALS: &str = "shared/tests/approval.rs";

pub(crate) const PASSKEYS: [PasskeyRow; 8] = [
    PasskeyRow {
        holds: "a passkey is added, signs in after the password, confirms a critical act, is renamed and \
                removed; the code stays beside it",
        stories: &[
            "web::passkeys::a_passkey_is_added_used_renamed_and_removed",
            "web::passkeys::a_copied_passkey_is_refused_and_a_lost_one_leaves_the_code",
        ],
        tests: &[],
    },
    PasskeyRow {
        holds: "a passkey alone signs in without a name, if its device has verified its user",
        stories: &[
            "web::passkey_sign_in::a_passkey_alone_signs_in_without_a_name",
            "web::passkey_sign_in::a_passkey_without_a_verified_user_does_not_sign_in_alone",
        ],
        tests: &[(
            ALONE,
            &["the_user_handle_is_required_and_that_of_the_account"],
        )],
    },
    PasskeyRow {
        holds: "a page that needs a passkey opens by nothing else",
        stories: &["web::passkeys::a_page_that_needs_a_passkey_opens_by_nothing_else"],
        tests: &[],
    },
    PasskeyRow {
        holds: "a challenge is answered once, and for its own purpose",
        stories: &[],
        tests: &[
            (
                ACCOUNTS,
                &[
                    "a_passkey_opens_a_session_that_says_so_and_its_login_once",
                    "a_registration_counts_once_for_its_session_and_its_purpose",
                ],
            ),
            (
                ALONE,
                &[
                    "a_request_is_used_up_without_a_counter_too",
                    "a_response_to_another_kind_of_request_or_of_another_page_is_refused",
                ],
            ),
        ],
    },
    PasskeyRow {
        holds: "origin and relying party are exact, and no frame of another origin is accepted",
        stories: &[
            "web::passkey_sign_in::another_relying_party_than_that_of_the_passkeys_is_refused_at_reload",
        ],
        tests: &[(
            DECISION,
            &[
                "each_part_of_an_assertion_counts",
                "a_page_in_a_frame_of_another_origin_is_refused",
            ],
        )],
    },
    PasskeyRow {
        holds: "a signature counter that does not rise is refused",
        stories: &["web::passkeys::a_copied_passkey_is_refused_and_a_lost_one_leaves_the_code"],
        tests: &[(
            ACCOUNTS,
            &["a_counter_that_does_not_rise_is_refused_whatever_is_stored_meanwhile"],
        )],
    },
    PasskeyRow {
        holds: "a code that a passkey has made opens one prompt of PAM once, and nothing else",
        stories: &["web::passkey_codes::a_passkey_makes_a_code_that_ssh_and_sudo_accept_once"],
        tests: &[(
            CODES,
            &[
                "a_code_expires_and_a_new_one_replaces_it",
                "a_code_is_accepted_at_prompts_alone",
            ],
        )],
    },
    PasskeyRow {
        holds: "an approval by a passkey with the number opens the prompt that asked, once",
        stories: &[
            "web::approval::a_prompt_of_sshd_is_approved_in_the_browser",
            "web::approval::a_prompt_of_sudo_is_approved_in_the_browser",
            "web::approval::a_request_is_refused_by_its_owner_and_unknown_to_others",
        ],
        tests: &[(
            APPROVALS,
            &[
                "an_approved_request_grants_access_once_to_the_conversation_that_asked",
                "a_number_has_one_try_and_counts_as_a_wrong_code",
                "requests_reach_no_one_and_five_in_ten_minutes_are_the_most",
            ],
        )],
    },
];

impl PasskeyRow {
    /// Returns the names of stories and tests, as the page has them.
    pub(crate) fn places(&self) -> String {
        let stories = self.stories.iter().map(|story| format!("`{story}`"));
        let tests = self.tests.iter().flat_map(|(file, names)| {
            let name = move |name: &&str| format!("`{name}` in `{file}`");
            names.iter().map(name)
        });
        stories.chain(tests).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
        std::fs::read_to_string(format!("{path}{file}")).expect(file)
    }

    /// Whether a file has a test of this name.
    fn has_test(file: &str, name: &str) -> bool {
        let text = read(file);
        let head = format!("fn {name}() {{");
        let Some((before, _)) = text.split_once(&head) else {
            return false;
        };
        before
            .lines()
            .rev()
            .take(4)
            .any(|line| line.trim() == "#[test]")
    }

    /// A row that names a test that is gone proves nothing.
    #[test]
    fn each_row_names_tests_that_exist() {
        for row in &PASSKEYS {
            assert!(!row.places().is_empty(), "{}", row.holds);
            for story in row.stories {
                let (module, name) = story.rsplit_once("::").expect("a path");
                let file = format!("tests/stories/{}.rs", module.replace("::", "/"));
                assert!(has_test(&file, name), "{story}");
            }
            for (file, names) in row.tests {
                for name in *names {
                    assert!(has_test(file, name), "{name} in {file}");
                }
            }
        }
        // the attack: a name with a typing error
        assert!(!has_test(DECISION, "each_part_of_an_assertion_count"));
    }
}
