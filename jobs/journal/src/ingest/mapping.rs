//! How a ledger's columns become the fields of a [`Line`](crate::line::Line): configuration, checked by name.
//!
//! Nothing here is guessed. What a file means is said by a preset or by its owner; [`guess`](super::guess()) proposes
//! a mapping and shows why, and a person takes it over or not.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::presets::Preset;
use crate::line::Side;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mapping {
    /// A known layout; what is said beside it goes first. Written also where there is none: settings have one by default.
    pub preset: Option<Preset>,
    /// Seen from the content when it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    #[serde(skip_serializing_if = "Encoding::is_auto")]
    pub encoding: Encoding,
    /// Of delimited text; seen from the first line when it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Says that the first line is no header: columns are then called `1`, `2` and so on.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub headless: bool,
    /// Of a workbook; the first one when it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<DecimalSign>,
    /// What stands between groups of three digits; without it, such amounts are rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grouping: Option<Grouping>,
    /// How dates are read that could mean two days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dates: Option<DateOrder>,
    /// Amounts with more decimals are rounded, half away from zero; without it, more than four are rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_to: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign: Option<Sign>,
    /// For lists without entries, such as payments: each line is an entry, called by its number in the file.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lines_are_entries: bool,
    /// From where each field comes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<Field, Columns>,
    /// The same text for every line, such as `entity = "ACME"`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub constants: BTreeMap<Field, String>,
    /// What the column of `manual` says of lines entered by hand, if it is not yes, true, x or 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manual_values: Vec<String>,
    /// What the column of `side` says, beside the usual marks of debits and credits.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub debit_values: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credit_values: Vec<String>,
    /// Columns that no field is for and that entries are compared in too, such as an object of costs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Delimited text.
    Csv,
    /// One JSON object on each line.
    JsonLines,
    /// The Standard Audit File for Tax, in XML.
    Saft,
    Xlsx,
    Parquet,
}

impl Format {
    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "json_lines",
            Self::Saft => "saft",
            Self::Xlsx => "xlsx",
            Self::Parquet => "parquet",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8 or UTF-16 as the file's first bytes say; a line that is not UTF-8 is read as Windows-1252 and counted.
    #[default]
    #[serde(rename = "auto")]
    Auto,
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "utf-16le")]
    Utf16Le,
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Contains Latin-1.
    #[serde(rename = "windows-1252", alias = "latin-1", alias = "iso-8859-1")]
    Windows1252,
}

impl Encoding {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecimalSign {
    Point,
    Comma,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    Comma,
    Point,
    /// Also the unbreakable ones.
    Space,
    Apostrophe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// 31/01/2025
    DayFirst,
    /// 01/31/2025
    MonthFirst,
    /// Days since 1900, as spreadsheets count them.
    Serial,
}

/// What an amount's sign means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// The column of `side` says it; a negative amount is a reversed posting of that side.
    BySide,
    /// Debits are positive and credits negative, whatever a column of `side` says besides.
    DebitPositive,
    CreditPositive,
}

/// Every field that a column can fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Entry,
    Number,
    Account,
    AccountName,
    Amount,
    Side,
    Debit,
    Credit,
    Currency,
    Entity,
    Ledger,
    BusinessUnit,
    Source,
    DocumentType,
    Manual,
    User,
    Approver,
    Effective,
    Document,
    Entered,
    EnteredTime,
    FiscalYear,
    Period,
    Reference,
    Partner,
    ReversalOf,
    HeaderText,
    LineText,
}

impl Field {
    pub const ALL: [Self; 28] = [
        Self::Entry,
        Self::Number,
        Self::Account,
        Self::AccountName,
        Self::Amount,
        Self::Side,
        Self::Debit,
        Self::Credit,
        Self::Currency,
        Self::Entity,
        Self::Ledger,
        Self::BusinessUnit,
        Self::Source,
        Self::DocumentType,
        Self::Manual,
        Self::User,
        Self::Approver,
        Self::Effective,
        Self::Document,
        Self::Entered,
        Self::EnteredTime,
        Self::FiscalYear,
        Self::Period,
        Self::Reference,
        Self::Partner,
        Self::ReversalOf,
        Self::HeaderText,
        Self::LineText,
    ];

    /// Whether it is taken as it is written.
    fn is_text(self) -> bool {
        !matches!(
            self,
            Self::Number
                | Self::Amount
                | Self::Side
                | Self::Debit
                | Self::Credit
                | Self::Manual
                | Self::Effective
                | Self::Document
                | Self::Entered
                | Self::EnteredTime
                | Self::FiscalYear
                | Self::Period
        )
    }

    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Number => "number",
            Self::Account => "account",
            Self::AccountName => "account_name",
            Self::Amount => "amount",
            Self::Side => "side",
            Self::Debit => "debit",
            Self::Credit => "credit",
            Self::Currency => "currency",
            Self::Entity => "entity",
            Self::Ledger => "ledger",
            Self::BusinessUnit => "business_unit",
            Self::Source => "source",
            Self::DocumentType => "document_type",
            Self::Manual => "manual",
            Self::User => "user",
            Self::Approver => "approver",
            Self::Effective => "effective",
            Self::Document => "document",
            Self::Entered => "entered",
            Self::EnteredTime => "entered_time",
            Self::FiscalYear => "fiscal_year",
            Self::Period => "period",
            Self::Reference => "reference",
            Self::Partner => "partner",
            Self::ReversalOf => "reversal_of",
            Self::HeaderText => "header_text",
            Self::LineText => "line_text",
        }
    }
}

/// The columns behind one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Columns {
    One(String),
    /// The first of them that the source has; where lines differ, the first that says something.
    FirstOf(Vec<String>),
    /// Their texts with `/` between them: an id is often unique only together with company and year. Empty as soon as one
    /// of them is.
    Joined {
        join: Vec<String>,
    },
}

impl Columns {
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::FirstOf(names) | Self::Joined { join: names } => names,
        }
    }
}

/// Says which key is wrong, and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct MappingError {
    pub key: String,
    pub problem: String,
}

/// Pairs of categories are as many as their square, and the usual ones have to find room beside these.
const MOST_EXTRA: usize = 8;
/// `Amount` holds no more.
const MOST_DECIMALS: u8 = 4;

impl Mapping {
    pub fn of(preset: Preset) -> Self {
        Self { preset: Some(preset), ..Self::default() }
    }

    /// The extra columns in one order, whatever order they were named in: a model knows them by their places.
    pub fn extra_columns(&self) -> Vec<String> {
        let mut columns = self.extra.clone();
        columns.sort_unstable();
        columns
    }

    /// What a mark of debit or credit says. S(oll) and H(aben) are what SAP writes.
    pub(super) fn side_of(&self, mark: &str) -> Option<Side> {
        let among = |values: &[String]| values.iter().any(|value| value.eq_ignore_ascii_case(mark));
        let is = |marks: &[&str]| marks.iter().any(|usual| usual.eq_ignore_ascii_case(mark));
        if among(&self.debit_values) {
            Some(Side::Debit)
        } else if among(&self.credit_values) {
            Some(Side::Credit)
        } else if is(&["S", "D", "DR", "DEBIT", "DÉBIT", "Débit", "SOLL", "+1", "+"]) {
            Some(Side::Debit)
        } else if is(&["H", "C", "CR", "CREDIT", "CRÉDIT", "Crédit", "HABEN", "-1", "-"]) {
            Some(Side::Credit)
        } else {
            None
        }
    }

    pub fn check(&self) -> Result<(), MappingError> {
        let wrong = |key: &str, problem: String| Err(MappingError { key: key.into(), problem });
        if let Some(delimiter) = self.delimiter
            && (!delimiter.is_ascii()
                || delimiter.is_ascii_alphanumeric()
                || "\"\r\n\0.-".contains(delimiter))
        {
            return wrong("delimiter", format!("{delimiter:?} cannot separate columns; use , ; | or a tab"));
        }
        if let Some(decimals) = self.round_to.filter(|&decimals| decimals > MOST_DECIMALS) {
            return wrong(
                "round_to",
                format!("{decimals} are too many; at most {MOST_DECIMALS} decimals are kept"),
            );
        }
        if let (DecimalSign::Comma, Some(Grouping::Comma)) | (DecimalSign::Point, Some(Grouping::Point)) =
            (self.decimal.unwrap_or(DecimalSign::Point), self.grouping)
        {
            return wrong("grouping", "is the decimal sign too; set `decimal` to the other one".into());
        }
        for (field, columns) in &self.columns {
            let key = format!("columns.{}", field.name());
            if columns.names().is_empty() || columns.names().iter().any(String::is_empty) {
                return wrong(&key, "names no column; name one or remove the key".into());
            }
            if matches!(columns, Columns::Joined { .. }) && !field.is_text() {
                return wrong(&key, "cannot be joined; only texts can".into());
            }
            if self.constants.contains_key(field) {
                return wrong(&key, format!("constants.{} says it too; keep one of them", field.name()));
            }
        }
        let extra = self.extra_columns();
        if extra.len() > MOST_EXTRA {
            return wrong("extra", format!("{} are too many; name at most {MOST_EXTRA}", extra.len()));
        }
        if extra.iter().any(String::is_empty) {
            return wrong("extra", "names no column; name one or leave it out".into());
        }
        if let Some(doubled) = extra.windows(2).find(|pair| pair[0] == pair[1]) {
            return wrong("extra", format!("names `{}` twice; keep one of them", doubled[0]));
        }
        let entry = [self.columns.contains_key(&Field::Entry), self.constants.contains_key(&Field::Entry)];
        if self.lines_are_entries && entry.contains(&true) {
            return wrong("lines_are_entries", "an entry's id is mapped too; keep one of them".into());
        }
        let both_ways = self.columns.contains_key(&Field::Amount)
            && [Field::Debit, Field::Credit].iter().any(|field| self.columns.contains_key(field));
        if both_ways {
            return wrong(
                "columns.amount",
                "debit and credit are mapped too; keep one way of writing amounts".into(),
            );
        }
        let amounts = [Field::Amount, Field::Debit, Field::Credit];
        if let Some(field) = amounts.into_iter().find(|field| self.constants.contains_key(field)) {
            let key = format!("constants.{}", field.name());
            return wrong(&key, "an amount cannot be the same for every line; map a column".into());
        }
        let doubled = self
            .debit_values
            .iter()
            .find(|value| self.credit_values.iter().any(|other| other.eq_ignore_ascii_case(value)));
        match doubled {
            Some(value) => wrong("debit_values", format!("`{value}` is among credit_values too")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
