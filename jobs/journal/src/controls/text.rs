//! D: what it says it is for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{Control, Hit, Id, Norms, Said, Value, View, Wrong, account, at_least_one, count, worst};
use crate::calendar::{accounting_date, month_number};
use crate::names::Sort;
use crate::part::{Part, Posting};

mod months;

const NO_TEXTS: &str = "the ledger has no texts";
/// More of a text than a reader needs to recognise it.
const SHOWN: usize = 60;

/// The text of the line, or where it has none, that of the entry's head.
fn text<'a>(part: &'a Part, posting: &Posting) -> &'a str {
    match part.text(posting.line_text).trim() {
        "" => part.text(posting.header_text).trim(),
        text => text,
    }
}

/// A hash of what a text says apart from its numbers: "Rent 01/2025" and "RENT 02/2025" are the same text. The buffer saves an allocation per line.
pub(super) fn pattern(part: &Part, posting: &Posting, buffer: &mut String) -> Option<u32> {
    let text = text(part, posting);
    if text.is_empty() {
        return None;
    }
    buffer.clear();
    for character in text.chars() {
        match character {
            '0'..='9' if buffer.ends_with('#') => {}
            '0'..='9' => buffer.push('#'),
            ascii if ascii.is_ascii() => buffer.push(ascii.to_ascii_lowercase()),
            other => buffer.extend(other.to_lowercase()),
        }
    }
    Some(xxh3_64(buffer.as_bytes()) as u32)
}

fn shown(text: &str) -> Value {
    match text.char_indices().nth(SHOWN) {
        None => Value::Text(text.into()),
        Some((end, _)) => Value::Text(format!("{}…", &text[..end]).into()),
    }
}

/// For each line, the first of its texts for which there is an answer. Neighbouring lines mostly say the same and are asked once.
fn answers<'a, T: Copy>(
    view: &View<'a>,
    ask: impl Fn(&'a str, Option<i32>) -> Option<T>,
) -> Vec<Option<(T, &'a str)>> {
    let mut answers = Vec::with_capacity(view.postings.len());
    let mut last = None;
    for posting in view.postings {
        let texts = [posting.line_text, posting.header_text].map(|text| view.part.text(text).trim());
        let asked = (texts, accounting_date(posting).map(month_number));
        let answer = match last {
            Some((same, answer)) if same == asked => answer,
            _ => {
                let told = texts.into_iter().filter(|text| !text.is_empty());
                told.into_iter().find_map(|text| Some((ask(text, asked.1)?, text)))
            }
        };
        answers.push(answer);
        last = Some((asked, answer));
    }
    answers
}

/// The lines that have an answer, and the greatest one; the first of equals.
fn greatest<'a, T: Copy + PartialOrd>(
    answers: &[Option<(T, &'a str)>],
) -> Option<(Vec<u32>, usize, T, &'a str)> {
    let mut lines = Vec::new();
    let mut greatest: Option<(usize, T, &str)> = None;
    for (line, answer) in answers.iter().enumerate() {
        let Some((answer, text)) = *answer else { continue };
        lines.push(line as u32);
        if greatest.is_none_or(|(_, greatest, _)| answer > greatest) {
            greatest = Some((line, answer, text));
        }
    }
    let (line, answer, text) = greatest?;
    Some((lines, line, answer, text))
}

/// D1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MissingText {
    /// A shorter text explains nothing.
    pub least_characters: usize,
}

impl Default for MissingText {
    fn default() -> Self {
        Self { least_characters: 3 }
    }
}

impl Control for MissingText {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let length = |posting: &Posting| {
            let length = |text| view.part.text(text).trim().chars().count();
            length(posting.line_text).max(length(posting.header_text))
        };
        let hit = worst(view.postings, |posting| {
            Some(length(posting)).filter(|&length| length < self.least_characters).map(std::cmp::Reverse)
        })?;
        let said = match hit.key.0 {
            0 => {
                let empty = view.postings.iter().filter(|posting| length(posting) == 0).count();
                let values = [count("count", empty as u64), count("of", view.postings.len() as u64)];
                Said::new("{count} of {of} lines without text", values)
            }
            _ => Said::new("no more text than \"{text}\"", [("text", shown(text(view.part, hit.posting)))]),
        };
        Some(Hit::new(Id::MissingText, hit.lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("least_characters", self.least_characters as u64)
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        (!norms.has_texts()).then_some(NO_TEXTS)
    }
}

/// D2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Keyword {
    /// Words by language; they are found as whole words in any case.
    pub words: BTreeMap<String, Vec<String>>,
}

impl Default for Keyword {
    fn default() -> Self {
        const ENGLISH: &[&str] = &[
            "plug",
            "adjust",
            "adjustment",
            "reclass",
            "reclassify",
            "correction",
            "error",
            "mistake",
            "override",
            "per ceo",
            "per cfo",
            "as directed",
            "top side",
            "topside",
            "suspense",
            "write off",
            "write-off",
            "reverse",
            "cash",
            "gift",
            "bonus",
            "personal",
            "test",
            "dummy",
            "unknown",
            "misc",
            "do not",
        ];
        const GERMAN: &[&str] = &[
            "korrektur",
            "umbuchung",
            "fehler",
            "irrtum",
            "storno",
            "ausbuchung",
            "differenz",
            "unbekannt",
            "diverse",
            "geschenk",
            "prämie",
            "privat",
            "bar",
            "laut geschäftsführung",
            "auf anweisung",
            "manuell",
            "dummy",
        ];
        const FRENCH: &[&str] = &[
            "correction",
            "erreur",
            "régularisation",
            "annulation",
            "reclassement",
            "divers",
            "inconnu",
            "cadeau",
            "prime",
            "personnel",
            "espèces",
            "selon direction",
        ];
        let words = |words: &[&str]| words.iter().map(|word| word.to_string()).collect();
        let languages = [("en", ENGLISH), ("de", GERMAN), ("fr", FRENCH)];
        Self { words: languages.map(|(language, list)| (language.into(), words(list))).into() }
    }
}

impl Control for Keyword {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let answers = answers(view, |text, _| view.scene.keywords.word_in(text).map(Found));
        let (lines, _, Found(word), text) = greatest(&answers)?;
        let values = [("word", Value::Text(word.into())), ("text", shown(text))];
        Some(Hit::new(Id::Keyword, lines, Said::new("\"{word}\" in \"{text}\"", values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        let usable =
            |word: &String| word.starts_with(char::is_alphanumeric) && !word.chars().any(char::is_uppercase);
        let wrong = self
            .words
            .iter()
            .find_map(|(language, words)| Some((language, words.iter().find(|word| !usable(word))?)));
        match wrong {
            None => Ok(()),
            Some((language, word)) => Err(Wrong {
                field: "words",
                problem: format!("`{word}` of `{language}` would not be found"),
                remedy: "write words in small letters, with a letter or digit first",
            }),
        }
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        match (norms.has_texts(), self.words.values().all(Vec::is_empty)) {
            (false, _) => Some(NO_TEXTS),
            (true, true) => Some("no `words` are listed"),
            (true, false) => None,
        }
    }
}

/// The words of the configuration by their first parts, because each word of a text is looked up.
#[derive(Debug)]
pub struct Keywords(BTreeMap<String, Vec<String>>);

impl Keywords {
    pub fn new(keyword: &Keyword) -> Self {
        let mut words: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for word in keyword.words.values().flatten() {
            words.entry(first_part(word).into()).or_default().push(word.clone());
        }
        Self(words)
    }

    fn word_in(&self, text: &str) -> Option<&str> {
        let text = text.to_lowercase();
        let mut rest = text.as_str();
        while let Some(start) = rest.find(char::is_alphanumeric) {
            rest = &rest[start..];
            let first = first_part(rest);
            let ends = |word: &&String| {
                let behind = rest.strip_prefix(word.as_str());
                behind.is_some_and(|behind| !behind.starts_with(char::is_alphanumeric))
            };
            if let Some(word) = self.0.get(first).and_then(|words| words.iter().find(ends)) {
                return Some(word);
            }
            rest = &rest[first.len()..];
        }
        None
    }
}

fn first_part(text: &str) -> &str {
    text.split(|character: char| !character.is_alphanumeric()).next().unwrap_or(text)
}

/// A word found is as good as another.
#[derive(Clone, Copy)]
struct Found<'a>(&'a str);

impl PartialEq for Found<'_> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl PartialOrd for Found<'_> {
    fn partial_cmp(&self, _: &Self) -> Option<std::cmp::Ordering> {
        Some(std::cmp::Ordering::Equal)
    }
}

/// D3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RareText {
    /// A text so many times or fewer is rare; numbers in it do not count.
    pub most_lines: u64,
    /// In an account of fewer lines, no text is usual.
    pub least_account_lines: u64,
    /// An account with more different texts per hundred lines has no usual ones.
    pub most_texts_percent: u64,
}

impl Default for RareText {
    fn default() -> Self {
        Self { most_lines: 1, least_account_lines: 100, most_texts_percent: 10 }
    }
}

impl Control for RareText {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        let norms = view.norms();
        let mut buffer = String::new();
        let mut counts = Vec::with_capacity(view.postings.len());
        for posting in view.postings {
            let pattern = pattern(view.part, posting, &mut buffer);
            counts.push(pattern.and_then(|pattern| norms.text(posting.account, pattern)));
        }
        let rare = |posting: &Posting, times: u64| {
            let lines = norms.count(Sort::Account, posting.account);
            let has_usual_texts =
                norms.patterns(posting.account) * 100 <= lines.saturating_mul(self.most_texts_percent);
            times <= self.most_lines && lines >= self.least_account_lines && has_usual_texts
        };
        let rare_lines: Vec<usize> = (0..view.postings.len())
            .filter(|&line| counts[line].is_some_and(|times| rare(&view.postings[line], times)))
            .collect();
        let &line = rare_lines.iter().min_by_key(|&&line| counts[line])?;
        let posting = &view.postings[line];
        let values = [
            ("text", shown(text(view.part, posting))),
            count("count", counts[line]?),
            count("of", norms.count(Sort::Account, posting.account)),
            account(posting),
            count("texts", norms.patterns(posting.account)),
        ];
        let sentence =
            "\"{text}\" in {count} of {of} lines of account {account}, which has {texts} different texts";
        let lines = rare_lines.into_iter().map(|line| line as u32).collect();
        Some(Hit::new(Id::RareText, lines, Said::new(sentence, values)))
    }

    fn check(&self) -> Result<(), Wrong> {
        at_least_one("most_lines", self.most_lines)?;
        at_least_one("most_texts_percent", self.most_texts_percent)
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        (!norms.has_texts()).then_some(NO_TEXTS)
    }
}

/// D4. A month with its year, or a month alone in the year of the entry that is nearest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OtherPeriod {
    /// So many months away is no other period: the rent of March is paid in February.
    pub near_months: u32,
}

impl Default for OtherPeriod {
    fn default() -> Self {
        Self { near_months: 1 }
    }
}

impl Control for OtherPeriod {
    fn look(&self, view: &View<'_>) -> Option<Hit> {
        // The nearest month that a text names: "accrual March, paid in April" is not about another period in April.
        let nearest = |text: &str, month: Option<i32>| {
            let month = month?;
            let named =
                months::named(text, month).into_iter().min_by_key(|named| ((named - month).abs(), *named))?;
            Some(((named - month).unsigned_abs(), named))
        };
        let mut answers = answers(view, nearest);
        for answer in &mut answers {
            *answer = answer.filter(|((away, _), _)| *away > self.near_months);
        }
        let (lines, line, (away, month), text) = greatest(&answers)?;
        let values = [
            ("text", shown(text)),
            ("named", Value::Text(format!("{:04}-{:02}", month / 12, month % 12 + 1).into())),
            ("date", Value::Date(accounting_date(view.postings.get(line)?)?)),
            count("away", away.into()),
        ];
        let said = Said::new("\"{text}\" names {named} and is dated {date}, {away} months away", values);
        Some(Hit::new(Id::OtherPeriod, lines, said))
    }

    fn check(&self) -> Result<(), Wrong> {
        match self.near_months {
            0..=11 => Ok(()),
            months => Err(Wrong {
                field: "near_months",
                problem: format!("{months} months hide a whole year"),
                remedy: "write 0 to 11",
            }),
        }
    }

    fn idle(&self, norms: &Norms) -> Option<&'static str> {
        match (norms.has_texts(), norms.has_dates()) {
            (false, _) => Some(NO_TEXTS),
            (true, false) => Some("the ledger has no dates"),
            (true, true) => None,
        }
    }
}

#[cfg(test)]
mod tests;
