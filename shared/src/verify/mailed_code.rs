//! Comparison with the newest mailed code. Earlier codes are not kept, so they are no longer valid.

use super::account::AccountCredentials;
use super::matching::Match;
use crate::account::second_factor::MailStatus;
use crate::crypto::vault::MailedHash;
use crate::system::clock::Timestamp;

/// Digits of a mailed code.
pub(super) const DIGITS: usize = 6;

/// Compares the digits with the newest mailed code. Returns the match and how many codes could have
/// been accepted: one, or none if the code is used or has expired.
pub(super) fn compare_mailed_code(
    account: &AccountCredentials,
    hash: Option<MailedHash>,
    digits: &str,
    now: Timestamp,
) -> (Match, usize) {
    let (MailStatus::On, Some(kept), Some(hash)) = (account.mail, account.mailed_code, hash) else {
        return (Match::None, 0);
    };
    if digits.len() != DIGITS {
        return (Match::None, 0);
    }
    let opens = !kept.used && !kept.is_expired(now);
    // the hashes are compared in constant time
    let found = match kept.hash == hash {
        false => Match::None,
        true if kept.used => Match::Used { wait: 0 },
        true if kept.is_expired(now) => Match::Expired,
        true => Match::Mailed,
    };
    (found, usize::from(opens))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::second_factor::Enrolled;
    use crate::verify::account::StoredMailedCode;
    use crate::verify::throttle::Bucket;

    const SENT: Timestamp = Timestamp(1_800_000_015);
    const HASH: MailedHash = MailedHash([1; 32]);

    fn ruling(mail: MailStatus, used: bool, after: i64) -> (u8, usize) {
        let kept = StoredMailedCode {
            hash: HASH,
            sent: SENT,
            expires: SENT.plus(900),
            used,
            wrong_confirmations: 0,
        };
        let account = AccountCredentials {
            enrolled: Enrolled::Yes,
            authenticators: Vec::new(),
            decoy: None,
            mail,
            mailed_code: Some(kept),
            recovery_codes: Vec::new(),
            one_time_code: None,
            bucket: Bucket::default(),
            address_wait: None,
        };
        let now = Timestamp(SENT.0.checked_add_signed(after).unwrap());
        let (found, count) = compare_mailed_code(&account, Some(HASH), "000000", now);
        let (_, of_wrong) = compare_mailed_code(&account, Some(MailedHash([2; 32])), "000000", now);
        assert_eq!(count, of_wrong);
        assert_eq!(
            compare_mailed_code(&account, Some(HASH), "00000000", now).1,
            0
        );
        (found.rank(), count)
    }

    /// Trap 5.
    #[test]
    fn a_code_is_good_until_its_life_is_over_and_not_before_it_began() {
        let (live, over) = ((Match::Mailed.rank(), 1), (Match::Expired.rank(), 0));
        for (after, expected) in [(0, live), (899, live), (900, over), (901, over), (-1, over)] {
            assert_eq!(ruling(MailStatus::On, false, after), expected, "{after}");
        }
    }

    #[test]
    fn a_used_code_is_recognised_and_one_of_an_account_without_mail_is_nothing() {
        assert_eq!(
            ruling(MailStatus::On, true, 0),
            (Match::Used { wait: 0 }.rank(), 0)
        );
        assert_eq!(ruling(MailStatus::Off, false, 0), (Match::None.rank(), 0));
    }
}
