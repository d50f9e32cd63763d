use proptest::prelude::*;

use super::*;
use crate::amount::Amount;
use crate::controls::fixture::{day, line, parted};
use crate::line::Line;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

/// Three entries of 2025 on four accounts.
fn ledger() -> Vec<Line<'static>> {
    let numbered = |number, line| Line { number: Some(number), ..line };
    vec![
        numbered(1, line("JE-001", "4711", "100.00")),
        numbered(2, line("JE-001", "1200", "-100.00")),
        numbered(1, line("JE-002", "4712", "50.00")),
        numbered(2, line("JE-002", "4711", "30.00")),
        numbered(3, line("JE-002", "1200", "-80.00")),
        numbered(1, line("JE-003", "1200", "20.00")),
        numbered(2, line("JE-003", "8400", "-20.00")),
    ]
}

fn balance(account: &str, opening: &str, closing: &str) -> Balance {
    Balance {
        account: account.into(),
        opening: amount(opening),
        closing: amount(closing),
        ..Balance::default()
    }
}

fn given() -> Given {
    Given {
        trial_balance: Some(vec![
            balance("1200", "1000", "840"),
            balance("4711", "0", "130"),
            balance("4712", "5", "55"),
            balance("8400", "-10", "-30"),
            balance("9999", "7", "7"),
        ]),
        control_totals: Some(ControlTotals {
            lines: Some(7),
            entries: Some(3),
            debits: Some(amount("200")),
            credits: Some(amount("200")),
            accounts_hash: Some(amount("26134")),
        }),
        in_window: false,
    }
}

fn log() -> Vec<Logged> {
    [("JE-001", "100"), ("JE-002", "80"), ("JE-003", "20")]
        .map(|(entry, total)| Logged { entry: entry.into(), debits: amount(total), credits: amount(total) })
        .into()
}

fn checked(lines: Vec<Line<'_>>) -> Completeness {
    checked_with(lines, Config::default(), &given())
}

fn checked_with(lines: Vec<Line<'_>>, config: Config, given: &Given) -> Completeness {
    let (parts, names) = parted(lines, |_| 0);
    let mut counted = Counted::new(config);
    counted.add(&parts[0], &names);
    counted.add_log(&parts[0], &log());
    counted.finish(&names, given)
}

fn words<T: std::fmt::Display>(verdict: &Verdict<T>) -> Vec<String> {
    verdict.findings().iter().map(T::to_string).collect()
}

#[test]
fn a_complete_ledger_passes_every_check() {
    let completeness = checked(ledger());

    assert_eq!(completeness.lines_complete, Verdict::Passed { checked: 7 });
    assert_eq!(completeness.roll_forward, Verdict::Passed { checked: 5 });
    assert_eq!(completeness.balanced, Verdict::Passed { checked: 3 });
    assert_eq!(completeness.control_totals, Verdict::Passed { checked: 5 });
    assert_eq!(completeness.entry_totals, Verdict::Passed { checked: 3 });
    assert_eq!(completeness.gaps, Verdict::Passed { checked: 3 });
    assert_eq!(completeness.doubled, Verdict::Passed { checked: 3 });
    assert_eq!(completeness.dated, Verdict::Passed { checked: 7 });
    assert!(!completeness.stops());
}

#[test]
fn a_change_of_one_cent_is_found_and_named() {
    let mut lines = ledger();
    lines[3].amount = amount("30.01");

    let completeness = checked(lines);

    assert!(completeness.stops());
    assert_eq!(
        words(&completeness.roll_forward),
        ["account 4711: 0.00 and lines of 130.01 make 0.01 too much for 130.00"]
    );
    assert_eq!(words(&completeness.balanced), ["entry JE-002 is out of balance by 0.01 EUR"]);
    assert_eq!(
        words(&completeness.control_totals),
        ["debits: the source says 200.00, and the ledger has 200.01"]
    );
    assert_eq!(words(&completeness.entry_totals), ["entry JE-002 has debits of 80.01, and 80.00 in the log"]);
}

#[test]
fn a_dropped_line_is_found_and_named() {
    let mut lines = ledger();
    lines.remove(3);

    let completeness = checked(lines);

    assert!(completeness.stops());
    assert_eq!(words(&completeness.lines_complete), ["entry JE-002 has no line 2"]);
    assert_eq!(
        words(&completeness.roll_forward),
        ["account 4711: 0.00 and lines of 100.00 make -30.00 too much for 130.00"]
    );
    assert_eq!(words(&completeness.balanced), ["entry JE-002 is out of balance by -30.00 EUR"]);
    assert_eq!(
        words(&completeness.control_totals),
        [
            "debits: the source says 200.00, and the ledger has 170.00",
            "hash total of accounts: the source says 26,134.00, and the ledger has 21,423.00",
            "lines: the source says 7, and the ledger has 6",
        ]
    );
    assert_eq!(words(&completeness.entry_totals), ["entry JE-002 has debits of 50.00, and 80.00 in the log"]);
}

#[test]
fn a_dropped_entry_is_a_gap_and_missing_from_the_log() {
    let lines = ledger().into_iter().filter(|line| line.entry != "JE-002").collect();

    let completeness = checked(lines);

    assert!(completeness.stops());
    assert_eq!(words(&completeness.gaps), ["1 numbers are missing between JE-001 and JE-003"]);
    assert_eq!(words(&completeness.entry_totals), ["entry JE-002 is in the log and not in the ledger"]);
    assert_eq!(completeness.balanced, Verdict::Passed { checked: 2 });
}

#[test]
fn a_doubled_entry_is_found_and_named() {
    let twice = [ledger(), ledger()[..2].to_vec()].concat();

    let completeness = checked(twice);

    assert!(completeness.stops());
    assert_eq!(
        words(&completeness.doubled),
        ["entry JE-001 has 2 of its lines more than once, the first of them 1"]
    );
    assert_eq!(
        words(&completeness.roll_forward),
        [
            "account 1200: 1,000.00 and lines of -260.00 make -100.00 too much for 840.00; account 4711 differs by the opposite",
            "account 4711: 0.00 and lines of 230.00 make 100.00 too much for 130.00; account 1200 differs by the opposite",
        ]
    );
    assert_eq!(completeness.balanced, Verdict::Passed { checked: 3 }, "a doubled entry is in balance");
    assert_eq!(
        words(&completeness.entry_totals),
        [
            "entry JE-001 has debits of 200.00, and 100.00 in the log",
            "entry JE-001 has credits of 200.00, and 100.00 in the log",
        ]
    );
}

#[test]
fn a_doubled_entry_without_numbers_of_lines_is_found_too() {
    let without = |lines: Vec<Line<'static>>| {
        lines.into_iter().map(|line| Line { number: None, ..line }).collect::<Vec<_>>()
    };
    let twice = [without(ledger()), without(ledger()[..2].to_vec())].concat();

    assert_eq!(words(&checked(twice).doubled), ["entry JE-001 has all of its 4 lines more than once"]);
    assert_eq!(checked(without(ledger())).doubled, Verdict::Passed { checked: 3 });
}

#[test]
fn an_entry_doubled_under_another_id_is_not_in_the_log() {
    let again = ledger()[..2].iter().map(|line| Line { entry: "JE-004", ..line.clone() }).collect();

    let completeness = checked([ledger(), again].concat());

    assert!(completeness.stops());
    assert_eq!(words(&completeness.entry_totals), ["entry JE-004 is not in the log"]);
    assert_eq!(
        words(&completeness.control_totals)[3..],
        [
            "hash total of accounts: the source says 26,134.00, and the ledger has 32,045.00",
            "lines: the source says 7, and the ledger has 9"
        ]
    );
}

#[test]
fn a_swapped_account_is_found_and_named() {
    let mut lines = ledger();
    lines[2].account = "4711";

    let completeness = checked(lines);

    assert!(completeness.stops());
    assert_eq!(
        words(&completeness.roll_forward),
        [
            "account 4711: 0.00 and lines of 180.00 make 50.00 too much for 130.00; account 4712 differs by the opposite",
            "account 4712 has no lines, and 5.00 became 55.00; account 4711 differs by the opposite",
        ]
    );
    assert_eq!(
        words(&completeness.control_totals),
        ["hash total of accounts: the source says 26,134.00, and the ledger has 26,133.00"]
    );
    assert_eq!(completeness.balanced, Verdict::Passed { checked: 3 });
    assert_eq!(completeness.entry_totals, Verdict::Passed { checked: 3 }, "the log knows no accounts");
}

#[test]
fn an_account_that_is_not_in_the_trial_balance_must_not_move() {
    let mut given = given();
    given.trial_balance.as_mut().unwrap().retain(|balance| balance.account != "8400");

    let completeness = checked_with(ledger(), Config::default(), &given);

    assert_eq!(
        words(&completeness.roll_forward),
        ["account 8400 has lines of -20.00 and is not in the trial balance"]
    );
    assert_eq!(completeness.movements[0].known, Known::LedgerOnly);
    assert_eq!(completeness.movements.len(), 5);
}

#[test]
fn a_check_without_anything_to_compare_with_says_so_and_stops_nothing() {
    let (parts, names) = parted(ledger(), |_| 0);
    let mut counted = Counted::new(Config::default());
    counted.add(&parts[0], &names);

    let completeness = counted.finish(&names, &Given::default());

    let why = |why: &str| Verdict::NotPossible(why.into());
    assert_eq!(completeness.roll_forward, why("there is no trial balance to compare with"));
    assert_eq!(
        completeness.control_totals,
        Verdict::NotPossible("no control totals came with the ledger".into())
    );
    assert_eq!(
        completeness.entry_totals,
        Verdict::NotPossible("no log of entries came with the ledger".into())
    );
    assert!(!completeness.stops());
    assert_eq!(completeness.movements.len(), 4, "what moved is told anyway");
}

#[test]
fn amounts_of_several_currencies_do_not_roll_forward_as_one() {
    let mut lines = ledger();
    lines.push(Line { currency: "USD", ..line("JE-003", "1200", "1") });

    let completeness = checked(lines);

    let why = "the ledger has 2 currencies, and the trial balance names none";
    assert_eq!(completeness.roll_forward, Verdict::NotPossible(why.into()));
}

#[test]
fn a_trial_balance_per_entity_is_compared_per_entity() {
    let of = |entity, account, amount| Line { entity, ..line("x", account, amount) };
    let lines = vec![of("DE", "1200", "5"), of("FR", "1200", "-5")];
    let row = |entity: &str, closing| Balance { entity: entity.into(), ..balance("1200", "0", closing) };
    let with = |rows: Vec<Balance>| {
        let given = Given { trial_balance: Some(rows), control_totals: None, in_window: false };
        words(&checked_with(lines.clone(), Config::default(), &given).roll_forward)
    };

    assert_eq!(with(vec![row("DE", "5"), row("FR", "-5")]), Vec::<String>::new());
    assert_eq!(with(vec![row("DE", "0"), row("FR", "0")]).len(), 2);
    assert_eq!(with(vec![row("", "0")]), Vec::<String>::new());
}

#[test]
fn rows_outside_the_ledgers_days_and_periods_are_listed() {
    let config = Config {
        from: Some(day("2025-01-01")),
        to: Some(day("2025-12-31")),
        first_month: Some(4),
        ..Config::default()
    };
    config.check().unwrap();
    let on = |date: &str, period| Line {
        number: Some(1),
        effective: Some(day(date)),
        period: Some(period),
        ..line("x", "4711", "1")
    };
    let found = |line| words(&checked_with(vec![line], config.clone(), &given()).dated);

    assert_eq!(found(on("2025-12-31", 9)), Vec::<String>::new());
    assert_eq!(found(on("2025-01-01", 10)), Vec::<String>::new());
    assert_eq!(found(on("2026-01-01", 10)), ["line 1 of entry x is dated 2026-01-01, outside the ledger"]);
    assert_eq!(found(on("2024-12-31", 9)), ["line 1 of entry x is dated 2024-12-31, outside the ledger"]);
    assert_eq!(
        found(on("2025-04-30", 2)),
        ["line 1 of entry x is dated 2025-04-30, which is in period 1, and posted in period 2"]
    );
    assert_eq!(found(on("2025-03-31", 16)), Vec::<String>::new(), "a special period is part of the twelfth");
    assert_eq!(found(on("2025-03-31", 17)), ["line 1 of entry x is in period 17, which there is not"]);
    assert_eq!(found(on("2025-03-31", 0)), ["line 1 of entry x is in period 0, which there is not"]);
    let undated = Line { effective: None, entered: None, ..line("x", "4711", "1") };
    assert_eq!(found(undated), ["line 1 of entry x has neither a date nor a period"]);
}

#[test]
fn numbers_of_lines_have_the_step_of_their_entry() {
    let found = |numbers: &[u64]| {
        let lines =
            numbers.iter().map(|&number| Line { number: Some(number), ..line("x", "4711", "1") }).collect();
        words(&checked(lines).lines_complete)
    };

    assert_eq!(found(&[1, 2, 3]), Vec::<String>::new());
    assert_eq!(found(&[10, 20, 30]), Vec::<String>::new());
    assert_eq!(found(&[0, 1]), Vec::<String>::new());
    assert_eq!(found(&[1, 2, 4]), ["entry x has no line 3"]);
    assert_eq!(found(&[10, 20, 50]), ["entry x lacks 2 lines, the first of them 30"]);
    assert_eq!(found(&[2, 3]), ["entry x has no line 1"]);
    assert_eq!(found(&[7]), ["entry x has one line"]);
}

#[test]
fn gaps_are_counted_per_range_of_numbers() {
    let gaps = |ids: &[&'static str], largest_gap| {
        let lines = ids.iter().map(|id| line(id, "4711", "1")).collect();
        let config = Config { largest_gap, ..Config::default() };
        checked_with(lines, config, &given()).gaps
    };

    assert_eq!(gaps(&["A0009", "A0010", "B1", "B2"], 100), Verdict::Passed { checked: 4 });
    assert_eq!(words(&gaps(&["A0009", "A0012"], 100)), ["2 numbers are missing between A0009 and A0012"]);
    assert_eq!(words(&gaps(&["255", "258"], 100)), ["2 numbers are missing between 255 and 258"]);
    assert_eq!(
        gaps(&["63", "64", "65", "66"], 100),
        Verdict::Passed { checked: 4 },
        "over the edge of a word"
    );
    assert_eq!(
        gaps(&["254", "255", "256", "257"], 100),
        Verdict::Passed { checked: 4 },
        "over the edge of a block"
    );
    assert_eq!(words(&gaps(&["1", "102"], 100)).len(), 1);
    assert_eq!(gaps(&["1", "103"], 100), Verdict::Passed { checked: 2 }, "another range of numbers");
    assert_eq!(gaps(&["A", "B"], 100), Verdict::NotPossible("no id of an entry ends with a number".into()));
}

#[test]
fn ids_that_are_no_sequence_are_given_up() {
    let ids: Vec<String> = (0..300_000_u64).map(|number| format!("{number:x}z{}", number * 1_000)).collect();
    let lines = ids.iter().map(|id| line(id, "4711", "1")).collect();

    assert_eq!(checked(lines).gaps, Verdict::NotPossible("the ids of entries are no sequence".into()));
}

#[test]
fn refuses_parameters_that_cannot_be_meant() {
    let refused = |json: &str| serde_json::from_str::<Config>(json).unwrap().check().unwrap_err().to_string();

    assert_eq!(
        refused(r#"{ "from": "2025-12-31", "to": "2025-01-01" }"#),
        "to: 2025-01-01 is before 2025-12-31; write the last day of the ledger"
    );
    assert_eq!(refused(r#"{ "first_month": 13 }"#), "first_month: there is no month 13; write 1 to 12");
    assert_eq!(
        refused(r#"{ "largest_gap": 0 }"#),
        "largest_gap: 0 makes every gap the beginning of another range; write 1 or more"
    );
    assert!(serde_json::from_str::<Config>(r#"{ "gap": 1 }"#).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn verdicts_depend_on_neither_parts_nor_order(
        drawn in proptest::collection::vec((0_u16..400, 0_u8..4, -3_i64..4, 0_u8..4, any::<bool>()), 1..80),
        parts in 1_usize..6,
    ) {
        let ids: Vec<String> = drawn.iter().map(|line| format!("JE{:03}", line.0)).collect();
        let lines: Vec<Line<'_>> = drawn
            .iter()
            .zip(&ids)
            .map(|(&(_, account, cents, number, euro), id)| Line {
                number: Some(number.into()),
                amount: Amount::from_cents(cents),
                account: ["1200", "4711", "4712", ""][account as usize],
                currency: if euro { "EUR" } else { "USD" },
                ..line(id, "", "1")
            })
            .collect();
        let finished = |lines: Vec<Line<'_>>, count: usize| {
            let (parts, names) = parted(lines, |index| index * 7 % count);
            let counted = parts.iter().rev().map(|part| {
                let mut counted = Counted::new(Config::default());
                counted.add(part, &names);
                let logged: Vec<Logged> = log().into_iter().filter(|_| count == 1).collect();
                counted.add_log(part, &logged);
                // As it travels between processes.
                serde_json::from_str::<Counted>(&serde_json::to_string(&counted).unwrap()).unwrap()
            });
            let merged = counted.reduce(|mut one, other| { one.merge(other); one }).unwrap();
            let mut completeness = merged.finish(&names, &given());
            // The log's rows belong to the parts of their entries, which this test does not part.
            completeness.entry_totals = Verdict::Passed { checked: 0 };
            completeness
        };
        let mut backward = lines.clone();
        backward.reverse();

        prop_assert_eq!(finished(lines.clone(), parts), finished(lines.clone(), 1));
        prop_assert_eq!(finished(backward, parts), finished(lines, 1));
    }
}
