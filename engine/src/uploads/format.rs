//! What a file is, by what is in it. A name and a media type are claims; the first bytes, and for text every byte, decide.

use std::fmt;
use std::path::Path;

use super::UploadError;
use super::package;

/// What is taken: what jobs can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines of fields, in UTF-8, UTF-16 with its mark or a code page of eight bits.
    Text,
    /// An object, or one on each line.
    Json,
    Xml,
    Xlsx,
    Parquet,
    /// For people to read and to sign, as is DOCX.
    Pdf,
    Docx,
}

impl Format {
    pub const ALL: [Format; 7] =
        [Self::Text, Self::Json, Self::Xml, Self::Xlsx, Self::Parquet, Self::Pdf, Self::Docx];

    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Xml => "xml",
            Self::Xlsx => "xlsx",
            Self::Parquet => "parquet",
            Self::Pdf => "pdf",
            Self::Docx => "docx",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::Xlsx => "a workbook (XLSX)",
            Self::Parquet => "Parquet",
            Self::Pdf => "a PDF",
            Self::Docx => "a text document (DOCX)",
        })
    }
}

/// Why a file is nothing that is taken; says what it seems to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown(pub String);

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What somebody says that a file is, in words, and which formats are no lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    said: String,
    fits: &'static [Format],
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

impl Claim {
    pub fn fits(&self, found: Format) -> bool {
        self.fits.contains(&found)
    }

    /// None where it says nothing. An error names what it says that nobody takes.
    pub fn by_media_type(media: &str) -> Result<Option<Self>, String> {
        let plain = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let fits: &'static [Format] = match plain.as_str() {
            // The last is what browsers on Windows say of any CSV.
            "" | "application/octet-stream" | "binary/octet-stream" | "application/vnd.ms-excel" => {
                return Ok(None);
            }
            "text/plain" => &[Format::Text, Format::Json, Format::Xml],
            "text/csv" | "application/csv" | "text/tab-separated-values" => &[Format::Text],
            "application/json" | "application/x-ndjson" | "application/jsonl" | "application/jsonlines" => {
                &[Format::Json]
            }
            "application/xml" | "text/xml" => &[Format::Xml],
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => &[Format::Xlsx],
            "application/pdf" => &[Format::Pdf],
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => &[Format::Docx],
            "application/vnd.apache.parquet" | "application/x-parquet" => &[Format::Parquet],
            _ => return Err(plain),
        };
        Ok(Some(Self { said: format!("Content-Type {plain}"), fits }))
    }

    /// None where its end says nothing.
    pub fn by_name(name: &str) -> Option<Self> {
        let end = name.rsplit_once('.')?.1.to_ascii_lowercase();
        let fits: &'static [Format] = match end.as_str() {
            "csv" | "tsv" | "tab" | "asc" => &[Format::Text],
            "txt" => &[Format::Text, Format::Json, Format::Xml],
            "json" | "jsonl" | "ndjson" => &[Format::Json],
            "xml" => &[Format::Xml],
            "xlsx" => &[Format::Xlsx],
            "parquet" => &[Format::Parquet],
            "pdf" => &[Format::Pdf],
            "docx" => &[Format::Docx],
            _ => return None,
        };
        // The name may be somebody's; its end is nobody's.
        Some(Self { said: format!("its name, which ends in .{end},"), fits })
    }
}

/// Looks at a file as it passes.
#[derive(Debug, Default)]
pub struct Look {
    /// The first bytes, until there are enough to say what it may be.
    head: Vec<u8>,
    seems: Option<Seems>,
}

#[derive(Debug)]
enum Seems {
    Package,
    Parquet,
    Pdf,
    Text(Format, Text),
}

/// As far as what stands before the root of a document.
const HEAD: usize = 4 << 10;

impl Look {
    /// Fails as soon as it can be nothing that is taken.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Unknown> {
        let Some(seems) = &mut self.seems else {
            self.head.extend_from_slice(piece);
            return match self.head.len() >= HEAD {
                true => self.begin(),
                false => Ok(()),
            };
        };
        match seems {
            Seems::Text(_, text) => text.feed(piece),
            Seems::Package | Seems::Parquet | Seems::Pdf => Ok(()),
        }
    }

    fn begin(&mut self) -> Result<(), Unknown> {
        let head = std::mem::take(&mut self.head);
        let mut seems = seems(&head)?;
        if let Seems::Text(_, text) = &mut seems {
            text.feed(&head)?;
        }
        self.seems = Some(seems);
        Ok(())
    }

    /// All of it has passed, and lies in this file.
    pub fn settle(mut self, file: &Path, bytes: u64) -> Result<Format, UploadError> {
        if self.seems.is_none() {
            self.begin().map_err(UploadError::Unknown)?;
        }
        match self.seems {
            Some(Seems::Text(format, text)) => {
                text.end().map_err(UploadError::Unknown)?;
                Ok(format)
            }
            Some(Seems::Package) => package::office(file),
            Some(Seems::Parquet) => package::parquet(file, bytes).map(|()| Format::Parquet),
            Some(Seems::Pdf) => package::pdf(file, bytes).map(|()| Format::Pdf),
            None => Err(UploadError::Unknown(unknown("the file is empty"))),
        }
    }
}

pub(super) fn unknown(what: &str) -> Unknown {
    Unknown(what.to_owned())
}

/// What is text and yet for some program: by how it begins.
const NOT_FOR_US: &[(&str, &str)] = &[
    // One that begins as it should is known already. Readers forgive what stands before the head, and so a file can be two things.
    ("%pdf-", "a PDF of no version that is taken, or with something before its head; save it anew"),
    ("%!ps", "PostScript"),
    ("{\\rtf", "RTF"),
    ("#!", "a script"),
    ("<?php", "PHP"),
    ("<!doctype", "a document with a DOCTYPE, such as HTML"),
    ("<html", "HTML"),
    ("<script", "HTML"),
    ("<svg", "SVG"),
    ("<%", "a template"),
];

fn seems(head: &[u8]) -> Result<Seems, Unknown> {
    match head {
        [] => return Err(unknown("the file is empty")),
        [b'P', b'K', 3, 4, ..] => return Ok(Seems::Package),
        [b'P', b'A', b'R', b'1', ..] => return Ok(Seems::Parquet),
        [b'%', b'P', b'D', b'F', b'-', b'1' | b'2', b'.', ..] => return Ok(Seems::Pdf),
        [0x1f, 0x8b, ..] => return Err(unknown("the file is packed with gzip; unpack it first")),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(unknown("the file is packed with zstd; unpack it first")),
        [0xd0, 0xcf, 0x11, 0xe0, ..] => {
            return Err(unknown(
                "the file is of an office program of before 2007 (XLS, DOC), or has a password; save it as XLSX, CSV, DOCX or PDF",
            ));
        }
        _ => {}
    }
    let text = Text::of(head);
    let letters = text.letters(head);
    let begin = letters.trim_start();
    let is = |start: &str| begin.get(..start.len()).is_some_and(|own| own.eq_ignore_ascii_case(start));
    if let Some((_, what)) = NOT_FOR_US.iter().find(|(start, _)| is(start)) {
        return Err(Unknown(format!("the file is {what}")));
    }
    let format = match begin.as_bytes().first() {
        None => return Err(unknown("the file begins with nothing but blanks")),
        Some(b'<') => {
            // Entities are how a small document becomes a large one.
            if begin.to_ascii_lowercase().contains("<!doctype") {
                return Err(unknown("the file is XML with a DOCTYPE"));
            }
            Format::Xml
        }
        Some(b'{') => Format::Json,
        Some(_) => Format::Text,
    };
    Ok(Seems::Text(format, text))
}

/// Text, byte by byte: nothing stands in it that no text has.
#[derive(Debug)]
enum Text {
    /// UTF-8 and every code page of eight bits have the same control characters.
    Narrow,
    Wide {
        little: bool,
        /// The first of two bytes.
        half: Option<u8>,
        /// The first of a pair was seen.
        high: bool,
    },
}

impl Text {
    fn of(head: &[u8]) -> Self {
        let wide = |little| Self::Wide { little, half: None, high: false };
        match head {
            [0xff, 0xfe, ..] => wide(true),
            [0xfe, 0xff, ..] => wide(false),
            _ => Self::Narrow,
        }
    }

    /// For a look at how it begins; letters beyond ASCII do not matter.
    fn letters(&self, head: &[u8]) -> String {
        match self {
            Self::Narrow => {
                let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
                String::from_utf8_lossy(head).into_owned()
            }
            Self::Wide { little, .. } => {
                let unit = |pair: &[u8]| match (*little, pair) {
                    (true, [low, high]) | (false, [high, low]) => u16::from_be_bytes([*high, *low]),
                    _ => 0,
                };
                String::from_utf16_lossy(&head[2..].chunks_exact(2).map(unit).collect::<Vec<_>>())
            }
        }
    }

    fn feed(&mut self, piece: &[u8]) -> Result<(), Unknown> {
        match self {
            Self::Narrow => match piece.iter().any(|byte| is_control(u16::from(*byte))) {
                true => Err(unknown("the file is neither text nor any format that is taken")),
                false => Ok(()),
            },
            Self::Wide { little, half, high } => {
                for byte in piece {
                    let Some(first) = half.take() else {
                        *half = Some(*byte);
                        continue;
                    };
                    let unit = match little {
                        true => u16::from_le_bytes([first, *byte]),
                        false => u16::from_be_bytes([first, *byte]),
                    };
                    let is_low = matches!(unit, 0xdc00..=0xdfff);
                    if is_control(unit) || is_low != *high {
                        return Err(unknown("the file begins like UTF-16 and is not"));
                    }
                    *high = matches!(unit, 0xd800..=0xdbff);
                }
                Ok(())
            }
        }
    }

    fn end(&self) -> Result<(), Unknown> {
        match self {
            Self::Narrow | Self::Wide { half: None, high: false, .. } => Ok(()),
            Self::Wide { .. } => Err(unknown("the file is UTF-16 and ends in the middle of a letter")),
        }
    }
}

/// Those that no text has: all but tab, line feed, form feed, carriage return, and the mark with which old systems end a file.
fn is_control(unit: u16) -> bool {
    matches!(unit, 0..=8 | 0x0b | 0x0e..=0x19 | 0x1b..=0x1f | 0x7f)
}

#[cfg(test)]
mod tests;
