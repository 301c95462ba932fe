//! The functions that OpenSSH calls: they check pointers, and copy. What OpenSSH frees is allocated
//! with libc.

#![allow(clippy::too_many_arguments, reason = "sk-api.h has them")]

use crate::authenticator::{self, Algorithm, Failure, SigningRequest};
use libc::{c_char, c_int, c_void, size_t};
use std::ffi::CStr;
use std::ptr;

/// The version of sk-api.h that OpenSSH has had since 9.0.
const API_VERSION: u32 = 0x000a_0000;

/// `struct sk_enroll_response` of sk-api.h.
#[repr(C)]
pub struct EnrollResponse {
    flags: u8,
    public_key: *mut u8,
    public_key_len: size_t,
    key_handle: *mut u8,
    key_handle_len: size_t,
    signature: *mut u8,
    signature_len: size_t,
    attestation_cert: *mut u8,
    attestation_cert_len: size_t,
    authdata: *mut u8,
    authdata_len: size_t,
}

/// `struct sk_sign_response` of sk-api.h.
#[repr(C)]
pub struct SignResponse {
    flags: u8,
    counter: u32,
    sig_r: *mut u8,
    sig_r_len: size_t,
    sig_s: *mut u8,
    sig_s_len: size_t,
}

#[unsafe(no_mangle)]
pub extern "C" fn sk_api_version() -> u32 {
    API_VERSION
}

/// Makes a key.
///
/// # Safety
///
/// As sk-api.h says: `pin` is null or a C string, and `response` is valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_enroll(
    algorithm: u32,
    _challenge: *const u8,
    _challenge_len: size_t,
    _application: *const c_char,
    flags: u8,
    pin: *const c_char,
    _options: *mut *mut c_void,
    response: *mut *mut EnrollResponse,
) -> c_int {
    // SAFETY: the caller promises it.
    let pin = unsafe { text(pin) };
    let made = Algorithm::from_number(algorithm)
        .and_then(|algorithm| authenticator::enroll(algorithm, flags, pin));
    let made = match made {
        Ok(made) => made,
        Err(failure) => return failure as c_int,
    };
    let (public_key, public_key_len) = allocate(&made.public_key);
    let (key_handle, key_handle_len) = allocate(&made.key_handle);
    let value = EnrollResponse {
        flags,
        public_key,
        public_key_len,
        key_handle,
        key_handle_len,
        signature: ptr::null_mut(),
        signature_len: 0,
        attestation_cert: ptr::null_mut(),
        attestation_cert_len: 0,
        authdata: ptr::null_mut(),
        authdata_len: 0,
    };
    // SAFETY: the caller promises that the pointer is valid.
    unsafe { hand_over(value, response) }
}

/// Signs.
///
/// # Safety
///
/// As sk-api.h says: `data` and `key_handle` have the lengths that follow them, `application` is a C
/// string, `pin` is null or one, and `response` is valid for a write.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_sign(
    algorithm: u32,
    data: *const u8,
    data_len: size_t,
    application: *const c_char,
    key_handle: *const u8,
    key_handle_len: size_t,
    flags: u8,
    pin: *const c_char,
    _options: *mut *mut c_void,
    response: *mut *mut SignResponse,
) -> c_int {
    if data.is_null() || key_handle.is_null() {
        return Failure::General as c_int;
    }
    // SAFETY: neither is null, and the caller promises the lengths and the strings.
    let (data, key_handle, application, pin) = unsafe {
        (
            std::slice::from_raw_parts(data, data_len),
            std::slice::from_raw_parts(key_handle, key_handle_len),
            text(application).unwrap_or_default(),
            text(pin),
        )
    };
    let made = Algorithm::from_number(algorithm).and_then(|algorithm| {
        authenticator::sign(&SigningRequest {
            algorithm,
            data,
            application,
            key_handle,
            flags,
            pin,
        })
    });
    let made = match made {
        Ok(made) => made,
        Err(failure) => return failure as c_int,
    };
    let (sig_r, sig_r_len) = allocate(&made.r);
    let (sig_s, sig_s_len) = allocate(&made.s);
    let value = SignResponse {
        flags: made.flags,
        counter: made.counter,
        sig_r,
        sig_r_len,
        sig_s,
        sig_s_len,
    };
    // SAFETY: the caller promises that the pointer is valid.
    unsafe { hand_over(value, response) }
}

/// Refuses: this authenticator keeps no keys.
#[unsafe(no_mangle)]
pub extern "C" fn sk_load_resident_keys(
    _pin: *const c_char,
    _options: *mut *mut c_void,
    _keys: *mut *mut *mut c_void,
    _count: *mut size_t,
) -> c_int {
    Failure::Unsupported as c_int
}

/// Returns the bytes of a C string, `None` for null.
///
/// # Safety
///
/// `text` is null or a C string that outlives the result.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    // SAFETY: it is not null, and the caller promises the rest.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes())
}

/// Copies bytes to memory that OpenSSH frees; null if there are none or no memory is left.
fn allocate(bytes: &[u8]) -> (*mut u8, size_t) {
    if bytes.is_empty() {
        return (ptr::null_mut(), 0);
    }
    // SAFETY: malloc takes any size.
    let memory: *mut u8 = unsafe { libc::malloc(bytes.len()) }.cast();
    if memory.is_null() {
        return (memory, 0);
    }
    // SAFETY: the memory is new and as long as the bytes.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), memory, bytes.len()) };
    (memory, bytes.len())
}

/// Moves a response to memory that OpenSSH frees. Returns the result of the whole call.
///
/// # Safety
///
/// `place` is null or valid for a write.
unsafe fn hand_over<T>(value: T, place: *mut *mut T) -> c_int {
    if place.is_null() {
        return Failure::General as c_int;
    }
    // SAFETY: malloc takes any size, and aligns for each type of C.
    let memory: *mut T = unsafe { libc::malloc(size_of::<T>()) }.cast();
    if memory.is_null() {
        return Failure::General as c_int;
    }
    // SAFETY: the memory is new and large enough, and the caller promises the place.
    unsafe {
        memory.write(value);
        place.write(memory);
    }
    0
}
