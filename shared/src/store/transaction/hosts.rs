//! The hosts of a fleet: its authority, invitations to join, and the hosts that have joined.

use super::Transaction;
use super::convert::{ColumnResult, Row};
use crate::account::host::HostName;
use crate::credential::break_glass_code::BreakGlassHash;
use crate::store::{AuthorityRecord, BreakGlassRecord, HostRecord, InvitationRecord, StoreResult};
use crate::system::clock::Timestamp;

/// Number of the one row of the authority.
const AUTHORITY: i64 = 1;

const COLUMNS: &str = "id, name, fingerprint, joined, expires, revoked";

fn host(row: &Row<'_>) -> ColumnResult<HostRecord> {
    Ok(HostRecord {
        number: row.get(0)?,
        name: row.get(1)?,
        fingerprint: row.get(2)?,
        joined: row.get(3)?,
        expires: row.get(4)?,
        revoked: row.get(5)?,
    })
}

impl Transaction<'_> {
    /// Returns the authority of the fleet, if there is one.
    pub fn fleet_authority(&mut self) -> StoreResult<Option<AuthorityRecord>> {
        let sql = "SELECT certificate, sealed FROM fleet_authority WHERE id = ?1";
        self.find_row(sql, [AUTHORITY], |row| {
            Ok(AuthorityRecord {
                certificate: row.get(0)?,
                sealed: row.get(1)?,
            })
        })
    }

    /// Adds the authority. One that exists already is an error.
    pub fn add_fleet_authority(&mut self, authority: &AuthorityRecord) -> StoreResult<()> {
        let sql = "INSERT INTO fleet_authority (id, certificate, sealed) VALUES (?1, ?2, ?3)";
        let (certificate, sealed) = (&authority.certificate, &authority.sealed);
        self.execute(sql, (AUTHORITY, certificate, sealed))
    }

    /// Removes the authority, every invitation and every host: nothing that they were given is valid
    /// any more.
    pub fn end_fleet(&mut self) -> StoreResult<()> {
        for table in [
            "fleet_authority",
            "host_invitation",
            "host_activity",
            "host",
            "break_glass_code",
        ] {
            self.execute_unchecked(&format!("DELETE FROM {table}"))?;
        }
        Ok(())
    }

    /// Replaces the invitation of a name.
    pub fn set_host_invitation(&mut self, invitation: &InvitationRecord) -> StoreResult<()> {
        let sql = "DELETE FROM host_invitation WHERE name = ?1";
        self.execute(sql, [&invitation.name])?;
        let sql =
            "INSERT INTO host_invitation (name, hash, issued, expires) VALUES (?1, ?2, ?3, ?4)";
        let (issued, expires) = (invitation.issued, invitation.expires);
        self.execute(sql, (&invitation.name, invitation.hash, issued, expires))
    }

    /// Removes the invitation with this hash, and returns it: it is valid once.
    pub fn take_host_invitation(&mut self, hash: &[u8]) -> StoreResult<Option<InvitationRecord>> {
        let sql =
            "DELETE FROM host_invitation WHERE hash = ?1 RETURNING name, hash, issued, expires";
        self.find_row(sql, [hash], |row| {
            Ok(InvitationRecord {
                name: row.get(0)?,
                hash: row.get(1)?,
                issued: row.get(2)?,
                expires: row.get(3)?,
            })
        })
    }

    /// Adds a host, and returns its number.
    pub fn add_host(
        &mut self,
        name: &HostName,
        fingerprint: &[u8; 32],
        joined: Timestamp,
        expires: Timestamp,
    ) -> StoreResult<i64> {
        let sql = "INSERT INTO host (name, fingerprint, joined, expires) VALUES (?1, ?2, ?3, ?4) \
                   RETURNING id";
        self.query_row(sql, (name, fingerprint, joined, expires), |row| row.get(0))
    }

    /// Returns every host, by name, also revoked ones.
    pub fn hosts(&mut self) -> StoreResult<Vec<HostRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM host ORDER BY name, id");
        self.query_rows(&sql, (), host)
    }

    /// Returns the host with a public key of this fingerprint, also if it is revoked.
    pub fn find_host_by_key(&mut self, fingerprint: &[u8; 32]) -> StoreResult<Option<HostRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM host WHERE fingerprint = ?1");
        self.find_row(&sql, [fingerprint], host)
    }

    /// Returns the host of a name that is not revoked.
    pub fn find_host(&mut self, name: &HostName) -> StoreResult<Option<HostRecord>> {
        let sql = format!("SELECT {COLUMNS} FROM host WHERE name = ?1 AND revoked IS NULL");
        self.find_row(&sql, [name], host)
    }

    /// Returns whether a host has joined and is not revoked.
    pub fn is_host_joined(&mut self, number: i64) -> StoreResult<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM host WHERE id = ?1 AND revoked IS NULL)";
        self.query_row(sql, [number], |row| row.get(0))
    }

    pub fn set_host_expiry(&mut self, number: i64, expires: Timestamp) -> StoreResult<()> {
        self.execute(
            "UPDATE host SET expires = ?2 WHERE id = ?1",
            (number, expires),
        )
    }

    /// Revokes a host, and removes its break-glass codes.
    pub fn revoke_host(&mut self, number: i64, now: Timestamp) -> StoreResult<()> {
        let sql = "UPDATE host SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL";
        self.execute(sql, (number, now))?;
        self.remove_break_glass_codes(number)
    }

    /// Adds a break-glass code of a host.
    pub fn add_break_glass_code(
        &mut self,
        host: i64,
        position: u32,
        hash: &BreakGlassHash,
        issued: Timestamp,
    ) -> StoreResult<()> {
        let sql =
            "INSERT INTO break_glass_code (host, position, hash, issued) VALUES (?1, ?2, ?3, ?4)";
        self.execute(sql, (host, i64::from(position), &hash.0, issued))
    }

    /// Returns the break-glass codes of a host, in their order.
    pub fn break_glass_codes(&mut self, host: i64) -> StoreResult<Vec<BreakGlassRecord>> {
        let sql = "SELECT hash, issued, received, used FROM break_glass_code WHERE host = ?1 \
                   ORDER BY position";
        self.query_rows(sql, [host], |row| {
            Ok(BreakGlassRecord {
                hash: BreakGlassHash(row.get(0)?),
                issued: row.get(1)?,
                received: row.get(2)?,
                used: row.get(3)?,
            })
        })
    }

    /// Notes that a host has all of its codes.
    pub fn set_break_glass_received(&mut self, host: i64, now: Timestamp) -> StoreResult<()> {
        let sql = "UPDATE break_glass_code SET received = ?2 WHERE host = ?1 AND received IS NULL";
        self.execute(sql, (host, now))
    }

    /// Notes the use of a code that was not used.
    pub fn set_break_glass_used(
        &mut self,
        host: i64,
        hash: &BreakGlassHash,
        now: Timestamp,
    ) -> StoreResult<()> {
        let sql = "UPDATE break_glass_code SET used = ?3 \
                   WHERE host = ?1 AND hash = ?2 AND used IS NULL";
        self.execute(sql, (host, &hash.0, now))
    }

    pub fn remove_break_glass_codes(&mut self, host: i64) -> StoreResult<()> {
        self.execute("DELETE FROM break_glass_code WHERE host = ?1", [host])
    }
}
