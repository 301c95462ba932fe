//! Versions of the protocol, and where posternd listens.

/// Protocol versions that this build speaks, newest first: its own and the one before. In version 2 a host of root's names
/// its transaction.
#[cfg(not(feature = "previous-protocol"))]
pub const VERSIONS: &[u16] = &[2, 1];
/// Those of the release before.
#[cfg(feature = "previous-protocol")]
pub const VERSIONS: &[u16] = &[1];

/// Where posternd listens for PAM hosts of effective user 0.
pub const HOST_SOCKET: &str = "/run/postern/host.sock";

/// Where posternd listens for PAM hosts of every other effective user, and for commands of users.
pub const PAM_SOCKET: &str = "/run/postern/pam.sock";

/// Returns the newest version that both sides speak.
pub fn common_version(theirs: &[u16]) -> Option<u16> {
    VERSIONS
        .iter()
        .copied()
        .find(|version| theirs.contains(version))
}
