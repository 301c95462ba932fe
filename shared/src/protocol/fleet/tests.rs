//! Tests of what host and server agree on.

use super::super::PamFunction;
use super::*;

#[test]
fn host_and_server_of_two_releases_use_the_newest_version_of_both() {
    // a newer host at an older server, and the other way round
    assert_eq!(newest_common(&[3, 2], &[2, 1]), Some(2));
    assert_eq!(newest_common(&[2, 1], &[3, 2]), Some(2));
    assert_eq!(newest_common(&[2, 1], &[1, 2]), Some(2));
    assert_eq!(newest_common(&[3], &[2, 1]), None);
    assert_eq!(newest_common(&[1], &[]), None);
}

/// An older server would take a user's own process for a PAM host of root's.
#[test]
fn that_a_process_is_a_users_own_is_sent_since_version_3() {
    let sent = |version, is_users| {
        let relayed = RelayedConversation {
            version,
            is_users,
            transaction: PamTransaction {
                hook: PamFunction::Auth,
                options: Vec::new(),
                service: Some(b"locker".to_vec()),
                user: Some(b"alice".to_vec()),
                remote_host: None,
                terminal: None,
                ssh_connection: None,
                ssh_auth_info: None,
                real_uid: 1000,
                mark: None,
            },
            id: None,
            facts: HostFacts {
                user: LookedUpUser::Absent,
                real_user: LookedUpUser::Found(b"alice".to_vec()),
                runs_as: "alice".to_owned(),
                groups: Vec::new(),
            },
        };
        let mut bytes = Vec::new();
        super::super::send(&mut bytes, &HostRequest::Conversation(Box::new(relayed))).unwrap();
        let request: HostRequest = super::super::receive(&mut bytes.as_slice()).unwrap();
        match request {
            HostRequest::Conversation(relayed) => relayed.is_users,
            _ => panic!("another request"),
        }
    };
    assert!(sent(3, true) && !sent(3, false));
    assert!(!sent(2, false) && !sent(1, false));
}
