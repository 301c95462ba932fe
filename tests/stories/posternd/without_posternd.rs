//! Stories of PAM without posternd, one of each kind whose result could differ: the module runs
//! `posternd --stdio`. `POSTERN_TEST_WITHOUT_POSTERND=1` runs all stories in this mode.

macro_rules! again {
    ($($folder:ident::$subject:ident::$story:ident)*) => {
        $(
            #[test]
            #[ignore = "needs the test host: tests/run"]
            fn $story() {
                testhost::without_posternd(crate::$folder::$subject::$story);
            }
        )*
    };
}

again! {
    sign_in::ssh::success_shows_how_many_wrong_codes_there_were
    services::guard::the_guard_asks_the_policy_again
    sign_in::codes::a_code_used_at_verify_is_refused_at_ssh_and_the_other_way_round
    sign_in::clocks::a_clock_set_back_after_a_success_has_a_cause_of_its_own_and_can_be_corrected
    sign_in::recovery::a_recovery_code_opens_during_a_delay_and_lifts_it
    sign_in::guesses::the_sixth_wrong_code_meets_a_delay
    sign_in::grace::a_code_is_not_asked_again_within_its_time_from_the_same_address
    sign_in::completed_methods::a_rule_asks_after_certain_keys
    administration::policy::someone_required_comes_in_without_for_enroll_within_after_the_first_sign_in
    services::one_field::a_vpn_takes_password_and_code_in_one_field
    services::one_field::a_mail_program_enters_with_its_app_password
    sign_in::app_passwords::a_pam_service_takes_it_where_it_asks_for_a_code
    sign_in::authenticators::a_token_of_eight_digits_is_the_only_authenticator
    enrollment::declared::a_declared_account_works_from_the_next_prompt_and_disappears_with_its_declaration
    services::password_change::the_line_makes_no_change_fail_and_none_succeed
    enrollment::at_prompt::the_first_ssh_login_shows_a_qr_and_the_recovery_codes_and_lets_in
    enrollment::at_prompt::where_an_administrator_must_allow_it_a_one_time_code_comes_first
    services::sudo::password_then_code_and_with_a_ticket_neither
    services::su::password_and_code_of_the_other_person_and_guesses_counted_by_who_guesses
    services::console::password_then_code
    services::cron::a_job_runs_of_a_user_who_has_a_second_factor_or_must_have_one
    administration::log::a_prompt_that_is_cancelled_has_a_cause_of_its_own
    store::bad_files::a_key_file_that_is_wrong_denies_all_access
    pam::module::no_descriptor_is_left_open_in_sshd
    sign_in::races::of_many_sessions_with_one_code_exactly_one_enters
}
