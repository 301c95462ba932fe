//! The test host: a throwaway copy of this machine with Postern installed, a real sshd, a clock that the story
//! sets, the system's log, and the people who sign in at real terminals.
#![forbid(unsafe_code)]

mod application;
mod chromium;
mod clock;
mod disk;
mod dovecot;
mod folder;
mod gate;
mod host;
mod journal;
mod limit;
mod mail;
mod pam_host;
mod password_helper;
mod person;
mod phone;
mod postern;
mod posternd;
mod processes;
mod scanner;
mod ssh;
mod sshd;
mod store;
mod syscalls;
mod terminal;
mod timings;
mod visitor;
mod web;

pub use application::{Application, Arrived};
pub use chromium::{Chromium, keep_picture};
pub use clock::{Clock, on_the_clock};
pub use disk::Disk;
pub use dovecot::Dovecot;
pub use folder::{CONFIG, KEY, STORE, STORE_FOLDER, give_to_daemons};
pub use gate::{Gate, Reply, SOCKET, Wire, tcp_reply};
pub use host::Host;
pub use journal::Journal;
pub use mail::{MAIL_CA, MAIL_PASSWORD, Mail, MailServer, Webhook, hanging_server};
pub use pam_host::{Answer, Barrier, PamEnded, PamHost, SEAL};
pub use password_helper::PasswordHelper;
pub use person::Person;
pub use phone::Phone;
pub use postern::{Postern, Said};
pub use posternd::{HOST_SOCKET, PROGRAM, Posternd, REAL_PROGRAM};
pub use processes::{ended, finished, outcome, patiently, running};
pub use scanner::scanned;
pub use ssh::Ssh;
pub use store::Store;
pub use syscalls::{Ambush, WRITES, killed_at, killed_at_store_or_key, was_killed, was_stopped};
pub use terminal::{Ended, Terminal};
pub use timings::assert_alike;
pub use visitor::Visitor;
pub use web::{APP, AUTH, Front, PROOF, Place, Web, change_traefik, on_test_ports, reconfigure};
