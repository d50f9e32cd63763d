//! How files come to be: whole or not at all, and harmless to whoever opens them.
//!
//! A file appears whole or not at all: it is written under another name, synced, and renamed. Text that came from the
//! ledger cannot become a formula in the reader's spreadsheet.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::ingest::Rejection;

/// A ledger that was fetched, for as long as an attempt reads it.
pub const LEDGER: &str = "ledger";
pub const REJECTED: &str = "rejected.csv";
pub const SUMMARY_TEXT: &str = "summary.txt";

/// Names a run in the names of its unfinished files, so that no two ever write into one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTag {
    pub run: String,
    /// Of each time that the run is taken up another; of a later one larger. The number of the attempt does not do:
    /// an attempt that is given back leaves its number to the next, and may still be writing.
    pub claim: u64,
}

impl RunTag {
    pub(crate) fn partial(&self, folder: &Path, name: &str) -> PathBuf {
        folder.join(format!(".{name}.{}-{:016x}.partial", self.run, self.claim))
    }

    /// Whether a file of this name was begun under an earlier claim of the run.
    pub(crate) fn is_earlier(&self, name: &str, file: &str) -> bool {
        let claim = file
            .strip_prefix(&format!(".{name}.{}-", self.run))
            .and_then(|rest| rest.strip_suffix(".partial"))
            .and_then(|claim| u64::from_str_radix(claim, 16).ok());
        claim.is_some_and(|claim| claim < self.claim)
    }

    fn remove_earlier(&self, folder: &Path, name: &str) -> io::Result<()> {
        for file in fs::read_dir(folder)? {
            let file = file?;
            if !file.file_name().to_str().is_some_and(|file| self.is_earlier(name, file)) {
                continue;
            }
            match fs::remove_file(file.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// A file that does not exist yet under its name. Dropped without [`Pending::commit`], it never will.
pub struct Pending {
    partial: PathBuf,
    target: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl Pending {
    /// Removes what earlier claims of the run left. Should one of them still be alive, having lost its lease, it can
    /// then no longer put what it has begun in the place of ours.
    pub fn create(folder: &Path, name: &str, tag: &RunTag) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        tag.remove_earlier(folder, name)?;
        let partial = tag.partial(folder, name);
        let writer = Some(BufWriter::new(File::create_new(&partial)?));
        Ok(Self { partial, target: folder.join(name), writer })
    }

    /// Where it is meanwhile.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    pub fn commit(mut self) -> io::Result<PathBuf> {
        if let Some(writer) = self.writer.take() {
            writer.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        }
        fs::rename(&self.partial, &self.target)?;
        // The rename itself must survive a power cut too.
        if let Some(folder) = self.target.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(self.target.clone())
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.as_mut().map_or(Ok(0), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After a commit there is nothing to remove, and a left-over is removed by the next claim.
        let _ = fs::remove_file(&self.partial);
    }
}

/// The list of rejected lines.
pub struct Rejections {
    csv: csv::Writer<Pending>,
}

impl Rejections {
    pub fn create(folder: &Path, tag: &RunTag) -> io::Result<Self> {
        let mut csv = csv::Writer::from_writer(Pending::create(folder, REJECTED, tag)?);
        csv.write_record(["first_line", "last_line", "field", "problem", "remedy"])?;
        Ok(Self { csv })
    }

    pub fn push(&mut self, rejection: &Rejection) -> io::Result<()> {
        let lines = [rejection.first_line.to_string(), rejection.last_line.to_string()];
        let record =
            [&*lines[0], &*lines[1], &*rejection.field, &*harmless(&rejection.problem), &*rejection.remedy];
        Ok(self.csv.write_record(record)?)
    }

    /// Says that so many more were rejected and are not listed.
    pub fn more(&mut self, count: u64) -> io::Result<()> {
        if count == 0 {
            return Ok(());
        }
        let more = format!("{count} more lines were rejected, and are not listed");
        let remedy = "mend what is listed and score the ledger again; the results count all";
        Ok(self.csv.write_record(["", "", "", &*more, remedy])?)
    }

    pub fn commit(self) -> io::Result<PathBuf> {
        self.csv.into_inner().map_err(|error| io::Error::other(error.to_string()))?.commit()
    }
}

/// A leading apostrophe tells spreadsheets that the cell is text, where its first character would start a formula.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    match text.trim_start().as_bytes().first() {
        Some(b'=' | b'+' | b'-' | b'@') => format!("'{text}").into(),
        _ if text.starts_with(['\t', '\r', '\n']) => format!("'{text}").into(),
        _ => text.into(),
    }
}

pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_ledger_cannot_become_a_formula() {
        for (text, cell) in [
            ("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM", "'@SUM"),
            (" =1", "' =1"),
            ("\tx", "'\tx"),
            ("100-1", "100-1"),
            ("", ""),
        ] {
            assert_eq!(harmless(text), cell);
        }
    }

    #[test]
    fn a_file_appears_only_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let names =
            || fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect::<Vec<_>>();

        let tag = RunTag { run: "run".into(), claim: 1 };
        let mut given_up = Pending::create(folder.path(), "a.txt", &tag).unwrap();
        given_up.write_all(b"half").unwrap();
        assert_eq!(names(), [".a.txt.run-0000000000000001.partial"]);
        drop(given_up);
        assert!(names().is_empty());

        let mut file = Pending::create(folder.path(), "a.txt", &tag).unwrap();
        file.write_all(b"whole").unwrap();
        file.commit().unwrap();
        assert_eq!(names(), ["a.txt"]);
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"whole");
    }

    #[test]
    fn an_attempt_that_lost_its_lease_cannot_replace_the_file_of_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let create =
            |claim| Pending::create(folder.path(), "a.txt", &RunTag { run: "run".into(), claim }).unwrap();
        let mut lost = create(1);
        lost.write_all(b"old").unwrap();
        let mut next = create(2);
        next.write_all(b"new").unwrap();

        next.commit().unwrap();
        let refused = lost.commit();

        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"new");
    }

    #[test]
    fn only_unfinished_files_of_earlier_claims_of_the_run_are_removed() {
        let tag = RunTag { run: "run".into(), claim: 0x0000_0010_0000_0007 };
        for (file, is_earlier) in [
            (".a.txt.run-0000000f00000009.partial", true),
            (".a.txt.run-0000001000000006.partial", true),
            (".a.txt.run-0000001000000007.partial", false),
            (".a.txt.run-0000001100000001.partial", false),
            (".a.txt.other-0000000100000001.partial", false),
            (".b.txt.run-0000000100000001.partial", false),
            (".a.txt.run-what.partial", false),
            (".a.txt.run-0000000100000001", false),
            ("a.txt", false),
        ] {
            assert_eq!(tag.is_earlier("a.txt", file), is_earlier, "{file}");
        }
    }
}
