//! Stories: what a person does, told against the real servers. Each begins on a fresh host; they run one at a
//! time, as root on a throwaway copy of this machine: tests/run does it.

mod clocks;
mod codes;
mod declared;
mod enrolment;
mod guard;
mod guesses;
mod qr;
mod races;
mod recovery;
mod sign_in;
mod strangers;
