//! XML of strangers, bounded: no document type, no entities of its own, no endless texts or depths.

use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use super::ReadError;

/// Of one tag or text, in bytes.
const LONGEST: usize = 1 << 20;
const DEEPEST: usize = 64;

pub(super) struct Xml<R> {
    reader: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    depth: usize,
    /// The last opened tag, without its brackets.
    tag: String,
    name_length: usize,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Node {
    Open,
    Close,
    /// A piece of text: one element's may come in several.
    Text,
    End,
}

impl<R: BufRead> Xml<R> {
    pub(super) fn new(input: R) -> Self {
        let mut reader = Reader::from_reader(Bounded { input, since: 0, lines: 0 });
        reader.config_mut().expand_empty_elements = true;
        let (tag, text) = (String::new(), String::new());
        Self { reader, buffer: Vec::new(), depth: 0, tag, name_length: 0, text }
    }

    /// The line at hand.
    pub(super) fn line(&mut self) -> u64 {
        self.reader.get_mut().lines + 1
    }

    pub(super) fn input(&self) -> &R {
        &self.reader.get_ref().input
    }

    pub(super) fn into_input(self) -> R {
        self.reader.into_inner().input
    }

    /// Of the element that was opened last, without its namespace.
    pub(super) fn name(&self) -> &str {
        let name = &self.tag[..self.name_length];
        name.rsplit_once(':').map_or(name, |(_, name)| name)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn next(&mut self) -> Result<Node, ReadError> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().since = 0;
            let line = self.line();
            let broken = |problem: String| ReadError::Xml { line, problem };
            let read = self.reader.read_event_into(&mut self.buffer);
            if self.reader.get_ref().since > LONGEST {
                return Err(broken("a tag or text is longer than 1 MiB".into()));
            }
            let event = match read {
                Ok(event) => event,
                Err(quick_xml::Error::Io(cause)) => return Err(io::Error::new(cause.kind(), cause).into()),
                Err(error) => return Err(broken(error.to_string())),
            };
            let undecodable = |error: quick_xml::encoding::EncodingError| broken(error.to_string());
            match event {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > DEEPEST {
                        return Err(broken(format!("elements lie more than {DEEPEST} deep")));
                    }
                    let tag = std::str::from_utf8(&start).map_err(|error| broken(error.to_string()))?;
                    self.tag.clear();
                    self.tag.push_str(tag);
                    self.name_length = start.name().as_ref().len();
                    return Ok(Node::Open);
                }
                Event::End(_) => {
                    self.depth -= 1;
                    return Ok(Node::Close);
                }
                Event::Eof if self.depth > 0 => {
                    return Err(broken("ends in the middle of an element".into()));
                }
                Event::Eof => return Ok(Node::End),
                Event::DocType(_) => {
                    return Err(broken(
                        "declares a document type, which can pull in other files; remove it".into(),
                    ));
                }
                Event::Comment(_) | Event::PI(_) | Event::Decl(_) | Event::Empty(_) => continue,
                Event::Text(text) => replace(&mut self.text, &text.decode().map_err(undecodable)?),
                Event::CData(text) => replace(&mut self.text, &text.decode().map_err(undecodable)?),
                Event::GeneralRef(reference) => {
                    let name = reference.decode().map_err(undecodable)?;
                    let char = reference.resolve_char_ref().map_err(|error| broken(error.to_string()))?;
                    match (char, resolve_xml_entity(&name)) {
                        (Some(char), _) => replace(&mut self.text, char.encode_utf8(&mut [0; 4])),
                        (None, Some(own)) => replace(&mut self.text, own),
                        (None, None) => {
                            return Err(broken(format!(
                                "entity `&{name};` is not one of XML's own; write the text"
                            )));
                        }
                    }
                }
            }
            return Ok(Node::Text);
        }
    }
}

fn replace(text: &mut String, with: &str) {
    text.clear();
    text.push_str(with);
}

/// Refuses to pass endlessly many bytes for one piece, and counts lines.
struct Bounded<R> {
    input: R,
    /// Bytes since the last piece began.
    since: usize,
    lines: u64,
}

impl<R: BufRead> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Bounded<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.since > LONGEST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.input.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.since += count;
        if let Ok(bytes) = self.input.fill_buf() {
            self.lines += memchr::memchr_iter(b'\n', &bytes[..count.min(bytes.len())]).count() as u64;
        }
        self.input.consume(count);
    }
}

#[cfg(test)]
mod tests;
