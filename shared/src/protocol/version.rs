//! Versions of the protocol, and the sockets of posternd. A build speaks two versions, so that the
//! module and posternd can be upgraded one after the other.

/// Protocol versions of this build, newest first: its own and the previous one. Since version 2 a
/// host that runs as root identifies its transaction.
#[cfg(not(feature = "previous-protocol"))]
pub const VERSIONS: &[u16] = &[2, 1];
/// Protocol versions of the previous release.
#[cfg(feature = "previous-protocol")]
pub const VERSIONS: &[u16] = &[1];

/// Socket of posternd for PAM hosts of effective user 0.
pub const HOST_SOCKET: &str = "/run/postern/host.sock";

/// Socket of posternd for PAM hosts of every other effective user, and for commands of users.
pub const PAM_SOCKET: &str = "/run/postern/pam.sock";

/// Returns the newest version that both sides speak.
pub fn common_version(theirs: &[u16]) -> Option<u16> {
    VERSIONS
        .iter()
        .copied()
        .find(|version| theirs.contains(version))
}
