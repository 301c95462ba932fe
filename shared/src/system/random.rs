//! Random bytes of the kernel.

use std::fmt;

/// Fills `bytes` from the kernel's random number generator.
pub fn fill_random(bytes: &mut [u8]) -> Result<(), RandomError> {
    getrandom::fill(bytes).map_err(|_| RandomError)
}

/// Returns bytes that are no secret, such as an identifier.
pub(crate) fn random_bytes<const LENGTH: usize>() -> Result<[u8; LENGTH], RandomError> {
    let mut bytes = [0; LENGTH];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

/// The kernel returned no random numbers.
#[derive(Debug)]
pub struct RandomError;

impl fmt::Display for RandomError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the kernel gives no random numbers (getrandom failed)")
    }
}

impl std::error::Error for RandomError {}
