//! Data keys, authenticators, codes, throttle, familiar addresses.

use super::Transaction;
use super::convert::{bytes, damaged, otp_parameters, signed, time, unsigned};
use crate::account::name::Label;
use crate::account::record::AccountId;
use crate::credential::totp::{OtpParameters, Step};
use crate::crypto::vault::WrappedKey;
use crate::crypto::vault::{OneTimeHash, RecoveryHash, SecretFingerprint};
use crate::store::*;
use crate::system::clock::Timestamp;
use crate::verify::account::{StoredOneTimeCode, StoredRecoveryCode};
use crate::verify::throttle::{CLOCK_SLACK, LOCK_WINDOW, Phase, ThrottleFailure, WrongFactor};
use crate::verify::throttle_scope::KEY_PREFIX;
use rusqlite::Row;

/// Condition that the account `?1` has no values of renewed keys. Such values count as removed.
pub(super) const IS_UP_TO_DATE: &str =
    "(SELECT at_renewal FROM account WHERE id = ?1) = (SELECT number FROM renewal)";

/// Maximum of accepted steps that are stored per secret, up to its floor. While this host's clock
/// is wrong, only devices with the same error can sign in.
const STEPS_KEPT: i64 = 8;
/// Expired rows that one write deletes: more than it adds, and few, so that no attempt pays for
/// many.
const CLEARED_AT_ONCE: u32 = 4;
/// Failures that are read for one address: the largest limit that can be configured.
const MOST_OF_ADDRESS: u32 = 1000;

fn owner_number(owner: BucketOwner) -> i64 {
    match owner {
        BucketOwner::Account(AccountId(id)) => id,
        BucketOwner::UnknownName(bucket) => -1 - i64::from(bucket),
    }
}

fn phase_number(phase: Phase) -> i64 {
    match phase {
        Phase::Before => 0,
        Phase::After => 1,
    }
}

fn factor_name(wrong: WrongFactor) -> &'static str {
    match wrong {
        WrongFactor::Password => "password",
        WrongFactor::Code => "code",
    }
}

/// Returns the three columns that name a throttle bucket.
fn bucket_columns(bucket: &BucketKey) -> (i64, i64, String) {
    (
        owner_number(bucket.owner),
        phase_number(bucket.phase),
        bucket.scope.store_key(),
    )
}

impl Transaction<'_> {
    /// Overwrites an account's secrets in the store. The WAL holds them until it is truncated.
    pub(super) fn erase_secrets(&mut self, account: AccountId) -> StoreResult<()> {
        let sql = "UPDATE secret SET sealed = zeroblob(length(sealed)) \
                   WHERE authenticator IN (SELECT id FROM authenticator WHERE account = ?1)";
        self.execute(sql, [account.0])
    }

    /// Removes the oldest failures before `since`, of any bucket. Returns how many.
    fn clear_failures(&mut self, since: Timestamp, most: u32) -> StoreResult<usize> {
        let sql = "DELETE FROM failure WHERE id IN \
                   (SELECT id FROM failure WHERE at < ?1 ORDER BY at LIMIT ?2)";
        self.execute_counted(sql, (signed(since.0), most))
    }

    /// Removes the oldest familiar addresses before `since`, of any account. Returns how many.
    fn clear_addresses(&mut self, since: Timestamp, most: u32) -> StoreResult<usize> {
        let sql = "DELETE FROM familiar_address WHERE (account, address, service) IN \
                   (SELECT account, address, service FROM familiar_address WHERE at < ?1 ORDER BY at LIMIT ?2)";
        self.execute_counted(sql, (signed(since.0), most))
    }
}

impl Transaction<'_> {
    pub fn data_keys(&mut self) -> StoreResult<Vec<WrappedKey>> {
        // `Vault::open` refuses more keys than there are
        let sql = "SELECT purpose, master, wrapped FROM data_key LIMIT 65";
        self.query_rows(sql, [], |row| {
            Ok(WrappedKey {
                purpose: row.get(0)?,
                master: bytes(row, 1, "a data key")?,
                wrapped: row.get(2)?,
            })
        })
    }

    /// Returns an account's active authenticators, oldest first.
    pub fn authenticators(&mut self, account: AccountId) -> StoreResult<Vec<AuthenticatorRecord>> {
        let sql = "SELECT id, name, algorithm, digits, period, sealed, created \
                   FROM authenticator JOIN secret ON secret.authenticator = authenticator.id \
                   WHERE account = ?1 ORDER BY id";
        let read = |row: &Row<'_>| -> StoreResult<AuthenticatorRecord> {
            Ok(AuthenticatorRecord {
                number: row.get(0)?,
                name: Label::from_store(row.get(1)?).map_err(|_| damaged("an authenticator"))?,
                parameters: otp_parameters(row, 2)?,
                sealed: row.get(5)?,
                created: time(row, 6)?,
            })
        };
        self.query_rows(sql, [account.0], read)
    }

    /// Adds an active authenticator.
    pub fn add_authenticator(
        &mut self,
        account: AccountId,
        new: &AuthenticatorRecord,
    ) -> StoreResult<()> {
        let OtpParameters {
            algorithm,
            digits,
            moving,
        } = new.parameters;
        let sql = "INSERT INTO authenticator (account, name, algorithm, digits, period, created) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (period, created) = (signed(moving.period()), signed(new.created.0));
        self.execute(
            sql,
            (
                account.0,
                new.name.as_str(),
                algorithm.name(),
                digits,
                period,
                created,
            ),
        )?;
        let sql = "INSERT INTO secret (authenticator, sealed) VALUES (?1, ?2)";
        self.execute(sql, (self.last_insert_rowid(), &new.sealed))
    }

    /// Replaces the sealed secret by another sealing of the same secret.
    pub fn reseal_authenticator(&mut self, number: i64, sealed: &[u8]) -> StoreResult<()> {
        self.execute(
            "UPDATE secret SET sealed = ?2 WHERE authenticator = ?1",
            (number, sealed),
        )
    }

    /// Removes one authenticator and overwrites its secret. Its step floor stays.
    pub fn remove_authenticator(&mut self, number: i64) -> StoreResult<()> {
        self.execute(
            "UPDATE secret SET sealed = zeroblob(length(sealed)) WHERE authenticator = ?1",
            [number],
        )?;
        self.execute("DELETE FROM authenticator WHERE id = ?1", [number])
    }

    /// Removes every authenticator and code of an account and overwrites the secrets. Step floors
    /// stay. The e-mail address needs confirmation again.
    pub fn remove_second_factor(&mut self, account: AccountId) -> StoreResult<()> {
        self.erase_secrets(account)?;
        self.execute("DELETE FROM authenticator WHERE account = ?1", [account.0])?;
        for table in ["one_time_code", "mailed_code", "outbox"] {
            self.execute(
                &format!("DELETE FROM {table} WHERE account = ?1"),
                [account.0],
            )?;
        }
        let sql = "UPDATE email SET pending = coalesce(pending, confirmed), confirmed = NULL WHERE account = ?1";
        self.execute(sql, [account.0])?;
        self.app_passwords_changed_of(account)?;
        self.execute("DELETE FROM recovery_code WHERE account = ?1", [account.0])
    }

    /// Returns the step floor of a secret: its last accepted time step or counter.
    pub fn step_floor(&mut self, fingerprint: &SecretFingerprint) -> StoreResult<Option<Step>> {
        let sql = "SELECT step FROM floor WHERE fingerprint = ?1";
        let step: Option<i64> = self.find_row(sql, [&fingerprint.0[..]], |row| Ok(row.get(0)?))?;
        Ok(step.map(|step| Step(unsigned(step))))
    }

    /// Records an accepted step. That step and every older one are used.
    pub fn raise_floor(&mut self, fingerprint: &SecretFingerprint, step: Step) -> StoreResult<()> {
        let sql = "INSERT INTO floor (fingerprint, step) VALUES (?1, ?2) \
                   ON CONFLICT (fingerprint) DO UPDATE SET step = max(step, excluded.step)";
        self.execute(sql, (&fingerprint.0[..], signed(step.0)))?;
        let sql = "INSERT OR IGNORE INTO accepted_step (fingerprint, step) VALUES (?1, ?2)";
        self.execute(sql, (&fingerprint.0[..], signed(step.0)))?;
        let sql = "DELETE FROM accepted_step WHERE fingerprint = ?1 AND step < (SELECT step FROM accepted_step \
                   WHERE fingerprint = ?1 AND step <= ?2 ORDER BY step DESC LIMIT 1 OFFSET ?3)";
        self.execute(sql, (&fingerprint.0[..], signed(step.0), STEPS_KEPT - 1))
    }

    /// Lowers a step floor that a clock ahead of time raised, but never below a step of which the
    /// store does not know whether it was accepted. Accepted steps stay recorded.
    pub fn lower_floor(
        &mut self,
        fingerprint: &SecretFingerprint,
        from: Step,
        to: Step,
    ) -> StoreResult<()> {
        let sql = "INSERT OR IGNORE INTO accepted_step (fingerprint, step) VALUES (?1, ?2)";
        self.execute(sql, (&fingerprint.0[..], signed(from.0)))?;
        let sql = "INSERT INTO floor (fingerprint, step) VALUES (?1, ?2) \
                   ON CONFLICT (fingerprint) DO UPDATE SET step = excluded.step";
        self.execute(sql, (&fingerprint.0[..], signed(to.0)))?;
        // if the maximum of steps is stored, older ones may have been deleted: everything up to the
        // oldest stored one stays used
        let sql = "UPDATE floor SET step = max(step, coalesce((SELECT step FROM accepted_step \
                   WHERE fingerprint = ?1 AND step <= ?2 ORDER BY step DESC LIMIT 1 OFFSET ?3), 0)) WHERE fingerprint = ?1";
        self.execute(sql, (&fingerprint.0[..], signed(from.0), STEPS_KEPT - 1))
    }

    /// Returns the newest accepted steps, and all accepted steps above the floor.
    pub fn accepted_steps(&mut self, fingerprint: &SecretFingerprint) -> StoreResult<Vec<Step>> {
        let sql = "SELECT step FROM accepted_step WHERE fingerprint = ?1";
        self.query_rows(sql, [&fingerprint.0[..]], |row| {
            Ok(Step(unsigned(row.get(0)?)))
        })
    }

    /// Returns an account's recovery codes, used ones included.
    pub fn recovery_codes(&mut self, account: AccountId) -> StoreResult<Vec<StoredRecoveryCode>> {
        let sql = "SELECT hash, length, used_at IS NOT NULL FROM recovery_code WHERE account = ?1";
        self.query_rows(sql, [account.0], |row| {
            Ok(StoredRecoveryCode {
                hash: RecoveryHash(bytes(row, 0, "a recovery code")?),
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
        self.execute("DELETE FROM recovery_code WHERE account = ?1", [account.0])?;
        for code in codes {
            let sql = "INSERT INTO recovery_code (account, hash, length) VALUES (?1, ?2, ?3)";
            self.execute(sql, (account.0, &code.hash.0[..], code.length))?;
        }
        Ok(())
    }

    pub fn consume_recovery_code(
        &mut self,
        account: AccountId,
        code: &RecoveryHash,
        now: Timestamp,
    ) -> StoreResult<()> {
        let sql = "UPDATE recovery_code SET used_at = ?3 WHERE account = ?1 AND hash = ?2";
        self.execute(sql, (account.0, &code.0[..], signed(now.0)))
    }

    /// Returns the newest one-time code of an account.
    pub fn one_time_code(&mut self, account: AccountId) -> StoreResult<Option<StoredOneTimeCode>> {
        let sql = "SELECT hash, issued, expires, used FROM one_time_code WHERE account = ?1";
        self.find_row(sql, [account.0], |row| {
            Ok(StoredOneTimeCode {
                hash: OneTimeHash(bytes(row, 0, "a one-time code")?),
                issued: time(row, 1)?,
                expires: time(row, 2)?,
                used: row.get(3)?,
            })
        })
    }

    /// Replaces or removes the one-time code.
    pub fn set_one_time_code(
        &mut self,
        account: AccountId,
        code: Option<&StoredOneTimeCode>,
    ) -> StoreResult<()> {
        self.execute("DELETE FROM one_time_code WHERE account = ?1", [account.0])?;
        let Some(StoredOneTimeCode {
            hash,
            issued,
            expires,
            used,
        }) = code
        else {
            return Ok(());
        };
        let sql = "INSERT INTO one_time_code (account, hash, issued, expires, used) VALUES (?1, ?2, ?3, ?4, ?5)";
        self.execute(
            sql,
            (
                account.0,
                &hash.0[..],
                signed(issued.0),
                signed(expires.0),
                used,
            ),
        )
    }

    pub fn consume_one_time_code(&mut self, account: AccountId) -> StoreResult<()> {
        self.execute(
            "UPDATE one_time_code SET used = TRUE WHERE account = ?1",
            [account.0],
        )
    }

    /// Returns the failures of a bucket since `since`, including those that a clock ahead of time
    /// recorded.
    pub fn bucket_failures(
        &mut self,
        bucket: &BucketKey,
        since: Timestamp,
    ) -> StoreResult<Vec<ThrottleFailure>> {
        let (owner, phase, scope) = bucket_columns(bucket);
        let sql = "SELECT at, cost FROM failure \
                   WHERE owner = ?1 AND phase = ?2 AND scope = ?3 AND at >= ?4";
        self.query_rows(sql, (owner, phase, scope, signed(since.0)), |row| {
            Ok(ThrottleFailure {
                at: time(row, 0)?,
                cost: row.get(1)?,
            })
        })
    }

    /// Returns how many other SSH keys failed since `since`, for the same owner and phase; counts
    /// to `most`.
    pub fn count_other_failed_keys(
        &mut self,
        bucket: &BucketKey,
        most: u32,
        since: Timestamp,
    ) -> StoreResult<u32> {
        let (owner, phase, scope) = bucket_columns(bucket);
        // as a range, which the index on `scope` supports
        let (from, to) = (format!("{KEY_PREFIX} "), format!("{KEY_PREFIX}!"));
        let sql = "SELECT count(*) FROM (SELECT DISTINCT scope FROM failure \
                   WHERE owner = ?1 AND phase = ?2 AND scope > ?3 AND scope < ?4 AND scope <> ?5 AND at >= ?6 LIMIT ?7)";
        let row = (owner, phase, from, to, scope, signed(since.0), most);
        self.query_row(sql, row, |row| Ok(row.get(0)?))
    }

    /// Adds a failure to a bucket, and removes the bucket's failures before `since`.
    pub fn add_failure(
        &mut self,
        bucket: &BucketKey,
        failure: ThrottleFailure,
        wrong: WrongFactor,
        from: Option<&str>,
        since: Timestamp,
    ) -> StoreResult<FailureId> {
        let (owner, phase, scope) = bucket_columns(bucket);
        let sql = "DELETE FROM failure WHERE owner = ?1 AND phase = ?2 AND scope = ?3 AND at < ?4";
        self.execute(sql, (owner, phase, &scope, signed(since.0)))?;
        self.clear_failures(failure.at.minus(LOCK_WINDOW), CLEARED_AT_ONCE)?;
        let sql = "INSERT INTO failure (owner, phase, scope, at, cost, factor, address) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (at, wrong) = (signed(failure.at.0), factor_name(wrong));
        self.execute(sql, (owner, phase, &scope, at, failure.cost, wrong, from))?;
        Ok(FailureId(self.last_insert_rowid()))
    }

    /// Removes the failures that were recorded before an input turned out to be right.
    pub fn remove_failure(
        &mut self,
        failure: FailureId,
        of_address: Option<FailureId>,
    ) -> StoreResult<()> {
        self.execute("DELETE FROM failure WHERE id = ?1", [failure.0])?;
        self.execute(
            "DELETE FROM address_failure WHERE id = ?1",
            [of_address.map(|id| id.0)],
        )
    }

    /// Removes the failures that one address caused in a bucket.
    pub fn remove_failures_from(&mut self, bucket: &BucketKey, from: &str) -> StoreResult<()> {
        let (owner, phase, scope) = bucket_columns(bucket);
        let sql =
            "DELETE FROM failure WHERE owner = ?1 AND phase = ?2 AND scope = ?3 AND address = ?4";
        self.execute(sql, (owner, phase, scope, from))
    }

    /// Sets failures in the future, which a clock ahead of time recorded, to `now`: those of this
    /// bucket and of this address.
    pub fn clamp_future_failures(
        &mut self,
        bucket: &BucketKey,
        from: Option<&str>,
        now: Timestamp,
    ) -> StoreResult<()> {
        let (owner, phase, scope) = bucket_columns(bucket);
        let sql = "UPDATE failure SET at = ?4 \
                   WHERE owner = ?1 AND phase = ?2 AND scope = ?3 AND at > ?4";
        self.execute(sql, (owner, phase, scope, signed(now.0)))?;
        let sql = "UPDATE address_failure SET at = ?2 WHERE address = ?1 AND at > ?2";
        self.execute(sql, (from, signed(now.0)))
    }

    pub fn is_bucket_locked(&mut self, bucket: &BucketKey) -> StoreResult<bool> {
        let (owner, phase, scope) = bucket_columns(bucket);
        let sql = "SELECT EXISTS (SELECT 1 FROM bucket_lock WHERE owner = ?1 AND phase = ?2 AND scope = ?3)";
        self.query_row(sql, (owner, phase, scope), |row| Ok(row.get(0)?))
    }

    pub fn lock_bucket(&mut self, bucket: &BucketKey, now: Timestamp) -> StoreResult<()> {
        let (owner, phase, scope) = bucket_columns(bucket);
        let sql =
            "INSERT OR IGNORE INTO bucket_lock (owner, phase, scope, at) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (owner, phase, scope, signed(now.0)))
    }

    /// Removes a bucket's lock and failures.
    pub fn unlock_bucket(&mut self, bucket: &BucketKey) -> StoreResult<()> {
        for table in ["bucket_lock", "failure"] {
            let sql = format!("DELETE FROM {table} WHERE owner = ?1 AND phase = ?2 AND scope = ?3");
            self.execute(&sql, bucket_columns(bucket))?;
        }
        Ok(())
    }

    /// Removes every lock and failure of an account.
    pub fn unlock_account(&mut self, account: AccountId) -> StoreResult<()> {
        self.execute("DELETE FROM bucket_lock WHERE owner = ?1", [account.0])?;
        self.execute("DELETE FROM failure WHERE owner = ?1", [account.0])
    }

    /// Returns the wrong codes of an account in all buckets after `since`. Wrong passwords do not
    /// count.
    pub fn missed_inputs(
        &mut self,
        account: AccountId,
        since: Timestamp,
    ) -> StoreResult<Option<MissedInputs>> {
        let sql = "SELECT count(*) OVER (), coalesce(address, '-') FROM failure \
                   WHERE owner = ?1 AND at > ?2 AND factor = ?3 ORDER BY at DESC, id DESC LIMIT 1";
        let parameters = (account.0, signed(since.0), factor_name(WrongFactor::Code));
        self.find_row(sql, parameters, |row| {
            Ok(MissedInputs {
                count: unsigned(row.get(0)?),
                last_from: row.get(1)?,
            })
        })
    }

    /// Returns when an address failed since `since`, over all accounts: newest first, at most a
    /// thousand.
    pub fn address_failures(
        &mut self,
        from: &str,
        since: Timestamp,
    ) -> StoreResult<Vec<Timestamp>> {
        let sql = "SELECT at FROM address_failure WHERE address = ?1 AND at >= ?2 ORDER BY at DESC LIMIT ?3";
        self.query_rows(sql, (from, signed(since.0), MOST_OF_ADDRESS), |row| {
            time(row, 0)
        })
    }

    /// Adds a failure of an address, unless `limit` of them are stored since `since`: one more
    /// would not change the result. Removes those of the address up to `since`, and a few of other
    /// addresses.
    pub fn add_address_failure(
        &mut self,
        from: &str,
        at: Timestamp,
        since: Timestamp,
        limit: u32,
    ) -> StoreResult<Option<FailureId>> {
        let (at, since) = (signed(at.0), signed(since.0));
        // a failure as old as the window no longer counts, and must not prevent the storage of a
        // new one
        let sql = "DELETE FROM address_failure WHERE address = ?1 AND at <= ?2";
        self.execute(sql, (from, since))?;
        let sql = "UPDATE address_failure SET at = ?2 WHERE address = ?1 AND at > ?2";
        self.execute(sql, (from, at))?;
        let sql = "DELETE FROM address_failure WHERE id IN \
                   (SELECT id FROM address_failure WHERE at < ?1 ORDER BY at LIMIT ?2)";
        self.execute(sql, (since, CLEARED_AT_ONCE))?;
        let sql = "INSERT INTO address_failure (address, at) SELECT ?1, ?2 WHERE (SELECT count(*) FROM \
                   (SELECT 1 FROM address_failure WHERE address = ?1 LIMIT ?3)) < ?3";
        let added = self.execute_counted(sql, (from, at, limit))? > 0;
        Ok(added.then(|| FailureId(self.last_insert_rowid())))
    }

    /// Returns whether access was granted to the account from an address between `since` and
    /// `until`.
    pub fn is_familiar(
        &mut self,
        account: AccountId,
        from: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> StoreResult<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM familiar_address \
                   WHERE account = ?1 AND address = ?2 AND at BETWEEN ?3 AND ?4)";
        let (since, until) = (signed(since.0), signed(until.0));
        self.query_row(sql, (account.0, from, since, until), |row| Ok(row.get(0)?))
    }

    /// Records access from an address to a service. Removes the account's addresses before `since`.
    pub fn record_familiar_address(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
        now: Timestamp,
        since: Timestamp,
    ) -> StoreResult<()> {
        let sql = "DELETE FROM familiar_address WHERE account = ?1 AND at NOT BETWEEN ?2 AND ?3";
        let ahead = now.plus(CLOCK_SLACK);
        self.execute(sql, (account.0, signed(since.0), signed(ahead.0)))?;
        self.clear_addresses(since, CLEARED_AT_ONCE)?;
        let sql = "INSERT INTO familiar_address (account, address, service, at) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (account, address, service) DO UPDATE SET at = excluded.at";
        self.execute(sql, (account.0, from, door, signed(now.0)))
    }

    /// Records that this access was granted by a code, which starts the grace period.
    pub fn record_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        let sql = "UPDATE familiar_address SET code_at = ?4 \
                   WHERE account = ?1 AND address = ?2 AND service = ?3";
        self.execute(sql, (account.0, from, door, signed(now.0)))
    }

    /// Returns when a code last granted access there, unless the grace period was ended since.
    pub fn last_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
    ) -> StoreResult<Option<Timestamp>> {
        let sql = format!(
            "SELECT code_at FROM familiar_address \
             WHERE account = ?1 AND address = ?2 AND service = ?3 AND code_at IS NOT NULL AND {IS_UP_TO_DATE}"
        );
        self.find_row(&sql, (account.0, from, door), |row| time(row, 0))
    }

    /// Ends an account's grace periods everywhere. Returns whether there were any.
    pub fn end_grace_period(&mut self, account: AccountId) -> StoreResult<bool> {
        let sql =
            "UPDATE familiar_address SET code_at = NULL WHERE account = ?1 AND code_at IS NOT NULL";
        Ok(self.execute_counted(sql, [account.0])? > 0)
    }

    /// Removes at most `most` of each kind of expired row, and returns how many: failures and
    /// familiar addresses after 30 days, failures of addresses after `window` seconds, locks of
    /// addresses that are no longer familiar.
    ///
    /// Step floors are never removed: if the clock were set back, their codes would be valid again.
    /// Other locks stay until a recovery code, a one-time code or an administrator removes them.
    pub fn remove_expired_rows(
        &mut self,
        now: Timestamp,
        window: u64,
        most: u32,
    ) -> StoreResult<u64> {
        let since = now.minus(LOCK_WINDOW);
        let sql = "DELETE FROM address_failure WHERE id IN \
                   (SELECT id FROM address_failure WHERE at < ?1 ORDER BY at LIMIT ?2)";
        let of_addresses = self.execute_counted(sql, (signed(now.minus(window).0), most))?;
        let locks = "DELETE FROM bucket_lock WHERE (owner, phase, scope) IN \
                     (SELECT owner, phase, scope FROM bucket_lock \
                      WHERE at < ?1 AND scope GLOB 'address *' AND NOT EXISTS \
                      (SELECT 1 FROM familiar_address WHERE account = owner AND address = substr(scope, 9)) \
                      ORDER BY at LIMIT ?2)";
        let addresses = self.clear_addresses(since, most)?;
        let locks = self.execute_counted(locks, (signed(since.0), most))?;
        Ok((self.clear_failures(since, most)? + addresses + of_addresses + locks) as u64)
    }
}
