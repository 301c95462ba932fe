//! The test host: a throwaway copy of this machine with Postern installed, a real sshd, a clock
//! that the story sets, the system log, and the people who sign in at real terminals.
#![forbid(unsafe_code)]

mod assertions;
/// Several hosts with one store, on machines of their own, and its databases.
mod fleet {
    pub(crate) mod balancer;
    pub(crate) mod fleet_host;
    pub(crate) mod joined_host;
    pub(crate) mod machine;
    pub(crate) mod managed_host;
    pub(crate) mod postgres_server;
    pub(crate) mod slow_path;
    pub(crate) mod topology;
    pub(crate) mod unused_codes;
}
/// The host itself: its clock, files, log and systemd.
mod handbook;
mod machine {
    pub(crate) mod booted;
    pub(crate) mod clock;
    pub(crate) mod disk;
    pub(crate) mod files;
    pub(crate) mod host;
    pub(crate) mod journal;
    pub(crate) mod systemd;
}
/// Servers that take and show mail.
mod mail {
    pub(crate) mod dovecot;
    pub(crate) mod program;
    pub(crate) mod server;
}
/// PAM hosts, and the helper for passwords.
mod pam {
    pub(crate) mod pam_host;
    pub(crate) mod pam_peer;
    pub(crate) mod password_helper;
    pub(crate) mod sshd;
}
/// Postern: its command, its daemon, its store.
mod postern {
    pub(crate) mod command;
    pub(crate) mod daemon;
    pub(crate) mod fleet;
    pub(crate) mod previous;
    pub(crate) mod store;
}
/// Processes, and what is measured of them.
mod process {
    pub(crate) mod limit;
    pub(crate) mod processes;
    pub(crate) mod syscalls;
    pub(crate) mod timings;
}
/// People and their terminals.
mod user {
    pub(crate) mod person;
    pub(crate) mod phone;
    pub(crate) mod scanner;
    pub(crate) mod security_key;
    pub(crate) mod ssh;
    pub(crate) mod terminal;
}
/// The proxies, the gate and browsers.
mod web {
    pub(crate) mod application;
    pub(crate) mod chromium;
    pub(crate) mod client;
    pub(crate) mod conformance;
    mod containers;
    pub(crate) mod fastcgi;
    pub(crate) mod gate;
    pub(crate) mod setup;
    mod streams;
    pub(crate) mod virtual_authenticator;
}

pub use assertions::{assert_contains, assert_lacks, assert_within};
pub use fleet::balancer::Balancer;
pub use fleet::fleet_host::FleetHost;
pub use fleet::joined_host::JoinedHost;
pub use fleet::machine::{CLIENT, Machine};
pub use fleet::managed_host::ManagedHost;
pub use fleet::postgres_server::PostgresServer;
pub use fleet::slow_path::SlowPath;
pub use fleet::topology::Fleet;
pub use fleet::unused_codes::UnusedCodes;
pub use handbook::{handbook_block, handbook_shell};
pub use machine::booted::{BootedHost, has_root};
pub use machine::clock::{Clock, on_the_clock};
pub use machine::disk::Disk;
pub use machine::files::{CONFIG, KEY, STORE, STORE_FOLDER, checkout, give_to_daemons, set_mode};
pub use machine::host::{Host, without_posternd};
pub use machine::journal::Journal;
pub use machine::systemd::Systemd;
pub use mail::dovecot::Dovecot;
pub use mail::program::MailProgram;
pub use mail::server::{MAIL_CA, MAIL_PASSWORD, Mail, MailServer, Webhook, hanging_server};
pub use pam::pam_host::{Barrier, PamEnded, PamHost, PromptReply, SEAL};
pub use pam::pam_peer::PamPeer;
pub use pam::password_helper::PasswordHelper;
pub use postern::command::{CommandOutput, Postern};
pub use postern::daemon::{HOST_SOCKET, PAM_SOCKET, PROGRAM, Posternd, REAL_PROGRAM};
pub use postern::fleet::FleetServer;
pub use postern::previous::{install_previous_module, install_previous_posternd};
pub use postern::store::Store;
pub use process::processes::{
    as_user, ended, finished, patiently, running, signal, wait_for_output, wait_until,
};
pub use process::syscalls::{
    DURABLE, TracedProcess, WRITES, delayed_at_call, failing_at_calls, has_failed, killed_at,
    killed_at_calls, killed_at_store_or_key, was_killed, was_stopped,
};
pub use process::timings::assert_alike;
pub use user::person::Person;
pub use user::phone::Phone;
pub use user::scanner::scanned;
pub use user::security_key::{AsksPin, SecurityKey, SecurityKeyType};
pub use user::ssh::Ssh;
pub use user::terminal::{Ended, Terminal};
pub use web::application::{Application, ReceivedRequest};
pub use web::chromium::{Chromium, keep_picture};
pub use web::client::WebClient;
pub use web::conformance::{Conformance, ConformanceRun, conformance_program, conformance_results};
pub use web::fastcgi::{
    FastcgiReply, FastcgiWire, fastcgi_begin, fastcgi_params, fastcgi_record, fastcgi_request,
};
pub use web::gate::{Gate, Reply, SOCKET, Wire, tcp_reply};
pub use web::setup::{
    APP, AUTH, PROOF, PagesAt, Proxy, Web, change_traefik, on_test_ports, reconfigure,
};
pub use web::virtual_authenticator::VirtualAuthenticator;
