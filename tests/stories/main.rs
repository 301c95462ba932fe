//! Stories: what a person does, told against the real servers. Each begins on a fresh host; they run one at a
//! time, as root on a throwaway copy of this machine: tests/run does it.

mod bad_files;
mod bad_input;
mod clocks;
mod codes;
mod configuration;
mod crashes;
mod declared;
mod enrolment;
mod guard;
mod guesses;
mod guest;
mod qr;
mod races;
mod recovery;
mod sign_in;
mod strangers;
mod timings;
mod web_bad_input;
mod web_browser;
mod web_checks;
mod web_sign_in;
mod web_strangers;
mod web_trust;
