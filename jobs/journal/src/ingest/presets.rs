//! Layouts that many ledgers come in. Each is no more than a mapping that need not be written.

use serde::{Deserialize, Serialize};

use super::mapping::{Columns, DecimalSign, Field, Format, Mapping, Sign};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// `GL_Detail` of the AICPA's Audit Data Standards.
    Ads,
    /// Fichier des écritures comptables, article A47 A-1 of the French Livre des procédures fiscales.
    Fec,
    /// Standard Audit File for Tax as the OECD, Norway, Luxembourg, Romania and Portugal shape it.
    Saft,
    /// SAP tables BKPF and BSEG joined, or ACDOCA, with technical column names.
    Sap,
    /// Output of the generator DataSynth.
    Datasynth,
}

impl Preset {
    pub const ALL: [Self; 5] = [Self::Ads, Self::Fec, Self::Saft, Self::Sap, Self::Datasynth];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ads => "ads",
            Self::Fec => "fec",
            Self::Saft => "saft",
            Self::Sap => "sap",
            Self::Datasynth => "datasynth",
        }
    }

    fn layout(self) -> &'static Layout {
        match self {
            Self::Ads => &ADS,
            Self::Fec => &FEC,
            Self::Saft => &SAFT,
            Self::Sap => &SAP,
            Self::Datasynth => &DATASYNTH,
        }
    }
}

enum From {
    First(&'static [&'static str]),
    Join(&'static [&'static str]),
}
use From::{First, Join};

struct Layout {
    format: Option<Format>,
    decimal: Option<DecimalSign>,
    sign: Option<Sign>,
    columns: &'static [(Field, From)],
    constants: &'static [(Field, &'static str)],
    manual_values: &'static [&'static str],
}

const ADS: Layout = Layout {
    format: None,
    decimal: None,
    sign: None,
    columns: &[
        (Field::Entry, First(&["Journal_ID"])),
        (Field::Number, First(&["Journal_ID_Line_Number"])),
        (Field::HeaderText, First(&["JE_Header_Description"])),
        (Field::LineText, First(&["JE_Line_Description"])),
        (Field::Source, First(&["Source"])),
        (Field::BusinessUnit, First(&["Business_Unit_Code"])),
        (Field::Effective, First(&["Effective_Date"])),
        (Field::FiscalYear, First(&["Fiscal_Year"])),
        (Field::Period, First(&["Period"])),
        (Field::Account, First(&["GL_Account_Number"])),
        (Field::AccountName, First(&["GL_Account_Name"])),
        (Field::Amount, First(&["Amount"])),
        (Field::Side, First(&["Amount_Credit_Debit_Indicator"])),
        (Field::Currency, First(&["Amount_Currency"])),
        (Field::User, First(&["Entered_By"])),
        (Field::Approver, First(&["Approved_By"])),
        (Field::Document, First(&["Document_Date"])),
        (Field::Entered, First(&["Entered_Date"])),
        (Field::EnteredTime, First(&["Entered_Time"])),
        (Field::ReversalOf, First(&["Reversal_Journal_ID"])),
    ],
    constants: &[],
    manual_values: &[],
};

const FEC: Layout = Layout {
    format: Some(Format::Csv),
    decimal: Some(DecimalSign::Comma),
    sign: None,
    columns: &[
        // Numbers may begin anew in each journal; together with its code they are unique in either case.
        (Field::Entry, Join(&["JournalCode", "EcritureNum"])),
        (Field::Source, First(&["JournalCode"])),
        (Field::Effective, First(&["EcritureDate"])),
        (Field::Account, First(&["CompteNum"])),
        (Field::AccountName, First(&["CompteLib"])),
        (Field::Partner, First(&["CompAuxNum"])),
        (Field::Reference, First(&["PieceRef"])),
        (Field::Document, First(&["PieceDate"])),
        (Field::LineText, First(&["EcritureLib"])),
        (Field::Debit, First(&["Debit"])),
        (Field::Credit, First(&["Credit"])),
        (Field::Amount, First(&["Montant"])),
        (Field::Side, First(&["Sens"])),
        (Field::Entered, First(&["ValidDate"])),
    ],
    // `Montantdevise` and `Idevise` are the foreign amount; the books are in euro.
    constants: &[(Field::Currency, "EUR")],
    manual_values: &[],
};

const SAFT: Layout = Layout {
    format: Some(Format::Saft),
    decimal: None,
    sign: None,
    columns: &[
        (Field::Entry, First(&["Transaction/TransactionID"])),
        (Field::Number, First(&["Line/RecordID", "DebitLine/RecordID", "CreditLine/RecordID"])),
        (Field::Account, First(&["Line/AccountID", "DebitLine/AccountID", "CreditLine/AccountID"])),
        (Field::Debit, First(&["Line/DebitAmount/Amount", "Line/DebitAmount", "DebitLine/DebitAmount"])),
        (Field::Credit, First(&["Line/CreditAmount/Amount", "Line/CreditAmount", "CreditLine/CreditAmount"])),
        (Field::Currency, First(&["Header/DefaultCurrencyCode", "Header/CurrencyCode"])),
        (
            Field::Entity,
            First(&["Header/Company/RegistrationNumber", "Header/CompanyID", "Header/TaxRegistrationNumber"]),
        ),
        (Field::Source, First(&["Journal/JournalID"])),
        (Field::DocumentType, First(&["Transaction/TransactionType"])),
        (Field::User, First(&["Transaction/SourceID"])),
        (Field::Effective, First(&["Transaction/GLPostingDate", "Transaction/TransactionDate"])),
        (Field::Document, First(&["Transaction/TransactionDate"])),
        (
            Field::Entered,
            First(&[
                "Transaction/SystemEntryDate",
                "DebitLine/SystemEntryDate",
                "CreditLine/SystemEntryDate",
                "Line/SystemEntryTime",
            ]),
        ),
        (Field::FiscalYear, First(&["Transaction/PeriodYear", "Header/FiscalYear"])),
        (Field::Period, First(&["Transaction/Period"])),
        (
            Field::Reference,
            First(&["Line/SourceDocumentID", "DebitLine/SourceDocumentID", "CreditLine/SourceDocumentID"]),
        ),
        (
            Field::Partner,
            First(&[
                "Line/CustomerID",
                "Line/SupplierID",
                "Transaction/CustomerID",
                "Transaction/SupplierID",
            ]),
        ),
        (Field::HeaderText, First(&["Transaction/Description"])),
        (Field::LineText, First(&["Line/Description", "DebitLine/Description", "CreditLine/Description"])),
    ],
    constants: &[],
    manual_values: &[],
};

const SAP: Layout = Layout {
    format: None,
    decimal: None,
    sign: None,
    columns: &[
        (Field::Entry, Join(&["BUKRS", "BELNR", "GJAHR"])),
        (Field::Number, First(&["BUZEI", "DOCLN"])),
        (Field::Account, First(&["HKONT", "RACCT"])),
        (Field::Amount, First(&["DMBTR", "HSL"])),
        (Field::Side, First(&["SHKZG", "DRCRK"])),
        (Field::Currency, First(&["HWAER", "RHCUR"])),
        (Field::Entity, First(&["BUKRS", "RBUKRS"])),
        (Field::Ledger, First(&["RLDNR"])),
        (Field::BusinessUnit, First(&["KOSTL", "PRCTR", "GSBER", "RCNTR"])),
        (Field::DocumentType, First(&["BLART"])),
        (Field::Source, First(&["AWTYP", "GLVOR"])),
        (Field::User, First(&["USNAM"])),
        (Field::Effective, First(&["BUDAT"])),
        (Field::Document, First(&["BLDAT"])),
        (Field::Entered, First(&["CPUDT"])),
        (Field::EnteredTime, First(&["CPUTM"])),
        (Field::FiscalYear, First(&["GJAHR"])),
        (Field::Period, First(&["MONAT", "POPER"])),
        (Field::Reference, First(&["XBLNR"])),
        (Field::Partner, First(&["KUNNR", "LIFNR"])),
        (Field::ReversalOf, Join(&["BUKRS", "STBLG", "STJAH"])),
        (Field::HeaderText, First(&["BKTXT"])),
        (Field::LineText, First(&["SGTXT"])),
    ],
    constants: &[],
    manual_values: &[],
};

const DATASYNTH: Layout = Layout {
    format: None,
    decimal: None,
    sign: None,
    columns: &[
        (Field::Entry, First(&["document_id"])),
        (Field::Number, First(&["line_number"])),
        (Field::Account, First(&["gl_account"])),
        (Field::Debit, First(&["debit_amount"])),
        (Field::Credit, First(&["credit_amount"])),
        (Field::Currency, First(&["currency"])),
        (Field::Entity, First(&["company_code"])),
        (Field::Ledger, First(&["ledger"])),
        (Field::BusinessUnit, First(&["cost_center", "profit_center"])),
        (Field::Source, First(&["business_process"])),
        (Field::DocumentType, First(&["document_type"])),
        (Field::Manual, First(&["source"])),
        (Field::User, First(&["created_by"])),
        (Field::Effective, First(&["posting_date"])),
        (Field::Document, First(&["document_date"])),
        (Field::FiscalYear, First(&["fiscal_year"])),
        (Field::Period, First(&["fiscal_period"])),
        (Field::Reference, First(&["reference"])),
        (Field::Partner, First(&["auxiliary_account_number"])),
        (Field::HeaderText, First(&["header_text"])),
        (Field::LineText, First(&["line_text"])),
    ],
    constants: &[],
    manual_values: &["manual"],
};

/// From where a field comes, and who says so: a preset names what may be there, an owner what must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) columns: Columns,
    pub(super) by_owner: bool,
}

/// The mapping with its preset written out.
pub(super) fn written_out(mapping: &Mapping) -> (Mapping, Vec<(Field, Wanted)>) {
    let mut whole = mapping.clone();
    let mut wanted: Vec<(Field, Wanted)> = mapping
        .columns
        .iter()
        .map(|(&field, columns)| (field, Wanted { columns: columns.clone(), by_owner: true }))
        .collect();
    let Some(preset) = mapping.preset else { return (whole, wanted) };
    let layout = preset.layout();
    whole.format = whole.format.or(layout.format);
    whole.decimal = whole.decimal.or(layout.decimal);
    whole.sign = whole.sign.or(layout.sign);
    if whole.manual_values.is_empty() {
        whole.manual_values = layout.manual_values.iter().map(|&text| text.into()).collect();
    }
    for &(field, text) in layout.constants {
        if !mapping.columns.contains_key(&field) {
            whole.constants.entry(field).or_insert_with(|| text.into());
        }
    }
    let amounts = [Field::Amount, Field::Debit, Field::Credit];
    let own_amounts = amounts.iter().any(|field| mapping.columns.contains_key(field));
    for (field, from) in layout.columns {
        let said = mapping.columns.contains_key(field)
            || mapping.constants.contains_key(field)
            || (own_amounts && amounts.contains(field));
        if !said {
            let owned = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
            let columns = match from {
                First(names) => Columns::FirstOf(owned(names)),
                Join(names) => Columns::Joined { join: owned(names) },
            };
            wanted.push((*field, Wanted { columns, by_owner: false }));
        }
    }
    (whole, wanted)
}
