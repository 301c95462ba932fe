//! Transfers that are interrupted, that fail, or whose place is not empty.

use super::*;

#[test]
fn an_interruption_before_the_copy_is_complete_leaves_the_old_store_and_an_empty_place() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        let transfer = test.begin();
        drop(transfer);
        assert_eq!(test.plan().unwrap(), TransferPlan::Copy);
        assert!(Engine::open(test.to.clone()).is_err());
        accepted(&test.from.attempt("alice", &code_of(&app, 0), NOW));
        test.complete();
    }
}

/// PostgreSQL stores no text with a zero byte: the copy fails in its middle.
#[test]
fn a_copy_that_fails_leaves_the_old_store_and_an_empty_place() {
    if !is_postgres() {
        return;
    }
    let mut test = Move::new((Place::File, Place::Server), "");
    let app = test.from.enrols("alice");
    test.from.changes("UPDATE event SET cause = char(0)");
    let mut transfer = test.begin();
    let copied = transfer.copy(&test.to.store, NOW);
    assert_contains(copied.unwrap_err().to_string(), "invalid byte sequence");
    drop(transfer);
    let database = test.target.as_ref().unwrap();
    assert!(database.tables().is_empty());
    accepted(&test.from.attempt("alice", &code_of(&app, 0), NOW));
    test.from.changes("UPDATE event SET cause = ''");
    test.complete();
}

#[test]
fn an_interruption_before_the_old_store_is_marked_leaves_it_in_force() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        let mut transfer = test.begin();
        test.copy(&mut transfer);
        drop(transfer);
        let refused = error_of(&test.to);
        assert_contains(&refused, "is not complete");
        assert_contains(&refused, "run postern migrate-store again");
        // codes that are used now are known after the next run
        accepted(&test.from.attempt("alice", &code_of(&app, 0), NOW));
        let mut moved = test.complete();
        let used = code_of(&app, 0);
        let after = attempt_at(
            &mut moved,
            "alice",
            &Origin::Unknown,
            Phase::After,
            &used,
            NOW,
        );
        assert!(after.result.is_err(), "{way:?}");
    }
}

#[test]
fn an_interruption_after_the_old_store_is_marked_is_completed_by_the_next_run() {
    for way in ways() {
        let mut test = Move::new(way, "");
        let app = test.from.enrols("alice");
        let mut transfer = test.begin();
        let id = transfer.id();
        test.copy(&mut transfer);
        transfer.mark_moved(&test.to.store.url, NOW).unwrap();
        assert_contains(error_of(&test.from.config), "was moved to");
        assert_contains(error_of(&test.to), "is not complete");
        assert_eq!(test.plan().unwrap(), TransferPlan::Finish(id));
        store::put_in_force(&test.to.store, id).unwrap();
        let mut moved = Engine::open(test.to.clone()).unwrap();
        let code = code_of(&app, 0);
        let after = attempt_at(
            &mut moved,
            "alice",
            &Origin::Unknown,
            Phase::After,
            &code,
            NOW,
        );
        accepted(&after);
        // once only
        assert!(store::put_in_force(&test.to.store, id).is_err());
    }
}

#[test]
fn a_place_that_is_not_empty_is_refused_and_keeps_what_it_has() {
    for way in ways() {
        let test = Move::new(way, "");
        drop(test.complete());
        // another store, to the same place
        let mut other = Move::new(way, "");
        other.to.store.url = test.to.store.url.clone();
        assert_contains(other.plan().unwrap_err().to_string(), "holds a store");
        if let Some(database) = &test.target {
            let mut transfer = other.begin();
            let copied = transfer.copy(&other.to.store, NOW);
            assert_contains(copied.unwrap_err().to_string(), "holds a store");
            assert_eq!(database.number("SELECT version FROM store_version"), 8);
        }
        Engine::open(test.to.clone()).unwrap();
    }
}

#[test]
fn a_database_with_tables_of_another_program_is_refused() {
    if !is_postgres() {
        return;
    }
    let test = Move::new((Place::File, Place::Server), "");
    test.target
        .as_ref()
        .unwrap()
        .run("CREATE TABLE other (n int)");
    let refused = test.plan().unwrap_err().to_string();
    assert_contains(&refused, "holds other, which is not of Postern");
}
