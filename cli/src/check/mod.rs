//! `postern check`: checks the real machine, and reports what denies access to those who should
//! have it, or grants access without a code. Each file is a subject.
//!
//! - `finding`: one line of the report.
//! - `machine`: the facts: files, users, sockets, processes, output of commands.
//! - `installation`: whether packages were installed, for the remedies.
//! - `configuration`: postern.toml and the files it names. `postern edit` and `check --keep` share
//!   its validation.
//! - `store`: key file and store. `daemons`: posternd and the gate.
//! - `pam`: the stacks of /etc/pam.d, and the units of PAM hosts. `sshd`: `sshd -T`.
//! - `fleet`: a host without a store, and its servers.
//! - `gate`: proxies and certificate. `policy`, `passkeys`, `mail`, `clock`.
//! - `report`: runs them all.
//! - `profile`: compares the configuration with what a standard needs.
//! - `url`: attacks an application through its real proxy, from outside.
//!
//! MUST NOT change the machine.

mod clock;
pub(crate) mod configuration;
mod daemons;
mod finding;
mod fleet;
mod installation;
mod machine;
mod mail;
mod passkeys;
mod policy;
pub(crate) mod profile;
mod report;
mod store;
pub(crate) mod url;
/// What the gate shares with others: its certificate, and the proxies before it.
mod gate {
    pub(crate) mod certificates;
    pub(crate) mod proxies;
}
/// PAM services and their stacks.
mod pam {
    pub(crate) mod confinement;
    pub(crate) mod evaluation;
    mod security_key;
    pub(crate) mod services;
    pub(crate) mod stack;
    pub(crate) mod units;
}
/// sshd, as `sshd -T` shows it.
mod sshd {
    pub(crate) mod access;
    pub(crate) mod facts;
    pub(crate) mod security_keys;
    pub(crate) mod settings;
}

pub(crate) use daemons::posternd_runs;
pub(crate) use report::{AskedServices, check_machine, is_known_to_host};
