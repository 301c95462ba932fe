//! What a first factor that has passed opens: the way to the code, for one sign-in.

use crate::clock::Timestamp;
use crate::secret::{RandomError, fill_random};

/// A sign-in's random name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassId(pub [u8; 16]);

/// The way to the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// What tells the sign-in from every other: so many codes are tried with it, and one opens.
    pub id: PassId,
    /// The account's generation: whatever ends all sessions ends this too.
    pub generation: u64,
    /// Until when it is good.
    pub expires: Timestamp,
    /// When the session began that rises by it: the new one lasts no longer. None where the first factor passed just now.
    pub rises_from: Option<Timestamp>,
}

impl Pass {
    /// How long it is good, in seconds.
    pub const LIFE: u64 = 600;
    /// Wrong codes; then the first factor is asked anew.
    pub const TRIALS: u32 = 5;

    /// A new one.
    pub(crate) fn begun(
        generation: u64,
        rises_from: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Pass, RandomError> {
        let mut id = [0; 16];
        fill_random(&mut id)?;
        Ok(Pass { id: PassId(id), generation, expires: now.plus(Self::LIFE), rises_from })
    }

    /// Whether its time is over. A clock that was set back must not lengthen it.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires || self.expires.since(now) > Self::LIFE
    }
}
