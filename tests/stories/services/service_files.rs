//! The service files of config/pam.d equal those of Debian's packages, except for Postern's lines.

use testhost::Host;

/// The lines that replace common-auth.
const OURS: [&str; 3] = [
    "auth requisite pam_unix.so",
    "auth required pam_totp.so first_factor=passed",
    "auth required pam_permit.so",
];
/// The line that ends sessions and trusted browsers after a password change.
const CHANGE: &str = "password optional pam_totp.so";
/// The lines of sshd alone: one skips the password after a key, the other guards the account phase.
const OF_SSHD: [&str; 3] = [
    "auth [success=1 default=ignore] pam_totp.so proven",
    "account required pam_totp.so",
    CHANGE,
];

/// Returns the lines of a service file that PAM reads.
fn lines(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
#[ignore = "needs the test host: tests/run"]
fn each_is_debians_with_our_lines() {
    let host = Host::fresh();
    for service in ["sshd", "sudo", "sudo-i", "su", "login"] {
        host.sample(service);
        let sample = lines(
            &std::fs::read_to_string(format!("/etc/pam.d/{service}")).expect("it was put there"),
        );
        let ours: &[&str] = match service {
            "sshd" => &OF_SSHD,
            "login" => &[CHANGE],
            _ => &[],
        };
        let at = sample
            .iter()
            .position(|line| line == OURS[0])
            .expect("it asks for the password itself");
        assert_eq!(sample[at..at + 3], OURS, "{service}");
        assert_eq!(
            sample
                .iter()
                .filter(|line| line.contains("pam_totp.so"))
                .count(),
            1 + ours.len(),
            "{service}"
        );

        let kept = |line: &&String| {
            !ours.contains(&line.as_str())
                && !OURS.contains(&line.as_str())
                && *line != "@include common-auth"
        };
        let shipped = lines(&host.shipped(service));
        let theirs: Vec<&String> = shipped.iter().filter(kept).collect();
        assert_eq!(
            sample.iter().filter(kept).collect::<Vec<_>>(),
            theirs,
            "{service}"
        );
    }
}
