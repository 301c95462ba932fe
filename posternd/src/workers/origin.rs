//! Origin by which conversations, and what they wait for, are counted.

/// By what conversations are counted: the real user of the host process, else the remote address, else the service.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientOrigin {
    /// Whoever runs the host process, where that is not root.
    User(u32),
    /// The remote address; of IPv6 its /64, since whoever has one of those has them all.
    Remote(String),
    /// The service, for whoever comes from no literal address.
    Service(Vec<u8>),
}
