//! No key exceeds its maximum, no key starves, and no request waits behind one of a lower class:
//! random sequences of requests against these promises, and single cases.

use super::*;
use AdmissionClass::{Authenticated, Familiar, Unauthenticated};
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};

const CLASS: ClassLimits = ClassLimits {
    own: 1,
    per_key: 2,
    waiting_per_key: 3,
    waiting: 6,
};
const LIMITS: AdmissionLimits = AdmissionLimits {
    shared: 2,
    authenticated: CLASS,
    familiar: CLASS,
    unauthenticated: CLASS,
};

/// Limits without shared permits.
const UNSHARED: AdmissionLimits = AdmissionLimits {
    shared: 0,
    ..LIMITS
};

fn poll_once<K: Clone + Eq + Hash>(
    waiting: &mut AdmissionRequest<K>,
) -> Option<Result<AdmissionPermit<K>, AdmissionRefusal>> {
    match Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn admitted<K: Clone + Eq + Hash>(
    admission: &Admission<K>,
    class: AdmissionClass,
    key: K,
) -> AdmissionPermit<K> {
    poll_once(&mut admission.acquire(class, key).unwrap())
        .unwrap()
        .unwrap()
}

/// Requests a permit without authentication, or waits.
fn wait_for<K: Clone + Eq + Hash>(admission: &Admission<K>, key: K) -> AdmissionRequest<K> {
    admission.acquire(Unauthenticated, key).unwrap()
}

#[test]
fn unauthenticated_requests_leave_the_permits_of_better_classes() {
    let admission = Admission::new(LIMITS);
    let permits: Vec<_> = (0..100)
        .filter_map(|key| admission.try_acquire(Unauthenticated, key).ok())
        .collect();
    assert_eq!(permits.len(), LIMITS.shared + CLASS.own);
    let mut waiting: Vec<_> = (0..100)
        .filter_map(|key| admission.acquire(Unauthenticated, 1000 + key).ok())
        .collect();
    assert_eq!(waiting.len(), CLASS.waiting);
    let _known = admitted(&admission, Familiar, 0);
    let proven = admitted(&admission, Authenticated, 0);
    let mut more = admission.acquire(Authenticated, 1).unwrap();
    assert!(poll_once(&mut more).is_none());
    drop(permits);
    assert!(
        poll_once(&mut more).unwrap().is_ok(),
        "it gets the first free shared permit"
    );
    drop(proven);
    let next: Vec<_> = waiting.iter_mut().filter_map(poll_once).collect();
    assert_eq!(next.len(), LIMITS.shared + CLASS.own);
}

#[test]
fn a_key_that_asks_a_hundred_times_is_refused_for_its_own_share() {
    let admission = Admission::new(LIMITS);
    let held: Vec<_> = (0..100)
        .map(|_| admission.acquire(Unauthenticated, "one"))
        .collect();
    let refusals: Vec<_> = held.iter().filter_map(|one| one.as_ref().err()).collect();
    assert_eq!(refusals.len(), 100 - CLASS.per_key - CLASS.waiting_per_key);
    let limit = AdmissionRefusal::KeyLimit;
    assert!(refusals.into_iter().all(|refusal| *refusal == limit));
    let _other = admitted(&admission, Unauthenticated, "other");
}

#[test]
fn keys_take_turns_whatever_their_number_of_requests() {
    let admission = Admission::new(AdmissionLimits {
        shared: 0,
        unauthenticated: ClassLimits {
            per_key: 1,
            ..CLASS
        },
        ..LIMITS
    });
    let first = admitted(&admission, Unauthenticated, "many");
    let mut many: VecDeque<_> = (0..3).map(|_| wait_for(&admission, "many")).collect();
    let mut few = wait_for(&admission, "few");
    drop(first);
    let few = poll_once(&mut few)
        .expect("it is next: the other one has had a turn")
        .unwrap();
    assert!(poll_once(&mut many[0]).is_none());
    drop(few);
    assert!(
        poll_once(&mut many[0]).unwrap().is_ok(),
        "and within a key, first come"
    );
}

/// With three hundred keys at once, the last one waited for all others, longer than any client
/// waits for a reply.
#[test]
fn with_very_many_keys_the_newest_and_the_oldest_are_admitted_soon() {
    let of_many = ClassLimits {
        own: 1,
        per_key: 1,
        waiting_per_key: 8,
        waiting: 1024,
    };
    let admission = Admission::new(AdmissionLimits {
        shared: 0,
        unauthenticated: of_many,
        ..LIMITS
    });
    let mut permit = Some(admitted(&admission, Unauthenticated, 9999));
    let mut waiting: Vec<_> = (0..300)
        .map(|key| (key, wait_for(&admission, key)))
        .collect();
    waiting.push((1000, wait_for(&admission, 1000)));
    let mut order = Vec::new();
    while !waiting.is_empty() {
        drop(permit.take());
        let next = waiting
            .iter_mut()
            .enumerate()
            .find_map(|(at, (_, one))| Some((at, poll_once(one)?.unwrap())));
        let (at, taken) = next.expect("one is admitted each time");
        order.push(waiting.remove(at).0);
        permit = Some(taken);
    }
    let turn = |key| order.iter().position(|of| *of == key).unwrap();
    assert!(turn(1000) < 2 && turn(0) < 2 && turn(1) < 4, "{order:?}");
    assert_eq!(order.len(), 301);
}

#[test]
fn in_a_full_queue_a_new_key_displaces_the_newest_request_of_the_key_with_most() {
    let admission = Admission::new(UNSHARED);
    let _permit = admitted(&admission, Unauthenticated, "a");
    let mut a: Vec<_> = (0..3).map(|_| wait_for(&admission, "a")).collect();
    let _b: Vec<_> = (0..3).map(|_| wait_for(&admission, "b")).collect();
    let _new = admission
        .acquire(Unauthenticated, "c")
        .expect("it waits nowhere yet");
    let _other = admission
        .acquire(Unauthenticated, "d")
        .expect("nor does this one");
    assert_eq!(admission.waiting(), CLASS.waiting);
    assert!(matches!(
        poll_once(&mut a[2]),
        None | Some(Err(AdmissionRefusal::KeyLimit))
    ));
    assert!(poll_once(&mut a[0]).is_none());
    let single = Admission::new(UNSHARED);
    let _permit = admitted(&single, Unauthenticated, 0);
    let _all: Vec<_> = (1..=CLASS.waiting)
        .map(|key| single.acquire(Unauthenticated, key).unwrap())
        .collect();
    assert_eq!(
        single.acquire(Unauthenticated, 99).err(),
        Some(AdmissionRefusal::Capacity),
        "no key has more than one request"
    );
}

#[test]
fn a_dropped_request_leaves_no_state() {
    let admission = Admission::new(LIMITS);
    let permits: Vec<_> = (0..3)
        .map(|key| admitted(&admission, Unauthenticated, key))
        .collect();
    let waiting: Vec<_> = (0..3).map(|key| wait_for(&admission, key)).collect();
    drop(waiting);
    assert_eq!(admission.waiting(), 0);
    let unread = admission.acquire(Unauthenticated, 7).unwrap();
    drop(permits);
    assert_eq!(admission.in_use(), 1, "admitted, and not polled yet");
    drop(unread);
    assert_eq!((admission.in_use(), admission.state().requests()), (0, 0));
}

#[test]
fn a_thread_waits_for_a_permit_until_its_time_limit() {
    let admission = Admission::new(UNSHARED);
    let permit = admitted(&admission, Familiar, "key");
    assert_eq!(
        admission
            .acquire(Familiar, "key")
            .unwrap()
            .wait(Duration::ZERO)
            .err(),
        Some(AdmissionRefusal::Capacity)
    );
    assert_eq!(admission.waiting(), 0);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            admission
                .acquire(Familiar, "key")
                .unwrap()
                .wait(Duration::from_secs(60))
                .is_ok()
        });
        drop(permit);
        assert!(waits.join().unwrap());
    });
    assert_eq!(admission.in_use(), 0);
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Enter(AdmissionClass, u8),
    Leave(usize),
    GiveUp(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let class = prop_oneof![Just(Authenticated), Just(Familiar), Just(Unauthenticated)];
    let act = prop_oneof![
        4 => (class, 0_u8..4).prop_map(|(class, key)| Act::Enter(class, key)),
        3 => (0_usize..64).prop_map(Act::Leave),
        1 => (0_usize..64).prop_map(Act::GiveUp),
    ];
    proptest::collection::vec(act, 0..200)
}

proptest! {
    #[test]
    fn no_sequence_breaks_a_promise(acts in acts()) {
        let admission = Admission::new(LIMITS);
        let mut permits: Vec<(AdmissionClass, u8, AdmissionPermit<u8>)> = Vec::new();
        let mut waiting: Vec<(AdmissionClass, u8, AdmissionRequest<u8>)> = Vec::new();
        for act in acts {
            match act {
                Act::Enter(class, key) => {
                    if let Ok(entered) = admission.acquire(class, key) {
                        waiting.push((class, key, entered));
                    }
                }
                Act::Leave(at) if !permits.is_empty() => drop(permits.swap_remove(at % permits.len())),
                Act::GiveUp(at) if !waiting.is_empty() => drop(waiting.swap_remove(at % waiting.len())),
                _ => {}
            }
            let mut still = Vec::new();
            for (class, key, mut one) in waiting {
                match poll_once(&mut one) {
                    Some(Ok(permit)) => permits.push((class, key, permit)),
                    Some(Err(_)) => {}
                    None => still.push((class, key, one)),
                }
            }
            waiting = still;
            let mut of_key: HashMap<(AdmissionClass, u8), usize> = HashMap::new();
            for (class, key, _) in &permits {
                *of_key.entry((*class, *key)).or_default() += 1;
            }
            prop_assert!(of_key.values().all(|count| *count <= CLASS.per_key));
            prop_assert!(permits.len() <= LIMITS.capacity());
            prop_assert_eq!((permits.len(), waiting.len()), (admission.in_use(), admission.waiting()));
            let of_class = |class: AdmissionClass| permits.iter().filter(|(of, ..)| *of == class).count();
            let classes = [Authenticated, Familiar, Unauthenticated];
            let beyond_own: usize = classes.map(|class| of_class(class).saturating_sub(CLASS.own)).iter().sum();
            for class in classes {
                let taken = of_class(class);
                let wants = |(of, key, _): &(AdmissionClass, u8, AdmissionRequest<u8>)| {
                    *of == class && of_key.get(&(*of, *key)).is_none_or(|count| *count < CLASS.per_key)
                };
                // no request waits while a permit is free, its own or a shared one
                if waiting.iter().any(wants) {
                    prop_assert!(taken >= CLASS.own && beyond_own >= LIMITS.shared);
                }
            }
        }
        // and every waiting request is admitted once the others release their permits
        while let Some((.., permit)) = permits.pop() {
            drop(permit);
            let mut still = Vec::new();
            for (class, key, mut one) in waiting {
                match poll_once(&mut one) {
                    Some(answer) => permits.push((class, key, answer.map_err(|busy| TestCaseError::fail(busy.to_string()))?)),
                    None => still.push((class, key, one)),
                }
            }
            waiting = still;
        }
        prop_assert!(waiting.is_empty());
        prop_assert_eq!((admission.in_use(), admission.waiting(), admission.state().requests()), (0, 0, 0));
    }
}
