//! What a PAM host keeps between a code and the first factor that comes after it.

use super::{Kind, Payload};
use crate::clock::Timestamp;
use crate::door::Means;
use crate::enrolment::Footing;
use crate::place::Origin;
use serde::{Deserialize, Serialize};

/// A code that was accepted before the first factor had passed.
#[derive(Serialize, Deserialize)]
pub(crate) struct AcceptedBefore {
    pub(crate) footing: Footing,
    pub(crate) means: Means,
    pub(crate) at: Timestamp,
    pub(crate) from: Origin,
}

impl Payload for AcceptedBefore {
    const KIND: Kind = Kind::AcceptedBefore;
}
