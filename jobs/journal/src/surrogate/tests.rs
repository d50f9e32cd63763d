use super::*;
use crate::line::Line;
use crate::part::from_lines;
use crate::scoring::dims::{Dims, Has};
use crate::scoring::measures::{Measures, Signal};

/// Places of columns in a ledger with [`columns_of_a_ledger`].
pub(super) const USER: usize = 1;
pub(super) const DEVIATION: usize = 5;
const HIGHEST_PAIR: usize = 6;
const AFTER_HOURS: usize = 15;
pub(super) const WIDTH: usize = 16;

pub(super) fn dims() -> Dims {
    let line = |name| Line { document_type: name, user: name, account: name, ..Line::default() };
    let (_, names) = from_lines([line("a"), line("b")]);
    Dims::of(&names, Has { amounts: true, ..Has::default() })
}

fn columns_of_a_ledger() -> Vec<Column> {
    columns(&dims(), true, &[])
}

/// SplitMix64, of 1.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Rare users with far amounts are flagged, and odd combinations after hours; one in fifty besides, for no reason at all.
fn planted(entries: usize) -> Vec<(Vec<f64>, bool)> {
    let mut random = Random(7);
    (0..entries)
        .map(|_| {
            let mut row: Vec<f64> = (0..WIDTH).map(|_| random.unit()).collect();
            row[USER] *= 8.0;
            row[DEVIATION] *= 5.0;
            row[HIGHEST_PAIR] *= 5.0;
            row[AFTER_HOURS] = f64::from(u8::from(random.unit() < 0.2));
            let far = row[USER] >= libm::log(200.0) && row[DEVIATION] >= 3.2;
            let odd = row[AFTER_HOURS] > 0.0 && row[HIGHEST_PAIR] >= libm::log(55.0);
            (row, far || odd || random.unit() < 0.02)
        })
        .collect()
}

fn sample(rows: &[(Vec<f64>, bool)]) -> Sample {
    let of = |flagged: bool| -> Vec<Vec<f64>> {
        rows.iter().filter(|(_, is)| *is == flagged).map(|(row, _)| row.clone()).collect()
    };
    let (flagged, others) = (of(true), of(false));
    Sample { all_flagged: flagged.len() as u64, all_others: others.len() as u64, flagged, others }
}

/// Rules, and the entries of which they were grown.
pub(super) fn grown() -> (Rules, Vec<(Vec<f64>, bool)>) {
    let rows = planted(2_000);
    (Rules::grow(columns_of_a_ledger(), &sample(&rows)).unwrap(), rows)
}

fn all_words(rules: &Rules) -> Vec<String> {
    (0..rules.len()).map(|rule| rules.words(rule)).collect()
}

#[test]
fn rules_that_were_planted_are_found_again_with_thresholds_close_to_theirs() {
    let (rules, _) = grown();

    let close = |rule: usize, column: usize, planted: f64| {
        let condition = rules.rules[rule].iter().find(|condition| condition.column == column).unwrap();
        matches!(condition.bound, Bound::From(found) if (found - planted).abs() < 0.1)
    };
    assert_eq!([rules.rules[0].len(), rules.rules[1].len()], [2, 2], "{:?}", all_words(&rules));
    assert!(close(0, USER, libm::log(200.0)) && close(0, DEVIATION, 3.2), "{:?}", all_words(&rules));
    assert!(close(1, HIGHEST_PAIR, libm::log(55.0)), "{:?}", all_words(&rules));
    assert!(close(1, AFTER_HOURS, 0.0), "{:?}", all_words(&rules));
}

#[test]
fn rules_cover_what_was_flagged_for_a_reason_and_little_else() {
    let (rules, rows) = grown();
    let mut tally = Tally::default();
    rows.iter().for_each(|(row, is_flagged)| tally.add(&rules, row, *is_flagged));

    let surrogate = tally.finish(&rules);

    assert!(surrogate.fidelity > 0.8, "{surrogate:?}");
    assert!(surrogate.rules.iter().all(|rule| rule.precision > 0.9), "{surrogate:?}");
}

#[test]
fn the_order_of_the_rows_makes_no_difference_nor_do_the_keys_of_hash_maps() {
    let sample = sample(&planted(600));
    let mut reversed = sample.clone();
    reversed.flagged.reverse();
    reversed.others.reverse();

    let first = Rules::grow(columns_of_a_ledger(), &sample).unwrap();

    assert!(!first.is_empty());
    for _ in 0..8 {
        assert_eq!(Rules::grow(columns_of_a_ledger(), &sample).unwrap(), first);
        assert_eq!(Rules::grow(columns_of_a_ledger(), &reversed).unwrap(), first);
    }
    // Every thread has other keys.
    let elsewhere = std::thread::scope(|scope| {
        scope.spawn(|| Rules::grow(columns_of_a_ledger(), &reversed).unwrap()).join().unwrap()
    });
    assert_eq!(elsewhere, first);
}

#[test]
fn where_nothing_or_everything_is_flagged_there_are_no_rules() {
    let rows = sample(&planted(50));
    let none = Sample { flagged: Vec::new(), all_flagged: 0, ..rows.clone() };
    let all = Sample { others: Vec::new(), all_others: 0, ..rows };
    for sample in [none, all, Sample::default()] {
        let rules = Rules::grow(columns_of_a_ledger(), &sample).unwrap();
        let mut tally = Tally::default();
        sample.others.iter().for_each(|row| tally.add(&rules, row, false));

        assert!(rules.is_empty());
        assert_eq!(tally.finish(&rules).fidelity, 0.0);
    }
}

#[test]
fn rows_that_are_all_alike_and_flags_that_tie_make_no_rules() {
    let row = vec![1.0; WIDTH];
    let alike = |flagged: usize, others: usize| Sample {
        flagged: vec![row.clone(); flagged],
        others: vec![row.clone(); others],
        all_flagged: flagged as u64,
        all_others: others as u64,
    };
    for sample in [alike(30, 30), alike(10, 50)] {
        assert!(Rules::grow(columns_of_a_ledger(), &sample).unwrap().is_empty());
    }
    // Most of them are flagged, whatever they are like: a rule without conditions would say nothing.
    assert!(Rules::grow(columns_of_a_ledger(), &alike(50, 10)).unwrap().is_empty());
}

#[test]
fn what_mostly_flags_is_decided_by_the_ledger_and_not_by_the_sample() {
    let rows: Vec<(Vec<f64>, bool)> = (0..400_u16)
        .map(|at| {
            let mut row = vec![0.0; WIDTH];
            row[USER] = f64::from(u8::from(at >= 200));
            (row, at >= 200 && at % 5 != 0)
        })
        .collect();
    let whole = sample(&rows);
    let few = Sample { all_others: 50 * whole.all_others, ..whole.clone() };

    assert!(!Rules::grow(columns_of_a_ledger(), &whole).unwrap().is_empty());
    // Of the rare users, four of five are flagged in the sample, and one in thirteen in the ledger.
    assert_eq!(Rules::grow(columns_of_a_ledger(), &few).unwrap().len(), 0);
}

#[test]
fn of_several_conditions_on_one_column_the_tightest_stays() {
    let turn =
        |column, threshold: f64, above| tree::Turn { column, gap: (threshold.next_down(), threshold), above };
    let path = [
        turn(DEVIATION, 2.0, true),
        turn(USER, 5.0, true),
        turn(DEVIATION, 3.0, true),
        turn(DEVIATION, 9.0, false),
        turn(DEVIATION, 7.0, false),
    ];

    let conditions = conditions(&columns_of_a_ledger(), &path);

    let bounds: Vec<(usize, Bound)> = conditions.iter().map(|one| (one.column, one.bound)).collect();
    assert_eq!(
        bounds,
        [(DEVIATION, Bound::From(3.0)), (USER, Bound::From(5.0)), (DEVIATION, Bound::Below(7.0))]
    );
}

#[test]
fn rules_are_read_as_sentences() {
    let condition = |column, bound| Condition { column, bound };
    let rules = Rules {
        columns: columns_of_a_ledger(),
        rules: vec![vec![
            condition(USER, Bound::From(libm::log(200.0))),
            condition(DEVIATION, Bound::From(3.2)),
            condition(DEVIATION, Bound::Below(12.0)),
            condition(AFTER_HOURS, Bound::From(f64::MIN_POSITIVE)),
        ]],
    };

    assert_eq!(
        rules.words(0),
        "user in fewer than 1 of 200 entries and amount further than 3.2 robust deviations from its account's median \
         and no amount further than 12 robust deviations from its account's median and entered after hours"
    );
}

#[test]
fn a_row_has_a_number_for_each_column() {
    let dims = dims();
    for has_amounts in [true, false] {
        let measures = Measures { surprisals: vec![0.0; dims.len()], ..Measures::default() };

        assert_eq!(row(&measures, has_amounts).len(), columns(&dims, has_amounts, &[]).len());
    }
    let mut measures = Measures {
        surprisals: vec![1.0, 2.0, 3.0, 4.0],
        top_pairs: [9.0, 8.0, 7.0],
        deviation: 6.0,
        amount: 5.0,
        ..Measures::default()
    };
    measures.signals[Signal::AfterHours as usize] = 1.0;
    let row = row(&measures, true);
    assert_eq!(row.len(), WIDTH);
    assert_eq!([row[USER], row[DEVIATION], row[HIGHEST_PAIR], row[AFTER_HOURS]], [2.0, 6.0, 9.0, 1.0]);
}
