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
    let (MailStatus::On, Some(stored), Some(hash)) = (account.mail, account.mailed_code, hash)
    else {
        return (Match::None, 0);
    };
    if digits.len() != DIGITS {
        return (Match::None, 0);
    }
    let is_valid = !stored.used && !stored.is_expired(now);
    // the hashes are compared in constant time
    let found = match stored.hash == hash {
        false => Match::None,
        true if stored.used => Match::Used { wait: 0 },
        true if stored.is_expired(now) => Match::Expired,
        true => Match::Mailed,
    };
    (found, usize::from(is_valid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::account::StoredMailedCode;

    const SENT: Timestamp = Timestamp(1_800_000_015);
    const HASH: MailedHash = MailedHash([1; 32]);

    fn compare_at(mail: MailStatus, used: bool, after: i64) -> (u8, usize) {
        let stored = StoredMailedCode {
            hash: HASH,
            sent: SENT,
            expires: SENT.plus(900),
            used,
            wrong_confirmations: 0,
        };
        let account = AccountCredentials {
            mail,
            mailed_code: Some(stored),
            ..AccountCredentials::without_credentials()
        };
        let now = Timestamp(SENT.0.checked_add_signed(after).unwrap());
        let compare = |hash, digits| compare_mailed_code(&account, Some(hash), digits, now);
        let (found, count) = compare(HASH, "000000");
        assert_eq!(compare(MailedHash([2; 32]), "000000").1, count);
        assert_eq!(compare(HASH, "00000000").1, 0);
        (found.rank(), count)
    }

    #[test]
    fn a_mailed_code_is_valid_from_its_issue_until_it_expires() {
        let (valid, expired) = ((Match::Mailed.rank(), 1), (Match::Expired.rank(), 0));
        for (after, expected) in [
            (0, valid),
            (899, valid),
            (900, expired),
            (901, expired),
            (-1, expired),
        ] {
            let found = compare_at(MailStatus::On, false, after);
            assert_eq!(found, expected, "{after}");
        }
    }

    #[test]
    fn a_used_code_is_recognised_and_without_mail_no_code_matches() {
        let used = Match::Used { wait: 0 }.rank();
        assert_eq!(compare_at(MailStatus::On, true, 0), (used, 0));
        let none = Match::None.rank();
        assert_eq!(compare_at(MailStatus::Off, false, 0), (none, 0));
    }
}
