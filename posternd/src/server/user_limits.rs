//! The users who connect to pam.sock, and the connection limit of each. Services that
//! `pam.socket_users` names have a limit of their own; a user without a name is refused.
//!
//! MUST NOT look up a user on the accepting thread: a name service may be slow, or never reply.

use super::connection_limit::{ConnectionLimit, ConversationPermit};
use super::host_socket::ends;
use crate::daemon::configuration::CONFIGURATION;
use crate::pam::hooks::User;
use nix::unistd::{self, Uid};
use postern_shared::account::name::UserName;
use postern_shared::protocol::GreetingState;
use postern_shared::system::admission::{
    self, Admission, AdmissionClass, AdmissionLimits, AdmissionRequest, ClassLimits,
};
use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The overflow user (kernel.overflowuid), which represents users without a number in this
/// namespace; on many hosts also "nobody".
const OVERFLOW: u32 = 65534;

/// Connections of all users, of all services, and of one of each; most of them wait for a user.
const OF_USERS: usize = 128;
const OF_ONE_USER: usize = 32;
const OF_SERVICES: usize = 128;

const NONE: ClassLimits = ClassLimits {
    own: 0,
    per_key: 0,
    waiting_per_key: 0,
    waiting: 0,
};
const ONE: ClassLimits = ClassLimits {
    own: 1,
    per_key: 1,
    waiting_per_key: 3,
    waiting: 32,
};
/// Look-ups at the same time. A user who was found before never waits for one who was not.
const LOOK_UPS: AdmissionLimits = AdmissionLimits {
    shared: 2,
    authenticated: NONE,
    familiar: ONE,
    unauthenticated: ONE,
};
/// Time limit of a look-up with its turn: less than the module waits for a greeting.
const PATIENCE: Duration = Duration::from_millis(1200);
/// How long a result is used.
const FRESH: Duration = Duration::from_secs(5);
/// How long a name keeps its user from waiting behind users without a name.
const KNOWN: Duration = Duration::from_secs(3600);
/// Users that are cached, at most.
const REMEMBERED: usize = 1024;

/// The users that were looked up, with the time.
type KnownUsers = HashMap<u32, (Option<UserName>, Instant)>;
type UserFound = Result<UserName, GreetingState>;

/// The connection limits and the cached users.
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

/// A peer whose name is not known yet.
pub(super) struct Arriving {
    peers: Arc<UserLimits>,
    uid: u32,
    turn: Option<AdmissionRequest<u32>>,
}

/// An admitted peer, until this is dropped.
pub(super) struct Admitted {
    pub(super) user: User,
    _permit: ConversationPermit<u32>,
}

impl UserLimits {
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
            users: ConnectionLimit::new(OF_USERS, OF_ONE_USER),
            services: ConnectionLimit::new(OF_SERVICES, OF_SERVICES),
            look_ups: Admission::new(LOOK_UPS),
            known: Mutex::default(),
            named: Mutex::new(named),
            find,
        }
    }

    /// Begins to admit a connection of a user; returns at once.
    pub(super) fn admit_connection(
        self: &Arc<UserLimits>,
        uid: u32,
    ) -> Result<Arriving, GreetingState> {
        if uid == OVERFLOW {
            return Err(GreetingState::NoAccount);
        }
        let class = match self.cached_user(uid) {
            Some((None, true)) => return Err(GreetingState::NoAccount),
            Some((Some(_), true)) => None,
            Some((Some(_), false)) => Some(AdmissionClass::Familiar),
            Some((None, false)) | None => Some(AdmissionClass::Unauthenticated),
        };
        let turn = class.map(|class| self.look_ups.acquire(class, uid));
        Ok(Arriving {
            peers: Arc::clone(self),
            uid,
            turn: turn.transpose().map_err(|_| GreetingState::Busy)?,
        })
    }

    fn known_users(&self) -> MutexGuard<'_, KnownUsers> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the cached result for a user, and whether it is fresh.
    fn cached_user(&self, uid: u32) -> Option<(Option<UserName>, bool)> {
        self.known_users()
            .get(&uid)
            .map(|(name, at)| (name.clone(), at.elapsed() < FRESH))
    }

    fn cache_user(&self, uid: u32, name: Option<UserName>) {
        let mut known = self.known_users();
        if known.len() >= REMEMBERED && !known.contains_key(&uid) {
            known.retain(|_, (name, at)| name.is_some() && at.elapsed() < KNOWN);
        }
        // users without a name, however many, never replace those with one
        if known.len() < REMEMBERED || known.contains_key(&uid) {
            known.insert(uid, (name, Instant::now()));
        }
    }

    /// Looks up a user on a thread of its own, which counts against the limit until the name
    /// service replies.
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
                    Ok(name) => peers.cache_user(uid, Some(name.clone())),
                    Err(GreetingState::NoAccount) => peers.cache_user(uid, None),
                    Err(_) => {}
                }
                // the connection that waited may have given up
                let _ = sender.send(found);
            });
        let left = until.saturating_duration_since(Instant::now());
        match started {
            Ok(_) => receiver
                .recv_timeout(left)
                .unwrap_or(Err(GreetingState::NameUnavailable)),
            Err(_) => Err(GreetingState::Busy),
        }
    }
}

impl NamedUser {
    /// Returns whether a user is named, by the configuration of at most a second ago, or by the
    /// last valid one.
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
    /// Admits a connection once its user's name is known. The oldest connection of a user with too
    /// many ends; at the limit of all users, the oldest connection of the user with the most.
    pub(super) fn admit(self, stream: &Arc<UnixStream>) -> Result<Admitted, GreetingState> {
        self.admit_until(ends(stream))
    }

    fn admit_until(self, end: impl Fn() + Send + 'static) -> Result<Admitted, GreetingState> {
        let Arriving { peers, uid, turn } = self;
        let name = match turn {
            None => peers
                .cached_user(uid)
                .and_then(|(name, _)| name)
                .ok_or(GreetingState::NoAccount)?,
            Some(turn) => {
                let until = Instant::now() + PATIENCE;
                let place = turn.wait(PATIENCE).map_err(|_| GreetingState::Busy)?;
                peers.look_up(uid, place, until)?
            }
        };
        let mut named = peers.named.lock().unwrap_or_else(PoisonError::into_inner);
        let is_service = named.contains(&name);
        drop(named);
        let limit = match is_service {
            true => &peers.services,
            false => &peers.users,
        };
        let permit = limit.admit(uid, false, end).ok_or(GreetingState::Busy)?;
        let user = User {
            uid,
            name,
            is_service,
        };
        Ok(Admitted {
            user,
            _permit: permit,
        })
    }
}

/// Returns the name of a user, which is the name of the account.
fn find(uid: u32) -> UserFound {
    match unistd::User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => {
            UserName::parse(user.name.as_bytes()).map_err(|_| GreetingState::NoAccount)
        }
        Ok(None) => Err(GreetingState::NoAccount),
        Err(_) => Err(GreetingState::NameUnavailable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn find_below_2000(uid: u32) -> UserFound {
        match uid < 2000 {
            true => Ok(format!("user{uid}").parse().unwrap()),
            false => Err(GreetingState::NoAccount),
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

    fn admit(peers: &Arc<UserLimits>, uid: u32) -> Result<Admitted, GreetingState> {
        peers.admit_connection(uid)?.admit_until(|| {})
    }

    /// Sixteen users without a name reached the connection limit.
    #[test]
    fn users_without_a_name_take_no_place() {
        let peers = peers_finding(find_below_2000, &[]);
        for uid in 100_000..100_100 {
            assert_eq!(admit(&peers, uid).err(), Some(GreetingState::NoAccount));
        }
        assert_eq!(
            admit(&peers, OVERFLOW).err(),
            Some(GreetingState::NoAccount)
        );
        assert_eq!(peers.users.open(), 0);
        assert!(admit(&peers, 1000).is_ok());
    }

    /// Two thousand connections of one user end one another and no others; services have a limit
    /// of their own.
    #[test]
    fn a_user_with_too_many_ends_the_oldest_of_their_own() {
        let peers = peers_finding(find_below_2000, &[990]);
        let (ended, of_others) = (Arc::default(), Arc::default());
        let admit = |uid, ended: &Arc<AtomicUsize>| {
            let ended = Arc::clone(ended);
            let end = move || _ = ended.fetch_add(1, Ordering::SeqCst);
            peers
                .admit_connection(uid)
                .unwrap()
                .admit_until(end)
                .unwrap()
        };
        let mut held = vec![admit(1001, &of_others), admit(990, &of_others)];
        held.extend((0..2000).map(|_| admit(1000, &ended)));
        held.push(admit(1002, &of_others));
        assert_eq!(peers.users.open(), OF_ONE_USER + 2);
        assert_eq!(ended.load(Ordering::SeqCst), 2000 - OF_ONE_USER);
        assert_eq!(of_others.load(Ordering::SeqCst), 0);
        assert!(held[1].user.is_service && peers.services.open() == 1);
    }

    /// A name service that did not reply stopped all accepting.
    #[test]
    fn a_slow_look_up_stops_no_user_who_is_known() {
        fn find(uid: u32) -> UserFound {
            if uid != 1000 {
                thread::sleep(Duration::from_millis(400));
                return Err(GreetingState::NameUnavailable);
            }
            find_below_2000(uid)
        }
        let peers = peers_finding(find, &[]);
        assert!(admit(&peers, 1000).is_ok());
        let stuck: Vec<_> = (1001..1100)
            .filter_map(|uid| peers.admit_connection(uid).ok())
            .collect();
        assert!(stuck.len() <= LOOK_UPS.capacity() + LOOK_UPS.unauthenticated.waiting);
        let began = Instant::now();
        assert!(admit(&peers, 1000).is_ok());
        assert!(began.elapsed() < Duration::from_millis(300));
    }

    /// A slow result is cached: the next connection does not wait for the name service again.
    #[test]
    fn a_look_up_that_came_too_late_counts_for_the_next_connection() {
        fn find(uid: u32) -> UserFound {
            thread::sleep(PATIENCE + Duration::from_millis(100));
            find_below_2000(uid)
        }
        let peers = peers_finding(find, &[]);
        assert_eq!(
            admit(&peers, 1000).err(),
            Some(GreetingState::NameUnavailable)
        );
        let until = Instant::now() + Duration::from_secs(10);
        while peers.cached_user(1000).is_none() && Instant::now() < until {
            thread::yield_now();
        }
        assert!(admit(&peers, 1000).is_ok());
    }
}
