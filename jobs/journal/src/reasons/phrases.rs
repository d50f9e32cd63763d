//! Values of categories in words, alone, together, and where two meet.

use jiff::civil::Date;

use super::Scene;
use super::numbers::{about, entries, grouped, name, of_entries, shown};
use crate::names::Sort;
use crate::part::Posting;
use crate::scoring::dims::Dim;
use crate::scoring::facets::Pair;
use crate::scoring::measures::Share;

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// How a category is called where a machine reads it.
pub(super) fn feature(scene: &Scene<'_>, dim: usize) -> String {
    match scene.dims.get(dim) {
        Dim::Name(Sort::Extra(place)) => extra(scene, place),
        Dim::Name(sort) => sort.id().into(),
        Dim::Side => "side".into(),
        Dim::Manual => "manual".into(),
        Dim::Weekday => "weekday".into(),
        Dim::Hour => "hour".into(),
        Dim::Period => "period".into(),
    }
}

/// "user MEIER occurs in 2 of 41,220 entries".
pub(super) fn value(scene: &Scene<'_>, postings: &[Posting], dim: usize, value: u32) -> String {
    let share = of_entries(share(scene, dim, value));
    match scene.dims.get(dim) {
        Dim::Name(sort) if is_empty(scene, sort, value) => {
            format!("{} is given, as in {share}", phrase(scene, dim, value))
        }
        Dim::Manual => match value {
            0 => format!("made automatically, like {share}"),
            1 => format!("made by hand, like {share}"),
            _ => format!("not said whether it was made by hand, as in {share}"),
        },
        Dim::Weekday => match (value, date(postings)) {
            (0..7, Some(date)) => format!("dated on a {}, {date}, like {share}", weekday(value)),
            _ => format!("no date is given, as in {share}"),
        },
        Dim::Hour => match (value, postings.first().and_then(|first| first.entered_time)) {
            (0..24, Some(seconds)) => {
                format!("entered at {}, between {} like {share}", clock(seconds), hours(value))
            }
            _ => format!("no time of entering is given, as in {share}"),
        },
        Dim::Period if value > 255 => format!("no period is given, as in {share}"),
        Dim::Name(_) | Dim::Side | Dim::Period => format!("{} occurs in {share}", phrase(scene, dim, value)),
    }
}

/// "account 4711 and business unit K7 meet in 1 entry, where about 212 would be expected were one nothing to the other".
pub(super) fn meeting(scene: &Scene<'_>, pair: Pair, a: u32, b: u32) -> String {
    let reference = &scene.yardstick.usual.reference;
    let met = reference.count_pair(pair, a, b).unwrap_or(0);
    let expected = reference.expected(pair, a, b);
    format!(
        "{} and {} meet in {}, where about {} would be expected were one nothing to the other",
        phrase(scene, pair.0, a),
        phrase(scene, pair.1, b),
        entries(met),
        about(expected)
    )
}

/// One value is no company. "rare only together: document type KR in 4,400, user X in 5,120 and account 4711 in 6,010 of 41,220 entries".
pub(super) fn together(scene: &Scene<'_>, values: &[(usize, u32)]) -> Option<String> {
    let told: Vec<String> = values
        .iter()
        .map(|&(dim, value)| {
            format!("{} in {}", phrase(scene, dim, value), grouped(share(scene, dim, value).count))
        })
        .collect();
    let all = entries(scene.yardstick.usual.reference.entries());
    match &told[..] {
        [] | [_] => None,
        [before @ .., last] => Some(format!("rare only together: {} and {last} of {all}", before.join(", "))),
    }
}

/// A value as a noun.
fn phrase(scene: &Scene<'_>, dim: usize, value: u32) -> String {
    let dim = scene.dims.get(dim);
    match dim {
        Dim::Name(sort) => {
            let title = title(scene, sort);
            let shown = name(scene.names, sort, value);
            match sort {
                _ if is_empty(scene, sort, value) => format!("no {title}"),
                _ if scene.names.are_grouped(sort) => format!("{title} of {shown}"),
                Sort::HeaderHead | Sort::LineHead => format!("a {title} that begins “{shown}”"),
                Sort::ReferencePattern => format!("a {title} like “{shown}”"),
                Sort::Account
                | Sort::Currency
                | Sort::Entity
                | Sort::Ledger
                | Sort::BusinessUnit
                | Sort::Source
                | Sort::DocumentType
                | Sort::User
                | Sort::Approver
                | Sort::Partner
                | Sort::Extra(_) => format!("{title} {shown}"),
            }
        }
        Dim::Side => ["a debit", "a credit", "a line of zero"][value.min(2) as usize].into(),
        Dim::Manual => ["automatic posting", "posting by hand", "no word on how it was made"]
            [value.min(2) as usize]
            .into(),
        Dim::Weekday if value < 7 => format!("a {}", weekday(value)),
        Dim::Weekday => "no date".into(),
        Dim::Hour if value < 24 => format!("the hour between {}", hours(value)),
        Dim::Hour => "no time of entering".into(),
        Dim::Period if value < 256 => format!("period {value}"),
        Dim::Period => "no period".into(),
    }
}

pub(super) fn title(scene: &Scene<'_>, sort: Sort) -> String {
    match sort {
        Sort::BusinessUnit => "business unit".into(),
        Sort::DocumentType => "document type".into(),
        Sort::HeaderHead => "text".into(),
        Sort::LineHead => "line text".into(),
        Sort::Extra(place) => extra(scene, place),
        Sort::Account
        | Sort::Currency
        | Sort::Entity
        | Sort::Ledger
        | Sort::Source
        | Sort::User
        | Sort::Approver
        | Sort::Partner
        | Sort::ReferencePattern => sort.id().into(),
    }
}

fn extra(scene: &Scene<'_>, place: u8) -> String {
    match scene.titles.get(usize::from(place)) {
        Some(title) if !title.is_empty() => shown(title),
        _ => format!("extra column {}", u32::from(place) + 1),
    }
}

fn is_empty(scene: &Scene<'_>, sort: Sort, value: u32) -> bool {
    scene.names.name(sort, crate::names::Symbol(value)).is_empty()
}

fn share(scene: &Scene<'_>, dim: usize, value: u32) -> Share {
    let reference = &scene.yardstick.usual.reference;
    Share { count: reference.count(dim, value), of: reference.entries() }
}

/// As the category has it.
fn date(postings: &[Posting]) -> Option<Date> {
    postings.first().and_then(|first| first.effective.or(first.entered))
}

pub(super) fn weekday(monday_first: u32) -> &'static str {
    WEEKDAYS[monday_first.min(6) as usize]
}

pub(super) fn clock(seconds: u32) -> String {
    format!("{:02}:{:02}", seconds / 3_600, seconds / 60 % 60)
}

fn hours(from: u32) -> String {
    format!("{from:02}:00 and {:02}:00", from + 1)
}
