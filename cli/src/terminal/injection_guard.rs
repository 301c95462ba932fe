//! What a process writes into its own terminal's input comes to whoever reads there next: root's shell. A process that has
//! given root up, and reads a store that an intruder may have written, is kept from it: kernels before 6.2 let every process
//! do it at its terminal, and the text console still does.

use nix::errno::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Requests of ioctl_tty(2): one types a character, the other pastes at the text console.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541C;
#[cfg(target_arch = "x86_64")]
const IOCTL: i64 = 16;
#[cfg(not(target_arch = "x86_64"))]
const IOCTL: i64 = 29;

/// From now on no thread that this one starts, and none of its programs, types into a terminal. MUST be called by a process
/// that can gain no privileges (no_new_privs). Other processors than x86-64, ARM and RISC-V of 64 bits go without.
pub(crate) fn refuse() -> Result<(), seccompiler::Error> {
    let Ok(processor) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(());
    };
    seccompiler::apply_filter(&program(processor)?)
}

fn program(processor: TargetArch) -> Result<BpfProgram, seccompiler::BackendError> {
    // the kernel looks at 32 bits of a request
    let is = |request| {
        let condition =
            SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, request)?;
        SeccompRule::new(vec![condition])
    };
    let rules = [(IOCTL, vec![is(TIOCSTI)?, is(TIOCLINUX)?])]
        .into_iter()
        .collect();
    let refused = SeccompAction::Errno(Errno::EPERM as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refused, processor)?.try_into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// What the kernel says to a program that types.
    fn types(request: u64) -> i32 {
        let words = format!("my $key = 'x'; ioctl(STDIN, {request}, $key) or exit $!; exit 0");
        let status = Command::new("perl")
            .args(["-e", &words])
            .stdin(Stdio::null())
            .status()
            .unwrap();
        status.code().unwrap()
    }

    #[test]
    fn nothing_is_typed_into_a_terminal() {
        // of this thread and what it starts
        std::thread::spawn(|| {
            assert_eq!(types(TIOCSTI), Errno::ENOTTY as i32);
            nix::sys::prctl::set_no_new_privs().unwrap();
            refuse().unwrap();
            for request in [TIOCSTI, TIOCLINUX, TIOCSTI | 1 << 32] {
                assert_eq!(types(request), Errno::EPERM as i32, "{request:#x}");
            }
            const TCGETS: u64 = 0x5401;
            assert_eq!(types(TCGETS), Errno::ENOTTY as i32);
        })
        .join()
        .unwrap();
    }
}
