//! One connection to PostgreSQL. Every wait has a limit, also where the server or the network does
//! not answer at all: what exceeds it closes the connection.

use super::dialect;
use super::error::with_causes;
use super::tls::VerifiedTls;
use crate::config::{PostgresUrl, StoreConfig, read_secret_line};
use crate::store::{StoreError, StoreResult};
use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, Statement};

/// Time limit of making a connection, to each address of a host.
const CONNECTING: Duration = Duration::from_secs(5);
/// How much longer than the server's own limit a statement may take, before the server counts as
/// gone.
const GRACE: Duration = Duration::from_secs(5);
/// Settings of every session: limits that the server keeps, and durability. `synchronous_commit` of
/// the server may be off, where a commit that was answered can be lost; `on` waits for the standbys
/// that the server's `synchronous_standby_names` names.
const SETTINGS: &str = "-c lock_timeout=5s -c statement_timeout=30s \
    -c idle_in_transaction_session_timeout=60s -c synchronous_commit=on -c search_path=public \
    -c client_min_messages=error -c jit=off";

/// What a connection is made from.
#[derive(Clone)]
pub(in crate::store) struct Server {
    pub(super) url: PostgresUrl,
    password_file: Option<crate::config::AbsolutePath>,
    ca_file: Option<PathBuf>,
}

impl Server {
    pub(in crate::store) fn new(url: &PostgresUrl, settings: &StoreConfig) -> Server {
        Server {
            url: url.clone(),
            password_file: settings.password_file.clone(),
            ca_file: settings.ca_file.as_ref().map(|file| file.path().to_owned()),
        }
    }

    fn unreachable(&self, why: impl Into<String>) -> StoreError {
        StoreError::Unreachable {
            server: self.url.to_string(),
            why: why.into(),
        }
    }

    /// Makes a connection to the first host that takes writes.
    pub(super) fn connect(&self) -> StoreResult<ServerConnection> {
        let config = self.config().map_err(|why| self.unreachable(why))?;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| self.unreachable(error.to_string()))?;
        let connecting = CONNECTING * u32::try_from(self.url.hosts.len() * 2).unwrap_or(2);
        let tls = match self.url.is_local() {
            true => None,
            false => {
                let ca_file = self.ca_file.as_deref();
                Some(VerifiedTls::new(ca_file).map_err(|why| self.unreachable(why))?)
            }
        };
        let connected = runtime.block_on(async {
            let made = async {
                let client = match tls {
                    None => {
                        let (client, connection) = config.connect(NoTls).await?;
                        tokio::spawn(async { drop(connection.await) });
                        client
                    }
                    Some(tls) => {
                        let (client, connection) = config.connect(tls).await?;
                        tokio::spawn(async { drop(connection.await) });
                        client
                    }
                };
                Ok::<Client, tokio_postgres::Error>(client)
            };
            tokio::time::timeout(connecting, made).await
        });
        let why = match connected {
            Ok(Ok(client)) => {
                return Ok(ServerConnection {
                    client,
                    runtime: Some(runtime),
                    prepared: Default::default(),
                });
            }
            Ok(Err(error)) => with_causes(&error),
            Err(_) => "no answer".to_owned(),
        };
        Err(self.unreachable(why))
    }

    fn config(&self) -> Result<Config, String> {
        let mut config = Config::new();
        config
            .user(&self.url.user)
            .dbname(&self.url.database)
            .application_name("postern")
            .options(SETTINGS)
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECTING)
            .tcp_user_timeout(Duration::from_secs(20))
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            .ssl_mode(match self.url.is_local() {
                true => SslMode::Disable,
                false => SslMode::Require,
            });
        for (host, port) in &self.url.hosts {
            config.host(host).port(*port);
        }
        let password = read_secret_line("store.password", self.password_file.as_ref(), None)?;
        if let Some(password) = password {
            config.password(password.as_bytes());
        }
        Ok(config)
    }
}

/// An open connection with its prepared statements.
pub(super) struct ServerConnection {
    pub(super) client: Client,
    /// Runs only while a statement is waited for. `None` once the connection is dropped.
    runtime: Option<Runtime>,
    /// Statements for transactions that read, and for those that write, by the text of the store.
    prepared: [HashMap<String, Statement>; 2],
}

impl Drop for ServerConnection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // a plain drop may not be done where asynchronous code runs
            runtime.shutdown_background();
        }
    }
}

impl ServerConnection {
    pub(super) fn block_on<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> StoreResult<T> {
        let runtime = self
            .runtime
            .as_ref()
            .expect("a connection has its runtime until it is dropped");
        match runtime.block_on(async { tokio::time::timeout(limit + GRACE, work).await }) {
            Ok(result) => Ok(result?),
            Err(_) => Err(StoreError::Engine("PostgreSQL does not answer".to_owned())),
        }
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

    /// Returns a prepared statement of the store.
    pub(super) fn prepare(
        &mut self,
        sql: &str,
        writes: bool,
        limit: Duration,
    ) -> StoreResult<Statement> {
        let which = usize::from(writes);
        if let Some(statement) = self.prepared[which].get(sql) {
            return Ok(statement.clone());
        }
        let text = dialect::statement(sql, writes);
        let statement = self.block_on(limit, self.client.prepare(&text))?;
        self.prepared[which].insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) fn execute(
        &self,
        statement: &Statement,
        values: &[crate::store::column::Value<'_>],
        limit: Duration,
    ) -> StoreResult<u64> {
        self.block_on(limit, self.client.execute_raw(statement, values))
    }

    pub(super) fn query(
        &self,
        statement: &Statement,
        values: &[crate::store::column::Value<'_>],
        limit: Duration,
    ) -> StoreResult<Vec<tokio_postgres::Row>> {
        let values: Vec<_> = values
            .iter()
            .map(|value| value as &(dyn tokio_postgres::types::ToSql + Sync))
            .collect();
        self.block_on(limit, self.client.query(statement, &values))
    }
}
