//! Waits for queued mail, which posternd sends.
//!
//! MUST NOT hold an engine of the pool while it waits: mail servers can take minutes.

use super::store_pool::{PoolError, PoolHandle, WorkKind};
use postern_shared::engine::{EngineError, MailQueued, NotMailed};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Polling intervals. The first second has short ones, since most mail is sent at once.
const FIRST_INTERVAL: Duration = Duration::from_millis(50);
const INTERVAL: Duration = Duration::from_millis(250);
const FIRST_INTERVALS_UNTIL: Duration = Duration::from_secs(1);

/// Waits until the mail is sent or has failed, within the time limit of `[email]`.
pub(crate) async fn wait_for_delivery(
    pool: &PoolHandle,
    mail: &Arc<MailQueued>,
) -> Result<Result<(), NotMailed>, PoolError> {
    let began = Instant::now();
    loop {
        sleep(if began.elapsed() < FIRST_INTERVALS_UNTIL {
            FIRST_INTERVAL
        } else {
            INTERVAL
        })
        .await;
        let (mail, waited) = (Arc::clone(mail), began.elapsed());
        let delivery = pool.run(WorkKind::Plain, move |engine| {
            Ok::<_, EngineError>(engine.mail().check_mail_delivery(&mail, waited))
        });
        if let Some(result) = delivery.await? {
            return Ok(result);
        }
    }
}
