//! What a demo was to show and did not: a newcomer who is told that all went well looks at it, and scripts look at the exit code.

use std::path::{Path, PathBuf};

use store::JobDetail;
use store::state::JobState;

use super::Told;
use super::envelope::Signed;

/// Each on a line; none where it showed what it says.
pub fn missing(
    told: &[Told],
    outputs: &[PathBuf],
    signed: &Result<Option<Signed>, String>,
    is_there: impl Fn(&Path) -> bool,
) -> Vec<String> {
    let mut missing = Vec::new();
    for Told { what, detail: JobDetail { job, .. } } in told {
        if job.state != JobState::Completed {
            let error = job.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
            missing.push(format!("the job that {what} ({}) is {}{error}", job.kind, job.state.name()));
        }
    }
    let lies = |path: &Path| format!("{} is not there", path.display());
    missing.extend(outputs.iter().filter(|path| !is_there(path)).map(|path| lies(path)));
    match signed {
        Err(problem) => missing.push(format!("the envelope: DocuSign cannot be emulated here: {problem}")),
        Ok(None) => missing.push("the envelope was not sent".into()),
        Ok(Some(signed)) if !signed.is_archived() => {
            missing.push(format!("the envelope {} is {}, and not archived", signed.key, signed.state));
        }
        Ok(Some(Signed { key, folder, archive, .. })) => match folder {
            Some(folder) if !archive.is_empty() => {
                let files = archive.iter().map(|file| folder.join(&file.name));
                missing.extend(files.filter(|path| !is_there(path)).map(|path| lies(&path)));
            }
            _ => missing.push(format!("the envelope {key} has no files in its archive")),
        },
    }
    missing
}

#[cfg(test)]
mod tests {
    use docusign::envelope::{Archived, ArchivedKind};
    use jiff::Timestamp;
    use jobkit::JobId;
    use store::JobRow;

    use super::*;

    fn told(state: JobState, error: Option<&str>) -> Told {
        let at = Timestamp::UNIX_EPOCH;
        let job = JobRow {
            id: JobId(uuid::Uuid::nil()),
            kind: "system.noop".into(),
            queue: "default".into(),
            state,
            priority: 0,
            attempt: 1,
            max_attempts: 3,
            run_at: at,
            created_at: at,
            claimed_at: None,
            finished_at: None,
            worker: None,
            tenant: None,
            tags: Vec::new(),
            metadata: None,
            args: "{}".into(),
            result: None,
            error: error.map(str::to_owned),
            ran: None,
        };
        let detail =
            JobDetail { job, attempts: Vec::new(), steps: Vec::new(), progress: None, waits_for: Vec::new() };
        Told { what: "does nothing", detail }
    }

    fn signed(state: &'static str, files: &[&str]) -> Result<Option<Signed>, String> {
        let file = |name: &&str| Archived {
            name: (*name).into(),
            kind: ArchivedKind::Document,
            sha256: String::new(),
            bytes: 1,
            address: String::new(),
        };
        Ok(Some(Signed {
            key: "report-1".into(),
            envelope: None,
            state,
            went: Vec::new(),
            folder: Some("/archive".into()),
            archive: files.iter().map(file).collect(),
        }))
    }

    /// Where DocuSign could not be emulated, or a file was gone, it said so at best, and that all went well.
    #[test]
    fn whatever_was_not_shown_is_missing() {
        let (well, outputs) = (|| told(JobState::Completed, None), [PathBuf::from("/results/report.pdf")]);
        let is_there = |path: &Path| !path.ends_with("gone.pdf");
        let gone = [PathBuf::from("/results/gone.pdf")];
        let archived = || signed("archived", &["001-report.pdf"]);
        for (job, outputs, signed, expected) in [
            (well(), &outputs, archived(), None),
            (
                told(JobState::Discarded, Some("no room")),
                &outputs,
                archived(),
                Some("the job that does nothing (system.noop) is discarded: no room"),
            ),
            (
                told(JobState::Waiting, None),
                &outputs,
                archived(),
                Some("the job that does nothing (system.noop) is waiting"),
            ),
            (well(), &gone, archived(), Some("/results/gone.pdf is not there")),
            (
                well(),
                &outputs,
                Err("no loopback".into()),
                Some("the envelope: DocuSign cannot be emulated here: no loopback"),
            ),
            (well(), &outputs, Ok(None), Some("the envelope was not sent")),
            (
                well(),
                &outputs,
                signed("completed", &[]),
                Some("the envelope report-1 is completed, and not archived"),
            ),
            (
                well(),
                &outputs,
                signed("archived", &[]),
                Some("the envelope report-1 has no files in its archive"),
            ),
            (
                well(),
                &outputs,
                signed("archived", &["001-report.pdf", "gone.pdf"]),
                Some("/archive/gone.pdf is not there"),
            ),
        ] {
            let missing = missing(&[well(), job], outputs, &signed, is_there);

            assert_eq!(missing, Vec::from_iter(expected), "{signed:?}");
        }
    }
}
