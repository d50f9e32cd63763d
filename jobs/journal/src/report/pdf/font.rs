//! The fonts that every reader of PDF has: how wide they are, and what they can show.
//!
//! They know the characters of Windows-1252. Other Latin, Greek and Cyrillic letters are shown by the nearest letters,
//! anything else by its code in angle quotes; the text itself is kept beside ([`Shown::is_exact`]), so that searching
//! and copying find it as the ledger has it.

use pdf_writer::Name;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Font {
    Regular,
    Bold,
    Mono,
}

impl Font {
    pub(super) const ALL: [Self; 3] = [Self::Regular, Self::Bold, Self::Mono];

    pub(super) fn name(self) -> Name<'static> {
        match self {
            Self::Regular => Name(b"F1"),
            Self::Bold => Name(b"F2"),
            Self::Mono => Name(b"F3"),
        }
    }

    pub(super) fn base(self) -> Name<'static> {
        match self {
            Self::Regular => Name(b"Helvetica"),
            Self::Bold => Name(b"Helvetica-Bold"),
            Self::Mono => Name(b"Courier"),
        }
    }

    fn width_of(self, byte: u8) -> u16 {
        let place = usize::from(byte.saturating_sub(FIRST));
        match self {
            Self::Regular => REGULAR[place],
            Self::Bold => BOLD[place],
            Self::Mono => 600,
        }
    }

    pub(super) fn width(self, text: &str, size: f32) -> f32 {
        let thousandths: u32 = shown(text).bytes.iter().map(|&byte| u32::from(self.width_of(byte))).sum();
        thousandths as f32 * size / 1_000.0
    }

    /// Into lines of at most this width. A word that is too long is broken.
    pub(super) fn wrap(self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split_whitespace() {
            let gap = if line.is_empty() { "" } else { " " };
            if self.width(&line, size) + self.width(gap, size) + self.width(word, size) <= width {
                line = line + gap + word;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for c in word.chars() {
                let c = c.to_string();
                if !line.is_empty() && self.width(&line, size) + self.width(&c, size) > width {
                    lines.push(std::mem::take(&mut line));
                }
                line += &c;
            }
        }
        lines.push(line);
        lines
    }
}

/// A text as the fonts can show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) bytes: Vec<u8>,
    pub(super) is_exact: bool,
}

pub(super) fn shown(text: &str) -> Shown {
    let mut bytes = Vec::with_capacity(text.len());
    let mut is_exact = true;
    let mut is_code = false;
    for c in text.chars() {
        let follows_code = std::mem::take(&mut is_code);
        if let Some(byte) = windows_1252(c) {
            bytes.push(byte);
            continue;
        }
        is_exact = false;
        if let Some(letters) = nearest(c) {
            bytes.extend(letters.bytes());
            continue;
        }
        is_code = true;
        // Codes in a row share their quotes.
        match bytes.last_mut() {
            Some(close) if follows_code => *close = b' ',
            _ => bytes.push(ANGLE_OPEN),
        }
        bytes.extend(format!("{:04X}", u32::from(c)).bytes());
        bytes.push(ANGLE_CLOSE);
    }
    Shown { bytes, is_exact }
}

const FIRST: u8 = 32;
const ANGLE_OPEN: u8 = 0x8b;
const ANGLE_CLOSE: u8 = 0x9b;

fn windows_1252(c: char) -> Option<u8> {
    match c {
        '\t' | '\n' | '\r' => Some(b' '),
        ' '..='~' | '\u{a0}'..='ÿ' => u8::try_from(u32::from(c)).ok(),
        _ => HIGH.chars().position(|known| known == c).and_then(|place| u8::try_from(place + 0x80).ok()),
    }
}

/// The codes from 0x80; a space stands for those that mean nothing.
const HIGH: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

/// Letters that a reader of Latin script takes for it.
fn nearest(c: char) -> Option<&'static str> {
    let letter =
        |table: &'static str, first: u32| table.split(' ').nth(u32::from(c).checked_sub(first)? as usize);
    match c {
        // Accents that stand on their own letter.
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200f}' | '\u{feff}' => Some(""),
        'Ā'..='ſ' => letter(LATIN, 0x100),
        'А'..='Я' => letter(CYRILLIC_CAPITALS, 0x410),
        'а'..='я' => letter(CYRILLIC, 0x430),
        'Ё' | 'ё' => Some("e"),
        'І' | 'і' | 'Ї' | 'ї' => Some("i"),
        'Α'..='Ω' => letter(GREEK_CAPITALS, 0x391),
        'ά' => Some("a"),
        'έ' | 'ή' => Some("e"),
        'ί' => Some("i"),
        'α'..='ω' => letter(GREEK, 0x3b1),
        'ό' | 'ώ' => Some("o"),
        'ύ' => Some("y"),
        'Ș' => Some("S"),
        'ș' => Some("s"),
        'Ț' => Some("T"),
        'ț' => Some("t"),
        'ẞ' => Some("SS"),
        '\u{2009}' | '\u{202f}' => Some(" "),
        '−' | '‐' | '‑' => Some("-"),
        _ => None,
    }
}

const LATIN: &str = "A a A a A a C c C c C c C c D d D d E e E e E e E e E e G g G g G g G g H h H h I i I i I i I i I i IJ \
                     ij J j K k k L l L l L l L l L l N n N n N n n N n O o O o O o OE oe R r R r R r S s S s S s S s T t \
                     T t T t U u U u U u U u U u U u W w Y y Y Z z Z z Z z s";
const CYRILLIC: &str = "a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch \" y ' e yu ya";
const CYRILLIC_CAPITALS: &str = "A B V G D E Zh Z I Y K L M N O P R S T U F Kh Ts Ch Sh Shch \" Y ' E Yu Ya";
const GREEK: &str = "a v g d e z i th i k l m n x o p r s s t y f ch ps o";
const GREEK_CAPITALS: &str = "A V G D E Z I Th I K L M N X O P R ? S T Y F Ch Ps O";

// Of the codes from 32, in thousandths of the size (Adobe's metrics of the standard fonts, in Windows-1252).
const REGULAR: [u16; 224] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, 350, 556, 350, 222, 556, 333, 1000, 556, 556, 333,
    1000, 667, 333, 1000, 350, 611, 350, 350, 222, 222, 333, 333, 350, 556, 1000, 333, 1000, 500, 333, 944,
    350, 500, 667, 278, 333, 556, 556, 556, 556, 260, 556, 333, 737, 370, 556, 584, 333, 737, 333, 400, 584,
    333, 333, 333, 556, 537, 278, 333, 333, 365, 556, 834, 834, 834, 611, 667, 667, 667, 667, 667, 667, 1000,
    722, 667, 667, 667, 667, 278, 278, 278, 278, 722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722,
    722, 667, 667, 611, 556, 556, 556, 556, 556, 556, 889, 500, 556, 556, 556, 556, 278, 278, 278, 278, 556,
    556, 556, 556, 556, 556, 556, 584, 611, 556, 556, 556, 556, 500, 556, 500,
];
const BOLD: [u16; 224] = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667, 611, 778, 722, 278,
    556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584,
    556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611, 611, 611, 389, 556,
    333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584, 350, 556, 350, 278, 556, 500, 1000, 556, 556, 333,
    1000, 667, 333, 1000, 350, 611, 350, 350, 278, 278, 500, 500, 350, 556, 1000, 333, 1000, 556, 333, 944,
    350, 500, 667, 278, 333, 556, 556, 556, 556, 280, 556, 333, 737, 370, 556, 584, 333, 737, 333, 400, 584,
    333, 333, 333, 611, 556, 278, 333, 333, 365, 556, 834, 834, 834, 611, 722, 722, 722, 722, 722, 722, 1000,
    722, 667, 667, 667, 667, 278, 278, 278, 278, 722, 722, 778, 778, 778, 778, 778, 584, 778, 722, 722, 722,
    722, 667, 667, 611, 556, 556, 556, 556, 556, 556, 889, 556, 556, 556, 556, 556, 278, 278, 278, 278, 611,
    611, 611, 611, 611, 611, 611, 584, 611, 611, 611, 611, 611, 556, 611, 556,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn as_latin(bytes: &[u8]) -> String {
        bytes.iter().map(|&byte| char::from(byte)).collect()
    }

    #[test]
    fn what_the_fonts_have_is_shown_as_it_is_and_the_rest_by_what_is_nearest() {
        for (text, bytes, is_exact) in [
            ("Rückstellung", "R\u{fc}ckstellung", true),
            ("€ – „x“", "\u{80} \u{96} \u{84}x\u{93}", true),
            ("Zażółć", "Zaz\u{f3}lc", false),
            ("Начисление", "Nachislenie", false),
            ("Προσαρμογή", "Prosarmoge", false),
            ("年末x调", "\u{8b}5E74 672B\u{9b}x\u{8b}8C03\u{9b}", false),
            ("\u{1f4b0}", "\u{8b}1F4B0\u{9b}", false),
            ("e\u{301}", "e", false),
            ("a\u{1}", "a\u{8b}0001\u{9b}", false),
        ] {
            let shown = shown(text);

            assert_eq!((&*as_latin(&shown.bytes), shown.is_exact), (bytes, is_exact), "{text}");
        }
    }

    #[test]
    fn every_letter_of_the_tables_has_its_place() {
        assert_eq!(LATIN.split(' ').filter(|letter| !letter.is_empty()).count(), 0x80);
        assert_eq!(nearest('ſ'), Some("s"));
        assert_eq!(nearest('ž'), Some("z"));
        assert_eq!(nearest('Ł'), Some("L"));
        assert_eq!((nearest('я'), nearest('Я')), (Some("ya"), Some("Ya")));
        assert_eq!((nearest('ω'), nearest('Ω')), (Some("o"), Some("O")));
        assert_eq!(HIGH.chars().count(), 32);
    }

    #[test]
    fn lines_keep_within_their_width_and_lose_nothing() {
        let text = "a hash of 64 characters 3f5a3f5a3f5a3f5a3f5a3f5a3f5a3f5a3f5a3f5a3f5a3f5a3f5a3f5a3f5a3f5a and 年末调整";
        for font in Font::ALL {
            let lines = font.wrap(text, 9.0, 80.0);

            assert!(lines.iter().all(|line| font.width(line, 9.0) <= 80.0), "{lines:?}");
            let squeezed = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(squeezed(&lines.concat()), squeezed(text));
        }
    }

    #[test]
    fn a_width_is_that_of_the_published_metrics() {
        assert_eq!(
            Font::Regular.width("AVAILABLE", 1_000.0),
            667.0 * 4.0 + 667.0 + 278.0 + 556.0 * 2.0 + 667.0
        );
        assert_eq!(Font::Mono.width("abc", 10.0), 18.0);
    }
}
