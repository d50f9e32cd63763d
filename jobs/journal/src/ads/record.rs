//! Splits a delimited text file into records of fields, one at a time, in bounded memory whatever the file holds.
//!
//! The `csv` crate would collect a field of any size before we could refuse it: one unclosed quote in a large file is
//! enough. Here a record that grows beyond [`LONGEST_RECORD`] is given up and reading goes on with the next line.

use std::io::{self, BufRead};

/// In bytes. No real line comes near it.
pub(crate) const LONGEST_RECORD: usize = 1 << 20;

pub(crate) struct RecordReader<R> {
    input: R,
    delimiter: u8,
    /// Physical lines read so far.
    line: u64,
    text: Vec<u8>,
    ends: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    End,
    /// The fields stand in the reader. The record began on this line.
    Record {
        line: u64,
    },
    Broken {
        first_line: u64,
        last_line: u64,
        why: Broken,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    TooLong,
    UnclosedQuote,
    Nul,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first half of a doubled quote.
    QuoteInQuoted,
    /// The record is given up; its line still has to be passed over.
    Skipping,
}

impl<R: BufRead> RecordReader<R> {
    /// `line`: how many lines of the file were read before `input` begins.
    pub(crate) fn new(input: R, delimiter: u8, line: u64) -> Self {
        Self { input, delimiter, line, text: Vec::new(), ends: Vec::new() }
    }

    pub(crate) fn input(&self) -> &R {
        &self.input
    }

    pub(crate) fn into_input(self) -> R {
        self.input
    }

    pub(crate) fn next(&mut self) -> io::Result<Next> {
        loop {
            let first_line = self.line + 1;
            let Some(broken) = self.read_record()? else {
                return Ok(Next::End);
            };
            match broken {
                Ok(()) if self.text.is_empty() && self.ends.len() == 1 => {} // an empty line
                Ok(()) => return Ok(Next::Record { line: first_line }),
                Err(why) => return Ok(Next::Broken { first_line, last_line: self.line, why }),
            }
        }
    }

    /// The fields of the last record one after the other, and where each ends.
    pub(crate) fn fields(&self) -> (&[u8], &[usize]) {
        (&self.text, &self.ends)
    }

    fn read_record(&mut self) -> io::Result<Option<Result<(), Broken>>> {
        self.text.clear();
        self.ends.clear();
        let mut state = State::FieldStart;
        let mut length = 0;
        let mut broken = None;
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                if length == 0 {
                    return Ok(None);
                }
                // The last line need not end with a line break.
                self.line += 1;
                if state == State::Quoted {
                    broken = broken.or(Some(Broken::UnclosedQuote));
                }
                self.ends.push(self.text.len());
                return Ok(Some(broken.map_or(Ok(()), Err)));
            }
            for (index, &byte) in chunk.iter().enumerate() {
                length += 1;
                if byte == 0 {
                    broken = broken.or(Some(Broken::Nul));
                }
                if byte == b'\n' {
                    self.line += 1;
                    if state != State::Quoted {
                        // The return of a Windows line break; one at the end of an earlier field is that field's.
                        let field_start = self.ends.last().copied().unwrap_or(0);
                        let has_return = self.text[field_start..].last() == Some(&b'\r');
                        if has_return && state == State::Plain {
                            self.text.pop();
                        }
                        self.ends.push(self.text.len());
                        self.input.consume(index + 1);
                        return Ok(Some(broken.map_or(Ok(()), Err)));
                    }
                }
                if length > LONGEST_RECORD && state != State::Skipping {
                    // An unclosed quote may be the reason: what it swallowed is reported as one range of lines.
                    broken = Some(Broken::TooLong);
                    state = State::Skipping;
                    self.text.clear();
                    self.ends.clear();
                }
                state = match (state, byte) {
                    (State::Skipping, _) => State::Skipping,
                    (State::FieldStart, b'"') => State::Quoted,
                    (State::Quoted, b'"') => State::QuoteInQuoted,
                    (State::Quoted, _) => {
                        self.text.push(byte);
                        State::Quoted
                    }
                    (State::QuoteInQuoted, b'"') => {
                        self.text.push(byte);
                        State::Quoted
                    }
                    // Between a closing quote and the line break.
                    (State::QuoteInQuoted, b'\r') => State::QuoteInQuoted,
                    (_, _) if byte == self.delimiter => {
                        self.ends.push(self.text.len());
                        State::FieldStart
                    }
                    (_, _) => {
                        self.text.push(byte);
                        State::Plain
                    }
                };
            }
            let read = chunk.len();
            self.input.consume(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records as `line:field|field`, broken ones as `first-last:why`. Tiny chunks, so that every state meets a
    /// chunk's end.
    fn read(bytes: &[u8]) -> Vec<String> {
        let mut reader = RecordReader::new(io::BufReader::with_capacity(3, bytes), b',', 0);
        let mut found = Vec::new();
        loop {
            match reader.next().unwrap() {
                Next::End => return found,
                Next::Broken { first_line, last_line, why } => {
                    found.push(format!("{first_line}-{last_line}:{why:?}"));
                }
                Next::Record { line } => {
                    let (text, ends) = reader.fields();
                    let starts = std::iter::once(0).chain(ends.iter().copied());
                    let fields: Vec<_> = starts
                        .zip(ends)
                        .map(|(start, &end)| String::from_utf8_lossy(&text[start..end]).into_owned())
                        .collect();
                    found.push(format!("{line}:{}", fields.join("|")));
                }
            }
        }
    }

    #[test]
    fn splits_plain_and_quoted_fields() {
        assert_eq!(
            read(b"a,b,c\n\"x, y\",\"say \"\"hi\"\"\",\n,,\n"),
            ["1:a|b|c", "2:x, y|say \"hi\"|", "3:||"]
        );
    }

    #[test]
    fn line_breaks_of_windows_and_a_missing_last_one_are_fine() {
        assert_eq!(read(b"a,\"b\"\r\nc,d\r\n\r\n\ne,f"), ["1:a|b", "2:c|d", "5:e|f"]);
    }

    /// A random test found that the return was taken from the field before, whose end then lay beyond the text.
    #[test]
    fn a_return_at_the_end_of_an_earlier_field_stays_there() {
        assert_eq!(read(b"a\r,\n\"b\r\"\n"), ["1:a\r|", "2:b\r"]);
    }

    #[test]
    fn a_quote_inside_a_plain_field_is_just_a_quote() {
        assert_eq!(read(b"5\" pipe,1\nb,2\n"), ["1:5\" pipe|1", "2:b|2"]);
    }

    #[test]
    fn a_quoted_field_may_span_lines() {
        assert_eq!(read(b"\"a\nb\",c\nd,e\n"), ["1:a\nb|c", "3:d|e"]);
    }

    #[test]
    fn an_unclosed_quote_is_reported_with_the_lines_it_swallowed() {
        assert_eq!(read(b"a,b\n\"c,d\ne,f\n"), ["1:a|b", "2-4:UnclosedQuote"]);
    }

    #[test]
    fn a_nul_byte_breaks_its_record_only() {
        assert_eq!(read(b"a,\0b\nc,d\n"), ["1-1:Nul", "2:c|d"]);
    }

    #[test]
    fn a_record_beyond_the_limit_is_given_up_and_reading_goes_on() {
        let long = vec![b'x'; LONGEST_RECORD + 1];
        let mut file = [b"a,b\nk,", long.as_slice(), b",\"y\nc,d\n"].concat();
        assert_eq!(read(&file), ["1:a|b", "2-2:TooLong", "3:c|d"]);

        file = [b"\"", vec![b'\n'; LONGEST_RECORD + 5].as_slice(), b"c,d\n"].concat();
        let found = read(&file);
        assert!(found[0].ends_with(":TooLong"), "{found:?}");
        assert_eq!(found.last().unwrap(), &format!("{}:c|d", LONGEST_RECORD + 6));
    }
}
