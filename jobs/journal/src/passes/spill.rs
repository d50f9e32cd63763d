//! What a pass leaves for the next one on disk: records in files that are read once, front to back.
//!
//! Nothing here outlives its run, so the form is ours alone; but the disk is not, and bytes that nobody wrote are an error and not a panic.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

/// What a file that is written or read keeps in memory.
const BUFFER: usize = 64 << 10;
/// What all files of a kind that a thread writes at once keep together, however many parts a ledger has.
const ALL_BUFFERS: usize = 4 << 20;

/// What each of so many files keeps in memory.
pub fn buffer_for(files: usize) -> usize {
    (ALL_BUFFERS / files.max(1)).clamp(4 << 10, BUFFER)
}

pub struct SpillWriter {
    file: BufWriter<File>,
    record: Vec<u8>,
}

impl SpillWriter {
    /// A new file.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::one_of(1, path)
    }

    /// A new file, one of so many that are written at once.
    pub fn one_of(files: usize, path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(buffer_for(files), File::create_new(path)?);
        Ok(Self { file, record: Vec::new() })
    }

    /// Writes the record that `make` puts into the empty buffer.
    pub fn push(&mut self, make: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.record.clear();
        make(&mut self.record);
        self.file.write_all(&(self.record.len() as u32).to_le_bytes())?;
        self.file.write_all(&self.record)
    }

    pub fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }
}

pub struct SpillReader {
    file: BufReader<File>,
    record: Vec<u8>,
}

impl SpillReader {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufReader::with_capacity(BUFFER, File::open(path)?), record: Vec::new() })
    }

    /// The next record, or `None` at the end.
    pub fn record(&mut self) -> io::Result<Option<&[u8]>> {
        let mut length = [0; 4];
        if self.file.read(&mut length[..1])? == 0 {
            return Ok(None);
        }
        self.file.read_exact(&mut length[1..])?;
        self.record.resize(u32::from_le_bytes(length) as usize, 0);
        self.file.read_exact(&mut self.record)?;
        Ok(Some(&self.record))
    }

    /// The next record, made by `take`, which must use all of it.
    pub fn next_with<T>(&mut self, take: impl FnOnce(&mut &[u8]) -> Option<T>) -> io::Result<Option<T>> {
        let Some(mut record) = self.record()? else { return Ok(None) };
        match take(&mut record) {
            Some(taken) if record.is_empty() => Ok(Some(taken)),
            _ => Err(broken()),
        }
    }
}

pub fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a file that was put aside is not what was written")
}

pub fn put_f64(number: f64, out: &mut Vec<u8>) {
    out.extend(number.to_bits().to_le_bytes());
}

pub fn take_f64(bytes: &mut &[u8]) -> Option<f64> {
    take_array(bytes).map(|raw| f64::from_bits(u64::from_le_bytes(raw)))
}

pub fn put_text(text: &str, out: &mut Vec<u8>) {
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

pub fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let length = u32::from_le_bytes(take_array(bytes)?) as usize;
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    std::str::from_utf8(text).ok()
}

pub fn take_array<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        let mut writer = SpillWriter::create(&path).unwrap();
        for (text, number) in [("a", -0.5), ("", f64::NAN), ("größer", 1e300)] {
            writer
                .push(|out| {
                    put_text(text, out);
                    put_f64(number, out);
                })
                .unwrap();
        }
        writer.finish().unwrap();

        let mut reader = SpillReader::open(&path).unwrap();
        let mut read = Vec::new();
        let take = |bytes: &mut &[u8]| Some((take_text(bytes)?.to_string(), take_f64(bytes)?.to_bits()));
        while let Some(record) = reader.next_with(take).unwrap() {
            read.push(record);
        }

        let expected = [("a", -0.5_f64), ("", f64::NAN), ("größer", 1e300)];
        assert_eq!(read, expected.map(|(text, number)| (text.to_string(), number.to_bits())));
    }

    #[test]
    fn a_file_that_is_cut_or_longer_than_its_records_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records");
        let mut writer = SpillWriter::create(&path).unwrap();
        writer.push(|out| put_f64(1.0, out)).unwrap();
        writer.finish().unwrap();
        let whole = std::fs::read(&path).unwrap();
        let read = |bytes: &[u8], take: fn(&mut &[u8]) -> Option<f64>| {
            std::fs::write(&path, bytes).unwrap();
            SpillReader::open(&path).unwrap().next_with(take)
        };

        assert!(read(&whole[..whole.len() - 1], take_f64).is_err());
        assert!(read(&whole[..3], take_f64).is_err());
        assert!(read(&whole, |_| Some(1.0)).is_err());
        assert_eq!(read(&whole, take_f64).unwrap(), Some(1.0));
    }
}
