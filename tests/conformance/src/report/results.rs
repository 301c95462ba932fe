//! Results of a run.

/// The results of one target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) target: String,
    pub(crate) ends: Vec<CaseEnd>,
}

/// How one case ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaseEnd {
    pub(crate) group: String,
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    pub(crate) seconds: f64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    /// With what the target did.
    Failed(String),
    /// With what the target lacks.
    Skipped(String),
}

impl Column {
    /// Returns how a case ended; `None` if it was not run.
    pub(crate) fn end(&self, group: &str, name: &str) -> Option<&CaseEnd> {
        let mut ends = self.ends.iter();
        ends.find(|end| (end.group.as_str(), end.name.as_str()) == (group, name))
    }

    /// Counts the cases that passed, failed and were skipped.
    pub(crate) fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for end in &self.ends {
            let place = match end.verdict {
                Verdict::Passed => 0,
                Verdict::Failed(_) => 1,
                Verdict::Skipped(_) => 2,
            };
            counts[place] += 1;
        }
        counts
    }
}

/// Returns group and name of each case of any column, each once, in order.
pub(crate) fn rows(columns: &[Column]) -> Vec<(&str, &str)> {
    let mut rows = Vec::new();
    for end in columns.iter().flat_map(|column| &column.ends) {
        let row = (end.group.as_str(), end.name.as_str());
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    rows
}
