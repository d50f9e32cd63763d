use proptest::prelude::*;

use super::super::tests::dims;
use super::*;
use crate::names::Names;
use crate::scoring::dims::Has;

fn value(name: &str, common: &str) -> Column {
    Column(Meaning::Value { rare: name.into(), common: common.into() })
}

fn user() -> Column {
    value("user", "user")
}

#[test]
fn thresholds_become_words_an_auditor_can_vouch() {
    let ln = libm::log;
    let on = f64::MIN_POSITIVE;
    let signal = |signal| Column(Meaning::Signal(signal));
    for (column, threshold, from, below) in [
        (user(), ln(200.0), "user in fewer than 1 of 200 entries", "user in 1 of 200 entries or more"),
        (user(), ln(2.5), "user in fewer than 40 % of entries", "user in 40 % of entries or more"),
        (
            value("an account", "every account"),
            ln(41_000.0),
            "an account in fewer than 1 of 41,000 entries",
            "every account in 1 of 41,000 entries or more",
        ),
        (Column(Meaning::Amount), ln(12_001.0), "amount of 12,000 or more", "amount below 12,000"),
        (
            Column(Meaning::Deviation),
            3.2,
            "amount further than 3.2 robust deviations from its account's median",
            "no amount further than 3.2 robust deviations from its account's median",
        ),
        (
            Column(Meaning::Pair(0)),
            ln(55.0),
            "a combination of values that should have met 55 times as often",
            "no combination of values that should have met 55 times as often",
        ),
        (
            Column(Meaning::Pair(1)),
            ln(7.0),
            "two combinations of values that should have met 7 times as often",
            "at most one combination of values that should have met 7 times as often",
        ),
        (
            Column(Meaning::Pair(2)),
            ln(1.5),
            "three combinations of values that should have met 1.5 times as often",
            "at most two combinations of values that should have met 1.5 times as often",
        ),
        (signal(Signal::Unbalanced), on, "debits and credits differ", "debits and credits agree"),
        (signal(Signal::AfterHours), on, "entered after hours", "not entered after hours"),
        (signal(Signal::Weekend), on, "dated on a weekend", "not dated on a weekend"),
        (
            signal(Signal::Weekend),
            ln(20.0),
            "dated on a weekend, as fewer than 1 of 20 entries of its source and document type are",
            "not dated on a weekend, as fewer than 1 of 20 entries of its source and document type are",
        ),
        (
            signal(Signal::OutOfPeriod),
            on,
            "dated in a month that fewer than 1 of 200 entries of its period have",
            "not dated in a month that fewer than 1 of 200 entries of its period have",
        ),
        (
            signal(Signal::RareText),
            ln(3_000.0),
            "described as fewer than 1 of 3,000 entries of its document type are",
            "not described as fewer than 1 of 3,000 entries of its document type are",
        ),
    ] {
        let words = [Bound::From(threshold), Bound::Below(threshold)].map(|bound| column.words(bound));
        assert_eq!(words, [from, below]);
    }
}

#[test]
fn the_words_say_the_very_threshold_that_is_applied() {
    let ln = libm::log;
    for (column, gap, words) in [
        (user(), (ln(187.0), ln(221.0)), "user in fewer than 1 of 200 entries"),
        (user(), (ln(2.2), ln(2.9)), "user in fewer than 40 % of entries"),
        (user(), (ln(9.0), ln(31.0)), "user in fewer than 1 of 20 entries"),
        (
            Column(Meaning::Deviation),
            (3.17, 3.24),
            "amount further than 3.2 robust deviations from its account's median",
        ),
        (Column(Meaning::Amount), (ln(9_001.0), ln(10_500.5)), "amount of 10,000 or more"),
        (
            Column(Meaning::Pair(0)),
            (ln(54.9), ln(55.1)),
            "a combination of values that should have met 55 times as often",
        ),
        (Column(Meaning::Signal(Signal::AfterHours)), (0.0, 1.0), "entered after hours"),
        (
            Column(Meaning::Signal(Signal::Lag)),
            (0.0, 5.5),
            "dated as long after its document as fewer than 1 of 200 entries of its document type are",
        ),
    ] {
        let threshold = column.threshold(gap.0, gap.1);

        assert!(gap.0 < threshold && threshold <= gap.1, "{threshold} of {gap:?}");
        assert_eq!(column.words(Bound::From(threshold)), words);
    }
}

#[test]
fn a_threshold_is_rounded_in_the_unit_in_which_it_is_written() {
    let ln = libm::log;
    for (column, threshold, digits, words) in [
        (user(), ln(1_540.0), 2, "user in fewer than 1 of 1,500 entries"),
        (user(), ln(5.52), 1, "user in fewer than 20 % of entries"),
        (Column(Meaning::Amount), ln(5_633.25), 1, "amount of 6,000 or more"),
        (Column(Meaning::Signal(Signal::AfterHours)), f64::MIN_POSITIVE, 1, "entered after hours"),
    ] {
        assert_eq!(column.words(Bound::From(column.rounded(threshold, digits))), words);
    }
}

#[test]
fn columns_have_the_titles_of_their_source() {
    let line = crate::line::Line { extra: &["x", "y"], ..crate::line::Line::default() };
    let other = crate::line::Line { extra: &["z", "w"], ..crate::line::Line::default() };
    let (_, names) = crate::part::from_lines([line, other]);
    let dims = Dims::of(&names, Has::default());

    let columns = columns(&dims, false, &["Cost centre".into()]);

    let words: Vec<String> =
        columns[..2].iter().map(|column| column.words(Bound::From(libm::log(50.0)))).collect();
    assert_eq!(
        words,
        ["`Cost centre` in fewer than 1 of 50 entries", "extra column 2 in fewer than 1 of 50 entries"]
    );
}

#[test]
fn a_ledger_without_categories_has_columns_all_the_same() {
    let dims = Dims::of(&Names::default(), Has::default());

    assert_eq!(columns(&dims, false, &[]).len(), 3 + SIGNALS.len());
}

#[test]
fn every_signal_but_the_seldom_used_account_is_a_column() {
    for signal in Signal::ALL {
        assert_eq!(SIGNALS.contains(&signal), signal != Signal::SeldomAccount);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_threshold_lies_above_the_lower_value_and_not_above_the_upper(
        column in 0..16_usize, below in 0.0..30.0_f64, width in prop_oneof![Just(0.0), 0.0..1e-9_f64, 0.0..1.0_f64, 0.0..30.0_f64]
    ) {
        let above = (below + width).max(below.next_up());

        let threshold = columns(&dims(), true, &[])[column].threshold(below, above);

        prop_assert!(below < threshold && threshold <= above, "{below} {threshold} {above}");
    }
}
