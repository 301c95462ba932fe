//! The interface to libpam on the host's side: one transaction, and its conversation, which
//! responds correctly or with a fault.
//!
//! MUST keep no plain copy of a reply but the one that libpam's contract requires.
#![allow(unsafe_code)]

use crate::orders::{Order, Sealed};
use libc::{c_char, c_int, c_void};
use std::ffi::{CStr, OsStr};
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicU32, Ordering};

const SUCCESS: c_int = 0;
const CONV_ERR: c_int = 19;
const PROMPT_ECHO_OFF: c_int = 1;
const PROMPT_ECHO_ON: c_int = 2;

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    unused: c_int,
}

#[repr(C)]
struct Conversation {
    converse:
        unsafe extern "C" fn(c_int, *mut *const Message, *mut *mut Response, *mut c_void) -> c_int,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
}

/// Receives the prompts and messages of a transaction.
pub(crate) trait Talk {
    /// Returns how a prompt is answered.
    fn asked(&mut self, prompt: &str) -> Order;
    /// Runs after a reply was made, before libpam receives it.
    fn made(&mut self);
    /// Receives a message that needs no reply.
    fn told(&mut self, text: &str);
}

/// A transaction, from `pam_start` to `pam_end`.
pub(crate) struct Transaction<'a, T> {
    handle: *mut c_void,
    last: c_int,
    talk: PhantomData<&'a mut T>,
}

impl<'a, T: Talk> Transaction<'a, T> {
    /// Calls `pam_start`. Returns libpam's number if that fails.
    pub(crate) fn start(
        service: &CStr,
        user: &CStr,
        talk: &'a mut T,
    ) -> Result<Transaction<'a, T>, i32> {
        let conversation = Conversation {
            converse: converse::<T>,
            data: std::ptr::from_mut(talk).cast(),
        };
        let mut handle = std::ptr::null_mut();
        // SAFETY: all pointers point to live values. libpam copies the texts and the struct; the
        // struct's `data` is borrowed as long as the transaction lives.
        let number = unsafe {
            pam_start(
                service.as_ptr(),
                user.as_ptr(),
                &raw const conversation,
                &raw mut handle,
            )
        };
        if number == SUCCESS {
            Ok(Transaction {
                handle,
                last: number,
                talk: PhantomData,
            })
        } else {
            Err(number)
        }
    }

    pub(crate) fn authenticate(&mut self) -> i32 {
        // SAFETY: the handle belongs to a started transaction, and only this thread uses it.
        self.last = unsafe { pam_authenticate(self.handle, 0) };
        self.last
    }

    pub(crate) fn account(&mut self) -> i32 {
        // SAFETY: as in `authenticate`.
        self.last = unsafe { pam_acct_mgmt(self.handle, 0) };
        self.last
    }
}

impl<T> Drop for Transaction<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the handle belongs to a started transaction, and is not used after this call.
        unsafe { pam_end(self.handle, self.last) };
    }
}

/// The conversation function for libpam.
///
/// # Safety
/// Called by libpam with `count` messages, room for a pointer, and the `data` of
/// [`Transaction::start`].
unsafe extern "C" fn converse<T: Talk>(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    let count = usize::try_from(count).expect("libpam counts messages");
    // SAFETY: `data` is borrowed by the transaction that runs on this thread; no other code uses it
    // meanwhile.
    let talk: &mut T = unsafe { &mut *data.cast() };
    // SAFETY: calloc returns room for `count` responses, all of them null. The module frees it.
    let made: *mut Response = unsafe { libc::calloc(count, size_of::<Response>()) }.cast();
    assert!(!made.is_null(), "there is memory");
    for index in 0..count {
        // SAFETY: Linux-PAM passes an array of `count` pointers to messages whose text is a C
        // string.
        let (style, text) = unsafe {
            let message = &**messages.add(index);
            (
                message.style,
                CStr::from_ptr(message.text).to_string_lossy().into_owned(),
            )
        };
        if style != PROMPT_ECHO_OFF && style != PROMPT_ECHO_ON {
            talk.told(&text);
            continue;
        }
        let text = match talk.asked(&text) {
            Order::Say(sealed) => plain(&sealed),
            Order::NullReply => std::ptr::null_mut(),
            Order::NullArray => {
                // SAFETY: `responses` is libpam's, and has room for a pointer. `made` was passed to
                // no other code.
                unsafe {
                    libc::free(made.cast());
                    *responses = std::ptr::null_mut();
                }
                return SUCCESS;
            }
            Order::Failure => {
                // SAFETY: `made` was passed to no other code.
                unsafe { libc::free(made.cast()) };
                return CONV_ERR;
            }
        };
        // SAFETY: `index` is below `count`.
        unsafe { (*made.add(index)).text = text };
        talk.made();
    }
    // SAFETY: `responses` is libpam's, and has room for a pointer.
    unsafe { *responses = made };
    SUCCESS
}

/// Makes the one plain copy of a reply, allocated as libpam's contract requires.
fn plain(sealed: &Sealed) -> *mut c_char {
    // SAFETY: calloc returns one byte more than is written, so that a NUL ends the text.
    unsafe {
        let text: *mut c_char = libc::calloc(sealed.len() + 1, 1).cast();
        assert!(!text.is_null(), "there is memory");
        for (index, byte) in sealed.bytes().enumerate() {
            text.cast::<u8>().add(index).write(byte);
        }
        text
    }
}

/// Opens the system log, as hosts do before they call libpam.
pub(crate) fn open_log() {
    // SAFETY: the name is static; LOG_NDELAY connects at once.
    unsafe { libc::openlog(c"pam_host".as_ptr(), libc::LOG_NDELAY, libc::LOG_AUTHPRIV) };
}

/// Returns the handler of every signal, as a number.
pub(crate) fn signal_handlers() -> Vec<usize> {
    let handler = |signal| {
        // SAFETY: without a new action sigaction only writes the old one, for which all-zero bytes
        // are valid. For the two signals that the C library reserves it fails and writes nothing.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &raw mut action);
            action.sa_sigaction
        }
    };
    (1..=64).map(handler).collect()
}

static CHILD_SIGNALS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: c_int) {
    CHILD_SIGNALS.fetch_add(1, Ordering::SeqCst);
}

/// Handles SIGCHLD from now on.
pub(crate) fn count_child_signals() {
    // SAFETY: the handler only increments a number, which is async-signal-safe.
    unsafe { libc::signal(libc::SIGCHLD, count as *const () as libc::sighandler_t) };
}

/// Returns how often SIGCHLD arrived.
pub(crate) fn child_signals() -> u32 {
    CHILD_SIGNALS.load(Ordering::SeqCst)
}

/// Runs a function in a child process, which has a copy of the present state, and waits for its
/// end. MUST run while no other thread exists.
pub(crate) fn run_in_child(run: impl FnOnce()) {
    // SAFETY: no other thread exists that could hold a lock which the child waits for.
    match unsafe { libc::fork() } {
        -1 => panic!("a process can be started"),
        0 => {
            run();
            // SAFETY: the child has no work left, and the exit handlers belong to the parent.
            unsafe { libc::_exit(0) }
        }
        child => {
            // SAFETY: the status pointer may be null; the child is this process's own.
            unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        }
    }
}

/// Converts bytes to a C string. `None` if they contain a NUL.
pub(crate) fn c_string(text: &OsStr) -> Option<std::ffi::CString> {
    std::ffi::CString::new(text.as_bytes()).ok()
}
