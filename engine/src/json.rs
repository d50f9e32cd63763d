//! JSON as text: how deep it is, and one spelling for what means the same. Pure.
//!
//! Numbers stay as they were written. To read them and write them again would lose digits of some, and two amounts that
//! differ in those would be taken for one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Number;

/// What is deeper, others cannot read: our own readers give up there, and so do many of other people's.
pub const DEEPEST: usize = 127;

/// How many lists and objects stand within each other. Of what is no JSON it says nothing.
pub fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut quoted, mut escaped) = (false, false);
    for byte in text {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => quoted = !quoted,
            (false, b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Without blanks, letters in one way and fields in order; of two fields of one name the last, as readers take it. None
/// for what is no JSON, or is too deep.
pub fn canonical(text: &str) -> Option<String> {
    if depth(text.as_bytes()) > DEEPEST {
        return None;
    }
    let mut reader = Reader { text, at: 0 };
    let node = reader.node()?;
    reader.skip_blanks();
    let mut written = String::with_capacity(text.len());
    node.write(&mut written);
    (reader.at == text.len()).then_some(written)
}

/// The first number that is another one when it has been read as 64 bits and written again.
pub fn inexact(text: &str) -> Option<&str> {
    let mut nodes = vec![Reader { text, at: 0 }.node()?];
    while let Some(node) = nodes.pop() {
        match node {
            Node::Word(word) if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                let read =
                    serde_json::from_str::<Number>(word).ok().and_then(|read| decimal(&read.to_string()));
                if read.is_none() || read != decimal(word) {
                    return Some(word);
                }
            }
            Node::Word(_) | Node::Text(_) => {}
            // The last is looked at next.
            Node::List(list) => nodes.extend(list.into_iter().rev()),
            Node::Object(fields) => nodes.extend(fields.into_values().rev()),
        }
    }
    None
}

/// Whether it is negative, its digits without zeros at the ends, and the power of ten that they are multiplied by.
fn decimal(number: &str) -> Option<(bool, String, i64)> {
    let (negative, number) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (mantissa, power) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let power: i64 = power.parse().ok()?;
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let power = power
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(i64::try_from(digits.len() - significant.len()).ok()?)?;
    match significant.trim_start_matches('0') {
        "" => Some((false, String::new(), 0)),
        digits => Some((negative, digits.to_owned(), power)),
    }
}

enum Node<'t> {
    /// A number, true, false or null.
    Word(&'t str),
    Text(Cow<'t, str>),
    List(Vec<Node<'t>>),
    Object(BTreeMap<Cow<'t, str>, Node<'t>>),
}

impl Node<'_> {
    fn write(&self, out: &mut String) {
        let text = |out: &mut String, text: &str| out.push_str(&serde_json::Value::from(text).to_string());
        match self {
            Node::Word(word) => out.push_str(word),
            Node::Text(own) => text(out, own),
            Node::List(nodes) => {
                out.push('[');
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    node.write(out);
                }
                out.push(']');
            }
            Node::Object(fields) => {
                out.push('{');
                for (index, (name, node)) in fields.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    text(out, name);
                    out.push(':');
                    node.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Reads what was found to be JSON before, so it asks no more than it needs to find its way.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// The next letter that is no blank.
    fn take(&mut self) -> Option<u8> {
        self.skip_blanks();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn node(&mut self) -> Option<Node<'t>> {
        self.skip_blanks();
        match self.peek()? {
            b'{' => self.object(),
            b'[' => self.list(),
            b'"' => self.text().map(Node::Text),
            _ => self.word().map(Node::Word),
        }
    }

    fn object(&mut self) -> Option<Node<'t>> {
        let mut fields = BTreeMap::new();
        self.at += 1;
        self.skip_blanks();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(Node::Object(fields));
        }
        loop {
            self.skip_blanks();
            let name = self.text()?;
            if self.take()? != b':' {
                return None;
            }
            fields.insert(name, self.node()?);
            match self.take()? {
                b',' => {}
                b'}' => return Some(Node::Object(fields)),
                _ => return None,
            }
        }
    }

    fn list(&mut self) -> Option<Node<'t>> {
        let mut nodes = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(Node::List(nodes));
        }
        loop {
            nodes.push(self.node()?);
            match self.take()? {
                b',' => {}
                b']' => return Some(Node::List(nodes)),
                _ => return None,
            }
        }
    }

    fn text(&mut self) -> Option<Cow<'t, str>> {
        let start = self.at;
        if self.peek()? != b'"' {
            return None;
        }
        let (mut end, mut plain) = (start + 1, true);
        let bytes = self.text.as_bytes();
        while *bytes.get(end)? != b'"' {
            let escape = bytes[end] == b'\\';
            plain &= !escape;
            end += if escape { 2 } else { 1 };
        }
        self.at = end + 1;
        let inside = self.text.get(start + 1..end)?;
        if plain {
            return Some(Cow::Borrowed(inside));
        }
        // Half a letter, such as "\ud800", has no other spelling.
        let read = serde_json::from_str(self.text.get(start..=end)?);
        Some(read.map_or(Cow::Borrowed(inside), Cow::Owned))
    }

    fn word(&mut self) -> Option<&'t str> {
        let rest = self.text.get(self.at..)?;
        let ends = |c: char| c.is_ascii_whitespace() || ",]}:[{\"".contains(c);
        let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
        self.at += word.len();
        (!word.is_empty()).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_has_one_spelling_and_no_digit_is_lost() {
        for (text, spelling) in [
            ("null", Some("null")),
            (" [ 1 , 2.50 , { } , [ ] ] ", Some("[1,2.50,{},[]]")),
            (r#"{"b": 1, "a": {"d": 2, "c": [true]}}"#, Some(r#"{"a":{"c":[true],"d":2},"b":1}"#)),
            (r#"{"a":1,"\u0061":2}"#, Some(r#"{"a":2}"#)),
            (r#"["\u00e9\n\"", "é\n\""]"#, Some(r#"["é\n\"","é\n\""]"#)),
            ("[1e400,0.1000000000000000055,123456789012345678901234567890]", None),
            (r#"["\ud800"]"#, Some(r#"["\\ud800"]"#)),
            (r#"{"a":"}{"}"#, Some(r#"{"a":"}{"}"#)),
        ] {
            let expected = spelling.unwrap_or(text);
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_has_no_spelling() {
        for text in ["", "{", "[1", "[1}", "{\"a\"}", "{1:2}", "\"a", "\"a\\", "1 2", "[,]"] {
            assert_eq!(canonical(text), None, "{text}");
        }
        assert!(canonical(&("[".repeat(DEEPEST) + &"]".repeat(DEEPEST))).is_some());
        assert_eq!(canonical(&("[".repeat(DEEPEST + 1) + &"]".repeat(DEEPEST + 1))), None);
    }

    #[test]
    fn a_number_that_loses_digits_is_found() {
        for (text, found) in [
            ("[0, -0, 1, -7, 1.50, 1e2, 0.1, 18446744073709551615, -9223372036854775808, 1E+2, 100.0]", None),
            (r#"{"a": "0.1000000000000000055", "b": true, "c": null}"#, None),
            ("[1, 0.1000000000000000055]", Some("0.1000000000000000055")),
            (r#"{"a": [{"b": 1e400}]}"#, Some("1e400")),
            ("123456789012345678901234567890", Some("123456789012345678901234567890")),
            ("1e99999999999999999999", Some("1e99999999999999999999")),
        ] {
            assert_eq!(inexact(text), found, "{text}");
        }
    }

    #[test]
    fn brackets_in_texts_are_no_depth() {
        for (text, deep) in [("1", 0), ("[]", 1), (r#"{"a[[":["{\"["]}"#, 2), (r#"[[],[[]]]"#, 3)] {
            assert_eq!(depth(text.as_bytes()), deep, "{text}");
        }
    }
}
