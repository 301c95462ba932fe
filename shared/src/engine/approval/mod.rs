//! Approval of a PAM prompt by a passkey at the web.
//!
//! - `prompt`: the conversation's side: a request is made, polled, and consumed once approved.
//! - `answer`: the side of the account's owner, in a session: the request is shown, approved or refused.
//!
//! A request is an address, a number and a conversation. The address alone approves nothing: that takes
//! a session of the account, a passkey whose authenticator verifies its user, and the number, with one
//! try. What is approved can be consumed by the conversation that asked, once, within [`LIFETIME`].
//!
//! MUST NOT send anything to the account's owner when a request is made, and MUST NOT list requests:
//! a stranger at a prompt reaches no one.

pub(super) mod answer;
mod prompt;

use crate::account::record::AccountRecord;
use crate::credential::approval_code::{ApprovalCode, ApprovalNumber};
use crate::engine::passkeys::relying_party::RelyingParty;
use crate::engine::transaction::EngineTransaction;
use crate::store::{ApprovalRecord, StoreError};
use crate::system::clock::Timestamp;
use std::fmt;
use zeroize::Zeroizing;

/// Seconds in which a request is approved and consumed.
const LIFETIME: u64 = 90;
/// Seconds for which requests are counted, and how many an account may have in them: in one scope of the
/// throttle, so that a stranger at a prompt leaves the owner's, and on one host.
const WINDOW: u64 = 600;
const MOST_IN_SCOPE: usize = 5;
const MOST_ON_HOST: usize = 50;

/// A request that a conversation has made. Only that conversation can consume it.
pub struct PendingApproval {
    code: ApprovalCode,
    number: ApprovalNumber,
    /// Random, and known to nothing but the conversation.
    conversation: Zeroizing<[u8; 16]>,
    url: String,
    expires: Timestamp,
}

impl PendingApproval {
    /// Returns the address of the page that approves it.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn number(&self) -> ApprovalNumber {
        self.number
    }

    pub fn code(&self) -> &ApprovalCode {
        &self.code
    }

    pub fn expires(&self) -> Timestamp {
        self.expires
    }
}

impl fmt::Debug for PendingApproval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PendingApproval(…)")
    }
}

impl ApprovalRecord {
    /// Whether nothing has ended it: neither time, nor an act that ended all sessions of the account.
    fn is_in_force(&self, record: &AccountRecord, now: Timestamp) -> bool {
        self.created <= now && now < self.expires && self.generation == record.generation
    }
}

/// Whether an account has a passkey that can approve: one of the gate's relying party, whose
/// authenticator verifies its user.
fn has_approving_passkey(
    tx: &mut EngineTransaction<'_>,
    record: &AccountRecord,
) -> Result<bool, StoreError> {
    let Some(party) = RelyingParty::from_config(tx.config) else {
        return Ok(false);
    };
    let kept = tx.passkeys(record.id)?;
    let approves =
        |kept: &crate::store::PasskeyRecord| kept.rp_id == party.id() && kept.passkey.verifies_user;
    Ok(kept.iter().any(approves))
}
