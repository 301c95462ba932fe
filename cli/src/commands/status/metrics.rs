//! `postern status --metrics`: numbers about the store and posternd in the text format of Prometheus,
//! for the textfile collector of its node exporter. posternd itself has no listener for them.
//!
//! MUST NOT have a user or an address as a label.

use crate::backend;
use crate::check::posternd_runs;
use crate::context::Invocation;
use crate::terminal::output::{CommandFailure, CommandResult};
use postern_shared::account::event::EventCount;
use postern_shared::protocol::status::{AccountStatus, SecondFactorState};
use postern_shared::system::clock::{self, Timestamp};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Period in which events are counted, in seconds.
const PERIOD: u64 = 3600;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SecondFactorLabels {
    second_factor: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    event: &'static str,
    service: String,
}

/// What the metrics are made of.
#[cfg_attr(test, derive(Default))]
pub(crate) struct StoreFacts {
    pub(crate) statuses: Vec<AccountStatus>,
    pub(crate) events: Vec<EventCount>,
    pub(crate) is_mail_overdue: bool,
    pub(crate) is_clock_suspect: bool,
    pub(crate) is_posternd_up: bool,
}

pub(in crate::commands) fn show_metrics(run: Invocation<'_>) -> CommandResult {
    if !backend::is_root() {
        return Err(CommandFailure::new("only root may do this; try sudo"));
    }
    if run.output.is_json() {
        return Err(CommandFailure::Usage(
            "--metrics prints the text format of Prometheus; omit --json",
        ));
    }
    // processes of others can be seen while this one is root's
    let is_posternd_up = posternd_runs();
    let mut engine = run.engine()?;
    let now = clock::now()?;
    let facts = StoreFacts {
        statuses: engine.accounts().account_statuses()?,
        events: engine.audit_log().count_events(now.minus(PERIOD), now)?,
        is_mail_overdue: engine.mail().mail_is_overdue(now)?,
        is_clock_suspect: engine.audit_log().suspect_clock(now)?.is_some(),
        is_posternd_up,
    };
    run.output.text(encode_metrics(&facts))
}

/// Returns the metrics as text.
pub(crate) fn encode_metrics(facts: &StoreFacts) -> String {
    let mut registry = Registry::with_prefix("postern");
    register_accounts(&mut registry, &facts.statuses);
    let events = Family::<EventLabels, Gauge>::default();
    for one in &facts.events {
        let labels = EventLabels {
            event: one.kind.name(),
            service: one.service.clone(),
        };
        events.get_or_create(&labels).set(one.count.into());
    }
    let help = "Number of events of the last hour in the audit log; each account has a limit a day";
    registry.register("audit_events_last_hour", help, events);
    for (name, help, is_true) in [
        (
            "mail_overdue",
            "Whether mail waits because posternd does not run or cannot keep up",
            facts.is_mail_overdue,
        ),
        (
            "clock_suspect",
            "Whether codes of several accounts were off by the same number of time steps",
            facts.is_clock_suspect,
        ),
        (
            "posternd_up",
            "Whether posternd runs on this host",
            facts.is_posternd_up,
        ),
    ] {
        let gauge = Gauge::<i64>::default();
        gauge.set(is_true.into());
        registry.register(name, help, gauge);
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = text::encode(&mut text, &registry);
    text
}

fn register_accounts(registry: &mut Registry, statuses: &[AccountStatus]) {
    let accounts = Family::<SecondFactorLabels, Gauge>::default();
    for (state, second_factor) in [
        (SecondFactorState::Off, "off"),
        (SecondFactorState::On, "on"),
        (SecondFactorState::Declared, "declared"),
    ] {
        let found = statuses.iter().filter(|one| one.state == state);
        let labels = SecondFactorLabels { second_factor };
        accounts
            .get_or_create(&labels)
            .set(signed(found.count() as u64));
    }
    registry.register(
        "accounts",
        "Number of accounts, by state of the second factor",
        accounts,
    );
    let locked = Gauge::<i64>::default();
    let found = statuses.iter().filter(|one| one.tally.locks > 0);
    locked.set(signed(found.count() as u64));
    registry.register(
        "accounts_locked",
        "Number of accounts that are locked somewhere after wrong codes",
        locked,
    );
    let passkeys = statuses.iter().map(|one| one.tally.passkeys);
    for (name, help, count) in [
        (
            "accounts_with_passkey",
            "Number of accounts that have a passkey",
            passkeys.clone().filter(|&count| count > 0).count() as u64,
        ),
        (
            "passkeys",
            "Number of passkeys of all accounts",
            passkeys.sum(),
        ),
    ] {
        let gauge = Gauge::<i64>::default();
        gauge.set(signed(count));
        registry.register(name, help, gauge);
    }
    let last = statuses.iter().filter_map(|one| one.tally.last_sign_in);
    let last_sign_in = Gauge::<i64>::default();
    last_sign_in.set(last.max().map_or(0, |Timestamp(at)| signed(at)));
    registry.register_with_unit(
        "last_sign_in_timestamp",
        "Unix time of the last sign-in with a second factor; 0 if there was none",
        Unit::Seconds,
        last_sign_in,
    );
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
