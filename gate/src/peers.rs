//! The peers of pam.sock: who they are, and how many connections each of them has at once. Services that ask about
//! others have places of their own; a user without a name gets none.
//!
//! MUST NOT look a user up on the thread that accepts: a name service may take its time, or never answer.

use nix::unistd::{Uid, User};
use shared::admission::{Admission, Busy, Class, ClassLimits, Limits, Place};
use shared::name::UserName;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// What the kernel says of a user who has no number in this namespace; on many hosts also "nobody".
const OVERFLOW: u32 = 65534;

const NONE: ClassLimits = ClassLimits { own: 0, per_key: 0, waiting_per_key: 0, waiting: 0 };
/// Connections, 56 at most: their descriptors are among those that the web's connections leave.
const CONNECTIONS: Limits = Limits {
    shared: 8,
    proven: ClassLimits { own: 24, per_key: 24, ..NONE },
    known: ClassLimits { own: 24, per_key: 3, ..NONE },
    stranger: NONE,
};
/// Look-ups of users; one who was found before never waits for one who was not.
const LOOK_UPS: Limits = Limits {
    shared: 2,
    proven: NONE,
    known: ClassLimits { own: 1, per_key: 1, waiting_per_key: 3, waiting: 32 },
    stranger: ClassLimits { own: 1, per_key: 1, waiting_per_key: 3, waiting: 32 },
};
/// How long a look-up may take, its turn included.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long what was found is gone by.
const FRESH: Duration = Duration::from_secs(5);
/// Users that are remembered.
const REMEMBERED: usize = 1024;

/// Why a peer is not admitted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// Nobody of this name can have an account.
    NoAccount(String),
    /// The name cannot be looked up.
    NotFound(String),
    /// There is no place.
    Busy(Busy),
}

impl fmt::Display for NotAdmitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAdmitted::NoAccount(why) => write!(f, "you have no account here: {why}"),
            NotAdmitted::NotFound(why) => {
                write!(f, "your name cannot be looked up ({why}); ask the administrator")
            }
            NotAdmitted::Busy(busy) => f.write_str(&self::busy(*busy)),
        }
    }
}

/// What a user is told who finds no place.
pub(crate) fn busy(busy: Busy) -> String {
    match busy {
        Busy::Own => "too many commands of yours run at once; try again when they have ended".to_owned(),
        Busy::All => "too many commands of other users run at once; try again in a moment".to_owned(),
    }
}

/// Users that were looked up, and when.
type Known = HashMap<u32, (Option<UserName>, Instant)>;
type Found = Result<UserName, NotAdmitted>;

/// Who is in, and who is known.
#[derive(Clone)]
pub(crate) struct Peers {
    connections: Admission<u32>,
    look_ups: Admission<u32>,
    services: Arc<HashSet<u32>>,
    known: Arc<Mutex<Known>>,
    find: fn(u32) -> Found,
}

/// A peer that is let in, until this is dropped.
pub(crate) struct Admitted {
    pub(crate) uid: u32,
    pub(crate) name: UserName,
    pub(crate) class: Class,
    _place: Place<u32>,
}

/// A peer that may be let in, once its name is known.
pub(crate) struct Peer {
    peers: Peers,
    uid: u32,
    turn: Option<shared::admission::Waiting<u32>>,
}

impl Peers {
    /// Nobody is in yet; these users ask about others.
    pub(crate) fn with_services(services: HashSet<u32>) -> Peers {
        Peers {
            connections: Admission::new(CONNECTIONS),
            look_ups: Admission::new(LOOK_UPS),
            services: Arc::new(services),
            known: Arc::default(),
            find,
        }
    }

    /// Whoever is in stays in; these users ask about others from now on.
    pub(crate) fn under(&self, services: HashSet<u32>) -> Peers {
        Peers { services: Arc::new(services), ..self.clone() }
    }

    /// Begins to let one more of a user's in; returns at once.
    pub(crate) fn meet(&self, uid: u32) -> Result<Peer, NotAdmitted> {
        if uid == OVERFLOW {
            return Err(nameless(uid));
        }
        let class = match self.remembered(uid) {
            Some((None, true)) => return Err(nameless(uid)),
            Some((Some(_), true)) => return Ok(Peer { peers: self.clone(), uid, turn: None }),
            Some((Some(_), false)) => Class::Known,
            Some((None, false)) | None => Class::Stranger,
        };
        let turn = self.look_ups.enter(class, uid).map_err(NotAdmitted::Busy)?;
        Ok(Peer { peers: self.clone(), uid, turn: Some(turn) })
    }

    /// What was found of a user, and whether that is fresh.
    fn remembered(&self, uid: u32) -> Option<(Option<UserName>, bool)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&uid).map(|(name, at)| (name.clone(), at.elapsed() < FRESH))
    }

    fn remember(&self, uid: u32, name: Option<UserName>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(&uid) {
            known.retain(|_, (name, at)| name.is_some() && at.elapsed() < FRESH * 720);
        }
        // users without a name, in any number, never take the place of those with one
        if known.len() < REMEMBERED {
            known.insert(uid, (name, Instant::now()));
        }
    }

    fn admit(&self, uid: u32, name: UserName) -> Result<Admitted, NotAdmitted> {
        let class = if self.services.contains(&uid) { Class::Proven } else { Class::Known };
        let place = self.connections.try_enter(class, uid).map_err(NotAdmitted::Busy)?;
        Ok(Admitted { uid, name, class, _place: place })
    }
}

impl Peer {
    /// Lets it in, once its name is known.
    pub(crate) async fn admitted(self) -> Result<Admitted, NotAdmitted> {
        let Peer { peers, uid, turn } = self;
        let name = match turn {
            None => peers.remembered(uid).and_then(|(name, _)| name).ok_or_else(|| nameless(uid))?,
            Some(turn) => {
                let late = || NotAdmitted::NotFound("it took too long".to_owned());
                let look = async {
                    let place = turn.await.map_err(NotAdmitted::Busy)?;
                    let find = peers.find;
                    let found = tokio::task::spawn_blocking(move || {
                        let _place = place;
                        find(uid)
                    });
                    found.await.unwrap_or_else(|_| Err(NotAdmitted::NotFound("internal error".to_owned())))
                };
                let found = timeout(PATIENCE, look).await.unwrap_or_else(|_| Err(late()));
                match &found {
                    Ok(name) => peers.remember(uid, Some(name.clone())),
                    Err(NotAdmitted::NoAccount(_)) => peers.remember(uid, None),
                    Err(_) => {}
                }
                found?
            }
        };
        peers.admit(uid, name)
    }
}

fn nameless(uid: u32) -> NotAdmitted {
    NotAdmitted::NoAccount(format!("this host has no name for the user {uid}"))
}

/// The name of a user; accounts go by it.
fn find(uid: u32) -> Found {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => {
            UserName::parse(user.name.as_bytes()).map_err(|error| NotAdmitted::NoAccount(error.to_string()))
        }
        Ok(None) => Err(nameless(uid)),
        Err(error) => Err(NotAdmitted::NotFound(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Users below 2000 have names.
    fn peers(services: &[u32]) -> Peers {
        let find = |uid: u32| match uid < 2000 {
            true => Ok(format!("user{uid}").parse().unwrap()),
            false => Err(nameless(uid)),
        };
        Peers { find, ..Peers::with_services(services.iter().copied().collect()) }
    }

    fn run(story: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story);
    }

    async fn of(peers: &Peers, uid: u32) -> Result<Admitted, NotAdmitted> {
        peers.meet(uid)?.admitted().await
    }

    /// Sixteen users without a name took every place.
    #[test]
    fn users_without_a_name_take_no_place() {
        run(async {
            let peers = peers(&[]);
            for uid in 100_000..100_100 {
                let refused = of(&peers, uid).await.err();
                assert_eq!(refused, Some(nameless(uid)));
            }
            assert_eq!(of(&peers, OVERFLOW).await.err(), Some(nameless(OVERFLOW)));
            assert_eq!(peers.connections.taken(), 0);
            assert!(of(&peers, 1000).await.is_ok());
        });
    }

    #[test]
    fn whoever_has_too_many_keeps_nobody_else_out_and_is_told_so() {
        run(async {
            let peers = peers(&[990]);
            let (mut held, mut refused) = (Vec::new(), Vec::new());
            for uid in [1000; 5] {
                match of(&peers, uid).await {
                    Ok(one) => held.push(one),
                    Err(why) => refused.push(why),
                }
            }
            assert_eq!((held.len(), refused.len()), (CONNECTIONS.known.per_key, 2));
            assert!(refused.iter().all(|why| *why == NotAdmitted::Busy(Busy::Own)));
            for uid in 1001..1100 {
                held.extend(of(&peers, uid).await.ok());
            }
            assert_eq!(held.len(), CONNECTIONS.known.own + CONNECTIONS.shared);
            let refused = of(&peers, 1999).await.err();
            assert_eq!(refused, Some(NotAdmitted::Busy(Busy::All)));
            assert!(!refused.unwrap().to_string().contains("yours"));
            let users = held.len();
            for _ in 0..CONNECTIONS.proven.own {
                held.extend(of(&peers, 990).await.ok());
            }
            assert_eq!(held.len() - users, CONNECTIONS.proven.own, "a service has places of its own");
        });
    }

    /// A name service that does not answer stopped the accepting of everybody.
    #[test]
    fn a_look_up_that_takes_its_time_stops_nobody_who_is_known() {
        run(async {
            let mut peers = peers(&[]);
            assert!(of(&peers, 1000).await.is_ok());
            peers.find = |_| {
                std::thread::sleep(Duration::from_millis(300));
                Err(NotAdmitted::NotFound("no answer".to_owned()))
            };
            let stuck: Vec<_> = (1001..1100).filter_map(|uid| peers.meet(uid).ok()).collect();
            assert!(stuck.len() <= LOOK_UPS.places() + LOOK_UPS.stranger.waiting);
            let began = Instant::now();
            assert!(of(&peers, 1000).await.is_ok());
            assert!(began.elapsed() < Duration::from_millis(300));
        });
    }
}
