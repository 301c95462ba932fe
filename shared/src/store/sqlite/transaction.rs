//! SQL of [`Transaction`]: data keys, authenticators, codes, throttle, familiar addresses.
//! Conversions between rows and values are in `convert.rs`, the running of statements is in
//! `statements.rs`.

use super::WrappedKey;
use super::statements::Statements;
use crate::account::name::Label;
use crate::account::record::AccountId;
use crate::credential::totp::{Algorithm, OtpKind, OtpParameters, Step};
use crate::crypto::vault::{OneTimeHash, RecoveryHash, SecretFingerprint};
use crate::store::*;
use crate::system::clock::Timestamp;
use crate::verify::account::{StoredOneTimeCode, StoredRecoveryCode};
use crate::verify::throttle::{CLOCK_SLACK, LOCK_WINDOW, Phase, ThrottleFailure, WrongFactor};
use crate::verify::throttle_scope::KEY_PREFIX;
use rusqlite::{OptionalExtension, Row};

/// Condition that the account `?1` has no values of renewed keys. Such values count as removed.
pub(super) const IS_UP_TO_DATE: &str =
    "(SELECT at_renewal FROM account WHERE id = ?1) = (SELECT number FROM renewal)";

pub(super) struct SqliteTransaction<'a>(pub(super) Statements<'a>);

type Result<T> = std::result::Result<T, StoreError>;

/// Maximum of accepted steps that are stored per secret, up to its floor. While this host's clock
/// is wrong, only devices with the same error can sign in.
const STEPS_KEPT: i64 = 8;
/// Expired rows that one write deletes: more than it adds, and few, so that no attempt pays for
/// many.
const CLEARED_AT_ONCE: u32 = 4;
/// Failures that are read for one address: the largest limit that can be configured.
const MOST_OF_ADDRESS: u32 = 1000;

/// Converts to SQLite's signed integers, which hold every time and step that occurs.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Ok(Timestamp(unsigned(row.get(column)?)))
}

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}

fn owner(owner: BucketOwner) -> i64 {
    match owner {
        BucketOwner::Account(AccountId(id)) => id,
        BucketOwner::UnknownName(bucket) => -1 - i64::from(bucket),
    }
}

fn stage(stage: Phase) -> i64 {
    match stage {
        Phase::Before => 0,
        Phase::After => 1,
    }
}

fn wrong_name(wrong: WrongFactor) -> &'static str {
    match wrong {
        WrongFactor::Password => "password",
        WrongFactor::Code => "code",
    }
}

/// Returns the three columns that name a throttle bucket.
fn key(row: &BucketKey) -> (i64, i64, String) {
    (owner(row.owner), stage(row.phase), row.scope.store_key())
}

pub(super) fn bytes<const N: usize>(bytes: Vec<u8>, what: &str) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| damaged(what))
}

pub(super) fn parameters(algorithm: &str, digits: u32, period: i64) -> Result<OtpParameters> {
    let algorithm = Algorithm::from_name(algorithm).ok_or_else(|| damaged("an authenticator"))?;
    let parameters = OtpParameters {
        algorithm,
        digits,
        moving: OtpKind::from_period(unsigned(period)),
    };
    parameters.check().map_err(|_| damaged("an authenticator"))
}

impl SqliteTransaction<'_> {
    pub(super) fn execute(&mut self, sql: &str, parameters: impl rusqlite::Params) -> Result<()> {
        self.0.execute(sql, parameters)?;
        Ok(())
    }

    pub(super) fn all<T>(
        &mut self,
        sql: &str,
        parameters: impl rusqlite::Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let mut statement = self.0.prepare(sql)?;
        let rows = statement.query_map(parameters, read)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Overwrites an account's secrets in the store. The WAL holds them until it is truncated.
    pub(super) fn erase_secrets(&mut self, account: AccountId) -> Result<()> {
        let sql = "UPDATE secret SET sealed = zeroblob(length(sealed)) \
                   WHERE authenticator IN (SELECT id FROM authenticator WHERE account = ?1)";
        self.execute(sql, [account.0])
    }

    /// Removes the oldest failures before `since`, of any bucket. Returns how many.
    fn clear_failures(&mut self, since: Timestamp, most: u32) -> Result<usize> {
        let sql = "DELETE FROM failure WHERE id IN \
                   (SELECT id FROM failure WHERE at < ?1 ORDER BY at LIMIT ?2)";
        Ok(self.0.execute(sql, (signed(since.0), most))?)
    }

    /// Removes the oldest familiar addresses before `since`, of any account. Returns how many.
    fn clear_addresses(&mut self, since: Timestamp, most: u32) -> Result<usize> {
        let sql = "DELETE FROM familiar_address WHERE (account, address, service) IN \
                   (SELECT account, address, service FROM familiar_address WHERE at < ?1 ORDER BY at LIMIT ?2)";
        Ok(self.0.execute(sql, (signed(since.0), most))?)
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn data_keys(&mut self) -> Result<Vec<WrappedKey>> {
        // `Vault::open` refuses more keys than there are
        let sql = "SELECT purpose, master, wrapped FROM data_key LIMIT 65";
        self.all(sql, [], |row| {
            Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?))
        })?
        .into_iter()
        .map(|(purpose, master, wrapped)| {
            Ok(WrappedKey {
                purpose,
                master: bytes(master, "a data key")?,
                wrapped,
            })
        })
        .collect()
    }

    fn authenticators(&mut self, account: AccountId) -> Result<Vec<AuthenticatorRecord>> {
        let sql = "SELECT id, name, algorithm, digits, period, sealed, created \
                   FROM authenticator JOIN secret ON secret.authenticator = authenticator.id \
                   WHERE account = ?1 ORDER BY id";
        type Columns = (i64, String, String, u32, i64, Vec<u8>, Timestamp);
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
                time(row, 6)?,
            ))
        };
        self.all(sql, [account.0], read)?
            .into_iter()
            .map(
                |(number, name, algorithm, digits, period, sealed, created)| {
                    let parameters = parameters(&algorithm, digits, period)?;
                    let name = Label::from_store(name).map_err(|_| damaged("an authenticator"))?;
                    Ok(AuthenticatorRecord {
                        number,
                        name,
                        parameters,
                        sealed,
                        created,
                    })
                },
            )
            .collect()
    }

    fn add_authenticator(&mut self, account: AccountId, new: &AuthenticatorRecord) -> Result<()> {
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
        self.execute(sql, (self.0.last_insert_rowid(), &new.sealed))
    }

    fn reseal_authenticator(&mut self, number: i64, sealed: &[u8]) -> Result<()> {
        self.execute(
            "UPDATE secret SET sealed = ?2 WHERE authenticator = ?1",
            (number, sealed),
        )
    }

    fn remove_authenticator(&mut self, number: i64) -> Result<()> {
        self.execute(
            "UPDATE secret SET sealed = zeroblob(length(sealed)) WHERE authenticator = ?1",
            [number],
        )?;
        self.execute("DELETE FROM authenticator WHERE id = ?1", [number])
    }

    fn remove_second_factor(&mut self, account: AccountId) -> Result<()> {
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

    fn step_floor(&mut self, fingerprint: &SecretFingerprint) -> Result<Option<Step>> {
        let sql = "SELECT step FROM floor WHERE fingerprint = ?1";
        let step: Option<i64> = self
            .0
            .query_row(sql, [&fingerprint.0[..]], |row| row.get(0))
            .optional()?;
        Ok(step.map(|step| Step(unsigned(step))))
    }

    fn raise_floor(&mut self, fingerprint: &SecretFingerprint, step: Step) -> Result<()> {
        let sql = "INSERT INTO floor (fingerprint, step) VALUES (?1, ?2) \
                   ON CONFLICT (fingerprint) DO UPDATE SET step = max(step, excluded.step)";
        self.execute(sql, (&fingerprint.0[..], signed(step.0)))?;
        let sql = "INSERT OR IGNORE INTO accepted_step (fingerprint, step) VALUES (?1, ?2)";
        self.execute(sql, (&fingerprint.0[..], signed(step.0)))?;
        let sql = "DELETE FROM accepted_step WHERE fingerprint = ?1 AND step < (SELECT step FROM accepted_step \
                   WHERE fingerprint = ?1 AND step <= ?2 ORDER BY step DESC LIMIT 1 OFFSET ?3)";
        self.execute(sql, (&fingerprint.0[..], signed(step.0), STEPS_KEPT - 1))
    }

    fn lower_floor(&mut self, fingerprint: &SecretFingerprint, from: Step, to: Step) -> Result<()> {
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

    fn accepted_steps(&mut self, fingerprint: &SecretFingerprint) -> Result<Vec<Step>> {
        let sql = "SELECT step FROM accepted_step WHERE fingerprint = ?1";
        self.all(sql, [&fingerprint.0[..]], |row| {
            Ok(Step(unsigned(row.get(0)?)))
        })
    }

    fn recovery_codes(&mut self, account: AccountId) -> Result<Vec<StoredRecoveryCode>> {
        let sql = "SELECT hash, length, used_at IS NOT NULL FROM recovery_code WHERE account = ?1";
        self.all(sql, [account.0], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, row.get(2)?))
        })?
        .into_iter()
        .map(|(hash, length, used)| {
            Ok(StoredRecoveryCode {
                hash: RecoveryHash(bytes(hash, "a recovery code")?),
                length,
                used,
            })
        })
        .collect()
    }

    fn replace_recovery_codes(
        &mut self,
        account: AccountId,
        codes: &[StoredRecoveryCode],
    ) -> Result<()> {
        self.execute("DELETE FROM recovery_code WHERE account = ?1", [account.0])?;
        for code in codes {
            let sql = "INSERT INTO recovery_code (account, hash, length) VALUES (?1, ?2, ?3)";
            self.execute(sql, (account.0, &code.hash.0[..], code.length))?;
        }
        Ok(())
    }

    fn consume_recovery_code(
        &mut self,
        account: AccountId,
        code: &RecoveryHash,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "UPDATE recovery_code SET used_at = ?3 WHERE account = ?1 AND hash = ?2";
        self.execute(sql, (account.0, &code.0[..], signed(now.0)))
    }

    fn one_time_code(&mut self, account: AccountId) -> Result<Option<StoredOneTimeCode>> {
        let sql = "SELECT hash, issued, expires, used FROM one_time_code WHERE account = ?1";
        let read = |row: &Row<'_>| {
            Ok((
                row.get::<_, Vec<u8>>(0)?,
                time(row, 1)?,
                time(row, 2)?,
                row.get(3)?,
            ))
        };
        let found = self.0.query_row(sql, [account.0], read).optional()?;
        let kept = |(hash, issued, expires, used)| {
            let hash = OneTimeHash(bytes(hash, "a one-time code")?);
            Ok(StoredOneTimeCode {
                hash,
                issued,
                expires,
                used,
            })
        };
        found.map(kept).transpose()
    }

    fn set_one_time_code(
        &mut self,
        account: AccountId,
        code: Option<&StoredOneTimeCode>,
    ) -> Result<()> {
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

    fn consume_one_time_code(&mut self, account: AccountId) -> Result<()> {
        self.execute(
            "UPDATE one_time_code SET used = TRUE WHERE account = ?1",
            [account.0],
        )
    }

    fn bucket_failures(
        &mut self,
        row: &BucketKey,
        since: Timestamp,
    ) -> Result<Vec<ThrottleFailure>> {
        let (owner, stage, place) = key(row);
        let sql = "SELECT at, cost FROM failure \
                   WHERE owner = ?1 AND phase = ?2 AND scope = ?3 AND at >= ?4";
        self.all(sql, (owner, stage, place, signed(since.0)), |row| {
            Ok(ThrottleFailure {
                at: time(row, 0)?,
                cost: row.get(1)?,
            })
        })
    }

    fn count_other_failed_keys(
        &mut self,
        row: &BucketKey,
        most: u32,
        since: Timestamp,
    ) -> Result<u32> {
        let (owner, stage, place) = key(row);
        // as a range, which the index on `scope` supports
        let (from, to) = (format!("{KEY_PREFIX} "), format!("{KEY_PREFIX}!"));
        let sql = "SELECT count(*) FROM (SELECT DISTINCT scope FROM failure \
                   WHERE owner = ?1 AND phase = ?2 AND scope > ?3 AND scope < ?4 AND scope <> ?5 AND at >= ?6 LIMIT ?7)";
        let row = (owner, stage, from, to, place, signed(since.0), most);
        Ok(self.0.query_row(sql, row, |row| row.get(0))?)
    }

    fn add_failure(
        &mut self,
        row: &BucketKey,
        failure: ThrottleFailure,
        wrong: WrongFactor,
        from: Option<&str>,
        since: Timestamp,
    ) -> Result<FailureId> {
        let (owner, stage, place) = key(row);
        let sql = "DELETE FROM failure WHERE owner = ?1 AND phase = ?2 AND scope = ?3 AND at < ?4";
        self.execute(sql, (owner, stage, &place, signed(since.0)))?;
        self.clear_failures(failure.at.minus(LOCK_WINDOW), CLEARED_AT_ONCE)?;
        let sql = "INSERT INTO failure (owner, phase, scope, at, cost, factor, address) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (at, wrong) = (signed(failure.at.0), wrong_name(wrong));
        self.execute(sql, (owner, stage, &place, at, failure.cost, wrong, from))?;
        Ok(FailureId(self.0.last_insert_rowid()))
    }

    fn remove_failure(&mut self, failure: FailureId, of_address: Option<FailureId>) -> Result<()> {
        self.execute("DELETE FROM failure WHERE id = ?1", [failure.0])?;
        self.execute(
            "DELETE FROM address_failure WHERE id = ?1",
            [of_address.map(|id| id.0)],
        )
    }

    fn remove_failures_from(&mut self, row: &BucketKey, from: &str) -> Result<()> {
        let (owner, stage, place) = key(row);
        let sql =
            "DELETE FROM failure WHERE owner = ?1 AND phase = ?2 AND scope = ?3 AND address = ?4";
        self.execute(sql, (owner, stage, place, from))
    }

    fn clamp_future_failures(
        &mut self,
        row: &BucketKey,
        from: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let (owner, stage, place) = key(row);
        let sql = "UPDATE failure SET at = ?4 \
                   WHERE owner = ?1 AND phase = ?2 AND scope = ?3 AND at > ?4";
        self.execute(sql, (owner, stage, place, signed(now.0)))?;
        let sql = "UPDATE address_failure SET at = ?2 WHERE address = ?1 AND at > ?2";
        self.execute(sql, (from, signed(now.0)))
    }

    fn is_bucket_locked(&mut self, row: &BucketKey) -> Result<bool> {
        let (owner, stage, place) = key(row);
        let sql = "SELECT EXISTS (SELECT 1 FROM bucket_lock WHERE owner = ?1 AND phase = ?2 AND scope = ?3)";
        Ok(self
            .0
            .query_row(sql, (owner, stage, place), |row| row.get(0))?)
    }

    fn lock_bucket(&mut self, row: &BucketKey, now: Timestamp) -> Result<()> {
        let (owner, stage, place) = key(row);
        let sql =
            "INSERT OR IGNORE INTO bucket_lock (owner, phase, scope, at) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (owner, stage, place, signed(now.0)))
    }

    fn unlock_bucket(&mut self, row: &BucketKey) -> Result<()> {
        for table in ["bucket_lock", "failure"] {
            let sql = format!("DELETE FROM {table} WHERE owner = ?1 AND phase = ?2 AND scope = ?3");
            self.execute(&sql, key(row))?;
        }
        Ok(())
    }

    fn unlock_account(&mut self, account: AccountId) -> Result<()> {
        self.execute("DELETE FROM bucket_lock WHERE owner = ?1", [account.0])?;
        self.execute("DELETE FROM failure WHERE owner = ?1", [account.0])
    }

    fn missed_inputs(
        &mut self,
        account: AccountId,
        since: Timestamp,
    ) -> Result<Option<MissedInputs>> {
        let sql = "SELECT count(*) OVER (), coalesce(address, '-') FROM failure \
                   WHERE owner = ?1 AND at > ?2 AND factor = ?3 ORDER BY at DESC, id DESC LIMIT 1";
        let found = self.0.query_row(
            sql,
            (account.0, signed(since.0), wrong_name(WrongFactor::Code)),
            |row| {
                Ok(MissedInputs {
                    count: unsigned(row.get(0)?),
                    last_from: row.get(1)?,
                })
            },
        );
        Ok(found.optional()?)
    }

    fn address_failures(&mut self, from: &str, since: Timestamp) -> Result<Vec<Timestamp>> {
        let sql = "SELECT at FROM address_failure WHERE address = ?1 AND at >= ?2 ORDER BY at DESC LIMIT ?3";
        self.all(sql, (from, signed(since.0), MOST_OF_ADDRESS), |row| {
            time(row, 0)
        })
    }

    fn add_address_failure(
        &mut self,
        from: &str,
        at: Timestamp,
        since: Timestamp,
        limit: u32,
    ) -> Result<Option<FailureId>> {
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
        let added = self.0.execute(sql, (from, at, limit))? > 0;
        Ok(added.then(|| FailureId(self.0.last_insert_rowid())))
    }

    fn is_familiar(
        &mut self,
        account: AccountId,
        from: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM familiar_address \
                   WHERE account = ?1 AND address = ?2 AND at BETWEEN ?3 AND ?4)";
        let (since, until) = (signed(since.0), signed(until.0));
        Ok(self
            .0
            .query_row(sql, (account.0, from, since, until), |row| row.get(0))?)
    }

    fn record_familiar_address(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<()> {
        let sql = "DELETE FROM familiar_address WHERE account = ?1 AND at NOT BETWEEN ?2 AND ?3";
        let ahead = now.plus(CLOCK_SLACK);
        self.execute(sql, (account.0, signed(since.0), signed(ahead.0)))?;
        self.clear_addresses(since, CLEARED_AT_ONCE)?;
        let sql = "INSERT INTO familiar_address (account, address, service, at) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (account, address, service) DO UPDATE SET at = excluded.at";
        self.execute(sql, (account.0, from, door, signed(now.0)))
    }

    fn record_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
        now: Timestamp,
    ) -> Result<()> {
        let sql = "UPDATE familiar_address SET code_at = ?4 \
                   WHERE account = ?1 AND address = ?2 AND service = ?3";
        self.execute(sql, (account.0, from, door, signed(now.0)))
    }

    fn last_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        door: &str,
    ) -> Result<Option<Timestamp>> {
        let sql = format!(
            "SELECT code_at FROM familiar_address \
             WHERE account = ?1 AND address = ?2 AND service = ?3 AND code_at IS NOT NULL AND {IS_UP_TO_DATE}"
        );
        Ok(self
            .0
            .query_row(&sql, (account.0, from, door), |row| time(row, 0))
            .optional()?)
    }

    fn end_grace_period(&mut self, account: AccountId) -> Result<bool> {
        let sql =
            "UPDATE familiar_address SET code_at = NULL WHERE account = ?1 AND code_at IS NOT NULL";
        Ok(self.0.execute(sql, [account.0])? > 0)
    }

    fn remove_expired_rows(&mut self, now: Timestamp, window: u64, most: u32) -> Result<u64> {
        let since = now.minus(LOCK_WINDOW);
        let sql = "DELETE FROM address_failure WHERE id IN \
                   (SELECT id FROM address_failure WHERE at < ?1 ORDER BY at LIMIT ?2)";
        let of_addresses = self.0.execute(sql, (signed(now.minus(window).0), most))?;
        let locks = "DELETE FROM bucket_lock WHERE (owner, phase, scope) IN \
                     (SELECT owner, phase, scope FROM bucket_lock \
                      WHERE at < ?1 AND scope GLOB 'address *' AND NOT EXISTS \
                      (SELECT 1 FROM familiar_address WHERE account = owner AND address = substr(scope, 9)) \
                      ORDER BY at LIMIT ?2)";
        let addresses = self.clear_addresses(since, most)?;
        let locks = self.0.execute(locks, (signed(since.0), most))?;
        Ok((self.clear_failures(since, most)? + addresses + of_addresses + locks) as u64)
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(self.0.commit()?)
    }
}
