//! Second factor: authenticators with their secrets and step floors, recovery codes, one-time codes.

use super::Transaction;
use super::convert::{named, otp_parameters, signed};
use crate::account::record::AccountId;
use crate::credential::otp::totp::Step;
use crate::crypto::vault::{RecoveryHash, SecretFingerprint};
use crate::store::{AuthenticatorRecord, StoreError, StoreResult};
use crate::system::clock::Timestamp;
use crate::verify::account::{StoredOneTimeCode, StoredRecoveryCode};

/// Maximum of accepted steps that are stored per secret, up to its floor. While this host's clock
/// is wrong, only devices with the same error can sign in.
const STEPS_KEPT: i64 = 8;

/// Fails unless exactly one row was consumed.
pub(super) fn consumed(rows: usize) -> StoreResult<()> {
    match rows {
        1 => Ok(()),
        _ => Err(StoreError::Conflict),
    }
}

impl Transaction<'_> {
    /// Overwrites an account's secrets in the store. The WAL holds them until it is truncated.
    pub(super) fn erase_secrets(&mut self, account: AccountId) -> StoreResult<()> {
        let sql = "UPDATE secret SET sealed = zeroblob(length(sealed)) \
                   WHERE authenticator IN (SELECT id FROM authenticator WHERE account = ?1)";
        self.execute(sql, [account])
    }

    /// Returns an account's active authenticators, oldest first.
    pub fn authenticators(&mut self, account: AccountId) -> StoreResult<Vec<AuthenticatorRecord>> {
        let sql = "SELECT id, name, algorithm, digits, period, sealed, created \
                   FROM authenticator JOIN secret ON secret.authenticator = authenticator.id \
                   WHERE account = ?1 ORDER BY id";
        self.query_rows(sql, [account], |row| {
            Ok(AuthenticatorRecord {
                number: row.get(0)?,
                name: named(row.get(1), "an authenticator")?,
                parameters: otp_parameters(row, 2)?,
                sealed: row.get(5)?,
                created: row.get(6)?,
            })
        })
    }

    /// Adds an active authenticator.
    pub fn add_authenticator(
        &mut self,
        account: AccountId,
        new: &AuthenticatorRecord,
    ) -> StoreResult<()> {
        let sql = "INSERT INTO authenticator (account, name, algorithm, digits, period, created) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
        let (algorithm, digits) = (new.parameters.algorithm, new.parameters.digits);
        let (name, period) = (&new.name, signed(new.parameters.moving.period()));
        let row = (account, name, algorithm, digits, period, new.created);
        let number: i64 = self.query_row(sql, row, |row| row.get(0))?;
        let sql = "INSERT INTO secret (authenticator, sealed) VALUES (?1, ?2)";
        self.execute(sql, (number, &new.sealed))
    }

    /// Replaces the sealed secret by another sealing of the same secret.
    pub fn reseal_authenticator(&mut self, number: i64, sealed: &[u8]) -> StoreResult<()> {
        let sql = "UPDATE secret SET sealed = ?2 WHERE authenticator = ?1";
        self.execute(sql, (number, sealed))
    }

    /// Removes one authenticator and overwrites its secret. Its step floor stays.
    pub fn remove_authenticator(&mut self, number: i64) -> StoreResult<()> {
        let sql = "UPDATE secret SET sealed = zeroblob(length(sealed)) WHERE authenticator = ?1";
        self.execute(sql, [number])?;
        self.execute("DELETE FROM authenticator WHERE id = ?1", [number])
    }

    /// Removes every authenticator and code of an account and overwrites the secrets. Step floors
    /// stay. The e-mail address needs confirmation again.
    pub fn remove_second_factor(&mut self, account: AccountId) -> StoreResult<()> {
        self.erase_secrets(account)?;
        self.execute("DELETE FROM authenticator WHERE account = ?1", [account])?;
        for table in [
            "passkey",
            "passkey_code",
            "approval_request",
            "one_time_code",
            "mailed_code",
            "outbox",
        ] {
            self.execute(
                &format!("DELETE FROM {table} WHERE account = ?1"),
                [account],
            )?;
        }
        let sql = "UPDATE email SET pending = coalesce(pending, confirmed), confirmed = NULL WHERE account = ?1";
        self.execute(sql, [account])?;
        self.app_passwords_changed_of(account)?;
        self.execute("DELETE FROM recovery_code WHERE account = ?1", [account])
    }

    /// Returns the step floor of a secret: its last accepted time step or counter.
    pub fn step_floor(&mut self, fingerprint: &SecretFingerprint) -> StoreResult<Option<Step>> {
        let sql = "SELECT step FROM floor WHERE fingerprint = ?1";
        self.find_row(sql, [fingerprint], |row| row.get(0))
    }

    /// Records the step of a code that was found above the floor. That step and every older one are
    /// used.
    ///
    /// The floor belongs to the secret, and accounts with the same secret are locked one by one: what
    /// decides here is the row of the floor itself, whatever locks the caller holds.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: another transaction has raised the floor to this step meanwhile.
    pub fn consume_step(&mut self, fingerprint: &SecretFingerprint, step: Step) -> StoreResult<()> {
        let raised = self.record_step(fingerprint, step)?;
        consumed(raised)
    }

    /// Records that a step and every older one are used, whether or not they were before.
    pub fn raise_floor(&mut self, fingerprint: &SecretFingerprint, step: Step) -> StoreResult<()> {
        self.record_step(fingerprint, step).map(drop)
    }

    /// Returns how many floors were raised: one or none.
    fn record_step(&mut self, fingerprint: &SecretFingerprint, step: Step) -> StoreResult<usize> {
        let sql = "INSERT INTO floor (fingerprint, step) VALUES (?1, ?2) \
                   ON CONFLICT (fingerprint) DO UPDATE SET step = excluded.step WHERE floor.step < excluded.step";
        let raised = self.execute_counted(sql, (fingerprint, step))?;
        let sql =
            "INSERT INTO accepted_step (fingerprint, step) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.execute(sql, (fingerprint, step))?;
        let sql = "DELETE FROM accepted_step WHERE fingerprint = ?1 AND step < (SELECT step FROM accepted_step \
                   WHERE fingerprint = ?1 AND step <= ?2 ORDER BY step DESC LIMIT 1 OFFSET ?3)";
        self.execute(sql, (fingerprint, step, STEPS_KEPT - 1))?;
        Ok(raised)
    }

    /// Lowers a step floor that a clock ahead of time raised, but never below a step of which the
    /// store does not know whether it was accepted. Accepted steps stay recorded.
    pub fn lower_floor(
        &mut self,
        fingerprint: &SecretFingerprint,
        from: Step,
        to: Step,
    ) -> StoreResult<()> {
        let sql =
            "INSERT INTO accepted_step (fingerprint, step) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.execute(sql, (fingerprint, from))?;
        let sql = "INSERT INTO floor (fingerprint, step) VALUES (?1, ?2) \
                   ON CONFLICT (fingerprint) DO UPDATE SET step = excluded.step";
        self.execute(sql, (fingerprint, to))?;
        // if the maximum of steps is stored, older ones may have been deleted: everything up to the
        // oldest stored one stays used
        let sql = "SELECT step FROM accepted_step WHERE fingerprint = ?1 AND step <= ?2 \
                   ORDER BY step DESC LIMIT 1 OFFSET ?3";
        let oldest: Option<Step> =
            self.find_row(sql, (fingerprint, from, STEPS_KEPT - 1), |row| row.get(0))?;
        let sql = "UPDATE floor SET step = ?2 WHERE fingerprint = ?1 AND step < ?2";
        oldest.map_or(Ok(()), |oldest| self.execute(sql, (fingerprint, oldest)))
    }

    /// Returns the newest accepted steps, and all accepted steps above the floor.
    pub fn accepted_steps(&mut self, fingerprint: &SecretFingerprint) -> StoreResult<Vec<Step>> {
        let sql = "SELECT step FROM accepted_step WHERE fingerprint = ?1";
        self.query_rows(sql, [fingerprint], |row| row.get(0))
    }

    /// Returns an account's recovery codes, used ones included.
    pub fn recovery_codes(&mut self, account: AccountId) -> StoreResult<Vec<StoredRecoveryCode>> {
        let sql = "SELECT hash, length, used_at IS NOT NULL FROM recovery_code WHERE account = ?1";
        self.query_rows(sql, [account], |row| {
            Ok(StoredRecoveryCode {
                hash: row.get(0)?,
                length: row.get(1)?,
                used: row.get(2)?,
            })
        })
    }

    pub fn replace_recovery_codes(
        &mut self,
        account: AccountId,
        codes: &[StoredRecoveryCode],
    ) -> StoreResult<()> {
        self.execute("DELETE FROM recovery_code WHERE account = ?1", [account])?;
        for code in codes {
            let sql = "INSERT INTO recovery_code (account, hash, length) VALUES (?1, ?2, ?3)";
            self.execute(sql, (account, &code.hash, code.length))?;
        }
        Ok(())
    }

    /// Consumes an unused recovery code.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: another transaction has consumed it meanwhile.
    pub fn consume_recovery_code(
        &mut self,
        account: AccountId,
        code: &RecoveryHash,
        now: Timestamp,
    ) -> StoreResult<()> {
        let sql = "UPDATE recovery_code SET used_at = ?3 WHERE account = ?1 AND hash = ?2 AND used_at IS NULL";
        consumed(self.execute_counted(sql, (account, code, now))?)
    }

    /// Marks a recovery code as used, if there is one.
    pub fn mark_recovery_code_used(
        &mut self,
        account: AccountId,
        code: &RecoveryHash,
        at: Timestamp,
    ) -> StoreResult<()> {
        let sql = "UPDATE recovery_code SET used_at = ?3 WHERE account = ?1 AND hash = ?2";
        self.execute(sql, (account, code, at))
    }

    /// Returns the newest one-time code of an account.
    pub fn one_time_code(&mut self, account: AccountId) -> StoreResult<Option<StoredOneTimeCode>> {
        self.find_code("one_time_code", account)
    }

    /// Returns the newest code for PAM prompts that a passkey of an account has made.
    pub fn passkey_code(&mut self, account: AccountId) -> StoreResult<Option<StoredOneTimeCode>> {
        self.find_code("passkey_code", account)
    }

    /// Replaces or removes the one-time code.
    pub fn set_one_time_code(
        &mut self,
        account: AccountId,
        code: Option<&StoredOneTimeCode>,
    ) -> StoreResult<()> {
        self.set_code("one_time_code", account, code)
    }

    /// Replaces or removes the code that a passkey has made.
    pub fn set_passkey_code(
        &mut self,
        account: AccountId,
        code: Option<&StoredOneTimeCode>,
    ) -> StoreResult<()> {
        self.set_code("passkey_code", account, code)
    }

    /// Consumes the unused one-time code.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: another transaction has consumed it meanwhile.
    pub fn consume_one_time_code(&mut self, account: AccountId) -> StoreResult<()> {
        self.consume_code("one_time_code", account)
    }

    /// Consumes the unused code that a passkey has made.
    ///
    /// # Errors
    /// [`StoreError::Conflict`]: another transaction has consumed it meanwhile.
    pub fn consume_passkey_code(&mut self, account: AccountId) -> StoreResult<()> {
        self.consume_code("passkey_code", account)
    }

    fn find_code(
        &mut self,
        table: &str,
        account: AccountId,
    ) -> StoreResult<Option<StoredOneTimeCode>> {
        let sql = format!("SELECT hash, issued, expires, used FROM {table} WHERE account = ?1");
        self.find_row(&sql, [account], |row| {
            Ok(StoredOneTimeCode {
                hash: row.get(0)?,
                issued: row.get(1)?,
                expires: row.get(2)?,
                used: row.get(3)?,
            })
        })
    }

    fn set_code(
        &mut self,
        table: &str,
        account: AccountId,
        code: Option<&StoredOneTimeCode>,
    ) -> StoreResult<()> {
        let sql = format!("DELETE FROM {table} WHERE account = ?1");
        self.execute(&sql, [account])?;
        let Some(code) = code else {
            return Ok(());
        };
        let sql = format!(
            "INSERT INTO {table} (account, hash, issued, expires, used) VALUES (?1, ?2, ?3, ?4, ?5)"
        );
        let (issued, expires) = (code.issued, code.expires);
        self.execute(&sql, (account, code.hash, issued, expires, code.used))
    }

    fn consume_code(&mut self, table: &str, account: AccountId) -> StoreResult<()> {
        let sql = format!("UPDATE {table} SET used = 1 WHERE account = ?1 AND used = 0");
        consumed(self.execute_counted(&sql, [account])?)
    }
}
