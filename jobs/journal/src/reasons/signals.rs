//! What a control test that has a say in the score found, in words.

use jiff::civil::Date;

use super::Scene;
use super::numbers::{entries, grouped, money, name, of_entries};
use super::phrases::{clock, title, weekday};
use crate::amount::Amount;
use crate::names::{Sort, Symbol};
use crate::part::Posting;
use crate::scoring::dims::Dim;
use crate::scoring::measures::{Share, Signal, imbalances, moved};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// `None` where the entry has nothing that the test looks at.
pub(super) fn words(scene: &Scene<'_>, postings: &[Posting], signal: Signal) -> Option<String> {
    let first = postings.first()?;
    match signal {
        Signal::Unbalanced => unbalanced(scene, postings),
        Signal::OutOfPeriod => out_of_period(scene, first),
        Signal::Lag => lag(scene, first),
        Signal::RareText => Some(text(scene, first)),
        Signal::BelowLimit => below_limit(scene, postings),
        Signal::SeldomAccount => seldom_account(scene, postings),
        Signal::Weekend => weekend(scene, first),
        Signal::AfterHours => {
            Some(format!("entered at {}, outside 06:00 to 20:00", clock(first.entered_time?)))
        }
    }
}

/// The categories whose values are told with the test's words.
pub(super) fn dims(scene: &Scene<'_>, postings: &[Posting], signal: Signal) -> Vec<Dim> {
    match signal {
        Signal::SeldomAccount => vec![Dim::Name(Sort::Account)],
        Signal::Weekend => vec![Dim::Weekday],
        Signal::AfterHours => vec![Dim::Hour],
        Signal::RareText => {
            let used = postings.first().map(|first| scene.yardstick.same_text(first, scene.empty));
            match used {
                Some(used) if !used.of_line => vec![Dim::Name(Sort::HeaderHead)],
                Some(used) if is_named(scene, Sort::LineHead, used.head) => vec![Dim::Name(Sort::LineHead)],
                _ => vec![Dim::Name(Sort::HeaderHead), Dim::Name(Sort::LineHead)],
            }
        }
        Signal::Unbalanced | Signal::OutOfPeriod | Signal::Lag | Signal::BelowLimit => Vec::new(),
    }
}

fn is_named(scene: &Scene<'_>, sort: Sort, symbol: Symbol) -> bool {
    !scene.names.name(sort, symbol).is_empty()
}

fn unbalanced(scene: &Scene<'_>, postings: &[Posting]) -> Option<String> {
    let sums = imbalances(postings);
    // The first of the largest.
    let ((currency, ledger), sum) = sums.iter().rev().max_by_key(|(_, sum)| sum.abs())?;
    let posting =
        postings.iter().find(|posting| (posting.currency, posting.ledger) == (*currency, *ledger))?;
    let differ = format!("debits and credits differ by {}", money(scene.names, *sum, posting));
    Some(match &*name(scene.names, Sort::Ledger, ledger.0) {
        "" => differ,
        ledger => format!("{differ} in ledger {ledger}"),
    })
}

fn out_of_period(scene: &Scene<'_>, first: &Posting) -> Option<String> {
    let share = scene.yardstick.same_month(first)?;
    let (date, period) = (first.effective?, first.period?);
    let year = first.fiscal_year.map(|year| format!(" of {year}")).unwrap_or_default();
    Some(format!(
        "effective on {date} but in period {period}{year}; of its {} {} of {}",
        entries(share.of),
        are(share.count),
        month(date)
    ))
}

fn lag(scene: &Scene<'_>, first: &Posting) -> Option<String> {
    let lag = scene.yardstick.same_lag(first)?;
    let done = if first.entered.is_some() { "entered" } else { "effective" };
    let when = if lag.days < 0 { "before" } else { "after" };
    let (from, to) = lag.alike;
    let alike = if from == to { days(from) } else { format!("{} to {}", grouped(from), days(to)) };
    Some(format!(
        "{done} {} {when} the date of its document, {}; of {} {} {alike} {when}",
        days(lag.days.unsigned_abs()),
        first.document?,
        of_type(scene, first, entries(lag.share.of)),
        were(lag.share.count),
    ))
}

fn text(scene: &Scene<'_>, first: &Posting) -> String {
    let used = scene.yardstick.same_text(first, scene.empty);
    let sort = if used.of_line { Sort::LineHead } else { Sort::HeaderHead };
    let like = of_entries(used.share);
    let like = of_type(scene, first, like);
    match &*name(scene.names, sort, used.head.0) {
        "" => format!("it has no text, like {like}"),
        group if scene.names.are_grouped(sort) => format!("its text is of {group}, like that of {like}"),
        head => format!("its text begins “{head}”, like that of {like}"),
    }
}

fn below_limit(scene: &Scene<'_>, postings: &[Posting]) -> Option<String> {
    let bunch = scene.yardstick.bunch(postings)?;
    let amount = money(scene.names, moved(postings), postings.first()?);
    let lie = if bunch.near == 1 { "lies" } else { "lie" };
    Some(format!(
        "{amount} is just below {}: {} {lie} within {} % below it, {} in the {} % before",
        whole(bunch.limit),
        entries(bunch.near),
        percent(bunch.width),
        grouped(bunch.below),
        percent(2 * bunch.width),
    ))
}

fn seldom_account(scene: &Scene<'_>, postings: &[Posting]) -> Option<String> {
    let dim = scene.dims.place(Dim::Name(Sort::Account))?;
    let reference = &scene.yardstick.usual.reference;
    let used = |posting: &&Posting| reference.count(dim, posting.account.0);
    let posting = postings.iter().min_by_key(used)?;
    let share = of_entries(Share { count: used(&posting), of: reference.entries() });
    Some(match &*name(scene.names, Sort::Account, posting.account.0) {
        "" => format!("a line has no account, as in {share}"),
        account => format!("account {account} occurs in {share}"),
    })
}

fn weekend(scene: &Scene<'_>, first: &Posting) -> Option<String> {
    let share = scene.yardstick.same_weekday(first)?;
    let date = first.entered.or(first.effective)?;
    let done = if first.entered.is_some() { "entered" } else { "dated" };
    let day = weekday(date.weekday().to_monday_zero_offset().cast_unsigned().into());
    let hand = match first.manual {
        Some(true) => " made by hand",
        Some(false) => " made automatically",
        None => "",
    };
    let of = of_maker(scene, &[Sort::Source, Sort::DocumentType], first, entries(share.of));
    Some(format!("{done} on {day} {date}; of {of}{hand} {} on a {day}", were(share.count)))
}

/// "4,400 entries of document type KR".
fn of_type(scene: &Scene<'_>, first: &Posting, these: String) -> String {
    of_maker(scene, &[Sort::DocumentType], first, these)
}

fn of_maker(scene: &Scene<'_>, sorts: &[Sort], first: &Posting, these: String) -> String {
    let named = sorts.iter().filter(|sort| is_named(scene, **sort, first.symbol(**sort)));
    let named: Vec<String> = named
        .map(|sort| format!("{} {}", title(scene, *sort), name(scene.names, *sort, first.symbol(*sort).0)))
        .collect();
    if named.is_empty() { these } else { format!("{these} of {}", named.join(" and ")) }
}

fn were(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "was" } else { "were" })
}

fn are(count: u64) -> String {
    format!("{} {}", grouped(count), if count == 1 { "is" } else { "are" })
}

fn days(days: u64) -> String {
    format!("{} {}", grouped(days), if days == 1 { "day" } else { "days" })
}

fn month(date: Date) -> String {
    let name = MONTHS[usize::from(date.month().unsigned_abs()).saturating_sub(1).min(11)];
    format!("{name} {}", date.year())
}

fn percent(thousandths: i64) -> String {
    match (thousandths / 10, thousandths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, tenths) => format!("{whole}.{tenths}"),
    }
}

/// Limits are whole.
fn whole(amount: Amount) -> String {
    let grouped = amount.grouped();
    grouped.split_once('.').map_or(grouped.clone(), |(whole, _)| whole.to_string())
}
