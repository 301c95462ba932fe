//! Who connects to pam.sock, and how many connections each user has. Services that ask about others have places of
//! their own; a user without a name gets none.
//!
//! MUST NOT look a user up on the thread that accepts: a name service may take its time, or never answer.

use super::connection_limit::{ConnectionLimit, ConversationPermit};
use super::host_socket::ends;
use crate::daemon::configuration::CONFIGURATION;
use crate::pam::conversation::User;
use nix::unistd::{self, Uid};
use shared::account::name::UserName;
use shared::protocol::ServerState;
use shared::system::admission::{self, Admission, Class, ClassLimits, Limits, WaitingThread};
use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// What the kernel says of a user who has no number in this namespace; on many hosts also "nobody".
const OVERFLOW: u32 = 65534;

/// Connections of all users, and those of all services, most of which wait for a person; and those of one of them.
const OF_USERS: usize = 128;
const OF_ONE_USER: usize = 32;
const OF_SERVICES: usize = 128;

const NONE: ClassLimits = ClassLimits {
    own: 0,
    per_key: 0,
    waiting_per_key: 0,
    waiting: 0,
};
/// Look-ups of users; one who was found before never waits for one who was not.
const LOOK_UPS: Limits = Limits {
    shared: 2,
    authenticated: NONE,
    familiar: ClassLimits {
        own: 1,
        per_key: 1,
        waiting_per_key: 3,
        waiting: 32,
    },
    unauthenticated: ClassLimits {
        own: 1,
        per_key: 1,
        waiting_per_key: 3,
        waiting: 32,
    },
};
/// How long a look-up may take, its turn included: less than the module waits for a greeting.
const PATIENCE: Duration = Duration::from_millis(1200);
/// How long what was found is gone by.
const FRESH: Duration = Duration::from_secs(5);
/// How long a name that was found keeps its user from waiting behind those without one.
const KNOWN: Duration = Duration::from_secs(3600);
/// Users that are remembered.
const REMEMBERED: usize = 1024;

/// Users that were looked up, and when.
type KnownUsers = HashMap<u32, (Option<UserName>, Instant)>;
/// The name, or why there is none.
type UserFound = Result<UserName, ServerState>;

/// Who is in, and who is known.
pub(super) struct UserLimits {
    users: ConnectionLimit<u32>,
    services: ConnectionLimit<u32>,
    look_ups: Admission<u32>,
    known: Mutex<KnownUsers>,
    named: Mutex<NamedUser>,
    find: fn(u32) -> UserFound,
}

/// The users that `pam.socket_users` names.
struct NamedUser {
    config: PathBuf,
    names: Vec<UserName>,
    read: Option<Instant>,
}

/// A peer that may be let in, once its name is known.
pub(super) struct Arriving {
    peers: Arc<UserLimits>,
    uid: u32,
    turn: Option<WaitingThread<u32>>,
}

/// A peer that is let in, until this is dropped.
pub(super) struct Admitted {
    pub(super) user: User,
    _place: ConversationPermit<u32>,
}

impl UserLimits {
    /// Nobody is in yet.
    pub(super) fn new(config: &Path) -> Arc<UserLimits> {
        let named = NamedUser {
            config: config.to_owned(),
            names: Vec::new(),
            read: None,
        };
        Arc::new(UserLimits::finding(find, named))
    }

    fn finding(find: fn(u32) -> UserFound, named: NamedUser) -> UserLimits {
        UserLimits {
            users: ConnectionLimit::with_room_for(OF_USERS, OF_ONE_USER),
            services: ConnectionLimit::with_room_for(OF_SERVICES, OF_SERVICES),
            look_ups: Admission::new(LOOK_UPS),
            known: Mutex::default(),
            named: Mutex::new(named),
            find,
        }
    }

    /// Begins to let one more of a user's in; returns at once.
    pub(super) fn meet(self: &Arc<UserLimits>, uid: u32) -> Result<Arriving, ServerState> {
        if uid == OVERFLOW {
            return Err(ServerState::NoAccount);
        }
        let class = match self.remembered(uid) {
            Some((None, true)) => return Err(ServerState::NoAccount),
            Some((Some(_), true)) => {
                return Ok(Arriving {
                    peers: Arc::clone(self),
                    uid,
                    turn: None,
                });
            }
            Some((Some(_), false)) => Class::Familiar,
            Some((None, false)) | None => Class::Unauthenticated,
        };
        let turn = self
            .look_ups
            .acquire(class, uid)
            .map_err(|_| ServerState::Busy)?;
        Ok(Arriving {
            peers: Arc::clone(self),
            uid,
            turn: Some(turn),
        })
    }

    fn known(&self) -> MutexGuard<'_, KnownUsers> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was found of a user, and whether that is fresh.
    fn remembered(&self, uid: u32) -> Option<(Option<UserName>, bool)> {
        self.known()
            .get(&uid)
            .map(|(name, at)| (name.clone(), at.elapsed() < FRESH))
    }

    fn remember(&self, uid: u32, name: Option<UserName>) {
        let mut known = self.known();
        if known.len() >= REMEMBERED && !known.contains_key(&uid) {
            known.retain(|_, (name, at)| name.is_some() && at.elapsed() < KNOWN);
        }
        // users without a name, in any number, never take the place of those with one
        if known.len() < REMEMBERED || known.contains_key(&uid) {
            known.insert(uid, (name, Instant::now()));
        }
    }

    /// Looks a user up on a thread of its own, which keeps the look-up's place for as long as the name service takes.
    fn look_up(
        self: &Arc<UserLimits>,
        uid: u32,
        place: admission::AdmissionPermit<u32>,
        until: Instant,
    ) -> UserFound {
        let (sender, receiver) = mpsc::sync_channel(1);
        let peers = Arc::clone(self);
        let started = thread::Builder::new()
            .name("look-up".to_owned())
            .spawn(move || {
                let _place = place;
                let found = (peers.find)(uid);
                match &found {
                    Ok(name) => peers.remember(uid, Some(name.clone())),
                    Err(ServerState::NoAccount) => peers.remember(uid, None),
                    Err(_) => {}
                }
                // whoever asked may have given up
                let _ = sender.send(found);
            });
        let left = until.saturating_duration_since(Instant::now());
        match started {
            Ok(_) => receiver
                .recv_timeout(left)
                .unwrap_or(Err(ServerState::NameUnavailable)),
            Err(_) => Err(ServerState::Busy),
        }
    }
}

impl NamedUser {
    /// Whether a user is named, by the configuration of at most a second ago; by the last one that could be read.
    fn contains(&mut self, name: &UserName) -> bool {
        if self
            .read
            .is_none_or(|read| read.elapsed() >= Duration::from_secs(1))
        {
            if let Ok(in_force) = CONFIGURATION.load_config(&self.config) {
                self.names = in_force.config.pam.socket_users;
            }
            self.read = Some(Instant::now());
        }
        self.names.contains(name)
    }
}

impl Arriving {
    /// Lets it in, once its name is known. The oldest connection of a user who has too many ends; when all places are taken,
    /// that of the user who has most of them.
    pub(super) fn admit(self, stream: &Arc<UnixStream>) -> Result<Admitted, ServerState> {
        self.admit_until(ends(stream))
    }

    fn admit_until(self, end: impl Fn() + Send + 'static) -> Result<Admitted, ServerState> {
        let Arriving { peers, uid, turn } = self;
        let name = match turn {
            None => peers
                .remembered(uid)
                .and_then(|(name, _)| name)
                .ok_or(ServerState::NoAccount)?,
            Some(turn) => {
                let until = Instant::now() + PATIENCE;
                let place = turn.wait(PATIENCE).map_err(|_| ServerState::Busy)?;
                peers.look_up(uid, place, until)?
            }
        };
        let is_service = peers
            .named
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&name);
        let places = if is_service {
            &peers.services
        } else {
            &peers.users
        };
        let place = places.enter(uid, false, end).ok_or(ServerState::Busy)?;
        Ok(Admitted {
            user: User {
                uid,
                name,
                is_service,
            },
            _place: place,
        })
    }
}

/// The name of a user; accounts go by it.
fn find(uid: u32) -> UserFound {
    match unistd::User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => UserName::parse(user.name.as_bytes()).map_err(|_| ServerState::NoAccount),
        Ok(None) => Err(ServerState::NoAccount),
        Err(_) => Err(ServerState::NameUnavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn find_below_2000(uid: u32) -> UserFound {
        match uid < 2000 {
            true => Ok(format!("user{uid}").parse().unwrap()),
            false => Err(ServerState::NoAccount),
        }
    }

    /// Users below 2000 have names.
    fn peers_finding(find: fn(u32) -> UserFound, services: &[u32]) -> Arc<UserLimits> {
        let names = services
            .iter()
            .map(|uid| format!("user{uid}").parse().unwrap())
            .collect();
        let named = NamedUser {
            config: "/nowhere".into(),
            names,
            read: None,
        };
        Arc::new(UserLimits::finding(find, named))
    }

    fn admit(peers: &Arc<UserLimits>, uid: u32) -> Result<Admitted, ServerState> {
        peers.meet(uid)?.admit_until(|| {})
    }

    /// Sixteen users without a name took every place.
    #[test]
    fn users_without_a_name_take_no_place() {
        let peers = peers_finding(find_below_2000, &[]);
        for uid in 100_000..100_100 {
            assert_eq!(admit(&peers, uid).err(), Some(ServerState::NoAccount));
        }
        assert_eq!(admit(&peers, OVERFLOW).err(), Some(ServerState::NoAccount));
        assert_eq!(peers.users.open(), 0);
        assert!(admit(&peers, 1000).is_ok());
    }

    /// Two thousand connections of one user end one another, and nobody else's; services have places of their own.
    #[test]
    fn whoever_has_too_many_ends_the_oldest_of_their_own() {
        let peers = peers_finding(find_below_2000, &[990]);
        let ended = Arc::new(AtomicUsize::new(0));
        let mut held = Vec::new();
        let counting = |ended: &Arc<AtomicUsize>| {
            let ended = Arc::clone(ended);
            move || {
                ended.fetch_add(1, Ordering::SeqCst);
            }
        };
        let of_others = Arc::new(AtomicUsize::new(0));
        held.push(
            peers
                .meet(1001)
                .unwrap()
                .admit_until(counting(&of_others))
                .unwrap(),
        );
        held.push(
            peers
                .meet(990)
                .unwrap()
                .admit_until(counting(&of_others))
                .unwrap(),
        );
        for _ in 0..2000 {
            held.push(
                peers
                    .meet(1000)
                    .unwrap()
                    .admit_until(counting(&ended))
                    .unwrap(),
            );
        }
        held.push(
            peers
                .meet(1002)
                .unwrap()
                .admit_until(counting(&of_others))
                .unwrap(),
        );
        assert_eq!(peers.users.open(), OF_ONE_USER + 2);
        assert_eq!(ended.load(Ordering::SeqCst), 2000 - OF_ONE_USER);
        assert_eq!(of_others.load(Ordering::SeqCst), 0);
        assert!(held[1].user.is_service && peers.services.open() == 1);
    }

    /// A name service that does not answer stopped the accepting of everybody.
    #[test]
    fn a_look_up_that_takes_its_time_stops_nobody_who_is_known() {
        fn find(uid: u32) -> UserFound {
            if uid != 1000 {
                thread::sleep(Duration::from_millis(400));
                return Err(ServerState::NameUnavailable);
            }
            find_below_2000(uid)
        }
        let peers = peers_finding(find, &[]);
        assert!(admit(&peers, 1000).is_ok());
        let stuck: Vec<_> = (1001..1100)
            .filter_map(|uid| peers.meet(uid).ok())
            .collect();
        assert!(stuck.len() <= LOOK_UPS.capacity() + LOOK_UPS.unauthenticated.waiting);
        let began = Instant::now();
        assert!(admit(&peers, 1000).is_ok());
        assert!(began.elapsed() < Duration::from_millis(300));
    }

    /// One that takes longer than a peer waits is remembered: the next connection does not wait for it again.
    #[test]
    fn a_look_up_that_came_too_late_counts_for_the_next_connection() {
        fn find(uid: u32) -> UserFound {
            thread::sleep(PATIENCE + Duration::from_millis(100));
            find_below_2000(uid)
        }
        let peers = peers_finding(find, &[]);
        assert_eq!(
            admit(&peers, 1000).err(),
            Some(ServerState::NameUnavailable)
        );
        let until = Instant::now() + Duration::from_secs(10);
        while peers.remembered(1000).is_none() && Instant::now() < until {
            thread::yield_now();
        }
        assert!(admit(&peers, 1000).is_ok());
    }
}
