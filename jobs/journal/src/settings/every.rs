//! Settings with a value in every key, from which whoever reads configurations knows the keys.

use jiff::civil::{Date, date};

use super::{MonetaryUnit, Selections, Settings, Window};
use crate::amount::Amount;
use crate::calendar::{self, Calendar};
use crate::completeness;
use crate::controls::how_much::Material;
use crate::controls::text::Keyword;
use crate::controls::who::WatchedUser;
use crate::controls::{self, Id};
use crate::ingest::control::{BalanceMapping, TotalMapping};
use crate::ingest::mapping::{
    Columns, DateOrder, DecimalSign, Encoding, Field, Format, Grouping, Mapping, Sign,
};
use crate::ingest::presets::Preset;

const DAY: Date = date(2025, 1, 1);

impl Settings {
    /// Every key has a value, and every map one entry: named `*` where its user chooses the names, else the first that there is.
    pub fn with_every_key() -> Self {
        let any = || "*".to_string();
        let columns = || Some(Columns::One(any()));
        let calendar = || Calendar { zone: Some(any()), ..Calendar::default() };
        Self {
            window: Window { from: Some(DAY), to: Some(DAY) },
            mapping: Mapping {
                preset: Some(Preset::Ads),
                dates: Some(DateOrder::DayFirst),
                sign: Some(Sign::BySide),
                lines_are_entries: true,
                columns: [(Field::Entry, Columns::One(any()))].into(),
                constants: [(Field::Entry, any())].into(),
                manual_values: vec![any()],
                extra: vec![any()],
                ..marks(written())
            },
            trial_balance: BalanceMapping {
                written: written(),
                entity: columns(),
                account: columns(),
                opening: columns(),
                debit: columns(),
                credit: columns(),
                closing: columns(),
            },
            entry_log: TotalMapping {
                written: marks(written()),
                entry: columns(),
                side: columns(),
                total: columns(),
            },
            completeness: completeness::Config {
                from: Some(DAY),
                to: Some(DAY),
                first_month: Some(1),
                ..completeness::Config::default()
            },
            controls: controls::Config {
                weights: [(Id::ALL[0], 0)].into(),
                approval_limits: [("*", Vec::new())].into(),
                watched_user: WatchedUser { departed: [(any(), DAY)].into(), ..WatchedUser::default() },
                material: Material { materiality: [("*", Amount::ZERO)].into() },
                keyword: Keyword { words: [(any(), Vec::new())].into() },
                ..controls::Config::default()
            },
            calendars: calendar::Config {
                ledger_zone: Some(any()),
                standard: calendar(),
                calendars: [(any(), calendar())].into(),
                entities: [(any(), any())].into(),
            },
            selections: Selections {
                monetary_unit: MonetaryUnit { materiality: Some(Amount::ZERO), ..MonetaryUnit::default() },
                ..Selections::default()
            },
            ..Self::default()
        }
    }
}

/// How a file is written; what its columns mean is not in it.
fn written() -> Mapping {
    Mapping {
        format: Some(Format::Csv),
        encoding: Encoding::Utf8,
        delimiter: Some(';'),
        headless: true,
        sheet: Some("*".into()),
        decimal: Some(DecimalSign::Comma),
        grouping: Some(Grouping::Point),
        round_to: Some(2),
        ..Mapping::default()
    }
}

/// Of files that have a column for the side.
fn marks(written: Mapping) -> Mapping {
    Mapping { debit_values: vec!["*".into()], credit_values: vec!["*".into()], ..written }
}
