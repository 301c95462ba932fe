//! The origin by which conversations are counted, and wait for workers.

/// The real user of the host process, else the remote address, else the service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientOrigin {
    /// The user who runs the host process, if that is not root.
    User(u32),
    /// The remote address; of IPv6 its /64, since one client can use all addresses of it.
    Remote(String),
    /// The service, where the remote host is no literal address.
    Service(Vec<u8>),
    /// The host of a fleet, by its number in the store, or one that has not joined.
    Host(Option<i64>),
    /// The users of such a host, for processes of their own.
    HostUsers(i64),
}
