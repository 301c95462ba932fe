//! Use of the data keys for approvals: the address, the conversation and the number of a request as
//! keyed hashes.

use super::{KeyPurpose, Vault, mac};
use crate::credential::approval_code::{ApprovalCode, ApprovalNumber};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// Keyed hash of a part of a request for an approval, bound to its account and its address, compared
/// in constant time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ApprovalHash(pub [u8; 32]);

impl PartialEq for ApprovalHash {
    fn eq(&self, other: &ApprovalHash) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ApprovalHash {}

impl Vault {
    /// Returns the hash by which a request of an account is found.
    pub(crate) fn approval_hash(&self, account: i64, code: &ApprovalCode) -> ApprovalHash {
        self.approval_mac(b"approval", account, code, &[])
    }

    /// Returns the hash of the number that a request shows.
    pub(crate) fn approval_number_hash(
        &self,
        account: i64,
        code: &ApprovalCode,
        number: ApprovalNumber,
    ) -> ApprovalHash {
        self.approval_mac(b"approval number", account, code, &[&[number.value()]])
    }

    /// Returns the hash of what only the conversation of a request knows and is.
    pub(crate) fn approval_conversation_hash(
        &self,
        account: i64,
        code: &ApprovalCode,
        conversation: &[&[u8]],
    ) -> ApprovalHash {
        self.approval_mac(b"approval conversation", account, code, conversation)
    }

    fn approval_mac(
        &self,
        purpose: &[u8],
        account: i64,
        code: &ApprovalCode,
        more: &[&[u8]],
    ) -> ApprovalHash {
        let account = account.to_be_bytes();
        let mut parts = vec![purpose, &account, code.plain().as_bytes()];
        parts.extend(more);
        ApprovalHash(mac(self.key(KeyPurpose::Recovery), &parts))
    }
}
