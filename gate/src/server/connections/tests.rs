//! Which connections are closed, at the limit, when they are idle, and at the end.

use super::*;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

fn run(story: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(story);
}

async fn admit_two(all: &Arc<Connections>) -> [ConnectionPermit; 2] {
    [
        all.admit(None).await.unwrap(),
        all.admit(None).await.unwrap(),
    ]
}

async fn must_close(permit: &ConnectionPermit) -> bool {
    timeout(Duration::from_millis(1), permit.closed())
        .await
        .is_ok()
}

#[test]
fn the_connection_that_is_idle_longest_is_closed_at_the_limit() {
    run(async {
        let all = Arc::new(Connections::with_limit(3));
        let first = all.admit(None).await.unwrap();
        let second = all.admit(None).await.unwrap();
        let _third = all.admit(None).await.unwrap();
        first.record_request(Instant::now(), Version::HTTP_11);
        let (new, ()) = tokio::join!(timeout(SOON, all.admit(None)), async {
            second.closed().await;
            drop(second);
        });
        assert!(new.unwrap().is_ok());
        assert!(!must_close(&first).await, "it came first, and asked since");
        assert!(all.is_full_logged.load(Ordering::Relaxed));
    });
}

#[test]
fn no_connection_is_closed_below_the_limit() {
    run(async {
        let all = Arc::new(Connections::with_limit(2));
        let first = all.admit(None).await.unwrap();
        let second = all.admit(None).await.unwrap();
        drop(second);
        let _third = all.admit(None).await.unwrap();
        assert!(!must_close(&first).await && !all.is_full_logged.load(Ordering::Relaxed));
    });
}

/// Neither a slow request nor a reply that the peer reads slowly is silence, and HTTP/2 has pings.
#[test]
fn a_connection_without_a_request_is_closed_after_a_while() {
    const PATIENCE: Duration = Duration::from_secs(15);
    run(async {
        let all = Arc::new(Connections::with_limit(8));
        let [silent, asks] = admit_two(&all).await;
        let [waits, reads] = admit_two(&all).await;
        let [answered, http2] = admit_two(&all).await;
        let began = Instant::now();
        let later = |seconds| began + Duration::from_secs(seconds);
        let request = waits.begin_request();
        let unsent = reads.begin_reply(PATIENCE);
        drop(answered.begin_request());
        asks.record_request(later(10), Version::HTTP_11);
        http2.record_request(began, Version::HTTP_2);
        all.close_idle_since(later(14), PATIENCE);
        assert!(!must_close(&silent).await && !must_close(&answered).await);
        all.close_idle_since(later(16), PATIENCE);
        assert!(must_close(&silent).await && must_close(&answered).await);
        for kept in [&asks, &waits, &reads, &http2] {
            assert!(!must_close(kept).await);
        }
        all.close_idle_since(later(26), PATIENCE);
        assert!(must_close(&asks).await);
        drop((request, unsent));
    });
}

/// Thousands of connections closed the one that waited for its reply.
#[test]
fn a_connection_that_waits_for_a_reply_is_closed_after_idle_ones() {
    run(async {
        let all = Arc::new(Connections::with_limit(2));
        let waits = all.admit(None).await.unwrap();
        let request = waits.begin_request();
        let idle = all.admit(None).await.unwrap();
        idle.record_request(Instant::now(), Version::HTTP_11);
        let (new, ()) = tokio::join!(timeout(SOON, all.admit(None)), async {
            idle.closed().await;
            drop(idle);
        });
        assert!(new.unwrap().is_ok() && !must_close(&waits).await);
        drop(request);
    });
}

#[test]
fn an_address_beyond_its_share_closes_its_own_connection() {
    run(async {
        let all = Arc::new(Connections::with_limit(8 * ADDRESS_SHARE));
        let address = |text: &str| Address::parse(text);
        let other = all.admit(address("192.0.2.1")).await.unwrap();
        let mut own = Vec::new();
        for host in 0..9 {
            // All of them are in one /64.
            own.push(
                all.admit(address(&format!("2001:db8::{host}")))
                    .await
                    .unwrap(),
            );
        }
        assert!(
            must_close(&own[0]).await && !must_close(&own[1]).await && !must_close(&other).await
        );
        own.clear();
        drop(other);
        assert!(all.lock_open().addresses.is_empty());
    });
}

#[test]
fn a_connection_that_reads_no_reply_is_closed_after_a_while() {
    run(async {
        let all = Arc::new(Connections::with_limit(2));
        let [stuck, reads] = admit_two(&all).await;
        let unsent = stuck.begin_reply(Duration::from_millis(5));
        drop(reads.begin_reply(Duration::from_millis(5)));
        assert!(timeout(SOON, stuck.closed()).await.is_ok());
        assert!(!must_close(&reads).await);
        drop(unsent);
    });
}

#[test]
fn at_the_end_a_connection_that_waits_for_a_reply_stays_open_until_it_has_it() {
    run(async {
        let all = Arc::new(Connections::with_limit(2));
        let [idle, other] = admit_two(&all).await;
        let request = other.begin_request();
        let drained = timeout(Duration::from_millis(1), all.drain()).await;
        assert!(drained.is_err(), "two connections are open");
        assert!(must_close(&idle).await && !must_close(&other).await && other.must_drain());
        drop((request, idle, other));
        assert!(timeout(SOON, all.drain()).await.is_ok());
    });
}
