//! A second and simple implementation of one-time acceptance and of the throttle: which codes were
//! accepted, what was counted in which bucket, and which reply must follow. It calls none of the
//! library's code, so that a fault there cannot hide itself.

use postern_shared::verify::throttle::Phase;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Short limits, so that sequences reach them, and codes so long that two hardly ever are equal.
pub(crate) const CONFIG: &str = r#"
[totp]
digits = 8
[throttle]
free = 2
first_delay = "15s"
max_delay = "2m"
lock_after = 10
address_limit = 3
address_window = "5m"
"#;
const FREE: u64 = 2;
const FIRST_DELAY: u64 = 15;
const MAX_DELAY: u64 = 120;
const LOCK_AFTER: u64 = 10;
const ADDRESS_LIMIT: usize = 3;
const ADDRESS_WINDOW: u64 = 300;
const PERIOD: u64 = 30;
/// Largest offset of a clock, in time steps, that a refusal reports: ten minutes.
pub(crate) const REACH: u64 = 20;
const DAY: u64 = 24 * 3600;
const MONTH: u64 = 30 * DAY;
/// Accepted time steps that are kept for each secret.
const STEPS_KEPT: usize = 8;
/// Oldest rows that a write removes.
const CLEARED_AT_ONCE: usize = 4;
/// Seconds that a stored time may be ahead of this clock.
const SLACK: u64 = 60;

/// The sender of an input, as the throttle distinguishes them.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) phase: Phase,
    pub(crate) address: Option<String>,
    /// The scope of a local user or a trusted browser, which does not depend on the address.
    pub(crate) own_place: Option<&'static str>,
}

/// The meaning of an input.
#[derive(Clone, Debug)]
pub(crate) enum Meaning {
    /// The number of a live authenticator, and a time step of it.
    Code(usize, u64),
    WrongCode,
    Recovery(String),
    OneTime(String),
    RightPassword,
    WrongPassword,
    Junk,
}

/// The reply to an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meets {
    Granted,
    /// The password is right, and the code is asked for next.
    NextPage,
    /// Not charged: used, expired, or no code of the account.
    NoCharge,
    /// Compared, wrong, and charged to the bucket or to the address alone.
    Charge,
    Delay(u64),
    AddressDelay(u64),
    Lock,
}

impl Meets {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Meets::Granted => "access",
            Meets::NextPage => "the next page",
            Meets::NoCharge => "no charge",
            Meets::Charge => "a charge",
            Meets::Delay(_) => "a delay",
            Meets::AddressDelay(_) => "a delay of the address",
            Meets::Lock => "a lock",
        }
    }
}

struct Failure {
    id: u64,
    at: u64,
    cost: u64,
    address: Option<String>,
}

#[derive(Default)]
struct Row {
    failures: Vec<Failure>,
    locked: bool,
}

#[derive(Default)]
pub(crate) struct Model {
    opened: HashSet<(usize, u64)>,
    floors: HashMap<usize, u64>,
    /// The newest accepted time steps, and all of them above the floor.
    marked: HashSet<(usize, u64)>,
    pub(crate) live: HashSet<usize>,
    /// The current recovery codes, and whether each was accepted.
    pub(crate) recovery: HashMap<String, bool>,
    /// The newest one-time code, its validity period, and whether it was accepted.
    pub(crate) one_time: Option<(String, Range<u64>, bool)>,
    rows: HashMap<(Phase, String), Row>,
    /// Time and number of each charge.
    addresses: HashMap<String, Vec<(u64, u64)>>,
    last_id: u64,
    familiar: HashMap<String, u64>,
}

impl Model {
    /// Returns a model with a number of live authenticators and an empty history.
    pub(crate) fn of(authenticators: usize) -> Model {
        Model {
            live: (0..authenticators).collect(),
            ..Model::default()
        }
    }

    fn key(&self, who: &Who, now: u64) -> (Phase, String) {
        let familiar = |address: &&String| self.is_familiar(address, now);
        let own = who.own_place.map(str::to_owned);
        let place = own.or_else(|| who.address.as_ref().filter(familiar).cloned());
        (who.phase, place.unwrap_or_else(|| "elsewhere".to_owned()))
    }

    /// Returns whether access was granted from the address within the last 30 days before `now`.
    fn is_familiar(&self, address: &str, now: u64) -> bool {
        self.familiar
            .get(address)
            .is_some_and(|at| *at <= now + SLACK && at + MONTH >= now)
    }

    /// Returns the address whose own count applies. It does not apply to trusted browsers or to
    /// familiar addresses.
    fn counted_address<'a>(&self, who: &'a Who, now: u64) -> Option<&'a String> {
        let address = who.address.as_ref().filter(|_| who.own_place.is_none());
        address.filter(|address| !self.is_familiar(address, now))
    }

    /// Sets the times of charges that lie after `now` to `now`, because the clock was set back.
    /// Returns whether there were any.
    pub(crate) fn settle(&mut self, who: &Who, now: u64) -> bool {
        let key = self.key(who, now);
        let of_row = self
            .rows
            .get_mut(&key)
            .into_iter()
            .flat_map(|row| &mut row.failures)
            .map(|f| &mut f.at);
        let of_address = who
            .address
            .as_ref()
            .and_then(|address| self.addresses.get_mut(address));
        let of_address = of_address.into_iter().flatten().map(|(at, _)| at);
        let ahead = of_row.chain(of_address).filter(|at| **at > now);
        ahead.map(|at| *at = now).count() > 0
    }

    /// Returns the reply that an input must get.
    pub(crate) fn meets(&self, who: &Who, meaning: &Meaning, now: u64) -> Meets {
        let throttled = self.address_delay(who, now);
        match meaning {
            Meaning::Junk => Meets::NoCharge,
            // compared before any delay applies
            Meaning::Recovery(code) => match self.recovery.get(code) {
                Some(false) => Meets::Granted,
                Some(true) => Meets::NoCharge,
                None => throttled.unwrap_or(Meets::Charge),
            },
            Meaning::OneTime(code) => match &self.one_time {
                Some((newest, lives, used))
                    if newest == code && (*used || !lives.contains(&now)) =>
                {
                    Meets::NoCharge
                }
                Some((newest, ..)) if newest == code => Meets::Granted,
                _ => throttled.unwrap_or(Meets::Charge),
            },
            _ => {
                let throttled = throttled.filter(|_| who.phase == Phase::Before);
                let delayed = throttled.or_else(|| self.delay(&self.key(who, now), now));
                delayed.unwrap_or_else(|| match meaning {
                    Meaning::Code(secret, step) => self.meets_code(*secret, *step, now),
                    Meaning::RightPassword => Meets::NextPage,
                    _ => Meets::Charge,
                })
            }
        }
    }

    fn meets_code(&self, secret: usize, step: u64, now: u64) -> Meets {
        let off = step.abs_diff(now / PERIOD);
        let used = self.floors.get(&secret).is_some_and(|floor| step <= *floor);
        let used = used || self.marked.contains(&(secret, step));
        match () {
            () if off > REACH => Meets::Charge,
            () if used => Meets::NoCharge,
            () if off <= 1 => Meets::Granted,
            () => Meets::Charge,
        }
    }

    fn delay(&self, key: &(Phase, String), now: u64) -> Option<Meets> {
        let row = self.rows.get(key)?;
        if row.locked {
            return Some(Meets::Lock);
        }
        let recent = || row.failures.iter().filter(|failure| now - failure.at < DAY);
        let beyond = recent()
            .map(|failure| failure.cost)
            .sum::<u64>()
            .checked_sub(FREE)?;
        let delay = MAX_DELAY.min(FIRST_DELAY << beyond.min(20));
        let over = recent().map(|failure| failure.at).max()? + delay;
        (over > now).then(|| Meets::Delay(over - now))
    }

    fn address_delay(&self, who: &Who, now: u64) -> Option<Meets> {
        let times = self.addresses.get(self.counted_address(who, now)?)?;
        let mut recent: Vec<u64> = times
            .iter()
            .map(|(at, _)| *at)
            .filter(|at| now - at < ADDRESS_WINDOW)
            .collect();
        recent.sort_unstable();
        let filling = recent[recent.len().checked_sub(ADDRESS_LIMIT)?];
        Some(Meets::AddressDelay(ADDRESS_WINDOW - (now - filling)))
    }

    /// Records what the engine did with an input.
    pub(crate) fn notes(&mut self, who: &Who, meaning: &Meaning, met: Meets, now: u64) {
        let key = self.key(who, now);
        match met {
            Meets::Granted => {
                let kept = if who.phase == Phase::Before {
                    DAY
                } else {
                    MONTH
                };
                self.forget_old(&key, kept, who, now);
                self.clears(now);
                self.spends(meaning);
            }
            Meets::NextPage => {
                self.forget_old(&key, DAY, who, now);
                self.clears(now);
                let row = self.rows.entry(key).or_default();
                forgive(row, who);
            }
            Meets::Delay(_) if who.phase == Phase::Before => {
                self.forget_old(&key, DAY, who, now);
                self.clears(now);
            }
            Meets::Charge => {
                // Each authenticator compares three codes; the cost is one unit for every three.
                let cost = match meaning {
                    Meaning::Code(..) | Meaning::WrongCode => Some(self.live.len() as u64),
                    Meaning::WrongPassword => Some(1),
                    _ => None,
                };
                if let Some(cost) = cost {
                    let address = who.address.clone();
                    let of_month = |row: &Row| {
                        let of_month = row
                            .failures
                            .iter()
                            .filter(|failure| failure.at + MONTH >= now);
                        of_month.map(|failure| failure.cost).sum::<u64>()
                    };
                    let before = self.rows.get(&key).map_or(0, of_month);
                    let kept = if who.phase == Phase::Before {
                        DAY
                    } else {
                        MONTH
                    };
                    self.forget_old(
                        &key,
                        kept,
                        &Who {
                            address: None,
                            ..who.clone()
                        },
                        now,
                    );
                    self.clears(now);
                    self.last_id += 1;
                    let row = self.rows.entry(key).or_default();
                    row.failures.push(Failure {
                        id: self.last_id,
                        at: now,
                        cost,
                        address,
                    });
                    row.locked |= who.phase == Phase::After && before + cost >= LOCK_AFTER;
                }
                if cost.is_none() || who.phase == Phase::Before {
                    if let Some(address) = self.counted_address(who, now) {
                        self.forget_old_of_address(address, now);
                        self.last_id += 1;
                        self.addresses
                            .entry(address.clone())
                            .or_default()
                            .push((now, self.last_id));
                    }
                }
            }
            _ => {}
        }
    }

    /// Fails if a credential is accepted twice, or a time step at or below an accepted one.
    fn spends(&mut self, meaning: &Meaning) {
        match meaning {
            Meaning::Code(secret, step) => {
                assert!(
                    self.opened.insert((*secret, *step)),
                    "step {step} opened twice"
                );
                let before = self.floors.insert(*secret, *step);
                self.marked.insert((*secret, *step));
                let oldest = self.oldest_kept(*secret, *step).unwrap_or(0);
                self.marked
                    .retain(|(of, marked)| of != secret || *marked >= oldest);
                assert!(before < Some(*step), "step {step} opened after {before:?}");
            }
            Meaning::Recovery(code) => {
                let before = self.recovery.insert(code.clone(), true);
                assert_eq!(
                    before,
                    Some(false),
                    "a recovery code that is used or of another set opened"
                );
            }
            Meaning::OneTime(_) => {
                let (.., used) = self.one_time.as_mut().expect("one was issued");
                assert!(
                    !std::mem::replace(used, true),
                    "a one-time code opened twice"
                );
            }
            _ => panic!("{meaning:?} opened"),
        }
    }

    /// Records granted access. The first factor has passed as well.
    pub(crate) fn enters(&mut self, who: &Who, meaning: &Meaning, now: u64) {
        let row = self.rows.entry(self.key(who, now)).or_default();
        match meaning {
            Meaning::Code(..) => forgive(row, who),
            _ => *row = Row::default(),
        }
        if let Some(address) = who.address.clone() {
            self.familiar
                .retain(|_, at| *at <= now + SLACK && *at + MONTH >= now);
            self.familiar.insert(address, now);
        }
    }

    fn forget_old(&mut self, key: &(Phase, String), kept: u64, who: &Who, now: u64) {
        if let Some(row) = self.rows.get_mut(key) {
            row.failures.retain(|failure| failure.at + kept >= now);
        }
        if let Some(address) = self.counted_address(who, now) {
            self.forget_old_of_address(address, now);
        }
    }

    /// Removes old charges of the address, and a few of other addresses, oldest first.
    fn forget_old_of_address(&mut self, address: &str, now: u64) {
        let is_old = |at: u64| at + ADDRESS_WINDOW < now;
        if let Some(times) = self.addresses.get_mut(address) {
            times.retain(|(at, _)| at + ADDRESS_WINDOW > now);
        }
        let mut old: Vec<_> = self
            .addresses
            .values()
            .flatten()
            .copied()
            .filter(|(at, _)| is_old(*at))
            .collect();
        old.sort_unstable();
        old.truncate(CLEARED_AT_ONCE);
        self.addresses
            .values_mut()
            .for_each(|times| times.retain(|one| !old.contains(one)));
    }

    /// Removes a few of the oldest wrong inputs of all buckets, as every write does.
    fn clears(&mut self, now: u64) {
        let failures = self.rows.values().flat_map(|row| &row.failures);
        let mut old: Vec<_> = failures
            .filter(|f| f.at + MONTH < now)
            .map(|f| (f.at, f.id))
            .collect();
        old.sort_unstable();
        old.truncate(CLEARED_AT_ONCE);
        self.rows
            .values_mut()
            .for_each(|row| row.failures.retain(|f| !old.contains(&(f.at, f.id))));
    }

    /// Removes all delays and locks of the account, as an administrator does.
    pub(crate) fn unlocks(&mut self) {
        self.rows.clear();
    }

    /// Returns the oldest kept time step at or below a floor, if the maximum number of steps is
    /// kept.
    fn oldest_kept(&self, secret: usize, floor: u64) -> Option<u64> {
        let of_secret = self
            .marked
            .iter()
            .filter(|(of, step)| *of == secret && *step <= floor);
        let mut steps: Vec<u64> = of_secret.map(|(_, step)| *step).collect();
        steps.sort_unstable_by(|one, other| other.cmp(one));
        steps.get(STEPS_KEPT - 1).copied()
    }

    /// Lowers the floors after a clock was ahead, as an administrator does. Time steps that were
    /// not accepted can be accepted.
    pub(crate) fn mends_the_clock(&mut self, now: u64) {
        let current = now / PERIOD;
        for secret in self.live.clone() {
            let floor = self.floors.get(&secret).copied();
            if let Some(floor) = floor.filter(|floor| *floor > current + 1) {
                self.marked.insert((secret, floor));
                let closed = self.oldest_kept(secret, floor).unwrap_or(0);
                self.floors.insert(secret, current.max(closed));
            }
        }
    }

    /// Returns the number of locked buckets, in which only a recovery code or one-time code is
    /// accepted.
    pub(crate) fn locks(&self) -> usize {
        self.rows.values().filter(|row| row.locked).count()
    }
}

/// Removes the charges of the success's own address. A success without an address removes none.
fn forgive(row: &mut Row, who: &Who) {
    row.failures
        .retain(|failure| who.address.is_none() || failure.address != who.address);
}
