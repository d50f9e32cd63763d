//! A proposal for a mapping, with the reason of each guess and what only the owner can know.
//!
//! The head of the input is looked at. What the sample proves is proposed; what it leaves open is asked and not chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::mapping::{Columns, DateOrder, DecimalSign, Field, Format, Grouping, Mapping, Sign};
use super::names::canonical;
use super::plan::{Joined, Plan};
use super::presets::{Preset, written_out};
use super::table::{self, Record, Span};
use super::value::{self, NoAmount, NoDate, NumberStyle};
use super::{Input, ReadError};
use crate::amount::Amount;
use synonyms::{SIGNATURES, SYNONYMS};

mod sample;
mod synonyms;

#[derive(Debug, Clone, PartialEq)]
pub struct Guess {
    /// To be taken over as it is, once every question is answered in it.
    pub mapping: Mapping,
    pub findings: Vec<Finding>,
    /// What the sample leaves open.
    pub questions: Vec<String>,
    /// Columns that no field comes from.
    pub unused: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A key of the mapping.
    pub key: String,
    pub value: String,
    pub reason: String,
}

/// For people: one finding a line.
impl fmt::Display for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { key, value, reason } in &self.findings {
            writeln!(f, "{key} = {value}: {reason}")?;
        }
        for question in &self.questions {
            writeln!(f, "? {question}")?;
        }
        if !self.unused.is_empty() {
            writeln!(f, "not used: {}", self.unused.join(", "))?;
        }
        Ok(())
    }
}

/// The first records of a source, as texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    format: Option<Format>,
    delimiter: Option<char>,
    not_utf8: u64,
    columns: Vec<String>,
    /// Each text, and whether it was a number in the source.
    rows: Vec<Vec<(String, bool)>>,
}

/// Looks at the head of the input; what `known` says is kept.
pub fn guess(input: &Input, known: &Mapping) -> Result<Guess, ReadError> {
    known.check()?;
    let sample = sample::take(input, known)?;
    Ok(of(&sample, known))
}

fn of(sample: &Sample, known: &Mapping) -> Guess {
    let mut guess =
        Guess { mapping: known.clone(), findings: Vec::new(), questions: Vec::new(), unused: Vec::new() };
    guess.layout(sample);
    if sample.format == Some(Format::Saft) {
        return guess;
    }
    guess.columns(sample);
    let bound = Bound::of(&guess.mapping, sample);
    guess.amounts(&bound);
    guess.dates(&bound);
    guess.sides(&bound);
    guess.manual(&bound);
    guess.signs(sample);
    guess.unused = sample.columns.iter().filter(|name| !bound.used.contains(*name)).cloned().collect();
    guess
}

impl Guess {
    fn find(&mut self, key: impl Into<String>, value: impl Into<String>, reason: impl Into<String>) {
        self.findings.push(Finding { key: key.into(), value: value.into(), reason: reason.into() });
    }

    fn layout(&mut self, sample: &Sample) {
        if let Some(format) = sample.format {
            self.find("format", format.name(), "seen from the first bytes");
            self.mapping.format = Some(format);
        }
        if let Some(delimiter) = sample.delimiter {
            self.find("delimiter", format!("{delimiter:?}"), "occurs most in the first line");
        }
        if sample.not_utf8 > 0 {
            let reason = format!("{} lines of the sample are not UTF-8", sample.not_utf8);
            self.find("encoding", "windows-1252", reason);
        }
        if self.mapping.preset.is_some() {
            return;
        }
        if sample.format == Some(Format::Saft) {
            self.find("preset", Preset::Saft.name(), "a Standard Audit File for Tax is XML");
            self.mapping.preset = Some(Preset::Saft);
            return;
        }
        let names: BTreeSet<String> = sample.columns.iter().map(|name| canonical(name)).collect();
        let fits = |signature: &[&str]| signature.iter().all(|name| names.contains(*name));
        if let Some((preset, signature)) = SIGNATURES.iter().find(|(_, signature)| fits(signature)) {
            self.find("preset", preset.name(), format!("only it has {} together", signature.join(", ")));
            self.mapping.preset = Some(*preset);
        }
    }

    /// A column for each field that has none, by what columns are called.
    fn columns(&mut self, sample: &Sample) {
        let looks_like_data = |name: &String| {
            name.is_empty()
                || value::date(name, None).is_ok()
                || name.chars().all(|char| !char.is_alphabetic())
        };
        if !self.mapping.headless
            && sample.columns.iter().filter(|name| looks_like_data(name)).count() * 2 > sample.columns.len()
        {
            let first = sample.columns.join(", ");
            self.questions.push(format!(
                "the first line looks like data ({first}); if it is, set headless = true and map columns by number"
            ));
        }
        if self.mapping.preset.is_some() {
            return;
        }
        let said: Vec<Field> =
            self.mapping.columns.keys().chain(self.mapping.constants.keys()).copied().collect();
        let mut taken: BTreeSet<String> =
            self.mapping.columns.values().flat_map(|columns| columns.names()).cloned().collect();
        let amounts = [Field::Amount, Field::Debit, Field::Credit];
        let mut found: BTreeMap<Field, String> = BTreeMap::new();
        for (field, synonyms) in SYNONYMS {
            let known = said.contains(field)
                || (amounts.contains(field) && said.iter().any(|said| amounts.contains(said)));
            let is_free = |name: &&String| !taken.contains(*name);
            let column = synonyms.iter().find_map(|synonym| {
                sample.columns.iter().filter(is_free).find(|name| called(name, sample.format) == *synonym)
            });
            if let (false, Some(column)) = (known, column) {
                taken.insert(column.clone());
                found.insert(*field, column.clone());
            }
        }
        // Two columns say which side an amount is on; a third with the amount says nothing more.
        if found.contains_key(&Field::Debit) && found.contains_key(&Field::Credit) {
            found.remove(&Field::Amount);
            found.remove(&Field::Side);
        } else {
            found.remove(&Field::Debit);
            found.remove(&Field::Credit);
        }
        for (field, column) in found {
            let reason = format!("is called like {}", field.name());
            self.find(format!("columns.{}", field.name()), column.clone(), reason);
            self.mapping.columns.insert(field, Columns::One(column));
        }
        if !self.mapping.columns.contains_key(&Field::Entry) && !self.mapping.lines_are_entries {
            let otherwise = "or lines_are_entries = true if each line is one";
            self.questions.push(format!("no column is called like entry; set columns.entry, {otherwise}"));
        }
        if !self.mapping.columns.contains_key(&Field::Account) {
            self.questions.push("no column is called like account; set columns.account".into());
        }
        if !amounts.iter().any(|field| self.mapping.columns.contains_key(field)) {
            self.questions
                .push("no column is called like an amount; set columns.amount, or debit and credit".into());
        }
    }

    fn amounts(&mut self, bound: &Bound<'_>) {
        let texts = bound.texts(&[Field::Amount, Field::Debit, Field::Credit]);
        if texts.is_empty() || self.mapping.decimal.is_some() {
            return;
        }
        let reads = |decimal, grouping, text: &str| {
            let style =
                NumberStyle::of(&Mapping { decimal: Some(decimal), grouping, ..self.mapping.clone() });
            !matches!(style.amount(text), Err(NoAmount::Separator | NoAmount::NotANumber))
        };
        let fit: Vec<_> = STYLES
            .iter()
            .filter(|(decimal, grouping)| texts.iter().all(|text| reads(*decimal, *grouping, text)))
            .collect();
        let (count, example) = (texts.len(), longest(&texts));
        match fit.as_slice() {
            [] => {
                let odd =
                    texts.iter().find(|text| !reads(DecimalSign::Point, None, text)).unwrap_or(&example);
                self.questions
                    .push(format!("no way of writing numbers fits all amounts; `{odd}` is one of them"));
            }
            [(DecimalSign::Point, None), rest @ ..] => {
                // 1.234 alone may be a thousand and more.
                let other = rest.iter().find(|(decimal, _)| *decimal == DecimalSign::Comma);
                if other.is_some() && texts.iter().any(|text| text.contains('.')) {
                    self.questions.push(format!(
                        "`{example}` may be thousands or decimals; set decimal to point or comma"
                    ));
                }
            }
            [(decimal, grouping), ..] => {
                let only_one = fit.iter().all(|(other, _)| other == decimal);
                if !only_one {
                    self.questions.push(format!(
                        "`{example}` may be thousands or decimals; set decimal to point or comma"
                    ));
                    return;
                }
                let reason = format!("reads all {count} amounts of the sample, such as `{example}`");
                self.find("decimal", name_of(decimal), reason.clone());
                self.mapping.decimal = Some(*decimal);
                if let Some(grouping) = grouping {
                    self.find("grouping", name_of(grouping), reason);
                    self.mapping.grouping = Some(*grouping);
                }
            }
        }
        let style = NumberStyle::of(&self.mapping);
        let precise: Vec<_> =
            texts.iter().filter(|text| style.amount(text) == Err(NoAmount::TooPrecise)).collect();
        if let Some(text) = precise.first() {
            self.questions.push(format!(
                "{} of {count} amounts have more than 4 decimals, such as `{text}`; set round_to to keep those lines",
                precise.len()
            ));
        }
    }

    fn dates(&mut self, bound: &Bound<'_>) {
        let texts = bound.texts(&[Field::Effective, Field::Document, Field::Entered]);
        if self.mapping.dates.is_some() {
            return;
        }
        let open: Vec<&str> = texts.iter().copied().filter(|text| value::date(text, None).is_err()).collect();
        let Some(first) = open.first() else { return };
        let fits = |order| open.iter().all(|text| value::date(text, Some(order)).is_ok());
        let only = |order| open.iter().find(|text| value::date(text, Some(order)).is_err());
        match (fits(DateOrder::DayFirst), fits(DateOrder::MonthFirst), fits(DateOrder::Serial)) {
            (true, true, _) => self.questions.push(format!(
                "all {} dates such as `{first}` could begin with the day or the month; set dates to day_first or \
                 month_first",
                open.len()
            )),
            (true, false, _) => {
                let proof = only(DateOrder::MonthFirst).unwrap_or(first);
                self.find("dates", "day_first", format!("`{proof}` has no such month"));
                self.mapping.dates = Some(DateOrder::DayFirst);
            }
            (false, true, _) => {
                let proof = only(DateOrder::DayFirst).unwrap_or(first);
                self.find("dates", "month_first", format!("`{proof}` has no such month"));
                self.mapping.dates = Some(DateOrder::MonthFirst);
            }
            (false, false, true) => {
                let day = value::serial_date(first).map_or_else(String::new, |date| date.to_string());
                self.find("dates", "serial", format!("`{first}` counts days as spreadsheets do; it is {day}"));
                self.mapping.dates = Some(DateOrder::Serial);
            }
            (false, false, false) => {
                let odd = open.iter().find(|text| value::date(text, None) != Err(NoDate::Ambiguous)).unwrap_or(first);
                self.questions.push(format!("no order of day and month fits all dates; `{odd}` is one of them"));
            }
        }
    }

    fn sides(&mut self, bound: &Bound<'_>) {
        let marks: BTreeSet<&str> = bound.texts(&[Field::Side]).into_iter().collect();
        let unknown: Vec<&str> =
            marks.into_iter().filter(|mark| self.mapping.side_of(mark).is_none()).take(10).collect();
        if !unknown.is_empty() {
            self.questions.push(format!(
                "`{}` say debit or credit; set debit_values and credit_values",
                unknown.join("`, `")
            ));
        }
    }

    fn manual(&mut self, bound: &Bound<'_>) {
        let marks: BTreeSet<String> =
            bound.texts(&[Field::Manual]).into_iter().map(str::to_lowercase).collect();
        let usual = ["true", "false", "yes", "no", "y", "n", "x", "1", "0"];
        let whole = written_out(&self.mapping).0;
        if whole.manual_values.is_empty() && !marks.iter().all(|mark| usual.contains(&mark.as_str())) {
            let shown: Vec<&str> = marks.iter().map(String::as_str).take(10).collect();
            self.questions.push(format!("which of `{}` is by hand; set manual_values", shown.join("`, `")));
        }
    }

    /// Entries balance: whether an amount's sign or its mark says the side is seen from which of them makes zero.
    fn signs(&mut self, sample: &Sample) {
        let mapped = |field| written_out(&self.mapping).1.iter().any(|(mapped, _)| *mapped == field);
        if self.mapping.sign.is_some() || !mapped(Field::Side) || !mapped(Field::Amount) {
            return;
        }
        let balanced = |sign| balanced_entries(&Mapping { sign: Some(sign), ..self.mapping.clone() }, sample);
        let (by_side, signed) = (balanced(Sign::BySide), balanced(Sign::DebitPositive));
        if signed > by_side {
            let reason = format!("so {signed} entries of the sample balance, and by their marks {by_side}");
            self.find("sign", "debit_positive", reason);
            self.mapping.sign = Some(Sign::DebitPositive);
        }
    }
}

/// Within documents, the last part of a path is what a value is called.
fn called(name: &str, format: Option<Format>) -> String {
    let is_path = matches!(format, Some(Format::JsonLines | Format::Parquet));
    canonical(name.rsplit('.').next().filter(|_| is_path).unwrap_or(name))
}

const STYLES: [(DecimalSign, Option<Grouping>); 7] = [
    (DecimalSign::Point, None),
    (DecimalSign::Comma, None),
    (DecimalSign::Comma, Some(Grouping::Point)),
    (DecimalSign::Comma, Some(Grouping::Space)),
    (DecimalSign::Point, Some(Grouping::Comma)),
    (DecimalSign::Point, Some(Grouping::Space)),
    (DecimalSign::Point, Some(Grouping::Apostrophe)),
];

fn longest<'a>(texts: &[&'a str]) -> &'a str {
    texts.iter().copied().max_by_key(|text| (text.len(), std::cmp::Reverse(*text))).unwrap_or_default()
}

/// As the configuration writes it.
fn name_of(value: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(value).ok();
    name.and_then(|name| name.as_str().map(Into::into)).unwrap_or_default()
}

fn balanced_entries(mapping: &Mapping, sample: &Sample) -> usize {
    let Ok(plan) = Plan::bind(mapping, &table::Columns::Named(&sample.columns)) else { return 0 };
    let mut sums: BTreeMap<String, Amount> = BTreeMap::new();
    let mut joined = Joined::default();
    for row in &sample.rows {
        let (text, fields) = as_record(row);
        let record = Record { first_line: 0, last_line: 0, text: &text, fields: &fields };
        if let Ok((line, _)) = plan.line(&record, &mut joined, &mut Vec::new()) {
            let sum = sums.entry(line.entry.into()).or_default();
            *sum = *sum + line.signed();
        }
    }
    sums.values().filter(|sum| **sum == Amount::ZERO).count()
}

fn as_record(row: &[(String, bool)]) -> (String, Vec<Span>) {
    let mut text = String::new();
    let fields = row.iter().map(|(field, exact)| {
        let start = text.len() as u32;
        text.push_str(field);
        Span { start, end: text.len() as u32, exact: *exact }
    });
    let fields = fields.collect();
    (text, fields)
}

/// The texts of the sample below the fields that they are mapped to.
struct Bound<'a> {
    texts: BTreeMap<Field, Vec<&'a str>>,
    used: BTreeSet<String>,
}

impl<'a> Bound<'a> {
    fn of(mapping: &Mapping, sample: &'a Sample) -> Self {
        let mut bound = Self { texts: BTreeMap::new(), used: BTreeSet::new() };
        for (field, wanted) in written_out(mapping).1 {
            for name in wanted.columns.names() {
                let wanted = canonical(name);
                let Some(place) = sample.columns.iter().position(|column| canonical(column) == wanted) else {
                    continue;
                };
                bound.used.insert(sample.columns[place].clone());
                // Numbers of the source need no explanation.
                let texts = sample.rows.iter().filter_map(|row| row.get(place));
                let texts =
                    texts.filter(|(text, exact)| !exact && !text.is_empty()).map(|(text, _)| text.as_str());
                bound.texts.entry(field).or_default().extend(texts);
            }
        }
        bound
    }

    fn texts(&self, fields: &[Field]) -> Vec<&'a str> {
        fields.iter().filter_map(|field| self.texts.get(field)).flatten().copied().collect()
    }
}

#[cfg(test)]
mod tests;
