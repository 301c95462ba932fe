//! Checks that times do not tell one kind of attempt from another.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Largest distance from a half of the share of timings of one kind that are above those of
/// another, in addition to four standard errors. A share has no unit, so a busy machine does not
/// change it.
const ALIKE: f64 = 0.05;
/// A real difference shows in every measurement; the noise of a busy machine does not.
const MEASUREMENTS: u32 = 3;

/// Takes `rounds` timings of every kind, in random order within each round. Panics if the times
/// tell two kinds apart in each of three measurements. `take` receives the round and the kind.
#[track_caller]
pub fn assert_alike<const N: usize>(
    kinds: [&str; N],
    rounds: u32,
    mut begin_round: impl FnMut(),
    mut take: impl FnMut(u32, usize) -> Duration,
) {
    let shuffle = RandomState::new();
    let mut apart = String::new();
    let alike = (0..MEASUREMENTS).any(|_| {
        let mut timings = kinds.map(|_| Vec::with_capacity(rounds as usize));
        for round in 0..rounds {
            begin_round();
            let mut order: [usize; N] = std::array::from_fn(|kind| kind);
            order.sort_by_key(|kind| shuffle.hash_one((round, kind)));
            for kind in order {
                timings[kind].push(take(round, kind));
            }
        }
        apart = told_apart(&kinds, &timings);
        apart.is_empty()
    });
    assert!(alike, "{apart}");
}

fn told_apart(kinds: &[&str], timings: &[Vec<Duration>]) -> String {
    let pairs = (0..kinds.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    let shares = pairs.map(|(a, b)| (kinds[a], kinds[b], share_above(&timings[a], &timings[b])));
    // The standard error of Mann and Whitney's statistic, for equally many timings of both kinds.
    let standard_error = (6.0 * timings[0].len() as f64).sqrt().recip();
    let apart = shares.filter(|(.., share)| (share - 0.5).abs() > ALIKE + 4.0 * standard_error);
    let medians: Vec<_> = timings.iter().map(|timings| median(timings)).collect();
    apart
        .map(|(a, b, share)| format!("{a} and {b}: {share:.2}; medians {medians:?}\n"))
        .collect()
}

/// Returns the share of pairs in which `a` is above `b` (Mann and Whitney's statistic). Ties count
/// half.
fn share_above(a: &[Duration], b: &[Duration]) -> f64 {
    let mut sorted = b.to_vec();
    sorted.sort_unstable();
    let twice: usize = a
        .iter()
        .map(|a| sorted.partition_point(|b| b < a) + sorted.partition_point(|b| b <= a))
        .sum();
    twice as f64 / (2 * a.len() * b.len()) as f64
}

fn median(timings: &[Duration]) -> Duration {
    let mut sorted = timings.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}
