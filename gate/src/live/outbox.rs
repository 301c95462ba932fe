//! What becomes of a letter in the outbox, which posternd sends; no engine is held while it is on its way.

use super::store_pool::{PoolError, PoolHandle};
use shared::engine::{EngineError, MailQueued, NotMailed};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often it is looked for: at first often, since most letters are sent in a moment.
const SOON: Duration = Duration::from_millis(50);
const LATER: Duration = Duration::from_millis(250);
const AT_FIRST: Duration = Duration::from_secs(1);

/// Waits until that is known, within the time limit of `[email]`.
pub(crate) async fn wait_for_delivery(
    judge: &PoolHandle,
    posted: &Arc<MailQueued>,
) -> Result<Result<(), NotMailed>, PoolError> {
    let began = Instant::now();
    loop {
        sleep(if began.elapsed() < AT_FIRST {
            SOON
        } else {
            LATER
        })
        .await;
        let (posted, waited) = (Arc::clone(posted), began.elapsed());
        let looked =
            judge.with_engine(move |door| Ok::<_, EngineError>(door.look_after(&posted, waited)));
        if let Some(sent) = looked.await? {
            return Ok(sent);
        }
    }
}
