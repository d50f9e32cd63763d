use super::*;
use crate::controls::Config;
use crate::controls::fixture::{config, day, hits, ids, line};
use crate::line::Line;

fn words(config: &Config, id: Id, lines: Vec<Line<'_>>) -> Vec<(String, String)> {
    hits(config, id, lines)
}

fn told(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(entry, words)| (entry.to_string(), words.to_string())).collect()
}

fn on<'a>(date: &str, mut line: Line<'a>) -> Line<'a> {
    line.effective = Some(day(date));
    line
}

#[test]
fn a_hundred_lines_or_twenty_accounts_are_complex() {
    let accounts = ids(20);
    let lines = |count| std::iter::repeat_n(line("x", "4711", "1"), count).collect();
    let of_accounts =
        |count: usize| accounts[..count].iter().map(|account| line("x", account, "1")).collect();

    assert_eq!(words(&config("{}"), Id::Complex, lines(100)), told(&[("x", "100 lines on 1 accounts")]));
    assert_eq!(words(&config("{}"), Id::Complex, lines(99)), []);
    assert_eq!(words(&config("{}"), Id::Complex, of_accounts(20)), told(&[("x", "20 lines on 20 accounts")]));
    assert_eq!(words(&config("{}"), Id::Complex, of_accounts(19)), []);
}

#[test]
fn manual_is_what_the_line_or_its_source_says() {
    let config = config(r#"{ "manual": { "sources": ["SA"], "top_side_sources": ["CONS"] } }"#);
    let of = |entry, source, manual| Line { source, manual, ..line(entry, "4711", "1") };
    let lines = vec![
        of("a", "KR", Some(true)),
        of("b", "SA", None),
        of("c", "CONS", Some(false)),
        of("d", "KR", Some(false)),
        of("e", "KR", None),
    ];

    assert_eq!(
        words(&config, Id::Manual, lines),
        told(&[
            ("a", "entered by hand by MEIER in source KR"),
            ("b", "entered by hand by MEIER in source SA"),
            ("c", "top-side entry of source CONS by MEIER"),
        ])
    );
}

/// An entry, and one of the same lines on the other sides.
fn turned(first: &str, second: &str) -> Vec<Line<'static>> {
    vec![
        on(first, line("a", "1", "7")),
        on(first, line("a", "2", "-7")),
        on(second, line("b", "1", "-7")),
        on(second, line("b", "2", "7")),
    ]
}

#[test]
fn an_entry_taken_back_in_the_next_period_is_a_pair() {
    assert_eq!(
        words(&config("{}"), Id::Reversal, turned("2025-01-31", "2025-02-01")),
        told(&[
            ("a", "reversed 1 day later, in the next period"),
            ("b", "reverses an entry of 1 day before, in the last period"),
        ])
    );
    assert_eq!(
        words(&config("{}"), Id::Reversal, turned("2025-01-01", "2025-01-11")),
        told(&[("a", "reversed 10 days later"), ("b", "reverses an entry of 10 days before")])
    );
    assert_eq!(
        words(&config("{}"), Id::Reversal, turned("2025-01-01", "2025-01-01")),
        told(&[
            ("a", "taken back by another entry of the same day"),
            ("b", "taken back by another entry of the same day"),
        ])
    );
}

#[test]
fn forty_days_are_near_enough_for_a_reversal_and_forty_one_are_not() {
    assert_eq!(words(&config("{}"), Id::Reversal, turned("2025-01-01", "2025-02-10")).len(), 2);
    assert_eq!(words(&config("{}"), Id::Reversal, turned("2025-01-01", "2025-02-11")), []);
}

#[test]
fn a_repeated_or_changed_entry_is_no_reversal() {
    let repeated = |entry| [line(entry, "1", "7"), line(entry, "2", "-7")];
    let one_line_more =
        [turned("2025-01-01", "2025-01-02"), vec![on("2025-01-02", line("b", "3", "0"))]].concat();
    let own_opposite = |entry| [line(entry, "1", "7"), line(entry, "1", "-7")];

    assert_eq!(words(&config("{}"), Id::Reversal, [repeated("a"), repeated("b")].concat()), []);
    assert_eq!(words(&config("{}"), Id::Reversal, one_line_more), []);
    assert_eq!(words(&config("{}"), Id::Reversal, [own_opposite("a"), own_opposite("b")].concat()), []);
}

#[test]
fn an_accrual_of_every_month_is_paired_with_its_own_reversal() {
    let of = |entry, date, sign: &str| {
        let (debit, credit) = if sign == "+" { ("7", "-7") } else { ("-7", "7") };
        vec![on(date, line(entry, "1", debit)), on(date, line(entry, "2", credit))]
    };
    let lines = [
        of("jan", "2025-01-31", "+"),
        of("jan back", "2025-02-01", "-"),
        of("feb", "2025-02-28", "+"),
        of("feb back", "2025-03-01", "-"),
        of("mar", "2025-03-31", "+"),
    ]
    .concat();

    let hit: Vec<_> = words(&config("{}"), Id::Reversal, lines).into_iter().map(|(entry, _)| entry).collect();

    assert_eq!(hit, ["feb", "feb back", "jan", "jan back"]);
}

#[test]
fn a_ledger_may_mark_its_reversals_itself() {
    let marked = Line { reversal_of: "4900000001", ..line("x", "4711", "1") };

    assert_eq!(
        words(&config("{}"), Id::Reversal, vec![marked]),
        told(&[("x", "marked as the reversal of 4900000001")])
    );
}

#[test]
fn the_same_account_amount_and_period_in_two_entries_is_a_duplicate() {
    let hit = |one, other| words(&config("{}"), Id::Duplicate, vec![one, other]);
    let first = line("a", "4711", "250");
    let words = "250.00 EUR on account 4711 in the same period: 2 lines in 2 entries";

    assert_eq!(
        hit(first.clone(), on("2025-03-31", line("b", "4711", "250"))),
        told(&[("a", words), ("b", words)])
    );
    for other in [
        line("a", "4711", "250"),
        line("b", "4712", "250"),
        line("b", "4711", "250.01"),
        line("b", "4711", "-250"),
        on("2025-04-01", line("b", "4711", "250")),
        Line { entity: "FR", ..line("b", "4711", "250") },
        Line { currency: "USD", ..line("b", "4711", "250") },
    ] {
        assert_eq!(hit(first.clone(), other.clone()), [], "{other:?}");
    }
}

#[test]
fn amounts_below_the_least_repeat_for_no_reason() {
    let twice = |amount| vec![line("a", "4711", amount), line("b", "4711", amount)];
    let all = config(r#"{ "duplicate": { "least_amount": "0" } }"#);

    assert_eq!(words(&config("{}"), Id::Duplicate, twice("1")).len(), 2);
    assert_eq!(words(&config("{}"), Id::Duplicate, twice("0.99")), []);
    assert_eq!(words(&all, Id::Duplicate, twice("0")).len(), 2);
}

#[test]
fn one_partner_and_amount_within_thirty_days_is_a_duplicate_on_any_account() {
    let with = |entry, account, date| on(date, Line { partner: "ACME", ..line(entry, account, "250") });
    let hit = |other| words(&config("{}"), Id::Duplicate, vec![with("a", "1", "2025-01-31"), other]);

    let words = "250.00 EUR with partner ACME again within 30 days";
    let told: Vec<_> = hit(with("b", "2", "2025-03-02")).into_iter().map(|(_, words)| words).collect();
    assert_eq!(told, [words.replace("account", ""), words.to_string()]);
    assert_eq!(hit(with("b", "2", "2025-03-03")), []);
    assert_eq!(hit(with("a", "2", "2025-02-01")), [], "one entry may pay in two lines");
    let nobody = |entry, account| Line { partner: "", ..with(entry, account, "2025-01-31") };
    assert_eq!(hits(&config("{}"), Id::Duplicate, vec![nobody("a", "1"), nobody("b", "2")]), []);
}

#[test]
fn neighbouring_digits_exchanged_are_a_duplicate() {
    let with = |entry, amount| Line { partner: "ACME", ..line(entry, "4711", amount) };
    let hit = |one, other| words(&config("{}"), Id::Duplicate, vec![with("a", one), with("b", other)]);

    assert_eq!(
        hit("1234.56", "1243.56"),
        told(&[
            ("a", "1,234.56 EUR with partner ACME, and 1,243.56 with two digits exchanged"),
            ("b", "1,243.56 EUR with partner ACME, and 1,234.56 with two digits exchanged"),
        ])
    );
    assert_eq!(hit("1234.56", "1432.56"), [], "not neighbours");
    assert_eq!(hit("1234.56", "1235.56"), [], "another digit");
    assert_eq!(hit("100.01", "100.10").len(), 2);
    assert_eq!(hit("99.12", "99.21"), [], "below a hundred digits repeat anyway");
}

#[test]
fn a_rent_that_changes_in_one_month_of_five_is_told() {
    let dates: Vec<String> = (1..=7).map(|month| format!("2025-{month:02}-03")).collect();
    let entries = ["e1", "e2", "e3", "e4", "e5", "e6", "e7"];
    let rent = |amounts: &[&'static str]| {
        let lines = amounts.iter().enumerate().map(|(index, amount)| {
            on(&dates[index], Line { line_text: "Rent", ..line(entries[index], "4711", amount) })
        });
        words(&config("{}"), Id::ChangedRecurring, lines.collect())
    };

    assert_eq!(
        rent(&["1200", "1200", "1900", "1200", "1200"]),
        told(&[("e3", "1,900.00 EUR on account 4711, where 4 of 5 months have 1,200.00")])
    );
    assert_eq!(rent(&["1200", "1200", "1900", "1200"]), [], "three months make no habit");
    assert_eq!(rent(&["1200", "1200", "1200", "1200", "1200"]), []);
    assert_eq!(rent(&["1", "1", "1", "2", "3"]), []);
    assert_eq!(rent(&["1", "1", "1", "1", "2", "3"]).len(), 2, "two thirds are a habit");
    assert_eq!(rent(&["1", "1", "1", "1", "2", "3", "4"]), [], "four of seven are not");
}

#[test]
fn a_line_twice_in_a_month_does_not_recur_monthly() {
    let dates = ["2025-01-03", "2025-01-17", "2025-02-03", "2025-03-03", "2025-04-03", "2025-05-03"];
    let entries = ["e1", "e2", "e3", "e4", "e5", "e6"];
    let lines = dates
        .iter()
        .zip(entries)
        .map(|(date, entry)| on(date, line(entry, "4711", if entry == "e1" { "9" } else { "8" })));

    assert_eq!(words(&config("{}"), Id::ChangedRecurring, lines.collect()), []);
}

#[test]
fn a_cent_unbalances_an_entry_and_another_currency_does_not_help() {
    let usd = |line| Line { currency: "USD", ..line };
    let hit = |lines| words(&config("{}"), Id::Unbalanced, lines);

    assert_eq!(hit(vec![line("x", "1", "7"), line("x", "2", "-7")]), []);
    assert_eq!(
        hit(vec![line("x", "1", "7.01"), line("x", "2", "-7")]),
        told(&[("x", "debits exceed credits by 0.01 EUR")])
    );
    assert_eq!(
        hit(vec![line("x", "1", "7"), usd(line("x", "2", "-7"))]),
        told(&[(
            "x",
            "debits exceed credits by 7.00 EUR, the greatest of 2 differences by currency, ledger and entity"
        )])
    );
    let other_entity = Line { entity: "FR", ..line("x", "2", "-7") };
    assert_eq!(hit(vec![line("x", "1", "7"), other_entity]).len(), 1);
}
