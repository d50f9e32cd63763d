//! What a test found: the lines concerned, and its plain values, which become words an auditor can vouch.

use std::fmt::Write;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::registry::Id;
use crate::amount::{Amount, group};
use crate::names::{Names, Sort, Symbol};

/// A test that hit an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub id: Id,
    /// The places of the lines among the entry's postings; none where the entry as a whole is meant.
    pub lines: Vec<u32>,
    /// Of the strongest of these lines.
    pub said: Said,
    /// Another entry that belongs to it: a duplicate, a reversal.
    pub other: Option<Place>,
}

/// Where an entry is. The hash is the same however the ledger is parted; the part and the number say where its id can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub hash: u64,
    pub part: u32,
    pub number: u32,
}

impl Hit {
    pub fn new(id: Id, lines: Vec<u32>, said: Said) -> Self {
        Self { id, lines, said, other: None }
    }

    pub fn with(self, other: Option<Place>) -> Self {
        Self { other, ..self }
    }
}

/// A sentence with places for values: `{name}` stands for the value of that name.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    sentence: &'static str,
    values: Vec<(&'static str, Value)>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Name(Sort, Symbol),
    Count(u64),
    /// How many times something happened.
    Times(u64),
    Amount(Amount),
    Date(Date),
    /// Seconds since midnight.
    Time(u32),
    Days(i32),
    /// Hundredths, so that two hits compare exactly.
    Hundredths(i64),
    /// Of the ledger or of the configuration.
    Text(Box<str>),
}

impl Said {
    pub fn new(sentence: &'static str, values: impl Into<Vec<(&'static str, Value)>>) -> Self {
        Self { sentence, values: values.into() }
    }

    pub fn values(&self) -> &[(&'static str, Value)] {
        &self.values
    }

    pub fn words(&self, names: &Names) -> String {
        let mut words = String::with_capacity(self.sentence.len() + 32);
        let mut rest = self.sentence;
        while let Some((before, from)) = rest.split_once('{') {
            words.push_str(before);
            let (name, after) = from.split_once('}').unwrap_or((from, ""));
            if let Some((_, value)) = self.values.iter().find(|(known, _)| *known == name) {
                value.write(names, &mut words);
            }
            rest = after;
        }
        words.push_str(rest);
        words
    }
}

impl Value {
    pub fn words(&self, names: &Names) -> String {
        let mut words = String::new();
        self.write(names, &mut words);
        words
    }

    fn write(&self, names: &Names, words: &mut String) {
        // Writing to a string does not fail.
        let _ = match self {
            Self::Name(sort, symbol) => match names.name(*sort, *symbol) {
                "" => write!(words, "(none)"),
                name => write!(words, "{name}"),
            },
            Self::Count(count) => write!(words, "{}", group(&count.to_string())),
            Self::Times(1) => write!(words, "once"),
            Self::Times(count) => write!(words, "{} times", group(&count.to_string())),
            Self::Amount(amount) => write!(words, "{}", amount.grouped()),
            Self::Date(date) => write!(words, "{date}"),
            Self::Time(seconds) => write!(words, "{:02}:{:02}", seconds / 3_600, seconds / 60 % 60),
            Self::Days(1) => write!(words, "1 day"),
            Self::Days(days) => write!(words, "{days} days"),
            Self::Hundredths(value) => {
                let sign = if *value < 0 { "-" } else { "" };
                write!(words, "{sign}{}.{:02}", value.unsigned_abs() / 100, value.unsigned_abs() % 100)
            }
            Self::Text(text) => write!(words, "{text}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Line;
    use crate::part::from_lines;

    #[test]
    fn plain_values_become_words() {
        let (part, names) = from_lines([Line { account: "4711", user: "MEIER", ..Line::default() }]);
        let posting = &part.postings()[0];
        let said = Said::new(
            "account {account} posted by {user} {count} of {of} lines, first {once}, partner {partner}",
            [
                ("account", Value::Name(Sort::Account, posting.account)),
                ("user", Value::Name(Sort::User, posting.user)),
                ("count", Value::Times(2)),
                ("of", Value::Count(41_220)),
                ("once", Value::Times(1)),
                ("partner", Value::Name(Sort::Partner, posting.partner)),
            ],
        );

        assert_eq!(
            said.words(&names),
            "account 4711 posted by MEIER 2 times of 41,220 lines, first once, partner (none)"
        );
        assert_eq!(Value::Hundredths(-350).words(&names), "-3.50");
        assert_eq!(Value::Time(2 * 3_600 + 42 * 60).words(&names), "02:42");
        assert_eq!(Value::Days(1).words(&names), "1 day");
    }

    #[test]
    fn text_of_a_ledger_is_never_read_as_a_sentence() {
        let (_, names) = from_lines([Line::default()]);
        let said = Said::new("text \"{text}\"", [("text", Value::Text("{text}{x".into()))]);

        assert_eq!(said.words(&names), "text \"{text}{x\"");
    }
}
