//! Stories: a story is the log of what a person does with real servers. Each begins on a fresh
//! host. They run one at a time, as root on a throwaway copy of this machine: tests/run starts
//! them.

mod administration;
/// These stories measure time, or use all that the machine has: tests/shares runs them with nothing
/// beside them.
mod alone {
    mod timings;
    mod web_check_cost;
    mod web_crowd;
    mod web_timings;
}
mod app_passwords;
mod attacks;
mod authenticators;
mod bad_files;
mod bad_input;
mod beside;
mod check_machine;
mod clocks;
mod codes;
mod completions;
mod configuration;
mod console;
mod crashes;
mod cron;
mod declared;
mod earlier;
mod enrolment;
mod every_service;
mod fail2ban;
mod fallback;
mod grace;
mod guard;
mod guesses;
mod guest;
mod guest_process;
mod host_password;
mod host_password_helper;
mod host_password_unit;
mod import;
mod keys;
mod lockers;
mod log;
mod mail;
mod mail_at_prompt;
mod mail_program;
mod mail_waits;
mod marks;
mod name_service;
mod one_field;
mod password_change;
mod policy;
mod posternd;
mod posternd_crowds;
mod posternd_unit;
mod qr;
mod races;
mod recovery;
mod root_commands;
mod service_files;
mod setup_at_prompt;
mod sign_in;
mod sizes;
mod sshd_modes;
mod strangers;
mod su;
mod sudo;
mod terminal_stops;
mod traps;
mod unseen;
mod upgrade;
mod versions;
mod web_account;
mod web_account_refusals;
mod web_activation;
mod web_administration;
mod web_administration_api;
mod web_api;
mod web_api_attacks;
mod web_api_contract;
mod web_api_tokens;
mod web_bad_input;
mod web_browser;
mod web_checks;
mod web_crowds;
mod web_first_factors;
mod web_log;
mod web_login_ticket;
mod web_looks;
mod web_operations;
mod web_own_paths;
mod web_reload;
mod web_rules;
mod web_setup;
mod web_sign_in;
mod web_smuggling;
mod web_step_up;
mod web_strangers;
mod web_tls;
mod web_trust;
mod web_unit;
mod without_posternd;
mod without_root;

/// The fault: `cargo test -- --ignored` is run on a real machine. Each story must end before it
/// changes the machine.
#[test]
fn a_story_without_a_test_host_ends_at_once() {
    let stories = std::env::current_exe().expect("this program");
    let mut story = std::process::Command::new(stories);
    story
        .args(["--ignored", "--exact", "sign_in::key_then_code"])
        .env_remove("POSTERN_TEST_HOST");
    let output = story.output().expect("this program runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && said.contains("run it with tests/run"),
        "{said}"
    );
}
