//! Accounts come, go, and change their names and groups; and how they all stand.

use super::account_name::new_name;
use super::acting::{AdministrationError, AdministrationResult, known, log};
use crate::account::event::EventKind;
use crate::account::name::{Distinct, Group, UserName};
use crate::crypto::vault::SecretBinding;
use crate::engine::Engine;
use crate::protocol::status::{AccountStatus, SecondFactorState};
use crate::store::{AccountTally, Intent, MailAddresses};
use crate::system::clock::Timestamp;
use std::collections::{BTreeSet, HashSet};

/// What the names of an account's groups may take together, in bytes: session cookies carry them.
const LONGEST_GROUPS: usize = 1024;

impl Engine {
    /// Makes an account; for another spelling of one that there is only where root says that it is an account of its own.
    pub fn add_account(
        &mut self,
        name: &UserName,
        distinct: Distinct,
        actor: &str,
        now: Timestamp,
    ) -> AdministrationResult {
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        if tx.find_account(name)?.is_some() {
            return Err(AdministrationError::AccountExists(name.clone()));
        }
        let new = new_name(&self.config, tx.as_mut(), name, distinct)?;
        tx.add_account(&new.map_err(AdministrationError::OtherSpelling)?, now)?;
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::AccountAdded,
            actor,
            now,
        )?;
        Ok(tx.commit()?)
    }

    /// Removes an account. Its floors of used steps stay. When this returns, its secrets are gone from the store's
    /// bytes, and no gate lets a session of it in.
    pub fn remove_account(
        &mut self,
        name: &UserName,
        actor: &str,
        now: Timestamp,
    ) -> AdministrationResult {
        self.refuse_declared(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        // while there is still an address to tell
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::AccountRemoved,
            actor,
            now,
        )?;
        tx.remove_account(record.id)?;
        let revision = tx.raise_revision()?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        self.store.scrub().map_err(AdministrationError::NotScrubbed)
    }

    /// Gives an account another name; its second factor and all else go along. Every session ends, since sessions
    /// carry the name.
    pub fn rename_account(
        &mut self,
        name: &UserName,
        new: &UserName,
        distinct: Distinct,
        actor: &str,
        now: Timestamp,
    ) -> AdministrationResult {
        self.refuse_declared(name)?;
        self.refuse_declared(new)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
        if tx.find_account(new)?.is_some() {
            return Err(AdministrationError::AccountExists(new.clone()));
        }
        let named = match name.is_other_spelling_of(new) {
            // of this account itself
            true => new_name(&self.config, tx.as_mut(), new, Distinct::Yes)?,
            false => new_name(&self.config, tx.as_mut(), new, distinct)?,
        };
        let named = named.map_err(AdministrationError::OtherSpelling)?;
        // Secrets are sealed for the name.
        for kept in tx.authenticators(record.id)? {
            let binding = |name| SecretBinding {
                account: record.id.0,
                name,
                parameters: kept.parameters,
            };
            let secret = self.vault.unseal(&kept.sealed, &binding(name))?;
            tx.reseal_authenticator(kept.number, &self.vault.seal(&secret, &binding(new))?)?;
        }
        tx.rename_account(record.id, &named)?;
        tx.end_sessions(record.id)?;
        let revision = tx.raise_revision()?;
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::AccountRenamed,
            actor,
            now,
        )?;
        log(
            &self.config,
            tx.as_mut(),
            new,
            EventKind::AccountRenamed,
            actor,
            now,
        )?;
        tx.commit()?;
        Ok(self.await_gate_confirmations(revision)?)
    }

    /// Adds an account to groups and removes it from others; all that it is in then. Every session ends, since
    /// sessions carry the groups.
    pub fn change_groups(
        &mut self,
        name: &UserName,
        add: &[Group],
        remove: &[Group],
        actor: &str,
        now: Timestamp,
    ) -> Result<Vec<Group>, AdministrationError> {
        self.refuse_declared(name)?;
        let mut tx = self.store.begin(&mut self.vault, Intent::Write)?;
        let record = known(tx.as_mut(), name)?;
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
            > LONGEST_GROUPS
        {
            return Err(AdministrationError::TooManyGroups(
                name.clone(),
                LONGEST_GROUPS,
            ));
        }
        tx.set_groups(record.id, &groups)?;
        tx.end_sessions(record.id)?;
        let revision = tx.raise_revision()?;
        log(
            &self.config,
            tx.as_mut(),
            name,
            EventKind::GroupsChanged,
            actor,
            now,
        )?;
        tx.commit()?;
        self.await_gate_confirmations(revision)?;
        Ok(groups)
    }

    /// The state of one account.
    pub fn status(&mut self, name: &UserName) -> Result<AccountStatus, AdministrationError> {
        let found = self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .account_tallies(Some(name))?
            .pop();
        match (found, self.config.find_declared_account(name)) {
            (Some(tally), _) => Ok(self.state_of(tally)),
            (None, Some(_)) => Ok(self.state_of(unused(name))),
            (None, None) => Err(AdministrationError::UnknownAccount(name.clone())),
        }
    }

    /// The state of every account, by name.
    pub fn statuses(&mut self) -> Result<Vec<AccountStatus>, AdministrationError> {
        let tallies = self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .account_tallies(None)?;
        let kept: BTreeSet<_> = tallies.iter().map(|tally| tally.name.clone()).collect();
        let declared = self.config.account.iter().map(|declared| &declared.name);
        let declared = declared.filter(|name| !kept.contains(name)).map(unused);
        let mut all: Vec<AccountTally> = tallies.into_iter().chain(declared).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        let declared: HashSet<_> = self
            .config
            .account
            .iter()
            .map(|declared| &declared.name)
            .collect();
        let state = |tally: AccountTally| {
            let is_declared = declared.contains(&tally.name);
            state_of(tally, is_declared)
        };
        Ok(all.into_iter().map(state).collect())
    }

    /// How accounts stand whose name holds `part`, by name, of those after `after` the first `most`.
    pub fn find(
        &mut self,
        part: &str,
        after: Option<&UserName>,
        most: usize,
    ) -> Result<Vec<AccountStatus>, AdministrationError> {
        let kept = self
            .store
            .begin(&mut self.vault, Intent::Read)?
            .find_account_names(part, after, most)?;
        let wanted = part.to_ascii_lowercase();
        let declared = self.config.account.iter().map(|declared| &declared.name);
        let fits = |name: &&UserName| {
            name.as_str().to_ascii_lowercase().contains(&wanted)
                && after.is_none_or(|after| *name > after)
        };
        let names: BTreeSet<UserName> = declared.filter(fits).cloned().chain(kept).collect();
        let mut found = Vec::new();
        for name in names.iter().take(most) {
            match self.status(name) {
                Ok(status) => found.push(status),
                // removed since
                Err(AdministrationError::UnknownAccount(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn state_of(&self, tally: AccountTally) -> AccountStatus {
        let is_declared = self.config.find_declared_account(&tally.name).is_some();
        state_of(tally, is_declared)
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

/// A declared account that nobody has used yet.
fn unused(name: &UserName) -> AccountTally {
    AccountTally {
        name: name.clone(),
        last_sign_in: None,
        authenticators: 0,
        since: None,
        recovery_codes: 0,
        addresses: MailAddresses::default(),
        locks: 0,
    }
}
