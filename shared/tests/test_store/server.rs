//! Databases of a PostgreSQL server for tests, one for each store. The server's URL without a database
//! is in `POSTERN_TEST_POSTGRES`, as tests/postgres sets it; without it the stores are SQLite's.

use data_encoding::HEXLOWER;
use std::cell::RefCell;
use std::ops::Deref;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

const SERVER: &str = "POSTERN_TEST_POSTGRES";

/// A database that is removed when it is dropped.
pub(crate) struct TestDatabase(Database);

/// A database by its name.
#[derive(Clone)]
pub(crate) struct Database(String);

impl Deref for TestDatabase {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.0
    }
}

/// Returns whether the stores of this run are in PostgreSQL. A test of files ends where they are.
pub(crate) fn is_postgres() -> bool {
    std::env::var_os(SERVER).is_some()
}

impl TestDatabase {
    /// Creates a database, if this run has a server.
    pub(crate) fn new() -> Option<TestDatabase> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        is_postgres().then(|| {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("store_{}_{number}", std::process::id());
            run_at("postgres", &format!("CREATE DATABASE {name}"));
            TestDatabase(Database(name))
        })
    }
}

impl Database {
    /// Returns the value of `store.url`.
    pub(crate) fn url(&self) -> String {
        url_of(&self.0)
    }

    pub(crate) fn run(&self, sql: &str) {
        run_at(&self.0, sql);
    }

    /// Runs statements in a transaction, which is committed after `work`.
    pub(crate) fn in_transaction(&self, sql: &str, work: impl FnOnce()) {
        at(&self.0, async |client| {
            client.batch_execute(&format!("BEGIN; {sql}")).await?;
            work();
            client.batch_execute("COMMIT").await
        });
    }

    /// Runs a statement each at the server, outside of this database.
    pub(crate) fn run_at_server(&self, sql: &str) {
        for one in sql.split(';') {
            run_at("postgres", one);
        }
    }

    /// Returns the number in the first row of a query.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        let value = at(&self.0, async |client| client.simple_query(sql).await);
        let first = value.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
            _ => None,
        });
        first.unwrap()
    }

    /// Returns the tables of the store.
    pub(crate) fn tables(&self) -> Vec<String> {
        let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
        let rows = at(&self.0, async |client| client.query(sql, &[]).await);
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Returns the rows of these tables, each with its table, as text.
    pub(crate) fn rows(&self, tables: &[String]) -> Vec<(String, String)> {
        let of_table = |table: &String| format!("SELECT '{table}', t::text FROM {table} t");
        let sql = tables.iter().map(of_table).collect::<Vec<_>>();
        let sql = sql.join(" UNION ALL ");
        let rows = at(&self.0, async |client| client.query(&sql, &[]).await);
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Returns the values of all tables, one after the other.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for table in self.tables() {
            let sql = format!("SELECT * FROM {table}");
            for message in at(&self.0, async |client| client.simple_query(&sql).await) {
                let SimpleQueryMessage::Row(row) = message else {
                    continue;
                };
                for value in (0..row.len()).filter_map(|column| row.get(column)) {
                    let hex = value.strip_prefix("\\x").map(str::as_bytes);
                    let bytes = hex.and_then(|hex| HEXLOWER.decode(hex).ok());
                    all.extend(bytes.unwrap_or_else(|| value.as_bytes().to_vec()));
                }
            }
        }
        all
    }

    /// Returns the values of one column of bytes.
    pub(crate) fn blobs(&self, sql: &str) -> Vec<Vec<u8>> {
        let rows = at(&self.0, async |client| client.query(sql, &[]).await);
        rows.iter().map(|row| row.get(0)).collect()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        run_at(
            "postgres",
            &format!("DROP DATABASE {} WITH (FORCE)", self.0.0),
        );
    }
}

fn url_of(database: &str) -> String {
    format!("{}/{database}", std::env::var(SERVER).unwrap())
}

fn run_at(database: &str, sql: &str) {
    run_at_url(&url_of(database), sql);
}

/// Runs statements in the database of a URL.
pub(crate) fn run_at_url(url: &str, sql: &str) {
    at_url(url, async |client| client.batch_execute(sql).await);
}

thread_local! {
    /// The connection that this thread used last, with its URL: some tests look at a store after each
    /// of their acts.
    static LAST: RefCell<Option<(String, Runtime, Client)>> = const { RefCell::new(None) };
}

fn at<T>(database: &str, work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>) -> T {
    at_url(&url_of(database), work)
}

fn at_url<T>(url: &str, work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>) -> T {
    let last = LAST.take().filter(|(last, runtime, client)| {
        last == url && runtime.block_on(client.simple_query("")).is_ok()
    });
    let (last, runtime, client) = last.unwrap_or_else(|| connect(url));
    let result = runtime.block_on(work(&client)).unwrap();
    LAST.set(Some((last, runtime, client)));
    result
}

fn connect(url: &str) -> (String, Runtime, Client) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let connected = tokio_postgres::connect(url, NoTls).await;
        let (client, connection) = connected.unwrap();
        tokio::spawn(connection);
        client
    });
    (url.to_owned(), runtime, client)
}
