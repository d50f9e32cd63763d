use std::collections::BTreeSet;

use proptest::prelude::*;

use super::fixture::{Told, config, ids, line, parted, told, usual};
use super::*;
use crate::calendar;
use crate::line::{Line, Side};
use crate::settings::Settings;

#[test]
fn every_test_of_the_catalogue_has_its_own_code_id_and_citation() {
    let codes: BTreeSet<_> = Id::ALL.iter().map(|id| id.about().code).collect();
    let ids: BTreeSet<_> = Id::ALL.iter().map(|id| id.about().id).collect();

    let groups = [('W', 5), ('T', 6), ('A', 7), ('M', 8), ('D', 4), ('S', 6)];
    let expected: BTreeSet<String> = groups
        .iter()
        .flat_map(|&(group, count)| (1..=count).map(move |number| format!("{group}{number}")))
        .collect();
    assert_eq!(codes.iter().map(|code| code.to_string()).collect::<BTreeSet<_>>(), expected);
    assert_eq!(ids.len(), Id::ALL.len());
    for id in Id::ALL {
        let about = id.about();
        assert_eq!(
            serde_json::to_value(id).unwrap(),
            about.id,
            "the id in files is the name of the parameters"
        );
        assert!(!about.sources.is_empty() && about.weight > 0 && !about.title.is_empty(), "{about:?}");
        assert!(about.sources.iter().all(|source| !source.citation().is_empty()));
    }
    assert_eq!(
        Id::Round.about().sources.iter().map(|source| source.citation()).next_back().unwrap(),
        "AICPA Audit Data Standards, reference procedure 2.3"
    );
}

#[test]
fn tests_come_in_the_order_of_the_catalogue() {
    let config = Config::default();

    assert!(config.tests().map(|(id, _)| id).eq(Id::ALL.iter().copied()));
    assert_eq!(config.check(), Ok(()));
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused_by_the_name_of_its_field() {
    for (json, message) in [
        (r#"{ "weights": { "round": 1001 } }"#, "weights.round: 1001 is too much; write 1000 or less"),
        (
            r#"{ "rare_user": { "most_lines": 0 } }"#,
            "rare_user.most_lines: 0 hits nothing or everything; write 1 or more",
        ),
        (r#"{ "round": { "zeros": 0 } }"#, "round.zeros: 0 hits nothing or everything; write 1 or more"),
        (
            r#"{ "approval_limits": { "EUR": ["0"] } }"#,
            "approval_limits.EUR: 0.00 is no limit; write an amount above zero",
        ),
        (
            r#"{ "material": { "materiality": { "*": "-5" } } }"#,
            "material.materiality: -5.00 is no limit; write an amount above zero",
        ),
        (
            r#"{ "after_hours": { "from": 20, "until": 24 } }"#,
            "after_hours.until: there are no hours from 20 until 24; write two different hours from 0 to 23",
        ),
        (
            r#"{ "unusual_amount": { "deviations": 0.1 } }"#,
            "unusual_amount.deviations: 0.1 is no number of deviations; write 0.5 to 100",
        ),
        (
            r#"{ "ending": { "endings": ["9x"] } }"#,
            "ending.endings: no amount ends with `9x`; write digits, with a point before decimals",
        ),
        (
            r#"{ "suspense": { "accounts": ["*9"] } }"#,
            "suspense.accounts: `*9` names no account; write a number, a beginning like `47*` or a range like `4700-4799`",
        ),
        (
            r#"{ "keyword": { "words": { "en": [" "] } } }"#,
            "keyword.words: ` ` of `en` would not be found; write words in small letters, with a letter or digit first",
        ),
        (
            r#"{ "dormant_account": { "quiet_periods": 601 } }"#,
            "dormant_account.quiet_periods: 601 periods are not in any ledger; write 1 to 600",
        ),
        (r#"{ "split": { "most_lines": 1 } }"#, "split.most_lines: 1 lines are no split; write 2 or more"),
        (
            r#"{ "just_below": { "percent": 0 } }"#,
            "just_below.percent: 0 % below is not just below; write 1 to 50",
        ),
        (
            r#"{ "duplicate": { "within_days": -1 } }"#,
            "duplicate.within_days: -1 days are before the beginning or over a year; write 0 to 366",
        ),
        (r#"{ "benford": { "z": -1.0 } }"#, "benford.z: -1 is no bound; write a number of 0 or more"),
    ] {
        assert_eq!(config(json).check().unwrap_err().to_string(), message);
    }
}

#[test]
fn an_unknown_test_or_parameter_is_refused() {
    for json in
        [r#"{ "rare_users": {} }"#, r#"{ "round": { "zeroes": 3 } }"#, r#"{ "weights": { "rounds": 1 } }"#]
    {
        assert!(serde_json::from_str::<Config>(json).is_err(), "{json}");
    }
}

#[test]
fn a_test_that_is_not_possible_says_why() {
    let untimed = Line { entered_time: None, line_text: "", ..line("x", "4711", "1") };
    let (parts, names) = parted(vec![untimed], |_| 0);
    let norms = fixture::norms(&parts, &names);
    let config = config(r#"{ "weights": { "round": 0 } }"#);
    let idle = |id| config.idle(id, &norms);

    assert_eq!(idle(Id::Round), Some("its weight is 0"));
    assert_eq!(idle(Id::AfterHours), Some("the ledger has no times of entry"));
    assert_eq!(idle(Id::Keyword), Some("the ledger has no texts"));
    assert_eq!(idle(Id::JustBelow), Some("no `approval_limits` are set"));
    assert_eq!(idle(Id::Split), Some("no `approval_limits` are set"));
    assert_eq!(idle(Id::Material), Some("`materiality` is not set"));
    assert_eq!(idle(Id::Suspense), Some("no accounts are listed in `accounts`"));
    assert_eq!(idle(Id::WatchedUser), Some("no users are listed in `senior`, `departed` or `known`"));
    assert_eq!(idle(Id::DayOff), None);
}

#[test]
fn a_plain_entry_among_its_like_is_not_hit() {
    let ids = ids(150);
    let plain = |number: usize| {
        let amount = format!("{}.37", 100 + number);
        (amount.clone(), format!("-{amount}"))
    };
    let amounts: Vec<_> = (0..150).map(plain).collect();
    let lines: Vec<Line<'_>> = ids
        .iter()
        .zip(&amounts)
        .flat_map(|(id, (debit, credit))| [line(id, "4711", debit), line(id, "1200", credit)])
        .collect();
    let (parts, names) = parted(lines, |_| 0);

    assert_eq!(told(&Config::default(), &calendar::Config::default(), &parts, &names), []);
}

#[test]
fn the_summary_of_other_processes_adds_up_to_the_same() {
    let ids = ids(30);
    let (parts, names) = parted(usual(&ids, &line("", "4711", "12.34")), |index| index % 3);
    let (whole, _) = parted(usual(&ids, &line("", "4711", "12.34")), |_| 0);
    let summary = |part: &Part| {
        let mut summary = Summary::new(&names);
        summary.add(part);
        // As it travels between processes.
        serde_json::from_str::<Summary>(&serde_json::to_string(&summary).unwrap()).unwrap()
    };

    let mut merged = summary(&parts[2]);
    merged.merge(summary(&parts[0]));
    merged.merge(summary(&parts[1]));

    assert_eq!(merged, summary(&whole[0]));
}

#[test]
fn a_summary_of_too_many_pairs_says_which_of_them_it_gave_up() {
    let (_, names) = parted(vec![line("x", "4711", "1")], |_| 0);
    let mut summary = Summary::new(&names);
    assert_eq!(summary.given_up(), []);

    for day in 0..300_000 {
        summary.user_days.add(0, day, 1);
    }

    assert_eq!(summary.given_up(), [("days of users", 2)]);
}

/// A small world, in which all sorts of coincidences happen.
fn ledgers() -> impl Strategy<Value = Vec<Drawn>> {
    let drawn = (0_u8..12, 0_u8..4, 0_u8..6, 0_u8..3, 0_u8..40, 0_u8..4, 0_u8..3, any::<bool>());
    proptest::collection::vec(drawn, 1..60)
}

/// Entry, account, amount, user, day, text, partner, and side.
type Drawn = (u8, u8, u8, u8, u8, u8, u8, bool);

fn drawn_line(&(entry, account, amount, user, day, text, partner, debit): &Drawn) -> Line<'static> {
    const ENTRIES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let date = jiff::civil::date(2025, 1, 1).checked_add(jiff::Span::new().days(i64::from(day) * 5)).unwrap();
    Line {
        entry: ENTRIES[entry as usize],
        account: ["1000", "1200", "4711", "4000"][account as usize],
        amount: ["120", "210", "999", "1000", "480.50", "0"][amount as usize].parse().unwrap(),
        side: if debit { Side::Debit } else { Side::Credit },
        currency: "EUR",
        user: ["MEIER", "HUBER", ""][user as usize],
        source: ["SA", "KR"][usize::from(user == 0)],
        effective: Some(date),
        entered: Some(date),
        entered_time: Some(u32::from(day) * 2_000),
        partner: ["", "ACME", "BOLT"][partner as usize],
        line_text: ["", "rent", "rent 2", "error"][text as usize],
        ..Line::default()
    }
}

fn lively() -> Config {
    config(
        r#"{
            "approval_limits": { "*": ["1000", "500"] },
            "rare_user_account": { "most_lines": 2, "least_user_lines": 5 },
            "rare_flow": { "most_entries": 1, "least_account_lines": 2 },
            "account_source": { "most_lines": 1, "least_source_lines": 5, "least_account_lines": 2 },
            "rare_text": { "most_lines": 1, "least_account_lines": 3, "most_texts_percent": 100 },
            "unusual_amount": { "deviations": 1.0, "least_lines": 3 },
            "benford": { "least_amounts": 5, "mad": 0.001, "z": 1.0 },
            "flurry": { "times": 1, "least_entries": 1, "least_days": 1 },
            "dormant_account": { "quiet_periods": 1 },
            "changed_recurring": { "least_months": 3 }
        }"#,
    )
}

fn told_in_parts(drawn: &[Drawn], place: impl Fn(usize) -> usize) -> Vec<Told> {
    let (parts, names) = parted(drawn.iter().map(drawn_line).collect(), place);
    told(&lively(), &calendar::Config::default(), &parts, &names)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn hits_depend_on_neither_parts_nor_order(drawn in ledgers(), seed in any::<u64>()) {
        let whole = told_in_parts(&drawn, |_| 0);
        let mut shuffled = drawn.clone();
        shuffled.sort_by_key(|line| xxhash_rust::xxh3::xxh3_64_with_seed(format!("{line:?}").as_bytes(), seed));

        prop_assert_eq!(&told_in_parts(&drawn, |index| index % 2), &whole);
        prop_assert_eq!(&told_in_parts(&drawn, |index| (index * 7 + seed as usize % 11) % 5), &whole);
        prop_assert_eq!(&told_in_parts(&shuffled, |_| 0), &whole);
        prop_assert_eq!(&told_in_parts(&shuffled, |index| (index * 3 + 1) % 5), &whole);
    }
}

/// The row of a test in the table of docs/reference/journal.md.
fn row_of_the_reference(id: Id) -> String {
    let About { code, id: name, title, level, weight, sources } = id.about();
    let level = serde_json::to_value(level).unwrap();
    let all = |settings: Settings| serde_json::to_value(settings.controls).unwrap()[name].clone();
    let (every, usual) = (all(Settings::with_every_key()), all(Settings::default()));
    let mut parameters = Vec::new();
    for (key, value) in every.as_object().unwrap() {
        match value.is_object() {
            true => parameters.push(format!("`{key}.*`")),
            false => parameters.push(format!("`{key} = {}`", usual[key])),
        }
    }
    parameters.sort();
    let source = |source: &Source| match source {
        Source::AuC240 => "AU-C".into(),
        Source::Isa240 => "ISA".into(),
        Source::As2401 => "AS".into(),
        Source::Caq => "CAQ".into(),
        Source::Aicpa(number) => format!("AICPA {number}"),
        Source::Nigrini => "Nigrini".into(),
        Source::Practice => "practice".into(),
    };
    let sources: Vec<String> = sources.iter().map(source).collect();
    format!(
        "| {code} | `{name}` | {title} | {} | {weight} | {} | {} |",
        level.as_str().unwrap(),
        parameters.join(", "),
        sources.join(", ")
    )
}

#[test]
fn the_reference_page_has_the_catalogue() {
    let page = include_str!("../../../../docs/reference/journal.md");
    let (_, table) = page.split_once("| code | id |").unwrap();
    let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();

    let expected: Vec<String> = Id::ALL.iter().map(|id| row_of_the_reference(*id)).collect();

    assert!(rows == expected, "the table should be:\n{}\n", expected.join("\n"));
}
