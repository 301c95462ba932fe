//! Throttle: failures and locks by bucket, failures by address, and the addresses from which access
//! was granted.

use super::Transaction;
use super::convert::unsigned;
use super::keys::IS_UP_TO_DATE;
use super::locks::LockOn;
use crate::account::record::AccountId;
use crate::store::{BucketKey, BucketOwner, FailureId, MissedInputs, StoreResult};
use crate::system::clock::Timestamp;
use crate::verify::throttle::{CLOCK_SLACK, LOCK_WINDOW, Phase, ThrottleFailure, WrongFactor};
use crate::verify::throttle_scope::KEY_PREFIX;

/// Expired rows that one write deletes: more than it adds, and few, so that no attempt pays for
/// many. Of rows of the same time, both databases delete the same: after the clock was set back, what
/// is left counts.
const CLEARED_AT_ONCE: u32 = 4;
/// Failures that are read for one address: the largest limit that can be configured.
const MOST_OF_ADDRESS: u32 = 1000;

/// Numbers of hosts as owners are below those of names without an account.
const BEFORE_HOSTS: i64 = -(1 << 20);

fn owner_number(owner: BucketOwner) -> i64 {
    match owner {
        BucketOwner::Account(AccountId(id)) => id,
        BucketOwner::UnknownName(bucket) => -1 - i64::from(bucket),
        BucketOwner::FleetHost(number) => BEFORE_HOSTS - number,
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
    /// Removes the oldest failures before `since`, of any bucket. Returns how many.
    fn clear_failures(&mut self, since: Timestamp, most: u32) -> StoreResult<usize> {
        let sql = "DELETE FROM failure WHERE id IN \
                   (SELECT id FROM failure WHERE at < ?1 ORDER BY at, id LIMIT ?2 /*+ FOR UPDATE SKIP LOCKED */)";
        self.execute_counted(sql, (since, most))
    }

    /// Removes the oldest failures of addresses before `since`. Returns how many.
    fn clear_address_failures(&mut self, since: Timestamp, most: u32) -> StoreResult<usize> {
        let sql = "DELETE FROM address_failure WHERE id IN \
                   (SELECT id FROM address_failure WHERE at < ?1 ORDER BY at, id LIMIT ?2 /*+ FOR UPDATE SKIP LOCKED */)";
        self.execute_counted(sql, (since, most))
    }

    /// Removes the oldest familiar addresses before `since`, of any account. Returns how many.
    fn clear_addresses(&mut self, since: Timestamp, most: u32) -> StoreResult<usize> {
        let sql = "DELETE FROM familiar_address WHERE (account, address, service) IN \
                   (SELECT account, address, service FROM familiar_address WHERE at < ?1 ORDER BY at, account, address, service LIMIT ?2 \
                   /*+ FOR UPDATE SKIP LOCKED */)";
        self.execute_counted(sql, (since, most))
    }

    /// Makes every address unfamiliar to an account.
    pub fn forget_familiar_addresses(&mut self, account: AccountId) -> StoreResult<()> {
        let sql = "DELETE FROM familiar_address WHERE account = ?1";
        self.execute(sql, [account])
    }

    /// Returns the failures of a bucket since `since`, including those that a clock ahead of time
    /// recorded.
    pub fn bucket_failures(
        &mut self,
        bucket: &BucketKey,
        since: Timestamp,
    ) -> StoreResult<Vec<ThrottleFailure>> {
        // an account is locked already, but takes as long as a name without one
        self.lock_on(LockOn::Buckets(owner_number(bucket.owner)))?;
        let (owner, phase, scope) = bucket_columns(bucket);
        let sql = "SELECT at, cost FROM failure \
                   WHERE owner = ?1 AND phase = ?2 AND scope = ?3 AND at >= ?4";
        self.query_rows(sql, (owner, phase, scope, since), |row| {
            Ok(ThrottleFailure {
                at: row.get(0)?,
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
                   WHERE owner = ?1 AND phase = ?2 AND scope > ?3 AND scope < ?4 AND scope <> ?5 AND at >= ?6 LIMIT ?7) AS found";
        let row = (owner, phase, from, to, scope, since, most);
        self.query_row(sql, row, |row| row.get(0))
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
        self.execute(sql, (owner, phase, &scope, since))?;
        self.clear_failures(failure.at.minus(LOCK_WINDOW), CLEARED_AT_ONCE)?;
        let sql = "INSERT INTO failure (owner, phase, scope, at, cost, factor, address) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id";
        let (at, wrong) = (failure.at, factor_name(wrong));
        let row = (owner, phase, &scope, at, failure.cost, wrong, from);
        self.query_row(sql, row, |row| row.get(0).map(FailureId))
    }

    /// Removes the failures that were recorded before an input turned out to be right.
    pub fn remove_failure(
        &mut self,
        failure: FailureId,
        of_address: Option<FailureId>,
    ) -> StoreResult<()> {
        self.execute("DELETE FROM failure WHERE id = ?1", [failure.0])?;
        let sql = "DELETE FROM address_failure WHERE id = ?1";
        self.execute(sql, [of_address.map(|id| id.0)])
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
        self.execute(sql, (owner, phase, scope, now))?;
        let sql = "UPDATE address_failure SET at = ?2 WHERE address = ?1 AND at > ?2";
        self.execute(sql, (from, now))
    }

    pub fn is_bucket_locked(&mut self, bucket: &BucketKey) -> StoreResult<bool> {
        let (owner, phase, scope) = bucket_columns(bucket);
        let sql = "SELECT EXISTS (SELECT 1 FROM bucket_lock WHERE owner = ?1 AND phase = ?2 AND scope = ?3)";
        self.query_row(sql, (owner, phase, scope), |row| row.get(0))
    }

    pub fn lock_bucket(&mut self, bucket: &BucketKey, now: Timestamp) -> StoreResult<()> {
        let (owner, phase, scope) = bucket_columns(bucket);
        let sql = "INSERT INTO bucket_lock (owner, phase, scope, at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        self.execute(sql, (owner, phase, scope, now))
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
        self.execute("DELETE FROM bucket_lock WHERE owner = ?1", [account])?;
        self.execute("DELETE FROM failure WHERE owner = ?1", [account])
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
        let parameters = (account, since, factor_name(WrongFactor::Code));
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
        self.lock_on(LockOn::Address(from))?;
        let sql = "SELECT at FROM address_failure WHERE address = ?1 AND at >= ?2 ORDER BY at DESC LIMIT ?3";
        self.query_rows(sql, (from, since, MOST_OF_ADDRESS), |row| row.get(0))
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
        self.lock_on(LockOn::Address(from))?;
        // a failure as old as the window no longer counts, and must not prevent the storage of a
        // new one
        let sql = "DELETE FROM address_failure WHERE address = ?1 AND at <= ?2";
        self.execute(sql, (from, since))?;
        let sql = "UPDATE address_failure SET at = ?2 WHERE address = ?1 AND at > ?2";
        self.execute(sql, (from, at))?;
        self.clear_address_failures(since, CLEARED_AT_ONCE)?;
        let sql = "INSERT INTO address_failure (address, at) SELECT ?1, ?2 WHERE (SELECT count(*) FROM \
                   (SELECT 1 FROM address_failure WHERE address = ?1 LIMIT ?3) AS found) < ?3 RETURNING id";
        self.find_row(sql, (from, at, limit), |row| row.get(0).map(FailureId))
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
        self.query_row(sql, (account, from, since, until), |row| row.get(0))
    }

    /// Records access from an address to a service. Removes the account's addresses before `since`.
    pub fn record_familiar_address(
        &mut self,
        account: AccountId,
        from: &str,
        service: &str,
        now: Timestamp,
        since: Timestamp,
    ) -> StoreResult<()> {
        let sql = "DELETE FROM familiar_address WHERE account = ?1 AND at NOT BETWEEN ?2 AND ?3";
        self.execute(sql, (account, since, now.plus(CLOCK_SLACK)))?;
        self.clear_addresses(since, CLEARED_AT_ONCE)?;
        let sql = "INSERT INTO familiar_address (account, address, service, at) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT (account, address, service) DO UPDATE SET at = excluded.at";
        self.execute(sql, (account, from, service, now))
    }

    /// Records that this access was granted by a code, which starts the grace period.
    pub fn record_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        service: &str,
        now: Timestamp,
    ) -> StoreResult<()> {
        let sql = "UPDATE familiar_address SET code_at = ?4 \
                   WHERE account = ?1 AND address = ?2 AND service = ?3";
        self.execute(sql, (account, from, service, now))
    }

    /// Returns when a code last granted access there, unless the grace period was ended since.
    pub fn last_code_time(
        &mut self,
        account: AccountId,
        from: &str,
        service: &str,
    ) -> StoreResult<Option<Timestamp>> {
        let sql = format!(
            "SELECT code_at FROM familiar_address \
             WHERE account = ?1 AND address = ?2 AND service = ?3 AND code_at IS NOT NULL AND {IS_UP_TO_DATE}"
        );
        self.find_row(&sql, (account, from, service), |row| row.get(0))
    }

    /// Ends an account's grace periods everywhere. Returns whether there were any.
    pub fn end_grace_period(&mut self, account: AccountId) -> StoreResult<bool> {
        let sql =
            "UPDATE familiar_address SET code_at = NULL WHERE account = ?1 AND code_at IS NOT NULL";
        Ok(self.execute_counted(sql, [account])? > 0)
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
        let of_addresses = self.clear_address_failures(now.minus(window), most)?;
        let locks = "DELETE FROM bucket_lock WHERE (owner, phase, scope) IN \
                     (SELECT owner, phase, scope FROM bucket_lock \
                      WHERE at < ?1 AND scope GLOB 'address *' AND NOT EXISTS \
                      (SELECT 1 FROM familiar_address WHERE account = owner AND address = substr(scope, 9)) \
                      ORDER BY at, owner, phase, scope LIMIT ?2 /*+ FOR UPDATE SKIP LOCKED */)";
        let addresses = self.clear_addresses(since, most)?;
        let locks = self.execute_counted(locks, (since, most))?;
        Ok((self.clear_failures(since, most)? + addresses + of_addresses + locks) as u64)
    }
}
