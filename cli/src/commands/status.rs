//! `postern status`: who has a second factor, since when, and how it stands.

use crate::arguments::Arguments;
use crate::context;
use crate::desk::{self, Desk};
use crate::output::{Failure, Output, Table};
use serde_json::{Value, json};
use shared::clock::Timestamp;
use shared::door::{State, Status};
use shared::name::UserName;
use shared::store::Addresses;

pub(super) fn run(arguments: &Arguments, output: Output, user: Option<&UserName>) -> Result<(), Failure> {
    let all = user.is_none() && desk::is_root();
    let statuses = match all {
        true => context::door(arguments, output)?.statuses()?,
        false => vec![Desk::open(arguments, output, user)?.status()?],
    };
    if output.is_json() {
        let values: Vec<Value> = statuses.iter().map(value).collect();
        return match all {
            true => output.json(&values),
            false => output.json(&values[0]),
        };
    }
    let mut table = Table::new([
        "account",
        "second factor",
        "since",
        "devices",
        "last sign-in",
        "recovery codes",
        "mail",
        "locked",
    ]);
    for Status { state: on, tally } in &statuses {
        let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        table.row([
            tally.name.to_string(),
            state(*on).to_owned(),
            time(tally.since),
            tally.authenticators.to_string(),
            time(tally.last_sign_in),
            tally.recovery_codes.to_string(),
            mail(&tally.addresses),
            if tally.locks > 0 { "yes" } else { "no" }.to_owned(),
        ]);
    }
    output.text(table)
}

fn state(state: State) -> &'static str {
    match state {
        State::Off => "off",
        State::On => "on",
        State::Declared => "declared",
    }
}

/// Where codes are mailed, or will be.
fn mail(Addresses { confirmed, pending }: &Addresses) -> String {
    match (confirmed, pending) {
        (Some(address), _) => address.to_string(),
        (None, Some(address)) => format!("{address} (unconfirmed)"),
        (None, None) => "-".to_owned(),
    }
}

fn value(Status { state, tally }: &Status) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "account": tally.name,
        "state": state,
        "since": time(tally.since),
        "authenticators": tally.authenticators,
        "last_sign_in": time(tally.last_sign_in),
        "recovery_codes": tally.recovery_codes,
        "email": tally.addresses.confirmed,
        "email_unconfirmed": tally.addresses.pending,
        "locked": tally.locks > 0,
    })
}
