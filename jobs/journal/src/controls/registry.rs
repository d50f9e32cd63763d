//! The catalogue: every test with its code and id, its title, what a hit proves, its default weight, and who asks for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::lists::{PerCurrency, check_amounts};
use super::{Control, Level, Norms, how_much, structure, text, what, when, who};
use crate::amount::Amount;

/// Who asks for a test. Paragraph numbers are given where they are the same in every edition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    AuC240,
    Isa240,
    As2401,
    Caq,
    /// A procedure of the AICPA's reference implementation, by its number.
    Aicpa(&'static str),
    Nigrini,
    /// No standard names it, and the audit tools in use have it.
    Practice,
}

impl Source {
    pub fn citation(self) -> String {
        match self {
            Self::AuC240 => "AU-C 240, characteristics of fraudulent entries".into(),
            Self::Isa240 => "ISA 240, application material on journal entries".into(),
            Self::As2401 => "PCAOB AS 2401.61".into(),
            Self::Caq => "CAQ Practice Aid for Testing Journal Entries (2008), 5.5".into(),
            Self::Aicpa(number) => format!("AICPA Audit Data Standards, reference procedure {number}"),
            Self::Nigrini => "Nigrini, Benford's Law (2012)".into(),
            Self::Practice => "common in journal-entry testing tools".into(),
        }
    }
}

/// What does not depend on a ledger or a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// In the catalogue of field/journal.md: W1, T2, …
    pub code: &'static str,
    /// Stable: it is in configurations and result files.
    pub id: &'static str,
    pub title: &'static str,
    pub level: Level,
    /// Unless the configuration says another.
    pub weight: u32,
    pub sources: &'static [Source],
}

macro_rules! catalogue {
    ($($code:literal $field:ident $group:ident::$test:ident $title:literal $level:ident $weight:literal [$($source:expr),+];)+) => {
        /// In the order of the catalogue, which is the order of results.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Id { $($test),+ }

        impl Id {
            pub const ALL: &'static [Self] = &[$(Self::$test),+];

            pub fn about(self) -> &'static About {
                use Source::*;
                match self {
                    $(Self::$test => &About {
                        code: $code,
                        id: stringify!($field),
                        title: $title,
                        level: Level::$level,
                        weight: $weight,
                        sources: &[$($source),+],
                    }),+
                }
            }
        }

        /// The parameters of all tests.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Config {
            /// Other weights than the default ones; a test without weight is not run.
            pub weights: BTreeMap<Id, u32>,
            /// Amounts from which a second person must agree, for the tests that look just below them.
            pub approval_limits: PerCurrency<Vec<Amount>>,
            $(pub $field: $group::$test),+
        }

        impl Config {
            pub fn tests(&self) -> impl Iterator<Item = (Id, &dyn Control)> {
                [$((Id::$test, &self.$field as &dyn Control)),+].into_iter()
            }
        }
    };
}

catalogue! {
    "W1" rare_user who::RareUser "User who rarely posts" Statistical 3 [AuC240, As2401, Isa240, Aicpa("2.6")];
    "W2" rare_user_account who::RareUserAccount "Account the user rarely or never posts to" Statistical 3 [AuC240, As2401, Practice];
    "W3" self_approval who::SelfApproval "Approved by its author, or duties not kept apart" Rule 8 [Isa240, Practice];
    "W4" watched_user who::WatchedUser "Senior, departed or unknown user" Rule 8 [AuC240, As2401, Caq];
    "W5" outside_source who::OutsideSource "User outside their usual source" Statistical 3 [AuC240, As2401];
    "T1" day_off when::DayOff "Entered on a weekend or holiday" Rule 2 [Caq, Aicpa("2.5")];
    "T2" after_hours when::AfterHours "Entered after hours" Rule 2 [Aicpa("2.5"), Practice];
    "T3" other_date when::OtherDate "Backdated or dated ahead" Rule 4 [Caq, Aicpa("2.4")];
    "T4" period_end when::PeriodEnd "Near the end of a period" Rule 1 [AuC240, As2401, Isa240];
    "T5" after_close when::AfterClose "Entered after the close" Rule 5 [AuC240, As2401, Isa240];
    "T6" flurry when::Flurry "Flurry of entries" Statistical 2 [Practice];
    "A1" rare_account what::RareAccount "Seldom-used account" Statistical 3 [AuC240, As2401, Isa240, Aicpa("2.6")];
    "A2" rare_flow what::RareFlow "Rare pair of debited and credited account" Statistical 4 [AuC240, As2401, Practice];
    "A3" account_source what::AccountSource "Account unusual for the source" Statistical 3 [AuC240, As2401];
    "A4" suspense what::Suspense "Suspense or clearing account" Rule 4 [AuC240, Isa240, Caq];
    "A5" revenue_side what::RevenueSide "Revenue on an unexpected side" Rule 6 [AuC240, Isa240, Practice];
    "A6" intercompany what::Intercompany "Between companies of the group" Rule 2 [AuC240, Isa240];
    "A7" dormant_account what::DormantAccount "Dormant account used again" Statistical 5 [AuC240, As2401];
    "M1" material how_much::Material "More than materiality" Rule 5 [Caq];
    "M2" unusual_amount how_much::UnusualAmount "Amount unusual for the account" Statistical 4 [Caq, Practice];
    "M3" round how_much::Round "Round amount" Rule 2 [AuC240, As2401, Isa240, Caq, Aicpa("2.3")];
    "M4" ending how_much::Ending "Consistent ending" Rule 2 [AuC240, As2401, Isa240];
    "M5" just_below how_much::JustBelow "Just below an approval limit" Rule 5 [Practice];
    "M6" split how_much::Split "Split to stay below an approval limit" Rule 5 [Practice];
    "M7" zero how_much::Zero "Line of zero" Rule 1 [Practice];
    "M8" benford how_much::Benford "Digits too frequent by Benford's law" Statistical 1 [Nigrini];
    "D1" missing_text text::MissingText "Without explanation" Rule 3 [AuC240, As2401, Isa240];
    "D2" keyword text::Keyword "Suspicious word" Rule 4 [Caq, Practice];
    "D3" rare_text text::RareText "Text rare for the account" Statistical 2 [Caq];
    "D4" other_period text::OtherPeriod "Text names another period" Rule 3 [Practice];
    "S1" complex structure::Complex "Many lines or accounts" Statistical 2 [AuC240, Isa240];
    "S2" manual structure::Manual "Entered by hand" Rule 2 [AuC240, Isa240, As2401, Caq];
    "S3" reversal structure::Reversal "Reversal, or reversed" Rule 3 [Practice];
    "S4" duplicate structure::Duplicate "Duplicate" Rule 4 [Caq, Aicpa("2.2")];
    "S5" changed_recurring structure::ChangedRecurring "Recurring entry with another amount" Statistical 3 [Practice];
    "S6" unbalanced structure::Unbalanced "Debits and credits differ" Integrity 10 [Caq, Aicpa("2.1")];
}

/// More than any list of weights needs, and far from what sums of weights could not hold.
const GREATEST_WEIGHT: u32 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}; {remedy}")]
pub struct ConfigError {
    pub field: String,
    pub problem: String,
    pub remedy: &'static str,
}

impl Config {
    pub fn weight(&self, id: Id) -> u32 {
        self.weights.get(&id).copied().unwrap_or(id.about().weight)
    }

    /// Why a test could hit nothing in a ledger, if it could not.
    pub fn idle(&self, id: Id, norms: &Norms) -> Option<&'static str> {
        if self.weight(id) == 0 {
            return Some("its weight is 0");
        }
        if matches!(id, Id::JustBelow | Id::Split) && self.approval_limits.is_empty() {
            return Some("no `approval_limits` are set");
        }
        self.tests().find(|(other, _)| *other == id)?.1.idle(norms)
    }

    /// Refuses what cannot be meant, and names the field.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (id, &weight) in &self.weights {
            if weight > GREATEST_WEIGHT {
                return Err(ConfigError {
                    field: format!("weights.{}", id.about().id),
                    problem: format!("{weight} is too much"),
                    remedy: "write 1000 or less",
                });
            }
        }
        for (currency, limits) in self.approval_limits.iter() {
            check_amounts("approval_limits", limits).map_err(|wrong| ConfigError {
                field: format!("approval_limits.{currency}"),
                problem: wrong.problem,
                remedy: wrong.remedy,
            })?;
        }
        for (id, test) in self.tests() {
            test.check().map_err(|wrong| ConfigError {
                field: format!("{}.{}", id.about().id, wrong.field),
                problem: wrong.problem,
                remedy: wrong.remedy,
            })?;
        }
        Ok(())
    }
}
