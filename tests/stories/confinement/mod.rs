//! Mandatory access control: the AppArmor profiles permit what the programs do, and no more than
//! they need; the SELinux module compiles.

mod apparmor;
mod coverage;
mod selinux;
