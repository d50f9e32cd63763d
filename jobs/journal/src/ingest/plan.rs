//! A mapping bound to the columns that a source really has; makes a [`Line`] of a record, or says why not.

use jiff::civil::Date;

use super::mapping::{Columns, Field, Mapping, Sign};
use super::presets::{Wanted, written_out};
use super::slot::{Place, Problem, Slot, Style};
use super::table::{self, Record};
use super::{ReadError, names};
use crate::amount::Amount;
use crate::line::{Line, Side};

#[derive(Debug)]
pub(crate) struct Plan {
    slots: [Slot; Field::ALL.len()],
    joined: Vec<Field>,
    extra: Vec<Slot>,
    amounts: Amounts,
    style: Style,
    /// With its preset written out.
    mapping: Mapping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amounts {
    BySide,
    Signed { credit_positive: bool },
    TwoColumns,
}

/// The names of all columns that the mapping could use, for sources that must be asked for them.
pub(crate) fn wanted_columns(mapping: &Mapping) -> Vec<String> {
    let (_, wanted) = written_out(mapping);
    let mut names: Vec<String> =
        wanted.iter().flat_map(|(_, wanted)| wanted.columns.names()).chain(&mapping.extra).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The joined texts of the line at hand, by the number of their field.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    text: String,
    ends: Vec<(Field, usize)>,
}

impl Joined {
    fn get(&self, field: Field) -> &str {
        let Some(place) = self.ends.iter().position(|(joined, _)| *joined == field) else { return "" };
        let start = if place == 0 { 0 } else { self.ends[place - 1].1 };
        &self.text[start..self.ends[place].1]
    }
}

impl Plan {
    pub(crate) fn bind(mapping: &Mapping, columns: &table::Columns<'_>) -> Result<Self, ReadError> {
        mapping.check()?;
        let (mapping, wanted) = written_out(mapping);
        let mut slots = Field::ALL.map(|field| Slot::unmapped(field.name()));
        for (field, Wanted { columns: asked, by_owner }) in &wanted {
            slots[*field as usize] = bind(field.name(), asked, *by_owner, columns)?;
        }
        for (field, text) in &mapping.constants {
            slots[*field as usize] = Slot::new(field.name(), Place::Constant(text.as_str().into()));
        }
        if mapping.lines_are_entries {
            slots[Field::Entry as usize] = Slot::new("line number", Place::LineNumber);
        }
        let mapped = |field: Field| slots[field as usize].is_mapped();
        let amounts = if mapped(Field::Debit) || mapped(Field::Credit) {
            Amounts::TwoColumns
        } else {
            match mapping.sign {
                Some(Sign::DebitPositive) => Amounts::Signed { credit_positive: false },
                Some(Sign::CreditPositive) => Amounts::Signed { credit_positive: true },
                Some(Sign::BySide) => Amounts::BySide,
                // Without a column that says it, every line is a debit and the amount's sign does the rest.
                None if mapped(Field::Side) => Amounts::BySide,
                None => Amounts::Signed { credit_positive: false },
            }
        };
        let required: &[Field] = match amounts {
            Amounts::TwoColumns => &[Field::Entry, Field::Account, Field::Debit, Field::Credit],
            Amounts::BySide => &[Field::Entry, Field::Account, Field::Amount, Field::Side],
            Amounts::Signed { .. } => &[Field::Entry, Field::Account, Field::Amount],
        };
        if let Some(&field) = required.iter().find(|&&field| !mapped(field)) {
            return Err(missing(field, &wanted, columns));
        }
        let extra = mapping.extra_columns().into_iter().map(|name| extra(name, columns));
        Ok(Self {
            extra: extra.collect::<Result<_, _>>()?,
            joined: Field::ALL.into_iter().filter(|&field| slots[field as usize].is_joined()).collect(),
            slots,
            amounts,
            style: Style::of(&mapping),
            mapping,
        })
    }

    /// How many columns a line has that no field is for.
    pub(super) fn extra(&self) -> usize {
        self.extra.len()
    }

    /// The line, and whether its amount was rounded.
    pub(super) fn line<'a>(
        &'a self,
        record: &Record<'a>,
        joined: &'a mut Joined,
        extra: &'a mut Vec<&'a str>,
    ) -> Result<(Line<'a>, bool), Problem> {
        self.join(record, joined);
        extra.extend(self.extra.iter().map(|slot| slot.text(record)));
        let line = Fields { plan: self, record: *record, joined };
        let (entry, account) = (line.required(Field::Entry)?, line.required(Field::Account)?);
        let mut rounded = false;
        let (amount, side) = self.amount(record, &mut rounded)?;
        let line = Line {
            entry,
            number: line.number(Field::Number)?,
            account,
            account_name: line.text(Field::AccountName),
            amount,
            side,
            currency: line.text(Field::Currency),
            entity: line.text(Field::Entity),
            ledger: line.text(Field::Ledger),
            business_unit: line.text(Field::BusinessUnit),
            source: line.text(Field::Source),
            document_type: line.text(Field::DocumentType),
            manual: line.manual()?,
            user: line.text(Field::User),
            approver: line.text(Field::Approver),
            effective: line.date(Field::Effective)?,
            document: line.date(Field::Document)?,
            entered: line.date(Field::Entered)?,
            entered_time: line.time(Field::EnteredTime)?,
            fiscal_year: line.number(Field::FiscalYear)?,
            period: line.number(Field::Period)?,
            reference: line.text(Field::Reference),
            partner: line.text(Field::Partner),
            reversal_of: line.text(Field::ReversalOf),
            header_text: line.text(Field::HeaderText),
            line_text: line.text(Field::LineText),
            extra,
        };
        Ok((line, rounded))
    }

    fn slot(&self, field: Field) -> &Slot {
        &self.slots[field as usize]
    }

    fn join(&self, record: &Record<'_>, joined: &mut Joined) {
        joined.text.clear();
        joined.ends.clear();
        for &field in &self.joined {
            self.slot(field).join(record, &mut joined.text);
            joined.ends.push((field, joined.text.len()));
        }
    }

    fn amount(&self, record: &Record<'_>, rounded: &mut bool) -> Result<(Amount, Side), Problem> {
        let read = |field, rounded: &mut bool| self.slot(field).amount(record, self.style, rounded);
        if self.amounts == Amounts::TwoColumns {
            let (debit, credit) = (read(Field::Debit, rounded)?, read(Field::Credit, rounded)?);
            return two_columns(debit, credit).map_err(|(problem, remedy)| {
                let field = format!("{}, {}", self.slot(Field::Debit).name, self.slot(Field::Credit).name);
                Problem { field, problem: problem.into(), remedy }
            });
        }
        let slot = self.slot(Field::Amount);
        let amount = read(Field::Amount, rounded)?.ok_or_else(|| slot.empty())?;
        Ok(match self.amounts {
            Amounts::Signed { credit_positive: true } => (-amount, Side::Debit),
            Amounts::Signed { credit_positive: false } | Amounts::TwoColumns => (amount, Side::Debit),
            Amounts::BySide => (amount, self.side(record)?),
        })
    }

    fn side(&self, record: &Record<'_>) -> Result<Side, Problem> {
        let slot = self.slot(Field::Side);
        let text = slot.text(record);
        if text.is_empty() {
            return Err(slot.empty());
        }
        self.mapping.side_of(text).ok_or_else(|| {
            slot.unreadable(
                text,
                "write D or S for debit, C or H for credit, or set debit_values and credit_values",
            )
        })
    }
}

/// One of the two columns holds the amount; a negative one is a reversed posting of its side.
fn two_columns(
    debit: Option<Amount>,
    credit: Option<Amount>,
) -> Result<(Amount, Side), (&'static str, &'static str)> {
    let nonzero = |amount: Option<Amount>| amount.filter(|&amount| amount != Amount::ZERO);
    match (nonzero(debit), nonzero(credit)) {
        (Some(_), Some(_)) => Err(("both hold an amount", "split the line into a debit and a credit")),
        (Some(amount), None) => Ok((amount, Side::Debit)),
        (None, Some(amount)) => Ok((amount, Side::Credit)),
        (None, None) => match (debit, credit) {
            (None, None) => Err(("neither holds an amount", "every line needs one; export it again")),
            (None, Some(zero)) => Ok((zero, Side::Credit)),
            (Some(zero), _) => Ok((zero, Side::Debit)),
        },
    }
}

pub(super) fn bind(
    field: &'static str,
    asked: &Columns,
    by_owner: bool,
    columns: &table::Columns<'_>,
) -> Result<Slot, ReadError> {
    let found = |name: &String| names::index(columns, name);
    let absent =
        |name: &String| ReadError::MissingColumn { field, asked: name.clone(), found: names::shown(columns) };
    match asked {
        Columns::Joined { join } => {
            let mut places = Vec::new();
            for name in join {
                match found(name)? {
                    Some(index) => places.push(index),
                    None if by_owner => return Err(absent(name)),
                    None => return Ok(Slot::unmapped(field)),
                }
            }
            Ok(Slot::new(&join.join("+"), Place::Joined(places.into())))
        }
        Columns::One(_) | Columns::FirstOf(_) => {
            let mut places = Vec::new();
            for name in asked.names() {
                places.extend(found(name)?);
            }
            match places.as_slice() {
                [] if by_owner => Err(absent(&asked.names()[0])),
                [] => Ok(Slot::unmapped(field)),
                [index] => Ok(Slot::new(names::real(columns, *index), Place::Column(*index))),
                [first, ..] => Ok(Slot::new(names::real(columns, *first), Place::FirstOf(places.into()))),
            }
        }
    }
}

fn extra(name: String, columns: &table::Columns<'_>) -> Result<Slot, ReadError> {
    match names::index(columns, &name)? {
        Some(index) => Ok(Slot::new(names::real(columns, index), Place::Column(index))),
        None => Err(ReadError::MissingColumn { field: "extra", asked: name, found: names::shown(columns) }),
    }
}

fn missing(field: Field, wanted: &[(Field, Wanted)], columns: &table::Columns<'_>) -> ReadError {
    let asked = wanted.iter().find(|(wanted, _)| *wanted == field);
    match asked {
        Some((_, wanted)) => ReadError::MissingColumn {
            field: field.name(),
            asked: wanted.columns.names().join("`, `"),
            found: names::shown(columns),
        },
        None => ReadError::Unmapped { field: field.name(), found: names::shown(columns) },
    }
}

struct Fields<'a> {
    plan: &'a Plan,
    record: Record<'a>,
    joined: &'a Joined,
}

impl<'a> Fields<'a> {
    fn text(&self, field: Field) -> &'a str {
        let slot = self.plan.slot(field);
        if slot.is_joined() { self.joined.get(field) } else { slot.text(&self.record) }
    }

    fn required(&self, field: Field) -> Result<&'a str, Problem> {
        match self.text(field) {
            "" => Err(self.plan.slot(field).empty()),
            text => Ok(text),
        }
    }

    fn number<T: std::str::FromStr>(&self, field: Field) -> Result<Option<T>, Problem> {
        self.plan.slot(field).number(&self.record)
    }

    fn date(&self, field: Field) -> Result<Option<Date>, Problem> {
        self.plan.slot(field).date(&self.record, self.plan.style)
    }

    fn time(&self, field: Field) -> Result<Option<u32>, Problem> {
        self.plan.slot(field).time(&self.record)
    }

    fn manual(&self) -> Result<Option<bool>, Problem> {
        let slot = self.plan.slot(Field::Manual);
        let text = slot.text(&self.record);
        if text.is_empty() {
            return Ok(None);
        }
        let is = |values: &[&str]| values.iter().any(|value| value.eq_ignore_ascii_case(text));
        if !self.plan.mapping.manual_values.is_empty() {
            return Ok(Some(
                self.plan.mapping.manual_values.iter().any(|value| value.eq_ignore_ascii_case(text)),
            ));
        }
        if is(&["true", "yes", "y", "x", "1"]) {
            Ok(Some(true))
        } else if is(&["false", "no", "n", "0"]) {
            Ok(Some(false))
        } else {
            Err(slot.unreadable(text, "write yes or no, or set `manual_values` of the mapping"))
        }
    }
}
