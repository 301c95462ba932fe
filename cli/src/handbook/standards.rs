//! docs/standards.md and `postern check --profile` say the same: each line that is met by a setting, or
//! by a default that a setting can change, is in the table of the command, and the reverse.

use super::generated::checkout;
use crate::check::profile::Profile;
use crate::check::profile::requirements::{PROFILE_REQUIREMENTS, ProfileRequirement};
use postern_shared::config::Config;

/// The headings of the page, and the profile of the tables below each.
const CHAPTERS: [(&str, Profile); 4] = [
    ("NIST SP 800-63B-4", Profile::Nist),
    ("OWASP ASVS 5.0, V6 Authentication", Profile::Asvs),
    ("OWASP ASVS 5.0, V7 Session management", Profile::Asvs),
    ("PCI DSS 4.0.1, requirement 8.5.1", Profile::Pci),
];

/// A line of the page that names settings.
#[derive(Debug, PartialEq)]
struct SettingLine {
    profile: String,
    section: String,
    asks: String,
    settings: Vec<String>,
    /// Whether a setting must be changed for it.
    is_by_setting: bool,
}

fn lines_of_page(text: &str) -> Vec<SettingLine> {
    let (mut found, mut profile) = (Vec::new(), None);
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            let chapter = CHAPTERS.iter().find(|(title, _)| *title == heading);
            profile = Some(format!("{:?}", chapter.expect(heading).1));
        }
        let row = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"));
        let cells: Vec<&str> = row.unwrap_or_default().split(" | ").collect();
        let (Some(profile), [section, asks, result @ ("met" | "setting"), remarks]) =
            (&profile, cells.as_slice())
        else {
            continue;
        };
        let quoted = remarks.split('`').skip(1).step_by(2);
        let settings: Vec<String> = quoted
            .filter(|text| text.contains('.') && text.contains(" = "))
            .map(str::to_owned)
            .collect();
        if *result == "setting" || !settings.is_empty() {
            found.push(SettingLine {
                profile: profile.clone(),
                section: (*section).to_owned(),
                asks: (*asks).to_owned(),
                settings,
                is_by_setting: *result == "setting",
            });
        }
    }
    found
}

fn line_of_table(requirement: &ProfileRequirement) -> SettingLine {
    SettingLine {
        profile: format!("{:?}", requirement.profile),
        section: requirement.section.to_owned(),
        asks: requirement.asks.to_owned(),
        settings: requirement
            .settings
            .iter()
            .map(|text| (*text).to_owned())
            .collect(),
        is_by_setting: !(requirement.differences)(&Config::default()).is_empty(),
    }
}

#[test]
fn the_page_of_standards_and_the_profiles_of_check_name_the_same_settings() {
    let page = std::fs::read_to_string(checkout("docs/standards.md")).expect("the page");
    let table: Vec<SettingLine> = PROFILE_REQUIREMENTS.iter().map(line_of_table).collect();
    assert_eq!(lines_of_page(&page), table);
    // the attack: a page with another value, without a line, and with another result
    for (from, to) in [
        ("`recovery.length = 14`", "`recovery.length = 13`"),
        ("| 4.2.1.1 |", "4.2.1.1"),
        (
            "| two different factors | setting |",
            "| two different factors | met |",
        ),
        ("| inactivity timeout |", "| a timeout |"),
    ] {
        assert!(page.contains(from), "{from}");
        assert_ne!(lines_of_page(&page.replacen(from, to, 1)), table, "{to}");
    }
}
