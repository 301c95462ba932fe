//! The statements: each method of [`Transaction`] in SQL, and nothing else.

use super::super::*;
use crate::event::What;
use crate::totp::Algorithm;
use rusqlite::{OptionalExtension, Row};

/// Events kept; older ones make room.
const EVENTS_KEPT: i64 = 100_000;

pub(super) struct Rows<'a>(pub(super) rusqlite::Transaction<'a>);

type Result<T> = std::result::Result<T, StoreError>;

/// SQLite's integers are signed; every time and step that ever occurs fits.
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

fn owner(owner: Owner) -> i64 {
    match owner {
        Owner::Account(AccountId(id)) => id,
        Owner::Stranger(bucket) => -1 - i64::from(bucket),
    }
}

fn stage(stage: Stage) -> i64 {
    match stage {
        Stage::Before => 0,
        Stage::After => 1,
    }
}

/// The three columns that name a row of guesses.
fn key(row: &RowKey) -> (i64, i64, String) {
    (owner(row.owner), stage(row.stage), row.place.key())
}

type AccountColumns = (i64, String, Timestamp, Option<i64>, i64);

fn account_columns(row: &Row<'_>) -> rusqlite::Result<AccountColumns> {
    Ok((row.get(0)?, row.get(1)?, time(row, 2)?, row.get(3)?, row.get(4)?))
}

fn account_record((id, name, created, last, generation): AccountColumns) -> Result<AccountRecord> {
    let name = UserName::parse(name.as_bytes()).map_err(|_| damaged("an account's name"))?;
    let last_sign_in = last.map(|at| Timestamp(unsigned(at)));
    let generation = unsigned(generation);
    Ok(AccountRecord { id: AccountId(id), name, created, last_sign_in, generation })
}

pub(super) fn bytes<const N: usize>(bytes: Vec<u8>, what: &str) -> Result<[u8; N]> {
    bytes.try_into().map_err(|_| damaged(what))
}

pub(super) fn parameters(algorithm: &str, digits: u32, period: i64) -> Result<Parameters> {
    let algorithm = Algorithm::from_name(algorithm).ok_or_else(|| damaged("an authenticator"))?;
    let parameters = Parameters { algorithm, digits, period: unsigned(period) };
    parameters.check().map_err(|_| damaged("an authenticator"))
}

impl Rows<'_> {
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
}

impl Transaction for Rows<'_> {
    fn data_keys(&mut self) -> Result<Vec<WrappedKey>> {
        let sql = "SELECT purpose, master, wrapped FROM data_key";
        self.all(sql, [], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?)))?
            .into_iter()
            .map(|(purpose, master, wrapped)| {
                Ok(WrappedKey { purpose, master: bytes(master, "a data key")?, wrapped })
            })
            .collect()
    }

    fn account(&mut self, name: &UserName) -> Result<Option<AccountRecord>> {
        let sql = "SELECT id, name, created, last_sign_in, generation FROM account WHERE name = ?1";
        let columns = self.0.query_row(sql, [name.as_str()], account_columns).optional()?;
        columns.map(account_record).transpose()
    }

    fn accounts(&mut self) -> Result<Vec<AccountRecord>> {
        let sql = "SELECT id, name, created, last_sign_in, generation FROM account ORDER BY name";
        self.all(sql, [], account_columns)?.into_iter().map(account_record).collect()
    }

    fn add_account(&mut self, name: &UserName, now: Timestamp) -> Result<AccountRecord> {
        let sql = "INSERT INTO account (name, created) VALUES (?1, ?2)";
        self.execute(sql, (name.as_str(), signed(now.0)))?;
        let id = AccountId(self.0.last_insert_rowid());
        Ok(AccountRecord { id, name: name.clone(), created: now, last_sign_in: None, generation: 0 })
    }

    fn signed_in(&mut self, account: AccountId, now: Timestamp) -> Result<()> {
        self.execute("UPDATE account SET last_sign_in = ?2 WHERE id = ?1", (account.0, signed(now.0)))
    }

    fn authenticators(&mut self, account: AccountId) -> Result<Vec<AuthenticatorRecord>> {
        let sql = "SELECT algorithm, digits, period, sealed, created \
                   FROM authenticator JOIN secret ON secret.authenticator = authenticator.id \
                   WHERE account = ?1 ORDER BY id";
        type Columns = (String, u32, i64, Vec<u8>, Timestamp);
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, time(row, 4)?))
        };
        self.all(sql, [account.0], read)?
            .into_iter()
            .map(|(algorithm, digits, period, sealed, created)| {
                let parameters = parameters(&algorithm, digits, period)?;
                Ok(AuthenticatorRecord { parameters, sealed, created })
            })
            .collect()
    }

    fn add_authenticator(&mut self, account: AccountId, new: &AuthenticatorRecord) -> Result<()> {
        let Parameters { algorithm, digits, period } = new.parameters;
        let sql = "INSERT INTO authenticator (account, algorithm, digits, period, created) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let created = signed(new.created.0);
        self.execute(sql, (account.0, algorithm.name(), digits, signed(period), created))?;
        let sql = "INSERT INTO secret (authenticator, sealed) VALUES (?1, ?2)";
        self.execute(sql, (self.0.last_insert_rowid(), &new.sealed))
    }

    fn remove_second_factor(&mut self, account: AccountId) -> Result<()> {
        self.execute("DELETE FROM authenticator WHERE account = ?1", [account.0])?;
        self.execute("DELETE FROM recovery_code WHERE account = ?1", [account.0])
    }

    fn floor(&mut self, fingerprint: &Fingerprint) -> Result<Option<Step>> {
        let sql = "SELECT step FROM floor WHERE fingerprint = ?1";
        let step: Option<i64> = self.0.query_row(sql, [&fingerprint.0[..]], |row| row.get(0)).optional()?;
        Ok(step.map(|step| Step(unsigned(step))))
    }

    fn set_floor(&mut self, fingerprint: &Fingerprint, step: Step) -> Result<()> {
        let sql = "INSERT INTO floor (fingerprint, step) VALUES (?1, ?2) \
                   ON CONFLICT (fingerprint) DO UPDATE SET step = excluded.step";
        self.execute(sql, (&fingerprint.0[..], signed(step.0)))
    }

    fn recovery_codes(&mut self, account: AccountId) -> Result<Vec<KeptRecoveryCode>> {
        let sql = "SELECT hash, used_at IS NOT NULL FROM recovery_code WHERE account = ?1";
        self.all(sql, [account.0], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?
            .into_iter()
            .map(|(hash, used)| {
                Ok(KeptRecoveryCode { hash: RecoveryHash(bytes(hash, "a recovery code")?), used })
            })
            .collect()
    }

    fn replace_recovery_codes(&mut self, account: AccountId, codes: &[RecoveryHash]) -> Result<()> {
        self.execute("DELETE FROM recovery_code WHERE account = ?1", [account.0])?;
        for code in codes {
            let sql = "INSERT INTO recovery_code (account, hash) VALUES (?1, ?2)";
            self.execute(sql, (account.0, &code.0[..]))?;
        }
        Ok(())
    }

    fn use_recovery_code(&mut self, account: AccountId, code: &RecoveryHash, now: Timestamp) -> Result<()> {
        let sql = "UPDATE recovery_code SET used_at = ?3 WHERE account = ?1 AND hash = ?2";
        self.execute(sql, (account.0, &code.0[..], signed(now.0)))
    }

    fn failures(&mut self, row: &RowKey, since: Timestamp) -> Result<Vec<Failure>> {
        let (owner, stage, place) = key(row);
        let sql = "SELECT at, cost FROM failure \
                   WHERE owner = ?1 AND stage = ?2 AND place = ?3 AND at >= ?4";
        self.all(sql, (owner, stage, place, signed(since.0)), |row| {
            Ok(Failure { at: time(row, 0)?, cost: row.get(1)? })
        })
    }

    fn add_failure(
        &mut self,
        row: &RowKey,
        failure: Failure,
        from: Option<&str>,
        since: Timestamp,
    ) -> Result<FailureId> {
        let (owner, stage, place) = key(row);
        let sql = "DELETE FROM failure WHERE owner = ?1 AND stage = ?2 AND place = ?3 AND at < ?4";
        self.execute(sql, (owner, stage, &place, signed(since.0)))?;
        let sql = "INSERT INTO failure (owner, stage, place, at, cost, address) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.execute(sql, (owner, stage, &place, signed(failure.at.0), failure.cost, from))?;
        Ok(FailureId(self.0.last_insert_rowid()))
    }

    fn take_back(&mut self, failure: FailureId, of_address: Option<FailureId>) -> Result<()> {
        self.execute("DELETE FROM failure WHERE id = ?1", [failure.0])?;
        self.execute("DELETE FROM address_failure WHERE id = ?1", [of_address.map(|id| id.0)])
    }

    fn forgive(&mut self, row: &RowKey, from: Option<&str>) -> Result<()> {
        let (owner, stage, place) = key(row);
        let sql = "DELETE FROM failure WHERE owner = ?1 AND stage = ?2 AND place = ?3 AND address IS ?4";
        self.execute(sql, (owner, stage, place, from))
    }

    fn clamp(&mut self, row: &RowKey, from: Option<&str>, now: Timestamp) -> Result<()> {
        let (owner, stage, place) = key(row);
        let sql = "UPDATE failure SET at = ?4 \
                   WHERE owner = ?1 AND stage = ?2 AND place = ?3 AND at > ?4";
        self.execute(sql, (owner, stage, place, signed(now.0)))?;
        let sql = "UPDATE address_failure SET at = ?2 WHERE address = ?1 AND at > ?2";
        self.execute(sql, (from, signed(now.0)))
    }

    fn is_locked(&mut self, row: &RowKey) -> Result<bool> {
        let (owner, stage, place) = key(row);
        let sql = "SELECT EXISTS (SELECT 1 FROM row_lock WHERE owner = ?1 AND stage = ?2 AND place = ?3)";
        Ok(self.0.query_row(sql, (owner, stage, place), |row| row.get(0))?)
    }

    fn lock(&mut self, row: &RowKey, now: Timestamp) -> Result<()> {
        let (owner, stage, place) = key(row);
        let sql = "INSERT OR IGNORE INTO row_lock (owner, stage, place, at) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (owner, stage, place, signed(now.0)))
    }

    fn unlock(&mut self, row: &RowKey) -> Result<()> {
        for table in ["row_lock", "failure"] {
            let sql = format!("DELETE FROM {table} WHERE owner = ?1 AND stage = ?2 AND place = ?3");
            self.execute(&sql, key(row))?;
        }
        Ok(())
    }

    fn unlock_all(&mut self, account: AccountId) -> Result<()> {
        self.execute("DELETE FROM row_lock WHERE owner = ?1", [account.0])?;
        self.execute("DELETE FROM failure WHERE owner = ?1", [account.0])
    }

    fn locks(&mut self, account: AccountId) -> Result<u64> {
        let sql = "SELECT count(*) FROM row_lock WHERE owner = ?1";
        Ok(unsigned(self.0.query_row(sql, [account.0], |row| row.get(0))?))
    }

    fn missed(&mut self, account: AccountId, since: Timestamp) -> Result<Option<Missed>> {
        let sql = "SELECT count(*) OVER (), coalesce(address, '-') FROM failure \
                   WHERE owner = ?1 AND at > ?2 ORDER BY at DESC, id DESC LIMIT 1";
        let found = self.0.query_row(sql, (account.0, signed(since.0)), |row| {
            Ok(Missed { count: unsigned(row.get(0)?), last_from: row.get(1)? })
        });
        Ok(found.optional()?)
    }

    fn address_failures(&mut self, from: &str, since: Timestamp) -> Result<Vec<Timestamp>> {
        let sql = "SELECT at FROM address_failure WHERE address = ?1 AND at >= ?2 ORDER BY at DESC";
        self.all(sql, (from, signed(since.0)), |row| time(row, 0))
    }

    fn add_address_failure(&mut self, from: &str, at: Timestamp, since: Timestamp) -> Result<FailureId> {
        self.execute("DELETE FROM address_failure WHERE at < ?1", [signed(since.0)])?;
        let sql = "INSERT INTO address_failure (address, at) VALUES (?1, ?2)";
        self.execute(sql, (from, signed(at.0)))?;
        Ok(FailureId(self.0.last_insert_rowid()))
    }

    fn is_familiar(&mut self, account: AccountId, from: &str, since: Timestamp) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM familiar_address \
                   WHERE account = ?1 AND address = ?2 AND at >= ?3)";
        Ok(self.0.query_row(sql, (account.0, from, signed(since.0)), |row| row.get(0))?)
    }

    fn remember_address(
        &mut self,
        account: AccountId,
        from: &str,
        now: Timestamp,
        since: Timestamp,
    ) -> Result<()> {
        let sql = "DELETE FROM familiar_address WHERE account = ?1 AND at < ?2";
        self.execute(sql, (account.0, signed(since.0)))?;
        let sql = "INSERT INTO familiar_address (account, address, at) VALUES (?1, ?2, ?3) \
                   ON CONFLICT (account, address) DO UPDATE SET at = excluded.at";
        self.execute(sql, (account.0, from, signed(now.0)))
    }

    fn log(&mut self, event: &Event) -> Result<()> {
        let sql = "INSERT INTO event (at, account, what, door, origin, detail) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let Event { at, account, what, door, origin, detail } = event;
        self.execute(sql, (signed(at.0), account.as_str(), what.name(), door, origin, detail))?;
        let newest = self.0.last_insert_rowid();
        self.execute("DELETE FROM event WHERE id <= ?1", [newest - EVENTS_KEPT])
    }

    fn events(&mut self, account: Option<&UserName>, after: i64, limit: u32) -> Result<Vec<(i64, Event)>> {
        let sql = "SELECT id, at, account, what, door, origin, detail FROM event \
                   WHERE id > ?1 AND (?2 IS NULL OR account = ?2) ORDER BY id DESC LIMIT ?3";
        type Columns = (i64, Timestamp, String, String, String, String, String);
        let read = |row: &Row<'_>| -> rusqlite::Result<Columns> {
            Ok((row.get(0)?, time(row, 1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
        };
        let found = self.all(sql, (after, account.map(UserName::as_str), limit), read)?;
        let event = |(id, at, account, what, door, origin, detail): Columns| {
            let account = UserName::parse(account.as_bytes()).map_err(|_| damaged("an event"))?;
            let what = What::from_name(&what).ok_or_else(|| damaged("an event"))?;
            Ok((id, Event { at, account, what, door, origin, detail }))
        };
        found.into_iter().rev().map(event).collect()
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(self.0.commit()?)
    }
}
