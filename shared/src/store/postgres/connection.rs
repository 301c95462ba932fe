//! One connection to PostgreSQL. Every wait has a limit, also where the server or the network does
//! not answer at all: what exceeds it closes the connection.

use super::column::OwnedValue;
use super::dialect;
use super::error::with_causes;
use super::tls::VerifiedTls;
use crate::config::{PostgresUrl, StoreConfig, read_secret_line};
use crate::store::column::Value;
use crate::store::{StoreError, StoreResult};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{
    AsyncMessage, Client, Config, Error, NoTls, Row, SimpleQueryMessage, Statement,
};

/// Time limit of making a connection, which the hosts of the URL share.
const CONNECTING: Duration = Duration::from_secs(10);
/// Least time limit for one host.
const LEAST_CONNECTING: Duration = Duration::from_secs(2);
/// How much longer than the server's own limit a statement may take, before the server counts as
/// gone.
const GRACE: Duration = Duration::from_secs(5);
/// Settings of every session: limits that the server keeps, and durability. `synchronous_commit` of
/// the server may be off, where a commit that was answered can be lost; `on` waits for the standbys
/// that the server's `synchronous_standby_names` names.
const SETTINGS: &str = "-c lock_timeout=5s -c statement_timeout=30s \
    -c idle_in_transaction_session_timeout=60s -c synchronous_commit=on -c search_path=public \
    -c client_min_messages=error -c jit=off";

/// Positions of the hosts that took writes last, by the URL. They outlive stores and their
/// connections, which end with a failed login.
static LAST_GOOD: Mutex<Vec<(PostgresUrl, Arc<AtomicUsize>)>> = Mutex::new(Vec::new());

fn last_good_host(url: &PostgresUrl) -> Arc<AtomicUsize> {
    let mut all = LAST_GOOD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, host)) = all.iter().find(|(known, _)| known == url) {
        return Arc::clone(host);
    }
    let host = Arc::default();
    all.push((url.clone(), Arc::clone(&host)));
    host
}

/// Reads the next message of a connection.
pub(super) type Messages =
    Box<dyn FnMut(&mut Context<'_>) -> Poll<Option<Result<AsyncMessage, Error>>> + Send>;

/// A connection whose messages are read by the caller, without which it does not move.
pub(super) struct OpenedConnection {
    pub(super) client: Client,
    pub(super) messages: Messages,
    pub(super) runtime: Runtime,
    /// Position of its host in the URL.
    host: usize,
}

/// What a connection is made from.
#[derive(Clone)]
pub(in crate::store) struct Server {
    pub(super) url: PostgresUrl,
    password_file: Option<crate::config::AbsolutePath>,
    ca_file: Option<PathBuf>,
    /// Position of the host that took writes last, or of the one after it if it stopped answering.
    /// After a failover, no connection waits for the host that was lost.
    last_good: Arc<AtomicUsize>,
}

impl PartialEq for Server {
    fn eq(&self, other: &Server) -> bool {
        let key = |server: &Server| {
            let password_file = server.password_file.as_ref();
            (
                server.url.clone(),
                password_file.cloned(),
                server.ca_file.clone(),
            )
        };
        key(self) == key(other)
    }
}

impl Server {
    pub(in crate::store) fn new(url: &PostgresUrl, settings: &StoreConfig) -> Server {
        Server {
            url: url.clone(),
            password_file: settings.password_file.clone(),
            ca_file: settings.ca_file.as_ref().map(|file| file.path().to_owned()),
            last_good: last_good_host(url),
        }
    }

    fn unreachable(&self, why: impl Into<String>) -> StoreError {
        StoreError::Unreachable {
            server: self.url.to_string(),
            why: why.into(),
        }
    }

    /// Makes a connection to the first host that takes writes, beginning with the one that did last.
    pub(super) fn connect(&self) -> StoreResult<DatabaseConnection> {
        let OpenedConnection {
            client,
            mut messages,
            runtime,
            host,
        } = self.connect_with_messages()?;
        runtime.spawn(poll_fn(move |context| {
            while let Poll::Ready(message) = messages(context) {
                if !matches!(message, Some(Ok(_))) {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        }));
        Ok(DatabaseConnection {
            client: Arc::new(client),
            runtime: Some(runtime),
            statements: Default::default(),
            unanswered: RefCell::default(),
            host,
            has_alternative: self.url.hosts.len() > 1,
            is_unanswered: Cell::new(false),
        })
    }

    /// Lets the next connections begin after a host that takes writes and does not answer: it may be
    /// an old primary, whose commits wait for the standby that was promoted in its place.
    pub(super) fn pass_over(&self, connection: &DatabaseConnection) {
        let next = (connection.host + 1) % self.url.hosts.len().max(1);
        // unless another connection has found out already
        let _ = self.last_good.compare_exchange(
            connection.host,
            next,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }

    /// Makes a connection for a caller that reads its messages.
    pub(super) fn connect_with_messages(&self) -> StoreResult<OpenedConnection> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| self.unreachable(error.to_string()))?;
        let tls = match self.url.is_local() {
            true => None,
            false => {
                let ca_file = self.ca_file.as_deref();
                Some(VerifiedTls::new(ca_file).map_err(|why| self.unreachable(why))?)
            }
        };
        let count = self.url.hosts.len();
        let limit = LEAST_CONNECTING.max(CONNECTING / u32::try_from(count).unwrap_or(u32::MAX));
        let first = self.last_good.load(Ordering::Relaxed);
        let mut failed = Vec::new();
        for number in (first..count).chain(0..first.min(count)) {
            let (host, port) = &self.url.hosts[number];
            let config = self.config(host, *port, limit);
            let config = config.map_err(|why| self.unreachable(why))?;
            // also a host that accepts the connection and hangs leaves time for the next one
            let why = match with_limit(&runtime, limit, open(&config, tls.clone())) {
                Some(Ok((client, messages))) => {
                    self.last_good.store(number, Ordering::Relaxed);
                    return Ok(OpenedConnection {
                        client,
                        messages,
                        runtime,
                        host: number,
                    });
                }
                Some(Err(error)) => with_causes(&error),
                None => format!("no answer within {} s", limit.as_secs()),
            };
            failed.push(match count {
                1 => why,
                _ => format!("{host}: {why}"),
            });
        }
        Err(self.unreachable(failed.join("; ")))
    }

    fn config(&self, host: &str, port: u16, limit: Duration) -> Result<Config, String> {
        let mut config = Config::new();
        config
            .user(&self.url.user)
            .dbname(&self.url.database)
            .application_name("postern")
            .options(SETTINGS)
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            // to each address of the host
            .connect_timeout(limit / 2)
            .tcp_user_timeout(Duration::from_secs(20))
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .ssl_mode(match self.url.is_local() {
                true => SslMode::Disable,
                false => SslMode::Require,
            });
        config.host(host).port(port);
        let password = read_secret_line("store.password", self.password_file.as_ref(), None)?;
        if let Some(password) = password {
            config.password(password.as_bytes());
        }
        Ok(config)
    }
}

/// Opens a connection. Its messages are read by the caller, without which it does not move.
async fn open(
    config: &Config,
    tls: Option<VerifiedTls>,
) -> Result<(Client, Messages), tokio_postgres::Error> {
    Ok(match tls {
        None => {
            let (client, mut connection) = config.connect(NoTls).await?;
            (
                client,
                Box::new(move |context| connection.poll_message(context)),
            )
        }
        Some(tls) => {
            let (client, mut connection) = config.connect(tls).await?;
            (
                client,
                Box::new(move |context| connection.poll_message(context)),
            )
        }
    })
}

/// Runs work for at most `limit`.
pub(super) fn with_limit<T>(
    runtime: &Runtime,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Option<T> {
    runtime.block_on(async { tokio::time::timeout(limit, work).await.ok() })
}

/// An open connection with the statements that it knows.
///
/// A statement is sent as text when it is used first, in one round trip, and is prepared once it was
/// used again: preparing all of them would double the round trips of a program that verifies one
/// input and ends. They are prepared after the transaction, while no lock is held.
pub(super) struct DatabaseConnection {
    pub(super) client: Arc<Client>,
    /// Runs only while a statement is waited for. `None` once the connection is dropped.
    runtime: Option<Runtime>,
    /// Statements for transactions that read, and for those that write, by the text of the store.
    statements: [HashMap<String, KnownStatement>; 2],
    /// Statements that are sent, and whose answers nothing has waited for yet, in this order.
    unanswered: RefCell<Vec<Unanswered>>,
    /// Position of its host in the URL.
    host: usize,
    /// Whether the URL names other hosts.
    has_alternative: bool,
    /// Whether the server did not answer within a limit, or waited too long for a lock while another
    /// server may take its place. Nothing is sent any more.
    is_unanswered: Cell<bool>,
}

type Unanswered = Pin<Box<dyn Future<Output = Result<u64, tokio_postgres::Error>> + Send>>;

struct KnownStatement {
    /// The text for PostgreSQL.
    text: String,
    uses: Uses,
}

enum Uses {
    Once,
    Again,
    Prepared(Statement),
}

impl Drop for DatabaseConnection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // a plain drop may not be done where asynchronous code runs
            runtime.shutdown_background();
        }
    }
}

impl DatabaseConnection {
    fn runtime(&self) -> &Runtime {
        self.runtime
            .as_ref()
            .expect("a connection has its runtime until it is dropped")
    }

    /// Sends work, and waits for all answers up to the one to it. The first error is that of the
    /// transaction, since the server executes nothing after it.
    pub(super) fn block_on<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> StoreResult<T> {
        let runtime = self.runtime();
        let unanswered = self.unanswered.take();
        let work = async {
            let mut work = pin!(work);
            // what is polled is sent, so that one wait is enough for all
            let early = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
            for earlier in unanswered {
                earlier.await?;
            }
            match early {
                Poll::Ready(result) => result,
                Poll::Pending => work.await,
            }
        };
        if !self.is_lost() {
            if let Some(result) = with_limit(runtime, limit + GRACE, work) {
                let result = result.map_err(StoreError::from);
                // a commit that an old primary does not acknowledge keeps its locks
                let waited_in_vain = matches!(result, Err(StoreError::Busy));
                self.is_unanswered
                    .set(waited_in_vain && self.has_alternative);
                return result;
            }
            self.is_unanswered.set(true);
        }
        Err(StoreError::Engine("PostgreSQL does not answer".to_owned()))
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_lost(&self) -> bool {
        self.is_unanswered() || self.client.is_closed()
    }

    /// Whether the server did not answer within a limit.
    pub(super) fn is_unanswered(&self) -> bool {
        self.is_unanswered.get()
    }

    /// Runs statements without parameters. Returns the values of the last row as text.
    pub(super) fn run(&self, sql: &str, limit: Duration) -> StoreResult<Vec<Option<String>>> {
        let messages = self.block_on(limit, self.client.simple_query(sql))?;
        let last = messages.iter().rev().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let values = |row: &tokio_postgres::SimpleQueryRow| {
            (0..row.len())
                .map(|column| row.get(column).map(str::to_owned))
                .collect()
        };
        Ok(last.map(values).unwrap_or_default())
    }

    /// Returns a statement of the store, and notes its use.
    fn statement(&mut self, sql: &str, writes: bool) -> &KnownStatement {
        let known = &mut self.statements[usize::from(writes)];
        if let Some(statement) = known.get_mut(sql) {
            if matches!(statement.uses, Uses::Once) {
                statement.uses = Uses::Again;
            }
        }
        known
            .entry(sql.to_owned())
            .or_insert_with(|| KnownStatement {
                text: dialect::statement(sql, writes),
                uses: Uses::Once,
            })
    }

    /// Runs a statement of the store. Returns the number of changed rows.
    pub(super) fn execute(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        writes: bool,
        limit: Duration,
    ) -> StoreResult<u64> {
        let client = Arc::clone(&self.client);
        let statement = self.statement(sql, writes);
        if let Uses::Prepared(prepared) = &statement.uses {
            let prepared = prepared.clone();
            return self.block_on(limit, client.execute_raw(&prepared, values));
        }
        let text = statement.text.clone();
        self.block_on(limit, client.execute_typed(&text, &typed(values)))
    }

    /// Sends a statement of the store, whose answer nothing needs. An error is that of the next
    /// statement which is waited for.
    pub(super) fn send(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        writes: bool,
    ) -> StoreResult<()> {
        let client = Arc::clone(&self.client);
        let values: Vec<OwnedValue> = values.iter().map(OwnedValue::from).collect();
        let statement = self.statement(sql, writes);
        let mut sent: Unanswered = match &statement.uses {
            Uses::Prepared(prepared) => {
                let prepared = prepared.clone();
                Box::pin(async move { client.execute_raw(&prepared, values).await })
            }
            Uses::Once | Uses::Again => {
                let text = statement.text.clone();
                Box::pin(async move {
                    let values: Vec<_> = values.iter().map(OwnedValue::value).collect();
                    client.execute_typed(&text, &typed(&values)).await
                })
            }
        };
        let first = poll_fn(|context| Poll::Ready(sent.as_mut().poll(context)));
        match self.runtime().block_on(first) {
            Poll::Ready(result) => result.map(drop).map_err(StoreError::from),
            Poll::Pending => {
                self.unanswered.get_mut().push(sent);
                Ok(())
            }
        }
    }

    /// Runs a statement of the store. Returns its rows.
    pub(super) fn query(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        writes: bool,
        limit: Duration,
    ) -> StoreResult<Vec<Row>> {
        let client = Arc::clone(&self.client);
        let statement = self.statement(sql, writes);
        if let Uses::Prepared(prepared) = &statement.uses {
            let (prepared, values) = (prepared.clone(), parameters(values));
            return self.block_on(limit, client.query(&prepared, &values));
        }
        let text = statement.text.clone();
        self.block_on(limit, client.query_typed(&text, &typed(values)))
    }

    /// Prepares what was used again, in about one round trip. Whatever cannot be prepared now stays a
    /// text.
    pub(super) fn prepare_statements(&mut self, limit: Duration) {
        let known = self.statements.iter_mut().flat_map(HashMap::values_mut);
        let mut used_again: Vec<&mut KnownStatement> = known
            .filter(|statement| matches!(statement.uses, Uses::Again))
            .collect();
        let Some(runtime) = self.runtime.as_ref().filter(|_| !used_again.is_empty()) else {
            return;
        };
        let preparing: Vec<_> = used_again
            .iter()
            .map(|statement| {
                let (client, text) = (Arc::clone(&self.client), statement.text.clone());
                runtime.spawn(async move { client.prepare(&text).await })
            })
            .collect();
        let all = async {
            for (statement, preparing) in used_again.iter_mut().zip(preparing) {
                if let Ok(Ok(prepared)) = preparing.await {
                    statement.uses = Uses::Prepared(prepared);
                }
            }
        };
        // a limit that is exceeded shows at the next transaction
        with_limit(runtime, limit, all);
    }
}

/// Returns parameters of a prepared statement, which has their types.
fn parameters<'a>(values: &'a [Value<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values
        .iter()
        .map(|value| value as &(dyn ToSql + Sync))
        .collect()
}

/// Returns parameters of a statement that is sent as text, with their types. The server finds the
/// type of NULL.
fn typed<'a>(values: &'a [Value<'a>]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
    let kind = |value: &Value<'_>| match value {
        Value::Null => Type::UNKNOWN,
        Value::Integer(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Blob(_) => Type::BYTEA,
    };
    let types = values.iter().map(kind);
    parameters(values).into_iter().zip(types).collect()
}
