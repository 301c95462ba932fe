//! Accounts are added, removed and renamed, their groups are changed, and their states are listed.

use super::change::check_new_name;
use crate::account::event::EventKind;
use crate::account::name::{Distinct, Group, UserName};
use crate::crypto::vault::SecretBinding;
use crate::engine::{Accounts, AdministrationError};
use crate::protocol::status::{AccountStatus, SecondFactorState};
use crate::store::{AccountTally, Intent, MailAddresses};
use crate::system::clock::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Limit for the names of an account's groups together, in bytes: session cookies carry them.
const MAX_GROUP_BYTES: usize = 1024;

impl Accounts<'_> {
    /// Adds an account. Another spelling of an existing account is refused unless root gives
    /// [`Distinct::Yes`].
    pub fn add_account(
        &mut self,
        name: &UserName,
        distinct: Distinct,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        let mut change = self.engine.begin_change(actor, now)?;
        if change.tx.find_account(name)?.is_some() {
            return Err(AdministrationError::AccountExists(name.clone()));
        }
        let new = check_new_name(change.tx.config, &mut change.tx, name, distinct)?
            .map_err(AdministrationError::OtherSpelling)?;
        change.tx.add_account(&new, now)?;
        change.log_event(name, EventKind::AccountAdded)?;
        Ok(change.commit()?)
    }

    /// Removes an account. The floors of its consumed time steps are kept. When this returns, its
    /// secrets are erased from the store's files, and no gate accepts a session of it.
    pub fn remove_account(
        &mut self,
        name: &UserName,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        self.engine.check_not_declared(name)?;
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        // before the removal, which deletes the address that the notification goes to
        change.log_event(name, EventKind::AccountRemoved)?;
        change.tx.remove_account(record.id)?;
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        self.engine.truncate_wal()
    }

    /// Renames an account, which keeps its second factor and all else. Every session ends, since
    /// sessions carry the name.
    pub fn rename_account(
        &mut self,
        name: &UserName,
        new: &UserName,
        distinct: Distinct,
        actor: &str,
        now: Timestamp,
    ) -> Result<(), AdministrationError> {
        self.engine.check_not_declared(name)?;
        self.engine.check_not_declared(new)?;
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        if change.tx.find_account(new)?.is_some() {
            return Err(AdministrationError::AccountExists(new.clone()));
        }
        let distinct = match name.is_other_spelling_of(new) {
            // another spelling of the account's own name
            true => Distinct::Yes,
            false => distinct,
        };
        let named = check_new_name(change.tx.config, &mut change.tx, new, distinct)?
            .map_err(AdministrationError::OtherSpelling)?;
        // Secrets are bound to the name.
        let vault = change.tx.vault;
        for stored in change.tx.authenticators(record.id)? {
            let binding = |name| SecretBinding {
                account: record.id.0,
                name,
                parameters: stored.parameters,
            };
            let secret = vault.unseal(&stored.sealed, &binding(name))?;
            let sealed = vault.seal(&secret, &binding(new))?;
            change.tx.reseal_authenticator(stored.number, &sealed)?;
        }
        change.tx.rename_account(record.id, &named)?;
        change.tx.end_sessions(record.id)?;
        change.log_event(name, EventKind::AccountRenamed)?;
        change.log_event(new, EventKind::AccountRenamed)?;
        let revision = change.commit_revision()?;
        Ok(self.engine.sessions().await_gate_confirmations(revision)?)
    }

    /// Adds an account to groups and removes it from others. Returns all its groups. Every session
    /// ends, since sessions carry the groups.
    pub fn change_groups(
        &mut self,
        name: &UserName,
        add: &[Group],
        remove: &[Group],
        actor: &str,
        now: Timestamp,
    ) -> Result<Vec<Group>, AdministrationError> {
        self.engine.check_not_declared(name)?;
        let mut change = self.engine.begin_change(actor, now)?;
        let record = change.find_account(name)?;
        let mut groups: BTreeSet<Group> = record.groups.iter().cloned().collect();
        groups.extend(add.iter().cloned());
        groups.retain(|group| !remove.contains(group));
        let groups: Vec<Group> = groups.into_iter().collect();
        if groups == record.groups {
            return Ok(groups);
        }
        if groups
            .iter()
            .map(|group| group.as_str().len() + 1)
            .sum::<usize>()
            > MAX_GROUP_BYTES
        {
            return Err(AdministrationError::TooManyGroups(
                name.clone(),
                MAX_GROUP_BYTES,
            ));
        }
        change.tx.set_groups(record.id, &groups)?;
        change.tx.end_sessions(record.id)?;
        change.log_event(name, EventKind::GroupsChanged)?;
        let revision = change.commit_revision()?;
        self.engine.sessions().await_gate_confirmations(revision)?;
        Ok(groups)
    }

    pub fn account_status(
        &mut self,
        name: &UserName,
    ) -> Result<AccountStatus, AdministrationError> {
        let (mut tx, config, _) = self.engine.begin_with_keys(Intent::Read)?;
        let is_declared = config.find_declared_account(name).is_some();
        match tx.account_tallies(Some(name))?.pop() {
            Some(tally) => Ok(state_of(tally, is_declared)),
            None if is_declared => Ok(state_of(unused_account(name), is_declared)),
            None => Err(AdministrationError::UnknownAccount(name.clone())),
        }
    }

    /// Returns the state of every account, by name.
    pub fn account_statuses(&mut self) -> Result<Vec<AccountStatus>, AdministrationError> {
        let (mut tx, config, _) = self.engine.begin_with_keys(Intent::Read)?;
        let stored = tx.account_tallies(None)?.into_iter();
        let mut all: BTreeMap<_, _> = stored.map(|tally| (tally.name.clone(), tally)).collect();
        let declared: HashSet<_> = config.account.iter().map(|one| &one.name).collect();
        for name in &declared {
            all.entry((*name).clone())
                .or_insert_with(|| unused_account(name));
        }
        let state = |(name, tally)| state_of(tally, declared.contains(&name));
        Ok(all.into_iter().map(state).collect())
    }

    /// Returns the first `most` accounts whose name contains `part`, ignoring case, and sorts after
    /// `after`.
    pub fn find_accounts(
        &mut self,
        part: &str,
        after: Option<&UserName>,
        most: usize,
    ) -> Result<Vec<AccountStatus>, AdministrationError> {
        let (mut tx, config, _) = self.engine.begin_with_keys(Intent::Read)?;
        let stored = tx.find_account_names(part, after, most)?;
        drop(tx);
        let wanted = part.to_ascii_lowercase();
        let declared = config.account.iter().map(|one| &one.name);
        let matches = |name: &&UserName| {
            name.as_str().to_ascii_lowercase().contains(&wanted)
                && after.is_none_or(|after| *name > after)
        };
        let names: BTreeSet<UserName> = declared.filter(matches).cloned().chain(stored).collect();
        let mut found = Vec::new();
        for name in names.iter().take(most) {
            match self.account_status(name) {
                Ok(status) => found.push(status),
                // It was removed after the names were read.
                Err(AdministrationError::UnknownAccount(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

fn state_of(tally: AccountTally, is_declared: bool) -> AccountStatus {
    let mails = tally.addresses.confirmed.is_some();
    let state = match tally.authenticators {
        _ if is_declared => SecondFactorState::Declared,
        0 if !mails => SecondFactorState::Off,
        _ => SecondFactorState::On,
    };
    AccountStatus { state, tally }
}

/// State of a declared account that has not been used yet.
fn unused_account(name: &UserName) -> AccountTally {
    AccountTally {
        name: name.clone(),
        last_sign_in: None,
        authenticators: 0,
        passkeys: 0,
        since: None,
        recovery_codes: 0,
        addresses: MailAddresses::default(),
        locks: 0,
    }
}
