//! One hook of a PAM host at the other end of a connection, the same on each socket.
//!
//! MUST send a result also where the hook panics.

use crate::pam::hooks;
use crate::pam::remote_host::RemoteHost;
use postern_shared::engine::{WaitCallbackGuard, set_wait_callback};
use postern_shared::protocol::{
    Denial, FrameError, Greeting, GreetingState, Instruction, PamFunctionResult, VERSIONS, send,
};
use std::os::unix::net::UnixStream;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::time::Duration;

/// Time limit of a peer for its opening, and of a module for receiving a frame.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn greet(mut stream: &UnixStream, state: GreetingState) -> Result<(), FrameError> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let versions = VERSIONS.to_vec();
    send(&mut stream, &Greeting { versions, state })
}

/// Runs a hook, and sends its result. `panicked` is called where it panics; the panic hook has
/// logged the message then.
pub(super) fn run<'a>(
    stream: &Arc<UnixStream>,
    host: RemoteHost<'a, &UnixStream>,
    options: &[String],
    panicked: impl FnOnce(&RemoteHost<'a, &UnixStream>),
) -> Result<(), FrameError> {
    // a user may take any time at a prompt
    stream.set_read_timeout(None)?;
    let _waiting = report_still_working(stream);
    let hook = host.transaction().hook;
    let ran = panic::catch_unwind(AssertUnwindSafe(|| hooks::run_hook(hook, &host, options)));
    let result = ran.unwrap_or_else(|_| {
        panicked(&host);
        PamFunctionResult::Denied(Denial::Unavailable)
    });
    host.end(result)
}

/// Tells the module that an operation of this thread still waits.
fn report_still_working(stream: &Arc<UnixStream>) -> WaitCallbackGuard {
    let stream = Arc::clone(stream);
    set_wait_callback(move || {
        // a module that has gone is noticed at the next instruction
        let _ = send(&mut stream.as_ref(), &Instruction::StillWorking);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use postern_shared::engine::report_waiting;
    use postern_shared::protocol::receive;
    use std::thread;

    /// A revocation waits for the lease of a gate, and the module gives up after ten seconds of
    /// silence.
    #[test]
    fn the_module_hears_that_an_act_which_waits_is_still_working() {
        let (module, daemon) = UnixStream::pair().unwrap();
        module
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let acts = thread::spawn(move || {
            let daemon = Arc::new(daemon);
            let waiting = report_still_working(&daemon);
            for _ in 0..250 {
                report_waiting();
                thread::sleep(Duration::from_millis(10));
            }
            drop(waiting);
            report_waiting();
        });
        let heard: Instruction = receive(&mut &module).unwrap();
        assert_eq!(heard, Instruction::StillWorking);
        acts.join().unwrap();
        let more = receive::<Instruction>(&mut &module);
        assert!(matches!(more, Err(FrameError::Stream(_))), "{more:?}");
    }
}
