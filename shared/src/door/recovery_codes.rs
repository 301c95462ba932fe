//! A new set of recovery codes in place of the old one.

use super::Door;
use super::administration::{AdministrationError, known_or_new, log};
use crate::account::Enrolled;
use crate::clock::Timestamp;
use crate::event::What;
use crate::name::UserName;
use crate::recovery::RecoveryCode;
use crate::store::Intent;

impl Door {
    /// Makes these codes the account's only ones. Who has no second factor has no use for them.
    pub fn replace_recovery_codes(
        &mut self,
        name: &UserName,
        codes: &[RecoveryCode],
        actor: &str,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        self.refuse_without_second_factor(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known_or_new(tx.as_mut(), name, actor, now)?;
        let hashes = self.vault.recovery_hashes(record.id.0, codes);
        tx.replace_recovery_codes(record.id, &hashes)?;
        log(tx.as_mut(), name, What::RecoveryCodesMade, actor, now)?;
        Ok(tx.commit()?)
    }

    /// Whether new codes would be refused, before any is shown.
    pub fn refuse_without_second_factor(&mut self, name: &UserName) -> Result<(), AdministrationError> {
        match self.enrolled(name)? {
            Enrolled::Yes => Ok(()),
            Enrolled::No => Err(AdministrationError::NotEnrolled(name.clone())),
        }
    }
}
