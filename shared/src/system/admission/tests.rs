//! No key exceeds its maximum, no key starves, and no request waits behind one of a lower class:
//! random sequences of requests against these promises, and single cases.

use super::*;
use proptest::prelude::*;
use std::collections::{HashMap, VecDeque};

const CLASS: ClassLimits = ClassLimits {
    own: 1,
    per_key: 2,
    waiting_per_key: 3,
    waiting: 6,
};
const LIMITS: Limits = Limits {
    shared: 2,
    authenticated: CLASS,
    familiar: CLASS,
    unauthenticated: CLASS,
};

fn look<K: Clone + Eq + Hash>(
    waiting: &mut WaitingThread<K>,
) -> Option<Result<AdmissionPermit<K>, Busy>> {
    match Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

fn admitted<K: Clone + Eq + Hash>(
    admission: &Admission<K>,
    class: Class,
    key: K,
) -> AdmissionPermit<K> {
    look(&mut admission.acquire(class, key).unwrap())
        .unwrap()
        .unwrap()
}

#[test]
fn strangers_in_any_number_leave_the_places_of_whoever_has_proven_more() {
    let admission = Admission::new(LIMITS);
    let places: Vec<_> = (0..100)
        .filter_map(|key| admission.try_acquire(Class::Unauthenticated, key).ok())
        .collect();
    assert_eq!(places.len(), LIMITS.shared + CLASS.own);
    let mut waiting: Vec<_> = (0..100)
        .filter_map(|key| admission.acquire(Class::Unauthenticated, 1000 + key).ok())
        .collect();
    assert_eq!(waiting.len(), CLASS.waiting);
    let _known = admitted(&admission, Class::Familiar, 0);
    let proven = admitted(&admission, Class::Authenticated, 0);
    let mut more = admission.acquire(Class::Authenticated, 1).unwrap();
    assert!(look(&mut more).is_none());
    drop(places);
    assert!(
        look(&mut more).unwrap().is_ok(),
        "a shared place that is free goes to it first"
    );
    drop(proven);
    let next: Vec<_> = waiting.iter_mut().filter_map(look).collect();
    assert_eq!(next.len(), LIMITS.shared + CLASS.own);
}

#[test]
fn a_key_that_asks_a_hundred_times_is_refused_for_its_own_share() {
    let admission = Admission::new(LIMITS);
    let held: Vec<_> = (0..100)
        .map(|_| admission.acquire(Class::Unauthenticated, "one"))
        .collect();
    assert_eq!(
        held.iter().filter(|one| one.is_ok()).count(),
        CLASS.per_key + CLASS.waiting_per_key
    );
    assert!(
        held.iter()
            .all(|one| one.as_ref().err().is_none_or(|busy| *busy == Busy::Own))
    );
    let _other = admitted(&admission, Class::Unauthenticated, "other");
}

#[test]
fn keys_take_turns_however_many_requests_one_has() {
    let admission = Admission::new(Limits {
        shared: 0,
        unauthenticated: ClassLimits {
            per_key: 1,
            ..CLASS
        },
        ..LIMITS
    });
    let first = admitted(&admission, Class::Unauthenticated, "many");
    let mut many: VecDeque<_> = (0..3)
        .map(|_| admission.acquire(Class::Unauthenticated, "many").unwrap())
        .collect();
    let mut few = admission.acquire(Class::Unauthenticated, "few").unwrap();
    drop(first);
    let few = look(&mut few)
        .expect("it is next: the other one has had a turn")
        .unwrap();
    assert!(look(&mut many[0]).is_none());
    drop(few);
    assert!(
        look(&mut many[0]).unwrap().is_ok(),
        "and within a key, first come"
    );
}

/// With three hundred keys at once, the last one waited for all others, longer than any client
/// waits for a reply.
#[test]
fn where_very_many_keys_wait_the_newest_comes_soon_and_the_oldest_too() {
    let of_many = ClassLimits {
        own: 1,
        per_key: 1,
        waiting_per_key: 8,
        waiting: 1024,
    };
    let admission = Admission::new(Limits {
        shared: 0,
        unauthenticated: of_many,
        ..LIMITS
    });
    let mut place = Some(admitted(&admission, Class::Unauthenticated, 9999));
    let mut waiting: Vec<_> = (0..300)
        .map(|key| (key, admission.acquire(Class::Unauthenticated, key).unwrap()))
        .collect();
    waiting.push((
        1000,
        admission.acquire(Class::Unauthenticated, 1000).unwrap(),
    ));
    let mut order = Vec::new();
    while !waiting.is_empty() {
        drop(place.take());
        let next = waiting
            .iter_mut()
            .enumerate()
            .find_map(|(at, (_, one))| Some((at, look(one)?.unwrap())));
        let (at, taken) = next.expect("one comes in each time");
        order.push(waiting.remove(at).0);
        place = Some(taken);
    }
    let turn = |key| order.iter().position(|of| *of == key).unwrap();
    assert!(turn(1000) < 2 && turn(0) < 2 && turn(1) < 4, "{order:?}");
    assert_eq!(order.len(), 301);
}

#[test]
fn where_the_queue_is_full_a_new_key_displaces_the_newest_of_the_key_that_waits_most() {
    let admission = Admission::new(Limits {
        shared: 0,
        ..LIMITS
    });
    let _place = admitted(&admission, Class::Unauthenticated, "a");
    let mut a: Vec<_> = (0..3)
        .map(|_| admission.acquire(Class::Unauthenticated, "a").unwrap())
        .collect();
    let _b: Vec<_> = (0..3)
        .map(|_| admission.acquire(Class::Unauthenticated, "b").unwrap())
        .collect();
    let _new = admission
        .acquire(Class::Unauthenticated, "c")
        .expect("it waits nowhere yet");
    let _other = admission
        .acquire(Class::Unauthenticated, "d")
        .expect("nor does this one");
    assert_eq!(admission.waiting(), CLASS.waiting);
    assert!(matches!(look(&mut a[2]), None | Some(Err(Busy::Own))));
    assert!(look(&mut a[0]).is_none());
    let single = Admission::new(Limits {
        shared: 0,
        ..LIMITS
    });
    let _place = admitted(&single, Class::Unauthenticated, 0);
    let _all: Vec<_> = (1..=CLASS.waiting)
        .map(|key| single.acquire(Class::Unauthenticated, key).unwrap())
        .collect();
    assert_eq!(
        single.acquire(Class::Unauthenticated, 99).err(),
        Some(Busy::All),
        "nobody has more than one"
    );
}

#[test]
fn whoever_no_longer_waits_leaves_nothing() {
    let admission = Admission::new(LIMITS);
    let places: Vec<_> = (0..3)
        .map(|key| admitted(&admission, Class::Unauthenticated, key))
        .collect();
    let waiting: Vec<_> = (0..3)
        .map(|key| admission.acquire(Class::Unauthenticated, key).unwrap())
        .collect();
    drop(waiting);
    assert_eq!(admission.waiting(), 0);
    let unread = admission.acquire(Class::Unauthenticated, 7).unwrap();
    drop(places);
    assert_eq!(admission.in_use(), 1, "admitted, and nobody has looked yet");
    drop(unread);
    assert_eq!((admission.in_use(), admission.state().requests()), (0, 0));
}

#[test]
fn a_thread_waits_for_a_place_and_no_longer_than_it_was_told() {
    let admission = Admission::new(Limits {
        shared: 0,
        ..LIMITS
    });
    let place = admitted(&admission, Class::Familiar, "key");
    assert_eq!(
        admission
            .acquire(Class::Familiar, "key")
            .unwrap()
            .wait(Duration::ZERO)
            .err(),
        Some(Busy::All)
    );
    assert_eq!(admission.waiting(), 0);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            admission
                .acquire(Class::Familiar, "key")
                .unwrap()
                .wait(Duration::from_secs(60))
                .is_ok()
        });
        drop(place);
        assert!(waits.join().unwrap());
    });
    assert_eq!(admission.in_use(), 0);
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Enter(Class, u8),
    Leave(usize),
    GiveUp(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let class = prop_oneof![
        Just(Class::Authenticated),
        Just(Class::Familiar),
        Just(Class::Unauthenticated)
    ];
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
        let mut places: Vec<(Class, u8, AdmissionPermit<u8>)> = Vec::new();
        let mut waiting: Vec<(Class, u8, WaitingThread<u8>)> = Vec::new();
        for act in acts {
            match act {
                Act::Enter(class, key) => {
                    if let Ok(entered) = admission.acquire(class, key) {
                        waiting.push((class, key, entered));
                    }
                }
                Act::Leave(at) if !places.is_empty() => drop(places.swap_remove(at % places.len())),
                Act::GiveUp(at) if !waiting.is_empty() => drop(waiting.swap_remove(at % waiting.len())),
                _ => {}
            }
            let mut still = Vec::new();
            for (class, key, mut one) in waiting {
                match look(&mut one) {
                    Some(Ok(place)) => places.push((class, key, place)),
                    Some(Err(_)) => {}
                    None => still.push((class, key, one)),
                }
            }
            waiting = still;
            let mut of_key: HashMap<(Class, u8), usize> = HashMap::new();
            for (class, key, _) in &places {
                *of_key.entry((*class, *key)).or_default() += 1;
            }
            prop_assert!(of_key.values().all(|count| *count <= CLASS.per_key));
            prop_assert!(places.len() <= LIMITS.capacity());
            prop_assert_eq!((places.len(), waiting.len()), (admission.in_use(), admission.waiting()));
            let of_class = |class: Class| places.iter().filter(|(of, ..)| *of == class).count();
            let classes = [Class::Authenticated, Class::Familiar, Class::Unauthenticated];
            let beyond_own: usize = classes.map(|class| of_class(class).saturating_sub(CLASS.own)).iter().sum();
            for class in classes {
                let taken = of_class(class);
                let wants = |(of, key, _): &(Class, u8, WaitingThread<u8>)| {
                    *of == class && of_key.get(&(*of, *key)).is_none_or(|count| *count < CLASS.per_key)
                };
                // no request waits while a permit is free, its own or a shared one
                if waiting.iter().any(wants) {
                    prop_assert!(taken >= CLASS.own && beyond_own >= LIMITS.shared);
                }
            }
        }
        // and every waiting request is admitted once the others release their permits
        while let Some((.., place)) = places.pop() {
            drop(place);
            let mut still = Vec::new();
            for (class, key, mut one) in waiting {
                match look(&mut one) {
                    Some(answer) => places.push((class, key, answer.map_err(|busy| TestCaseError::fail(busy.to_string()))?)),
                    None => still.push((class, key, one)),
                }
            }
            waiting = still;
        }
        prop_assert!(waiting.is_empty());
        prop_assert_eq!((admission.in_use(), admission.waiting(), admission.state().requests()), (0, 0, 0));
    }
}
