//! The archive that a workbook is: nothing is unpacked that claims to be, or turns out to be, far larger than its file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use crate::ingest::ReadError;

/// Of one part. A full sheet of a million long rows stays below it.
const LARGEST: u64 = 8 << 30;
/// Unpacked to packed: real sheets are at 10 to 60, a bomb at 1,000.
const HIGHEST_RATIO: u64 = 300;
/// Small parts may be all alike.
const SMALL: u64 = 16 << 20;

pub(super) struct Package {
    path: PathBuf,
    parts: Vec<Entry>,
}

struct Entry {
    name: String,
    start: u64,
    packed: u64,
    unpacked: u64,
    crc: u32,
    deflated: bool,
}

impl Package {
    pub(super) fn open(path: &Path) -> Result<Self, ReadError> {
        let broken = |error: zip::result::ZipError| ReadError::Workbook {
            problem: format!("cannot be unpacked: {error}"),
        };
        let mut archive = ZipArchive::new(File::open(path)?).map_err(broken)?;
        let mut parts = Vec::new();
        for index in 0..archive.len() {
            let part = archive.by_index_raw(index).map_err(broken)?;
            let name = part.name().map_err(broken)?.into_owned();
            let Some(start) = part.data_start() else { continue };
            let deflated = match part.compression() {
                CompressionMethod::Stored => false,
                CompressionMethod::Deflated => true,
                _ => continue,
            };
            parts.push(Entry {
                name,
                start,
                packed: part.compressed_size(),
                unpacked: part.size(),
                crc: part.crc32(),
                deflated,
            });
        }
        Ok(Self { path: path.into(), parts })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.parts.iter().any(|part| part.name == name)
    }

    pub(super) fn part(&self, name: &str) -> Result<Part<File>, ReadError> {
        let found = self.parts.iter().find(|part| part.name == name);
        let entry = found.ok_or_else(|| ReadError::Workbook { problem: format!("has no part `{name}`") })?;
        let most = LARGEST.min(SMALL.max(entry.packed.saturating_mul(HIGHEST_RATIO)));
        if entry.unpacked > most {
            let problem = format!(
                "has a part `{name}` of {} bytes that unpacks to {}; no real one does",
                entry.packed, entry.unpacked
            );
            return Err(ReadError::Workbook { problem });
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(entry.start))?;
        let packed = file.take(entry.packed);
        let bytes =
            if entry.deflated { Bytes::Deflated(DeflateDecoder::new(packed)) } else { Bytes::Stored(packed) };
        Ok(Part { bytes, crc: Crc::new(), expected: entry.crc, passed: 0, size: entry.unpacked })
    }
}

/// The unpacked bytes of a part: as many as the directory says, and with its checksum.
pub(super) struct Part<R> {
    bytes: Bytes<R>,
    crc: Crc,
    expected: u32,
    passed: u64,
    size: u64,
}

enum Bytes<R> {
    Stored(io::Take<R>),
    Deflated(DeflateDecoder<io::Take<R>>),
}

impl<R> Part<R> {
    pub(super) fn unpacked(&self) -> u64 {
        self.passed
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

impl<R: Read> Read for Part<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.bytes {
            Bytes::Stored(bytes) => bytes.read(buffer)?,
            Bytes::Deflated(bytes) => bytes.read(buffer)?,
        };
        self.crc.update(&buffer[..read]);
        self.passed += read as u64;
        let wrong = |problem: &str| Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        if self.passed > self.size {
            return wrong("a part of the workbook unpacks to more than it says");
        }
        if read == 0 && !buffer.is_empty() && (self.passed, self.crc.sum()) != (self.size, self.expected) {
            return wrong("a part of the workbook is damaged");
        }
        Ok(read)
    }
}
