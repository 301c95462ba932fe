//! Invariants of session cookies and sealed tokens: only issued ones are accepted, byte for byte.

use postern_shared::crypto::master_key::MasterKeys;
use postern_shared::crypto::vault::{TokenKeys, Vault};
use postern_shared::engine::EnrollmentToken;
use postern_shared::policy::session_groups::SessionGroups;
use postern_shared::system::clock::Timestamp;
use postern_shared::token::session::{
    CompletedFactors, FactorTimes, FirstFactorMethod, SecondFactorMethod, Session, SessionId,
};
use postern_shared::token::{AccessToken, LoginToken, PageMessage, RefreshToken, StepUpToken};
use std::sync::LazyLock;

const NOW: Timestamp = Timestamp(1_700_000_000);

/// Keys, a session, and its cookie, access token and refresh token.
static ISSUED: LazyLock<(TokenKeys, Session, [String; 3])> = LazyLock::new(|| {
    let (masters, _) = MasterKeys::generate().expect("a key");
    let wrapped = Vault::create(&masters).expect("data keys");
    let keys = Vault::open(&masters, &wrapped)
        .expect("a vault")
        .token_keys();
    let session = Session {
        id: SessionId([7; 16]),
        account: 1,
        generation: 2,
        revision: 3,
        passed: CompletedFactors {
            first: FirstFactorMethod::Password,
            second: SecondFactorMethod::Code,
        },
        passed_at: FactorTimes {
            first: NOW,
            second: NOW,
        },
        issued: NOW,
        opened: NOW,
        expires: NOW.plus(3600),
        name: "alice".parse().expect("a name"),
        scope: "example.com".to_owned(),
        groups: Vec::new(),
        host_groups: SessionGroups::default(),
        email: None,
    };
    let access = AccessToken::issue_access(&session, &keys, session.expires, NOW).expect("a token");
    let refresh = RefreshToken::issue_first(&session, &keys, NOW).expect("a token");
    let sealed = [
        session.to_cookie(&keys),
        access.seal(&keys).expect("sealed").to_string(),
        refresh.seal(&keys).expect("sealed").to_string(),
    ];
    (keys, session, sealed)
});

/// Changes an issued token as the input says, and opens it as every kind. Returns whether one kind
/// accepts it. The first byte selects the token; any other value takes the remaining bytes as the
/// token. Each group of three bytes after it is a position (little-endian) and the new byte there.
pub fn forged(bytes: &[u8]) -> bool {
    let (keys, session, issued) = &*ISSUED;
    let Some((kind, edits)) = bytes.split_first() else {
        return false;
    };
    let text = match issued.get(usize::from(kind % 4)) {
        Some(issued) => edited(issued, edits),
        None => String::from_utf8_lossy(edits).into_owned(),
    };
    let [cookie, access, refresh] = issued.each_ref().map(|issued| *issued == text);
    let as_cookie = Session::from_cookie(&text, keys);
    assert_eq!(as_cookie.as_ref(), cookie.then_some(session));
    assert_eq!(
        AccessToken::open_access(&text, keys, NOW).as_ref(),
        access.then_some(session)
    );
    let as_refresh = RefreshToken::open_refresh(&text, keys, NOW);
    assert_eq!(
        as_refresh.and_then(|token| token.session(keys)).as_ref(),
        refresh.then_some(session)
    );
    // No token of these kinds was issued.
    assert!(StepUpToken::open_step_up(&text, keys, session, NOW).is_none());
    assert!(LoginToken::open_login(&text, keys, NOW).is_none());
    assert!(EnrollmentToken::open_enrollment(&text, keys, NOW).is_none());
    // Nor was a page message, and no token is one.
    assert!(PageMessage::open(&text, keys, "sign-in", NOW).is_none());
    // Each token is accepted only within its validity.
    assert!(AccessToken::open_access(&text, keys, NOW.plus(3600)).is_none());
    assert!(RefreshToken::open_refresh(&text, keys, Timestamp(NOW.0 - 1)).is_none());
    cookie || access || refresh
}

fn edited(issued: &str, edits: &[u8]) -> String {
    let mut text = issued.as_bytes().to_vec();
    for edit in edits.chunks_exact(3) {
        let position = usize::from(u16::from_le_bytes([edit[0], edit[1]])) % (text.len() + 1);
        match text.get_mut(position) {
            Some(byte) => *byte = edit[2],
            None => text.push(edit[2]),
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}
