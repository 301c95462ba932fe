//! Time. Only this file reads a clock; all other code receives the time as an argument.
//!
//! # One time for many hosts
//!
//! Hosts that share a store compare times that other hosts have written: expiry, the windows of the
//! throttle, when an event was. If their clocks differed, a delay would be over sooner at a host whose
//! clock is ahead, and an attacker who guesses would choose that host. So the time of a process is that of its
//! store: [`now`] is this host's clock plus its difference from the clock of the database, which the
//! beginning of every transaction shows without a round trip of its own ([`ClockQuestion`]). Codes, cookies
//! and tokens are verified by the same time, also in a check that reads no store.
//!
//! A host whose clock is wrong is therefore right, rather than refused, and one clock has to be kept
//! right: that of the database. A store in a file has the clock of its host; nothing is measured.
//!
//! What is left: a clock that is set while a process runs is wrong for that process until its next
//! transaction, which a gate begins every 200 ms, and which corrects the time of the act that began it
//! ([`StoreTime`]). What concerns this host alone, such as the age of its files, is compared with
//! [`host_time`]. Leases run by [`since_boot`], which is never set.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Seconds since 1970-01-01T00:00:00Z without leap seconds (the "Unix time" of RFC 6238, section
/// 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the seconds from `earlier` to `self`, or 0 if `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Returns the time `seconds` later.
    pub fn plus(self, seconds: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds))
    }

    /// Returns the time `seconds` earlier, but not before 1970.
    pub fn minus(self, seconds: u64) -> Timestamp {
        Timestamp(self.0.saturating_sub(seconds))
    }

    /// Returns the time of a date (year from 1970 to 9999, month, day) and a time of day (hour,
    /// minute, second) in UTC; `None` if there is no such date or time. A leap second counts as the
    /// next second.
    ///
    /// Days are counted by Howard Hinnant's algorithm `days_from_civil`.
    pub fn from_civil(
        [year, month, day]: [u64; 3],
        [hour, minute, second]: [u64; 3],
    ) -> Option<Timestamp> {
        let is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let month_length = match month {
            2 => 28 + u64::from(is_leap_year),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        let is_valid = (1970..=9999).contains(&year) && (1..=month_length).contains(&day);
        if !is_valid || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let year_from_march = if month <= 2 { year - 1 } else { year };
        let (era, year_of_era) = (year_from_march / 400, year_from_march % 400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = era * 146_097 + day_of_era - 719_468;
        Some(Timestamp(
            days * 86_400 + hour * 3600 + minute * 60 + second,
        ))
    }
}

/// Writes RFC 3339, UTC, to the second. The civil calendar is computed from days by Howard
/// Hinnant's published algorithm.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// Parses a time as [`Timestamp`] prints it, or a date, which is its first second; both UTC.
impl FromStr for Timestamp {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Timestamp, Self::Err> {
        const EXPECTED: &str =
            "must be a date such as 2027-01-15 or a time such as 2027-01-15T08:00:00Z, both UTC";
        let (date, time) = text.split_once('T').unwrap_or((text, "00:00:00Z"));
        let numbers = |text: &str, between: char| -> Option<[u64; 3]> {
            let found: Vec<u64> = text
                .split(between)
                .map(|n| n.parse().ok())
                .collect::<Option<_>>()?;
            found.try_into().ok()
        };
        let clock = time.strip_suffix('Z').and_then(|time| numbers(time, ':'));
        let (Some(day), Some(clock)) = (numbers(date, '-'), clock) else {
            return Err(EXPECTED);
        };
        let parsed = Timestamp::from_civil(day, clock).ok_or(EXPECTED)?;
        // any other form prints differently: a sign, a missing digit, a leap second
        match parsed.to_string() == format!("{date}T{time}") {
            true => Ok(parsed),
            false => Err(EXPECTED),
        }
    }
}

/// The clock is before 1970, so that no code can be verified.
#[derive(Debug)]
pub struct ClockError;

impl fmt::Display for ClockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the system clock is before 1970; set it, then try again")
    }
}

impl std::error::Error for ClockError {}

/// How much the clock of the store is ahead of this host's, in microseconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

/// Returns the time of the store: this host's, corrected by the difference that was measured last.
pub fn now() -> Result<Timestamp, ClockError> {
    corrected(SystemTime::now(), AHEAD.load(Ordering::Relaxed))
}

/// Returns the time of this host's clock.
pub fn host_time() -> Result<Timestamp, ClockError> {
    corrected(SystemTime::now(), 0)
}

/// Returns a host's time plus `ahead` microseconds.
fn corrected(host: SystemTime, ahead: i64) -> Result<Timestamp, ClockError> {
    let micros = host_micros(host).ok_or(ClockError)?.checked_add(ahead);
    let seconds = micros.and_then(|micros| u64::try_from(micros.div_euclid(MICROS)).ok());
    seconds.map(Timestamp).ok_or(ClockError)
}

const MICROS: i64 = 1_000_000;

fn host_micros(host: SystemTime) -> Option<i64> {
    let since = host.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}

/// A question to the store for its time.
pub(crate) struct ClockQuestion {
    asked: SystemTime,
    began: Instant,
}

impl ClockQuestion {
    /// Notes when the question is asked.
    pub(crate) fn ask() -> ClockQuestion {
        ClockQuestion {
            asked: SystemTime::now(),
            began: Instant::now(),
        }
    }

    /// Corrects the time of this process by the answer, in microseconds since 1970. MUST be called as
    /// soon as it has arrived.
    pub(crate) fn apply_answer(self, store: i64) {
        let reading = ClockReading {
            asked: self.asked,
            waited: self.began.elapsed(),
            store,
        };
        let _ = AHEAD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |before| {
            reading.ahead(before)
        });
    }
}

/// A reading of the store's clock, which the server took while this host waited for it.
struct ClockReading {
    /// This host's time when it asked.
    asked: SystemTime,
    /// How long it waited for the answer.
    waited: Duration,
    /// The store's time, in microseconds since 1970.
    store: i64,
}

impl ClockReading {
    /// Returns how much the store's clock is ahead, in microseconds. Somewhere between question and
    /// answer lies the reading: a difference that this allows is kept, so that time does not
    /// flicker, and another one moves as little as it has to.
    fn ahead(&self, before: i64) -> Option<i64> {
        let asked = host_micros(self.asked)?;
        let answered = asked.checked_add(i64::try_from(self.waited.as_micros()).ok()?)?;
        let (least, most) = (
            self.store.checked_sub(answered)?,
            self.store.checked_sub(asked)?,
        );
        Some(before.clamp(least, most))
    }
}

/// The correction that was in force when a time was read.
#[derive(Clone, Copy)]
pub(crate) struct StoreTime(i64);

impl StoreTime {
    pub(crate) fn begin() -> StoreTime {
        StoreTime(AHEAD.load(Ordering::Relaxed))
    }

    /// Returns a time that was read with the correction of then, as it is with that of now. A
    /// change below one second, which is that of the measurement, changes nothing.
    pub(crate) fn correct(self, read: Timestamp) -> Timestamp {
        self.correct_by(AHEAD.load(Ordering::Relaxed), read)
    }

    fn correct_by(self, ahead: i64, read: Timestamp) -> Timestamp {
        let seconds = ahead.saturating_sub(self.0) / MICROS;
        Timestamp(read.0.saturating_add_signed(seconds))
    }
}

/// Returns the time since the host started, including suspension (CLOCK_BOOTTIME). It is never set
/// back.
pub fn since_boot() -> std::time::Duration {
    match nix::time::clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME) {
        Ok(time) => time.into(),
        // Linux always has this clock; without it every lease counts as expired.
        Err(_) => std::time::Duration::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hosts whose clocks differ from the store's, and from one another by 135 s.
    #[test]
    fn hosts_whose_clocks_differ_have_the_time_of_their_store() {
        let store = 1_800_000_015 * MICROS + 250_000;
        for seconds in [90, -45, 0, 400_000_000] {
            let host = store + seconds * MICROS;
            let asked = UNIX_EPOCH + Duration::from_micros(host.unsigned_abs());
            let waited = Duration::from_millis(3);
            // the server reads its clock 1 ms after the question
            let reading = ClockReading {
                asked,
                waited,
                store: store + 1000,
            };
            let ahead = reading.ahead(0).unwrap();
            assert!(ahead.abs_diff(-seconds * MICROS) <= 3000, "{ahead}");
            assert_eq!(
                corrected(asked + waited, ahead).unwrap(),
                Timestamp(1_800_000_015)
            );
            // the same difference, measured after a long wait for a lock
            let later = ClockReading {
                asked: asked + Duration::from_secs(60),
                waited: Duration::from_secs(5),
                store: store + 64 * MICROS,
            };
            assert_eq!(later.ahead(ahead), Some(ahead));
        }
    }

    /// A clock that is set while an act waits for its transaction.
    #[test]
    fn an_act_has_the_time_that_its_transaction_has_measured() {
        let (before, read) = (StoreTime(-5000), Timestamp(1_800_000_015));
        assert_eq!(before.correct_by(-4000, read), read);
        assert_eq!(before.correct_by(990_000, read), read);
        assert_eq!(before.correct_by(-3_600_000_000, read), read.minus(3599));
        assert_eq!(before.correct_by(3_600_000_000, read), read.plus(3600));
    }

    #[test]
    fn a_time_before_1970_is_an_error() {
        assert!(corrected(UNIX_EPOCH, -1).is_err());
        assert!(corrected(UNIX_EPOCH - Duration::from_secs(1), 0).is_err());
        assert!(corrected(UNIX_EPOCH, i64::MIN).is_err());
        assert_eq!(corrected(UNIX_EPOCH, 0).unwrap(), Timestamp(0));
    }

    #[test]
    fn timestamps_read_as_rfc_3339() {
        for (second, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_111_111_109, "2005-03-18T01:58:29Z"),
            (20_000_000_000, "2603-10-11T11:33:20Z"),
        ] {
            assert_eq!(Timestamp(second).to_string(), text);
        }
    }

    #[test]
    fn a_time_reads_as_it_prints_and_what_is_none_is_refused() {
        for second in [
            0,
            68_169_600,
            951_782_399,
            951_868_799,
            1_800_000_015,
            4_107_542_399,
            253_402_300_799,
        ] {
            let time = Timestamp(second);
            assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }
        let date: Timestamp = "2027-01-15".parse().unwrap();
        assert_eq!(date.to_string(), "2027-01-15T00:00:00Z");
        for text in [
            "",
            "2027",
            "2027-02-29",
            "2027-13-01",
            "2027-00-10",
            "1969-12-31",
            "2027-1-5",
            "+2027-01-05",
            "2027-01-15T08:00",
            "2027-01-15T08:00:00",
            "2027-01-15T24:00:00Z",
            "2027-01-15T08:60:00Z",
            "2027-01-15T08:00:00+01:00",
            "99999999999999999999-01-01",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
