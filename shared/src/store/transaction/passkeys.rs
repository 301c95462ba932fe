//! Passkeys of accounts: public keys with their signature counters.

use super::Transaction;
use super::convert::{ColumnResult, Row};
use super::second_factor::consumed;
use crate::account::name::{Label, UserName};
use crate::account::record::AccountId;
use crate::credential::passkey::CredentialId;
use crate::credential::passkey::public_key::PasskeyPublicKey;
use crate::store::column::damaged;
use crate::store::{PasskeyRecord, StoreError, StoreResult};
use crate::system::clock::Timestamp;
use crate::verify::passkey::{AcceptedPasskey, StoredPasskey};

const COLUMNS: &str = "id, name, credential, user_handle, rp_id, public_key, counter, \
                       backup_eligible, backed_up, user_verified, created, last_used";

fn passkey(row: &Row<'_>) -> ColumnResult<PasskeyRecord> {
    let error = || damaged("a passkey");
    let (credential, public_key): (Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(5)?);
    Ok(PasskeyRecord {
        number: row.get(0)?,
        name: row.get(1)?,
        user_handle: row.get(3)?,
        rp_id: row.get(4)?,
        passkey: StoredPasskey {
            id: CredentialId::new(&credential).ok_or_else(error)?,
            public_key: PasskeyPublicKey::parse(&public_key).map_err(|_| error())?,
            counter: row.get(6)?,
            is_backup_eligible: row.get(7)?,
            is_backed_up: row.get(8)?,
            verifies_user: row.get(9)?,
        },
        created: row.get(10)?,
        last_used: row.get(11)?,
    })
}

impl Transaction<'_> {
    /// Returns the passkeys of an account, oldest first.
    pub fn passkeys(&mut self, account: AccountId) -> StoreResult<Vec<PasskeyRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM passkey WHERE account = ?1 ORDER BY id");
        self.query_rows(&sql, [account], passkey)
    }

    /// Returns the account that has a passkey with this identifier.
    pub fn find_passkey_owner(&mut self, id: &CredentialId) -> StoreResult<Option<AccountId>> {
        let sql = "SELECT account FROM passkey WHERE credential = ?1";
        self.find_row(sql, [id.as_bytes()], |row| row.get(0))
    }

    /// Returns the name of the account that has a passkey with this identifier.
    pub fn find_passkey_account(&mut self, id: &CredentialId) -> StoreResult<Option<UserName>> {
        let sql = "SELECT account.name FROM passkey JOIN account ON account.id = passkey.account \
                   WHERE credential = ?1";
        self.find_row(sql, [id.as_bytes()], |row| row.get(0))
    }

    /// Returns the relying party of the oldest passkey of all, which every later one has too.
    pub fn passkey_relying_party(&mut self) -> StoreResult<Option<String>> {
        let sql = "SELECT rp_id FROM passkey WHERE id = (SELECT min(id) FROM passkey)";
        self.find_row(sql, (), |row| row.get(0))
    }

    /// Adds a passkey, whose number the store assigns.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: another transaction has added it meanwhile.
    pub fn add_passkey(&mut self, account: AccountId, new: &PasskeyRecord) -> StoreResult<()> {
        let sql = "INSERT INTO passkey (account, name, credential, user_handle, rp_id, public_key, \
                   counter, backup_eligible, backed_up, user_verified, created) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT DO NOTHING";
        let StoredPasskey {
            id,
            public_key,
            counter,
            is_backup_eligible,
            is_backed_up,
            verifies_user,
        } = &new.passkey;
        let row = (
            account,
            &new.name,
            id.as_bytes(),
            &new.user_handle,
            &new.rp_id,
            public_key.as_cose(),
            counter,
            is_backup_eligible,
            is_backed_up,
            verifies_user,
            new.created,
        );
        consumed(self.execute_counted(sql, row)?)
    }

    /// Records the use of a passkey. Its counter is raised in the transaction that grants access.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: another transaction has raised the counter to this one meanwhile.
    pub fn record_passkey_use(
        &mut self,
        number: i64,
        accepted: &AcceptedPasskey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE passkey SET counter = ?2, backed_up = ?3, last_used = ?4 \
                   WHERE id = ?1 AND (counter < ?2 OR (counter = 0 AND ?2 = 0))";
        let row = (number, accepted.counter(), accepted.is_backed_up(), now);
        consumed(self.execute_counted(sql, row)?)
    }

    pub fn rename_passkey(&mut self, number: i64, name: &Label) -> StoreResult<()> {
        self.execute("UPDATE passkey SET name = ?2 WHERE id = ?1", (number, name))
    }

    pub fn remove_passkey(&mut self, number: i64) -> StoreResult<()> {
        self.execute("DELETE FROM passkey WHERE id = ?1", [number])
    }
}
