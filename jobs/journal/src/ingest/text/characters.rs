//! The encoding of a text: what its first bytes say, and UTF-16 turned into UTF-8 as it passes.

use std::io;

use crate::ingest::Origin;
use crate::ingest::bytes::Bytes;
use crate::ingest::mapping::Encoding;

pub(in crate::ingest) struct Characters {
    bytes: Bytes,
    /// Never UTF-16: that is UTF-8 from here on.
    encoding: Encoding,
    wide: Option<Wide>,
    /// Read to see the byte order mark, and not passed on yet.
    begun: Vec<u8>,
}

/// UTF-16 on its way to UTF-8.
struct Wide {
    little: bool,
    /// The first half of a unit whose second has not come yet.
    odd: Option<u8>,
    /// The first half of a pair.
    high: Option<u16>,
    units: Vec<u8>,
}

impl Characters {
    pub(in crate::ingest) fn new(mut bytes: Bytes, encoding: Encoding) -> io::Result<Self> {
        let mut begun = Vec::new();
        bytes.append(&mut begun, 3)?;
        let (marked, mark) = match begun.as_slice() {
            [0xef, 0xbb, 0xbf] => (Encoding::Utf8, 3),
            [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
            _ => (encoding, 0),
        };
        begun.drain(..mark);
        let wide = |little| Some(Wide { little, odd: None, high: None, units: Vec::new() });
        let (encoding, wide) = match marked {
            Encoding::Utf16Le => (Encoding::Utf8, wide(true)),
            Encoding::Utf16Be => (Encoding::Utf8, wide(false)),
            // The mark of UTF-8 promises no more than the owner does: old systems write it before anything.
            Encoding::Utf8 if mark > 0 => {
                (if encoding == Encoding::Utf8 { encoding } else { Encoding::Auto }, None)
            }
            other => (other, None),
        };
        Ok(Self { bytes, encoding, wide, begun })
    }

    pub(in crate::ingest) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(in crate::ingest) fn is_wide(&self) -> bool {
        self.wide.is_some()
    }

    /// Appends about so many more bytes; `false` at the end.
    pub(in crate::ingest) fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<bool> {
        let Some(wide) = &mut self.wide else {
            buffer.reserve(most);
            buffer.append(&mut self.begun);
            return Ok(self.bytes.append(buffer, most)? == most);
        };
        let mut units = std::mem::take(&mut wide.units);
        units.clear();
        units.append(&mut self.begun);
        let goes_on = self.bytes.append(&mut units, most)? == most;
        wide.decode(&units, buffer);
        wide.units = units;
        if !goes_on {
            wide.end(buffer);
        }
        Ok(goes_on)
    }

    pub(in crate::ingest) fn position(&self) -> (u64, Option<u64>) {
        self.bytes.position()
    }

    pub(in crate::ingest) fn finish(self, format: &str) -> Origin {
        self.bytes.finish(format)
    }
}

/// No UTF-8: where half a character stood, so that its line is refused.
const HALF: u8 = 0xff;

impl Wide {
    fn decode(&mut self, bytes: &[u8], text: &mut Vec<u8>) {
        let mut bytes = bytes;
        if let Some(first) = self.odd.take() {
            let Some((second, rest)) = bytes.split_first() else {
                self.odd = Some(first);
                return;
            };
            self.unit([first, *second], text);
            bytes = rest;
        }
        let (pairs, odd) = bytes.as_chunks::<2>();
        for &pair in pairs {
            self.unit(pair, text);
        }
        self.odd = odd.first().copied();
    }

    fn unit(&mut self, pair: [u8; 2], text: &mut Vec<u8>) {
        let unit = if self.little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) };
        if self.high.is_none() && unit < 0x80 {
            text.push(unit as u8);
            return;
        }
        for char in char::decode_utf16(self.high.take().into_iter().chain([unit])) {
            match char {
                Ok(char) => text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(half) if half.unpaired_surrogate() == unit && unit < 0xdc00 => self.high = Some(unit),
                Err(_) => text.push(HALF),
            }
        }
    }

    fn end(&mut self, text: &mut Vec<u8>) {
        if self.high.take().is_some() || self.odd.take().is_some() {
            text.push(HALF);
        }
    }
}

/// Windows-1252, which contains Latin-1, except where it has no character: there the byte is one, as browsers do.
pub(in crate::ingest) fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
        '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}',
        '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}',
        '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}', '\u{17e}', '\u{178}',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}
