//! `postern check`: looks at the real machine, and reports what denies access to those who should
//! have it, or grants access without a code. Each file is a subject.
//!
//! - `finding`: one line of the report.
//! - `machine`: the facts: files, users, sockets, processes, output of commands.
//! - `configuration`: postern.toml and the files it names. `postern edit` and `check --keep` share
//!   its validation.
//! - `store`: key file and store. `daemons`: posternd and the gate. `proxies`, `certificates`.
//! - `pam_stack`, `pam_services`: the stacks of /etc/pam.d. `sshd_settings`, `sshd`: `sshd -T`.
//! - `units`: whether the PAM hosts reach posternd from their sandbox.
//! - `policy`, `mail`, `clock`.
//! - `report`: runs them all.
//!
//! MUST NOT change the machine.

mod certificates;
mod clock;
pub(crate) mod configuration;
mod daemons;
pub(crate) mod finding;
mod machine;
mod mail;
mod pam_services;
mod pam_stack;
mod policy;
mod proxies;
mod report;
mod sshd;
mod sshd_settings;
mod store;
mod units;

pub(crate) use report::{AskedServices, check_machine};
