//! Protection against characters that a process inserts into the input of its own terminal. Such
//! characters would be read by the next reader, which is root's shell. A process that has given up
//! root and reads a store which an intruder may have written is prevented from inserting them:
//! kernels before 6.2 allow it to every process at its terminal, and the text console still allows
//! it.

use nix::errno::Errno;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// Requests of ioctl_tty(2). The first inserts one character; the second pastes at the text
/// console.
const TIOCSTI: u64 = 0x5412;
const TIOCLINUX: u64 = 0x541C;
#[cfg(target_arch = "x86_64")]
const IOCTL: i64 = 16;
#[cfg(not(target_arch = "x86_64"))]
const IOCTL: i64 = 29;

/// Denies both requests to this thread and to all threads and programs that it starts later. MUST
/// be called by a process that can gain no privileges (`no_new_privs`). There is no protection on
/// processors other than x86-64, ARM and RISC-V of 64 bits.
pub(crate) fn refuse() -> Result<(), seccompiler::Error> {
    let Ok(processor) = TargetArch::try_from(std::env::consts::ARCH) else {
        return Ok(());
    };
    seccompiler::apply_filter(&program(processor)?)
}

fn program(processor: TargetArch) -> Result<BpfProgram, seccompiler::BackendError> {
    // the kernel reads the lower 32 bits of a request
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

    /// Returns the errno of a program that makes the request.
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
        // the filter applies to this thread and to what it starts
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
