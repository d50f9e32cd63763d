//! The Standard Audit File for Tax: `GeneralLedgerEntries/Journal/Transaction/Line`, as the OECD drew it up and Norway,
//! Luxembourg, Romania, Portugal and others shape it. Namespaces are passed over.
//!
//! A column is a path of element names, such as `Line/DebitAmount/Amount`. Its first name is the element that the value
//! belongs to: with the end of that, the value is gone. What the `Header` says holds for the whole file.

use std::io::{self, BufRead, Read};

use super::bytes::Bytes;
use super::mapping::{Encoding, Mapping};
use super::table::{Columns, Records, Table, Written};
use super::text::{Characters, windows_1252};
use super::xml::{Node, Xml};
use super::{Origin, ReadError};

/// Enough that handing blocks to threads costs nothing.
const BLOCK: usize = 1 << 19;
/// A text may come in many pieces; no real one comes near this.
const LONGEST_VALUE: usize = 1 << 20;
/// Elements that are a line of the ledger.
const LINES: [&str; 3] = ["Line", "DebitLine", "CreditLine"];
/// An entry's own fields stand before its lines; what comes behind could not be given to them.
const ENTRY: &str = "Transaction";
const WHOLE_FILE: &str = "Header";

pub(super) struct SaftTable {
    xml: Xml<Utf8>,
    asked: Vec<String>,
    paths: Vec<Path>,
    values: Vec<String>,
    open: Vec<String>,
    /// Lines of the entry at hand that were handed over.
    lines: usize,
    in_ledger: bool,
    ended: bool,
}

struct Path(Vec<String>);

impl SaftTable {
    pub(super) fn open(bytes: Bytes, mapping: &Mapping, asked: Vec<String>) -> Result<Self, ReadError> {
        let xml = Xml::new(Utf8::new(Characters::new(bytes, mapping.encoding)?)?);
        let paths = asked.iter().map(|path| Path(path.split('/').map(Into::into).collect())).collect();
        let values = vec![String::new(); asked.len()];
        Ok(Self { xml, asked, paths, values, open: Vec::new(), lines: 0, in_ledger: false, ended: false })
    }

    /// The path that ends where we are and begins not above the element it belongs to.
    fn asked_here(&self) -> impl Iterator<Item = usize> {
        let here = |path: &Path| self.open.ends_with(&path.0);
        self.paths.iter().enumerate().filter(move |(_, path)| here(path)).map(|(index, _)| index)
    }

    fn text(&mut self) -> Result<(), ReadError> {
        let asked: Vec<usize> = self.asked_here().collect();
        for index in asked {
            if self.lines > 0 && self.paths[index].0[0] == ENTRY {
                let path = &self.asked[index];
                let problem = format!("{path} stands behind lines of its entry; it must stand before them");
                return Err(ReadError::Xml { line: self.xml.line(), problem });
            }
            let value = &mut self.values[index];
            value.push_str(self.xml.text());
            if value.len() > LONGEST_VALUE {
                let problem = format!("{} is longer than 1 MiB", self.asked[index]);
                return Err(ReadError::Xml { line: self.xml.line(), problem });
            }
        }
        Ok(())
    }

    fn close(&mut self, written: &mut Written) {
        let Some(name) = self.open.pop() else { return };
        if self.in_ledger && LINES.contains(&&*name) {
            for value in &self.values {
                written.field(value, true);
            }
            written.end(self.xml.line());
            self.lines += 1;
        }
        if name == ENTRY {
            self.lines = 0;
        }
        if name == "GeneralLedgerEntries" {
            self.in_ledger = false;
        }
        if name != WHOLE_FILE {
            for (value, path) in self.values.iter_mut().zip(&self.paths) {
                if path.0[0] == name {
                    value.clear();
                }
            }
        }
    }
}

impl Table for SaftTable {
    fn columns(&self) -> Columns<'_> {
        Columns::Asked(&self.asked)
    }

    fn next_records(&mut self) -> Result<Option<Box<dyn Records>>, ReadError> {
        let mut written = Written::default();
        while !self.ended && written.bytes() < BLOCK {
            match self.xml.next()? {
                Node::Open => {
                    self.open.push(self.xml.name().into());
                    self.in_ledger |= self.xml.name() == "GeneralLedgerEntries";
                }
                Node::Text => self.text()?,
                Node::Close => self.close(&mut written),
                Node::End => self.ended = true,
            }
        }
        Ok((!written.is_empty()).then(|| Box::new(written) as Box<dyn Records>))
    }

    fn position(&self) -> (u64, Option<u64>) {
        self.xml.input().characters.position()
    }

    fn finish(self: Box<Self>) -> Result<Origin, ReadError> {
        Ok(self.xml.into_input().characters.finish("saft"))
    }
}

/// The document's characters, in UTF-8 whatever its declaration says they are.
struct Utf8 {
    characters: Characters,
    windows_1252: bool,
    buffer: Vec<u8>,
    start: usize,
    is_last: bool,
}

impl Utf8 {
    fn new(characters: Characters) -> Result<Self, ReadError> {
        let windows_1252 = characters.encoding() == Encoding::Windows1252;
        // A document in UTF-16 says so too; what we hold is UTF-8 by now.
        let is_wide = characters.is_wide();
        let mut utf8 = Self { characters, windows_1252, buffer: Vec::new(), start: 0, is_last: false };
        utf8.fill()?;
        if let Some(name) = declared(&utf8.buffer).filter(|_| !is_wide) {
            match name.to_ascii_lowercase().as_str() {
                "utf-8" | "us-ascii" => {}
                "windows-1252" | "iso-8859-1" => {
                    utf8.windows_1252 = true;
                    utf8.decode();
                }
                _ => {
                    let problem = format!("is in {name}; save it as UTF-8");
                    return Err(ReadError::Xml { line: 1, problem });
                }
            }
        }
        Ok(utf8)
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.clear();
        self.start = 0;
        self.is_last = !self.characters.append(&mut self.buffer, 1 << 16)?;
        Ok(())
    }

    fn decode(&mut self) {
        let decoded: String = self.buffer.iter().map(|&byte| windows_1252(byte)).collect();
        self.buffer = decoded.into_bytes();
    }
}

/// What the declaration says of the encoding.
fn declared(head: &[u8]) -> Option<String> {
    let head = head.get(..head.len().min(256))?;
    let end = memchr::memmem::find(head, b"?>")?;
    let text = String::from_utf8_lossy(&head[..end]);
    let (_, value) = text.strip_prefix("<?xml")?.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|char| matches!(char, '"' | '\''))?;
    value[1..].split(quote).next().map(Into::into)
}

impl Read for Utf8 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Utf8 {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.start >= self.buffer.len() && !self.is_last {
            self.fill()?;
            if self.windows_1252 {
                self.decode();
            }
        }
        Ok(&self.buffer[self.start.min(self.buffer.len())..])
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }
}

#[cfg(test)]
mod tests;
