//! The calls to libpam: items, the conversation, the log.
//!
//! MUST copy, wipe and free every reply, and check both pointers that lead to it.
//! MUST NOT keep a pointer of libpam's beyond the call that returned it.

use crate::host::{HostCalls, MarkStays, NoInput, PamItemType};
use libc::{c_char, c_int, c_uint, c_void};
use pamsm::{LogLvl, Pam, PamError, PamFlags, PamLibExt};
use postern_shared::account::name;
use postern_shared::credential::{completed_methods, input};
use postern_shared::protocol::{Echo, Severity};
use postern_shared::system::process::TransactionId;
use std::ffi::{CStr, CString};
use zeroize::{Zeroize, Zeroizing};

/// The name of the mark in the transaction's data.
const MARK: &str = "postern_auth_passed";
/// The name of the transaction id in the transaction's data.
const TRANSACTION: &str = "postern_transaction";

/// libpam, as the hooks see it.
pub(crate) struct Libpam {
    pub(crate) pam: Pam,
    pub(crate) flags: PamFlags,
}

#[repr(C)]
struct PamMessage {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    text: *mut c_char,
    unused: c_int,
}

type Converse = unsafe extern "C" fn(
    count: c_int,
    messages: *mut *const PamMessage,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int;

#[repr(C)]
struct LibpamConversation {
    converse: Option<Converse>,
    data: *mut c_void,
}

const PAM_TTY: c_int = 3;
const PAM_CONV: c_int = 5;
const PROMPT_ECHO_OFF: c_int = 1;
const PROMPT_ECHO_ON: c_int = 2;
const TEXT_INFO: c_int = 4;

unsafe extern "C" {
    fn pam_get_item(pamh: *const c_void, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_fail_delay(pamh: *const c_void, micros: c_uint) -> c_int;
}

impl Libpam {
    fn handle(&self) -> *const c_void {
        // SAFETY: Pam is a transparent wrapper of libpam's handle pointer; callers use the copy at
        // once, while the transaction lives.
        unsafe { std::mem::transmute_copy(&self.pam) }
    }

    /// Returns the pointer of an item, or null.
    fn item_pointer(&self, number: c_int) -> *const c_void {
        let mut item: *const c_void = std::ptr::null();
        // SAFETY: libpam checks the handle itself and writes one pointer to `item`, which outlives
        // the call.
        match unsafe { pam_get_item(self.handle(), number, &raw mut item) } {
            0 => item,
            _ => std::ptr::null(),
        }
    }

    /// Returns the name of the terminal, if the host has set it.
    fn terminal(&self) -> Option<&CStr> {
        let item = self.item_pointer(PAM_TTY);
        if item.is_null() {
            return None;
        }
        // SAFETY: PAM_TTY is a NUL-terminated string of libpam's own, which stays until it is set
        // again; only the host sets it, and runs nothing beside this hook. The caller copies it at
        // once.
        Some(unsafe { CStr::from_ptr(item.cast()) })
    }

    /// Returns the conversation function of the host, if it has one.
    fn conversation(&self) -> Option<&LibpamConversation> {
        let item = self.item_pointer(PAM_CONV).cast::<LibpamConversation>();
        // SAFETY: the item is null or a struct pam_conv that stays as long as the transaction,
        // which outlives this hook, and so `self`.
        unsafe { item.as_ref() }
    }

    /// Sends one message. The reply is copied up to one byte more than the longest input, then
    /// wiped and freed.
    fn converse(&self, style: c_int, text: &str) -> Result<Zeroizing<Vec<u8>>, NoInput> {
        let conversation = self.conversation().ok_or(NoInput)?;
        let converse = conversation.converse.ok_or(NoInput)?;
        // prompts of an enrollment contain the secret
        let text = Zeroizing::new(CString::new(text).map_err(|_| NoInput)?);
        let message = PamMessage {
            style,
            text: text.as_ptr(),
        };
        let mut messages: *const PamMessage = &raw const message;
        let mut responses: *mut Response = std::ptr::null_mut();
        // SAFETY: one message is announced and one passed; all of it outlives the call; `data` is
        // the host's.
        let status =
            unsafe { converse(1, &raw mut messages, &raw mut responses, conversation.data) };
        // SAFETY: on success libpam's contract gives null or a malloced array of one response,
        // which is ours. After a failure it gives nothing, and what `responses` holds is not looked
        // at.
        let reply = unsafe {
            if status == 0 {
                take_reply(responses)
            } else {
                None
            }
        };
        reply.ok_or(NoInput)
    }
}

/// Copies the text of a response, wipes it, and frees both.
///
/// # Safety
/// `responses` is null, or was allocated with malloc and holds one response whose text is null or a
/// NUL-terminated string allocated with malloc; no other code holds either.
unsafe fn take_reply(responses: *mut Response) -> Option<Zeroizing<Vec<u8>>> {
    if responses.is_null() {
        return None;
    }
    // SAFETY: not null, so by the contract it holds one response.
    let text = unsafe { (*responses).text };
    let mut copy = None;
    if !text.is_null() {
        // SAFETY: not null, so by the contract it is a NUL-terminated string, exclusively ours to
        // write to.
        let bytes =
            unsafe { std::slice::from_raw_parts_mut(text.cast::<u8>(), libc::strlen(text)) };
        copy = Some(Zeroizing::new(copy_up_to(bytes, input::LONGEST)));
        bytes.zeroize();
    }
    // SAFETY: both came from malloc (free takes null too) and are not used any more.
    unsafe {
        libc::free(text.cast());
        libc::free(responses.cast());
    }
    copy
}

/// Copies at most one byte more than `longest`, which shows that a text is too long.
fn copy_up_to(bytes: &[u8], longest: usize) -> Vec<u8> {
    bytes[..bytes.len().min(longest + 1)].to_vec()
}

/// Returns a copy of a string item, unless it is unset or empty.
fn owned(item: pamsm::PamResult<Option<&CStr>>) -> Option<Vec<u8>> {
    let bytes = item.ok().flatten()?.to_bytes();
    (!bytes.is_empty()).then(|| copy_up_to(bytes, name::LONGEST))
}

impl HostCalls for Libpam {
    fn item(&self, item: PamItemType) -> Option<Vec<u8>> {
        let item = match item {
            PamItemType::Service => self.pam.get_service(),
            PamItemType::User => self.pam.get_user(None),
            PamItemType::RemoteHost => self.pam.get_rhost(),
            PamItemType::Terminal => Ok(self.terminal()),
        };
        owned(item)
    }

    fn variable(&self, name: &str) -> Option<Vec<u8>> {
        let bytes = self.pam.getenv(name).ok().flatten()?.to_bytes();
        // an empty variable is a statement of sshd's too
        Some(copy_up_to(bytes, completed_methods::LONGEST))
    }

    fn ask(&self, prompt: &str, echo: Echo) -> Result<Zeroizing<Vec<u8>>, NoInput> {
        let style = match echo {
            Echo::On => PROMPT_ECHO_ON,
            Echo::Off => PROMPT_ECHO_OFF,
        };
        self.converse(style, prompt)
    }

    fn tell(&self, text: &str) {
        if !self.flags.contains(PamFlags::SILENT) {
            // no decision depends on whether the text is shown
            let _ = self.converse(TEXT_INFO, text);
        }
    }

    fn stacked(&self) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = self.pam.get_cached_authtok().ok().flatten()?.to_bytes();
        Some(Zeroizing::new(copy_up_to(bytes, input::LONGEST)))
    }

    fn set_stacked(&self, password: &[u8]) {
        // the password came from C and contains no NUL
        if let Ok(password) = CString::new(password).map(Zeroizing::new) {
            // a later module that finds no password prompts for one, or refuses
            let _ = self.pam.set_authtok(&password);
        }
    }

    fn delay_failure(&self, seconds: u64) {
        let micros = c_uint::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(c_uint::MAX);
        // SAFETY: libpam checks the handle itself, which is alive as long as the transaction, and
        // keeps a number. Without the delay the result is the same.
        let _ = unsafe { pam_fail_delay(self.handle(), micros) };
    }

    fn log(&self, severity: Severity, line: &str) {
        let level = match severity {
            Severity::Error => LogLvl::ERR,
            Severity::Notice => LogLvl::NOTICE,
            Severity::Info => LogLvl::INFO,
            Severity::Debug => LogLvl::DEBUG,
        };
        // a host without a system log neither grants nor denies access
        let _ = self.pam.syslog(level, line);
    }

    fn keep_mark(&self, mark: Vec<u8>) {
        // if libpam cannot keep the mark, the account hook finds none and denies access
        let _ = self.pam.send_bytes(MARK, mark, None);
    }

    fn mark(&self) -> Option<Vec<u8>> {
        self.pam.retrieve_bytes(MARK).ok()
    }

    fn name_transaction(&self) -> Option<TransactionId> {
        let mut id = [0; TransactionId::LENGTH];
        // SAFETY: the kernel writes at most as many bytes as `id` has. The system call opens no
        // file, and does not wait.
        let written =
            unsafe { libc::getrandom(id.as_mut_ptr().cast(), id.len(), libc::GRND_NONBLOCK) };
        // the kernel returns up to 256 bytes in one piece
        if usize::try_from(written) != Ok(id.len()) {
            return None;
        }
        self.pam.send_bytes(TRANSACTION, id.to_vec(), None).ok()?;
        Some(TransactionId(id))
    }

    fn transaction_id(&self) -> Option<TransactionId> {
        let bytes = self.pam.retrieve_bytes(TRANSACTION).ok()?;
        bytes.try_into().ok().map(TransactionId)
    }

    fn remove_mark(&self) -> Result<(), MarkStays> {
        match self.pam.retrieve_bytes(MARK) {
            // libpam deletes no data before the end of the transaction, and an empty mark counts as
            // none
            Ok(_) => self
                .pam
                .send_bytes(MARK, Vec::new(), None)
                .map_err(|_| MarkStays),
            Err(PamError::NO_MODULE_DATA) => Ok(()),
            Err(_) => Err(MarkStays),
        }
    }

    fn known_user(&self) -> Option<Vec<u8>> {
        owned(self.pam.get_cached_user())
    }
}
