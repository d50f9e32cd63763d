//! Amounts in words: how far one is from what its account sees, and what the entry moves in all.

use super::Scene;
use super::numbers::{about, grouped, money, name};
use crate::line::Side;
use crate::names::Sort;
use crate::part::Posting;
use crate::scoring::measures::{Whose, moved};

/// Of so many robust deviations from the median an amount is far.
const FAR: f64 = 3.0;

pub(super) fn is_notable(scene: &Scene<'_>, postings: &[Posting]) -> bool {
    let furthest = scene.yardstick.furthest(postings).map_or(0.0, |(_, deviations)| deviations.abs());
    furthest.max(scene.yardstick.deviation_of_total(postings).abs()) >= FAR
}

/// Of the amount that is furthest from the others of its account and side; of all that the entry moves where only that is far from the others.
pub(super) fn words(scene: &Scene<'_>, postings: &[Posting]) -> String {
    let Some((posting, deviations)) = scene.yardstick.furthest(postings) else { return String::new() };
    let of_total = scene.yardstick.deviation_of_total(postings);
    if deviations.abs() < FAR && of_total.abs() >= FAR {
        return total(scene, postings, posting, of_total);
    }
    let typical = scene.yardstick.typical(posting);
    let lines = grouped(typical.spread.amounts);
    let account = name(scene.names, Sort::Account, posting.account.0);
    let side = match posting.side {
        Side::Debit => "debits",
        Side::Credit => "credits",
    };
    let whose = match (typical.whose, account.is_empty()) {
        (Whose::Side, true) => format!("{lines} {side}"),
        (Whose::Side, false) => format!("{lines} {side} of account {account}"),
        (Whose::Account, true) => format!("{lines} lines"),
        (Whose::Account, false) => format!("{lines} lines of account {account}"),
        (Whose::All, true) => format!("all {lines} lines"),
        (Whose::All, false) => format!("all {lines} lines, account {account} having few"),
    };
    let amount = money(scene.names, posting.signed, posting);
    far(&amount, deviations, typical.spread.median, &whose)
}

fn total(scene: &Scene<'_>, postings: &[Posting], posting: &Posting, deviations: f64) -> String {
    let spread = scene.yardstick.all_amounts();
    let whose = format!("all {} lines", grouped(spread.amounts));
    let amount = format!("{} in all", money(scene.names, moved(postings), posting));
    far(&amount, deviations, spread.median, &whose)
}

fn far(amount: &str, deviations: f64, median: f64, whose: &str) -> String {
    let side = if deviations < 0.0 { "below" } else { "above" };
    let how = if deviations.abs() >= FAR { "far " } else { "" };
    let (median, deviations) = (about(libm::expm1(median)), deviations.abs());
    format!(
        "{amount} is {how}{side} about {median}, the median of {whose} ({deviations:.1} robust deviations)"
    )
}
