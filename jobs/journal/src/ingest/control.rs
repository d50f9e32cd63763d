//! What a ledger is checked against: the trial balance before and after it, and the totals that its own log kept of
//! each entry. Read from any tabular format, one row at a time.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};

use super::mapping::{Columns, Mapping};
use super::names;
use super::plan::bind;
use super::slot::{Problem, Slot, Style};
use super::table::{self, Item, Record, Table};
use super::{Counts, Input, MappingError, Origin, ReadError, Rejection, open_columns};
use crate::amount::Amount;
use crate::line::Side;

/// One account of a trial balance. Debits count up, credits down; what the file does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance<'a> {
    pub entity: &'a str,
    pub account: &'a str,
    pub opening: Option<Amount>,
    /// As written, so that both are positive.
    pub debit: Option<Amount>,
    pub credit: Option<Amount>,
    pub closing: Option<Amount>,
}

/// What the log says that an entry's lines add up to, on one side or as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlTotal<'a> {
    pub entry: &'a str,
    pub side: Option<Side>,
    pub total: Amount,
}

/// The columns of a trial balance; one that is not said is looked for under the name that the Audit Data Standards
/// give it, or its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BalanceMapping {
    /// How the file is written; its own columns say nothing here.
    pub written: Mapping,
    pub entity: Option<Columns>,
    pub account: Option<Columns>,
    pub opening: Option<Columns>,
    pub debit: Option<Columns>,
    pub credit: Option<Columns>,
    pub closing: Option<Columns>,
}

/// The columns of a list of totals; one that is not said is looked for under its name in the AICPA's `Log_File`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TotalMapping {
    pub written: Mapping,
    pub entry: Option<Columns>,
    pub side: Option<Columns>,
    pub total: Option<Columns>,
}

/// Hands over every account of a trial balance, or why it cannot be read.
pub fn balances(
    input: &Input,
    mapping: &BalanceMapping,
    take: &mut dyn FnMut(Result<Balance<'_>, Rejection>),
) -> Result<Origin, ReadError> {
    let BalanceMapping { written, entity, account, opening, debit, credit, closing } = mapping;
    let file = Control::open(
        input,
        written,
        [
            Asked { name: "entity", said: entity, usual: &["Business_Unit_Code", "Company_Code"] },
            Asked { name: "account", said: account, usual: &["GL_Account_Number", "account"] },
            Asked { name: "opening", said: opening, usual: &["Amount_Beginning", "opening"] },
            Asked { name: "debit", said: debit, usual: &["debit"] },
            Asked { name: "credit", said: credit, usual: &["credit"] },
            Asked { name: "closing", said: closing, usual: &["Amount_Ending", "closing"] },
        ],
    )?;
    file.require(1)?;
    if file.slots[2..].iter().all(|slot| !slot.is_mapped()) {
        let problem = "no amount is mapped; map opening, debit, credit or closing";
        return Err(MappingError { key: "closing".into(), problem: problem.into() }.into());
    }
    file.read(&mut |row| match row {
        Err(rejection) => take(Err(rejection)),
        Ok((record, slots, style)) => {
            let mut joined = [String::new(), String::new()];
            take(balance(record, slots, style, &mut joined).map_err(|problem| rejection(record, problem)));
        }
    })
}

fn balance<'a>(
    record: &Record<'a>,
    [entity, account, opening, debit, credit, closing]: &'a [Slot; 6],
    style: Style,
    [of_entity, of_account]: &'a mut [String; 2],
) -> Result<Balance<'a>, Problem> {
    let amount = |slot: &Slot| slot.amount(record, style, &mut false);
    Ok(Balance {
        entity: text(entity, record, of_entity),
        account: required(account, record, of_account)?,
        opening: amount(opening)?,
        debit: amount(debit)?,
        credit: amount(credit)?,
        closing: amount(closing)?,
    })
}

/// Hands over every total of an entry, or why it cannot be read.
pub fn control_totals(
    input: &Input,
    mapping: &TotalMapping,
    take: &mut dyn FnMut(Result<ControlTotal<'_>, Rejection>),
) -> Result<Origin, ReadError> {
    let TotalMapping { written, entry, side, total } = mapping;
    let file = Control::open(
        input,
        written,
        [
            Asked { name: "entry", said: entry, usual: &["Journal_ID"] },
            Asked { name: "side", said: side, usual: &["Amount_Credit_Debit_Indicator"] },
            Asked { name: "total", said: total, usual: &["Total", "Amount"] },
        ],
    )?;
    file.require(0)?;
    file.require(2)?;
    file.read(&mut |row| match row {
        Err(rejection) => take(Err(rejection)),
        Ok((record, slots, style)) => {
            let mut joined = String::new();
            let read = total_of(record, slots, style, written, &mut joined);
            take(read.map_err(|problem| rejection(record, problem)));
        }
    })
}

fn total_of<'a>(
    record: &Record<'a>,
    [entry, side, total]: &'a [Slot; 3],
    style: Style,
    written: &Mapping,
    joined: &'a mut String,
) -> Result<ControlTotal<'a>, Problem> {
    let entry = required(entry, record, joined)?;
    let side = match side.text(record) {
        "" if side.is_mapped() => return Err(side.empty()),
        "" => None,
        mark => Some(written.side_of(mark).ok_or_else(|| {
            side.unreadable(
                mark,
                "write D or S for debit, C or H for credit, or set debit_values and credit_values",
            )
        })?),
    };
    let total = total.amount(record, style, &mut false)?.ok_or_else(|| total.empty())?;
    Ok(ControlTotal { entry, side, total })
}

fn text<'a>(slot: &'a Slot, record: &Record<'a>, joined: &'a mut String) -> &'a str {
    if slot.is_joined() {
        slot.join(record, joined);
        joined
    } else {
        slot.text(record)
    }
}

fn required<'a>(slot: &'a Slot, record: &Record<'a>, joined: &'a mut String) -> Result<&'a str, Problem> {
    match text(slot, record, joined) {
        "" => Err(slot.empty()),
        text => Ok(text),
    }
}

fn rejection(record: &Record<'_>, Problem { field, problem, remedy }: Problem) -> Rejection {
    let Record { first_line, last_line, .. } = *record;
    Rejection { first_line, last_line, field, problem, remedy: remedy.into() }
}

struct Asked<'a> {
    name: &'static str,
    said: &'a Option<Columns>,
    usual: &'static [&'static str],
}

/// A control file whose columns are found.
struct Control<const N: usize> {
    table: Box<dyn Table>,
    slots: [Slot; N],
    style: Style,
    counts: Arc<Counts>,
    found: String,
}

type OfRow<'a, const N: usize> = Result<(&'a Record<'a>, &'a [Slot; N], Style), Rejection>;

impl<const N: usize> Control<N> {
    fn open(input: &Input, written: &Mapping, asked: [Asked<'_>; N]) -> Result<Self, ReadError> {
        written.check()?;
        if !written.columns.is_empty() {
            let problem = "says nothing here; name the columns beside `written`";
            return Err(MappingError { key: "written.columns".into(), problem: problem.into() }.into());
        }
        let columns = asked.map(|Asked { name, said, usual }| {
            let usual = Columns::FirstOf(usual.iter().map(|&name| name.into()).collect());
            (name, said.is_some(), said.clone().unwrap_or(usual))
        });
        let names = columns.iter().flat_map(|(_, _, columns)| columns.names()).cloned().collect();
        let counts = Arc::new(Counts::default());
        let table = open_columns(input, written, names, &counts)?;
        let mut slots = columns.each_ref().map(|(name, _, _)| Slot::unmapped(name));
        // A document has no columns to look among: there, only what is said is asked for.
        let is_named = matches!(table.columns(), table::Columns::Named(_));
        for (slot, (name, by_owner, columns)) in slots.iter_mut().zip(&columns) {
            if is_named || *by_owner {
                *slot = bind(name, columns, *by_owner, &table.columns())?;
            }
        }
        let found = names::shown(&table.columns());
        Ok(Self { table, slots, style: Style::of(written), counts, found })
    }

    fn require(&self, index: usize) -> Result<(), ReadError> {
        let slot = &self.slots[index];
        if slot.is_mapped() {
            return Ok(());
        }
        Err(MappingError {
            key: slot.name.to_string(),
            problem: format!("no column is mapped to it; name one of {}", self.found),
        }
        .into())
    }

    fn read(mut self, take: &mut dyn FnMut(OfRow<'_, N>)) -> Result<Origin, ReadError> {
        while let Some(records) = self.table.next_records()? {
            records.each(&mut |item| match item {
                Item::Record(record) => take(Ok((&record, &self.slots, self.style))),
                Item::Broken(broken) => take(Err(broken.into())),
            })?;
        }
        let not_utf8 = self.counts.not_utf8.load(Relaxed);
        Ok(Origin { not_utf8, ..self.table.finish()? })
    }
}

#[cfg(test)]
mod tests;
