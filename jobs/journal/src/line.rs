//! One line of a ledger, as its source has it, whatever the source's format is.

use jiff::civil::Date;

use crate::amount::Amount;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    Debit,
    Credit,
}

/// Empty text means that the source says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Id of its journal entry.
    pub entry: &'a str,
    /// Its number within the entry.
    pub number: Option<u64>,
    pub account: &'a str,
    pub account_name: &'a str,
    /// As written, and so negative for a reversed posting in some systems; see [`Line::signed`].
    pub amount: Amount,
    pub side: Side,
    pub currency: &'a str,
    /// Company, legal entity.
    pub entity: &'a str,
    pub ledger: &'a str,
    /// Cost centre, profit centre, unit.
    pub business_unit: &'a str,
    /// Journal, module, business process.
    pub source: &'a str,
    pub document_type: &'a str,
    /// Whether a person entered it by hand.
    pub manual: Option<bool>,
    pub user: &'a str,
    pub approver: &'a str,
    /// The day of posting, which decides the period.
    pub effective: Option<Date>,
    pub document: Option<Date>,
    pub entered: Option<Date>,
    /// Seconds since midnight, as the ledger's own clock had it.
    pub entered_time: Option<u32>,
    pub fiscal_year: Option<i16>,
    pub period: Option<u8>,
    pub reference: &'a str,
    /// Customer, vendor, auxiliary account.
    pub partner: &'a str,
    /// Id of the entry that this one reverses.
    pub reversal_of: &'a str,
    pub header_text: &'a str,
    pub line_text: &'a str,
    /// What the mapping names beside: categories that have no field of their own.
    pub extra: &'a [&'a str],
}

impl Default for Line<'_> {
    fn default() -> Self {
        Self {
            entry: "",
            number: None,
            account: "",
            account_name: "",
            amount: Amount::ZERO,
            side: Side::Debit,
            currency: "",
            entity: "",
            ledger: "",
            business_unit: "",
            source: "",
            document_type: "",
            manual: None,
            user: "",
            approver: "",
            effective: None,
            document: None,
            entered: None,
            entered_time: None,
            fiscal_year: None,
            period: None,
            reference: "",
            partner: "",
            reversal_of: "",
            header_text: "",
            line_text: "",
            extra: &[],
        }
    }
}

impl Line<'_> {
    /// Debits count up, credits down.
    pub fn signed(&self) -> Amount {
        match self.side {
            Side::Debit => self.amount,
            Side::Credit => -self.amount,
        }
    }

    /// The side on which it works: a negative debit works as a credit, and counting it as one keeps "the usual side of an
    /// account" true.
    pub fn working_side(&self) -> Side {
        if self.signed().is_negative() || (self.amount == Amount::ZERO && self.side == Side::Credit) {
            Side::Credit
        } else {
            Side::Debit
        }
    }
}
