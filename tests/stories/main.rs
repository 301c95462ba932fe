//! Stories: a story is the log of what a person does with real servers. Each begins on a fresh
//! host. They run one at a time, as root on a throwaway copy of this machine: tests/run starts
//! them.

/// Commands of root, the configuration, and administration at the web.
mod administration {
    mod api;
    mod check_daemons;
    mod check_machine;
    mod check_url;
    mod commands;
    mod completions;
    mod configuration;
    pub(crate) mod log;
    pub(crate) mod policy;
    pub(crate) mod root_commands;
    mod terminal_stops;
    mod uninstall;
    pub(crate) mod web;
}
/// These stories measure time, or use all that the machine has: tests/shares runs them with nothing
/// beside them.
mod alone {
    mod timings;
    mod web_check_cost;
    mod web_crowd;
    mod web_timings;
}
/// Stories of the JSON API.
mod api {
    mod attacks;
    pub(crate) mod calls;
    mod contract;
    pub(crate) mod tokens;
}
mod attacks;
mod beside;
mod confinement;
mod conformance;
/// How a second factor is set up.
mod enrollment {
    pub(crate) mod at_prompt;
    mod command;
    pub(crate) mod declared;
    mod host_password;
    mod import;
    pub(crate) mod password_helper;
    mod password_helper_unit;
    mod qr;
    pub(crate) mod without_root;
}
mod first_hour;
/// Several hosts with one store in PostgreSQL, on machines of their own.
mod fleet {
    mod balancer;
    mod demonstration;
    mod demonstration_of_hosts;
    mod failover;
    mod guide;
    mod hangs;
    mod load;
    mod migration;
    mod one_host;
    mod revocation;
    mod several_hosts;
    mod slow;
    mod split;
    mod throughput;
}
/// Hosts that hold no secrets, and their servers.
mod hosts {
    mod ansible;
    mod approval;
    mod attacks;
    pub(crate) mod break_glass;
    mod lockers;
    mod security_keys;
    pub(crate) mod sign_in;
}
/// The gate as a process: checks, units, floods.
mod gate {
    mod activation;
    mod authelia;
    mod bad_input;
    mod checks;
    mod container_image;
    mod containers;
    pub(crate) mod floods;
    mod log;
    mod operations;
    mod own_paths;
    mod reload;
    mod smuggling;
    mod tls;
    pub(crate) mod unit;
}
/// Stories of mailed codes.
mod mail {
    mod at_prompt;
    pub(crate) mod codes;
    mod outbox;
    mod program;
    mod transports;
}
/// The PAM module and the process that loads it.
mod pam {
    mod bad_input;
    mod marks;
    pub(crate) mod module;
    mod name_service;
    pub(crate) mod process;
    mod sizes;
    mod unseen_processes;
}
/// The daemon, and the module without it.
mod posternd {
    pub(crate) mod daemon;
    mod fallback;
    mod fallback_conditions;
    pub(crate) mod floods;
    mod pam_socket;
    mod unit;
    mod versions;
    mod without_posternd;
}
/// The samples for PAM services.
mod services {
    pub(crate) mod console;
    pub(crate) mod cron;
    mod every_service;
    mod fail2ban;
    pub(crate) mod guard;
    pub(crate) mod lockers;
    pub(crate) mod one_field;
    pub(crate) mod password_change;
    mod service_files;
    mod sshd_modes;
    pub(crate) mod su;
    pub(crate) mod sudo;
    mod sudo_security_key;
}
/// Sessions at the web: how long they last, and what a page asks for again.
mod sessions {
    mod idle;
    mod new_browser;
    mod within;
}
/// Sign-in by ssh with every credential.
mod sign_in {
    pub(crate) mod app_passwords;
    pub(crate) mod authenticators;
    pub(crate) mod clocks;
    pub(crate) mod codes;
    pub(crate) mod completed_methods;
    pub(crate) mod grace;
    pub(crate) mod guesses;
    pub(crate) mod races;
    pub(crate) mod recovery;
    mod security_keys;
    pub(crate) mod ssh;
    mod unknown_users;
}
/// Key and store: rotation, backups, crashes, upgrades.
mod store {
    mod backup;
    pub(crate) mod bad_files;
    mod crashes;
    mod keys;
    mod restore;
    mod upgrade;
}
/// Pages of the gate.
mod web {
    pub(crate) mod account;
    mod account_refusals;
    mod app_passwords;
    mod application_scripts;
    mod approval;
    mod branding;
    mod browser;
    mod dead_ends;
    mod enrollment;
    mod first_factors;
    mod guesses;
    mod login_token;
    mod passkey_codes;
    mod passkey_sign_in;
    pub(crate) mod passkeys;
    mod preferences;
    mod proxy_identity;
    mod rules;
    mod sign_in;
    mod step_up;
    mod trusted_browsers;
}

/// The fault: `cargo test -- --ignored` is run on a real machine. Each story must end before it
/// changes the machine.
#[test]
fn a_story_without_a_test_host_ends_at_once() {
    let stories = std::env::current_exe().expect("this program");
    let mut story = std::process::Command::new(stories);
    story
        .args(["--ignored", "--exact", "sign_in::ssh::key_then_code"])
        .env_remove("POSTERN_TEST_HOST");
    let output = story.output().expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && text.contains("run it with tests/run"),
        "{text}"
    );
}
