use super::*;
use crate::ingest::testing;
use crate::ledger::LedgerBuilder;

const HEADER: &str = "Journal_ID,GL_Account_Number,Amount,Amount_Credit_Debit_Indicator,Amount_Currency,Entered_By,\
                      Source,Business_Unit_Code,Effective_Date,Entered_Date,Entered_Time,JE_Line_Description";

/// Forty ordinary entries named `o..`, and the given lines.
fn ledger(lines: &[&str]) -> Ledger {
    let ordinary = (0..40).flat_map(|number| {
        let amount = 100 + number;
        let booked = "EUR,MEIER,SA,1000,2025-03-12,2025-03-12,100000,Rent";
        [format!("o{number:02},4711,{amount},S,{booked}"), format!("o{number:02},1200,{amount},H,{booked}")]
    });
    let file: String = std::iter::once(HEADER.to_string())
        .chain(ordinary)
        .chain(lines.iter().map(ToString::to_string))
        .map(|line| line + "\n")
        .collect();
    let mut builder = LedgerBuilder::default();
    testing::ads_lines(&file, &mut |line| builder.push(line));
    builder.finish()
}

/// Value and reason of a feature for the entry `a`.
fn of_entry_a(feature: Feature, lines: &[&str]) -> (f64, Option<String>) {
    let ledger = ledger(lines);
    let reference = Reference::of(&ledger);
    let entry = ledger.entries().iter().find(|entry| &*entry.id == "a").unwrap();
    let value = feature.of_entry(ledger.lines_of(entry), &reference);
    (value, reason(feature, &ledger, &reference, entry))
}

#[test]
fn rare_names_surprise_and_say_how_rare_they_are() {
    let line = "a,9999,5,S,EUR,GHOST,ZZ,,2025-03-12,2025-03-12,100000,x";
    for (feature, said) in [
        (Feature::Account, "account 9999 occurs on 1 of all 81 lines"),
        (Feature::User, "user GHOST occurs on 1 of all 81 lines"),
        (Feature::Source, "source ZZ occurs on 1 of all 81 lines"),
        (Feature::BusinessUnit, "no business unit is given, as on 1 of all 81 lines"),
    ] {
        let (value, reason) = of_entry_a(feature, &[line]);

        assert_eq!(reason.as_deref(), Some(said));
        assert!(value > 3.5, "{feature:?} {value}");
    }
}

#[test]
fn rare_combinations_of_common_values_surprise() {
    let lines = ["a,1200,5,S,EUR,HUBER,KR,1000,,,,x", "b,4711,5,H,EUR,HUBER,KR,1000,,,,x"];
    for (feature, said) in [
        (Feature::AccountOfUser, "account 1200 occurs on 1 of user HUBER's 2 lines"),
        (Feature::AccountOfSource, "account 1200 occurs on 1 of source KR's 2 lines"),
        (Feature::SideOfAccount, "a debit is on 1 of account 1200's 41 lines"),
    ] {
        assert_eq!(of_entry_a(feature, &lines).1.as_deref(), Some(said));
    }
    assert!(of_entry_a(Feature::SideOfAccount, &lines).0 > 3.0);
}

#[test]
fn an_amount_is_held_against_the_usual_ones_of_its_account_and_side() {
    let (value, reason) = of_entry_a(Feature::AmountInAccount, &["a,4711,90000,S,EUR,MEIER,SA,1000,,,,x"]);

    assert!(value > 20.0);
    assert_eq!(
        reason.unwrap(),
        format!(
            "90,000.00 EUR is far from the usual 120.00, the median of 41 debits of account 4711 ({value:.1} robust \
             deviations)"
        )
    );
    assert_eq!(of_entry_a(Feature::AmountInAccount, &["a,4711,120,S,EUR,MEIER,SA,1000,,,,x"]).1, None);
}

#[test]
fn amounts_speak_for_themselves() {
    let line = "a,4711,1500000,S,EUR,MEIER,SA,1000,,,,x";

    let (log, largest) = of_entry_a(Feature::Amount, &[line]);
    assert!((log - libm::log1p(1_500_000.0)).abs() < 1e-12);
    assert_eq!(largest.unwrap(), "the largest amount is 1,500,000.00 EUR");
    assert_eq!(
        of_entry_a(Feature::RoundAmount, &[line]),
        (5.0, Some("1,500,000.00 EUR is round: it ends in 5 zeros".into()))
    );
}

#[test]
fn the_hour_and_the_day_of_entry_are_judged_at_their_limits() {
    let at = |date: &str, time: &str| format!("a,4711,5,S,EUR,MEIER,SA,1000,,{date},{time},x");
    let value = |feature, line: String| of_entry_a(feature, &[&line]).0;

    for (time, night) in [("055959", 1.0), ("060000", 0.0), ("195959", 0.0), ("200000", 1.0)] {
        assert_eq!(value(Feature::Night, at("2025-03-12", time)), night, "{time}");
    }
    for (date, weekend) in
        [("2025-03-14", 0.0), ("2025-03-15", 1.0), ("2025-03-16", 1.0), ("2025-03-17", 0.0)]
    {
        assert_eq!(value(Feature::Weekend, at(date, "")), weekend, "{date}");
    }
    let sunday = of_entry_a(Feature::Weekend, &[&at("2025-03-16", "")]).1;
    assert_eq!(sunday.unwrap(), "entered on a Sunday, 2025-03-16");
    let night = of_entry_a(Feature::Night, &[&at("2025-03-16", "21407")]).1;
    assert_eq!(night.unwrap(), "entered at 02:14, between 20:00 and 06:00");
}

#[test]
fn what_cannot_be_known_is_nan_and_gives_no_reason() {
    for feature in [Feature::Weekend, Feature::Night, Feature::Lag, Feature::PeriodEnd] {
        let (value, reason) = of_entry_a(feature, &["a,4711,5,S,EUR,MEIER,SA,1000,,,,x"]);

        assert!(value.is_nan() && reason.is_none(), "{feature:?} {value} {reason:?}");
    }
}

#[test]
fn the_lag_has_a_direction() {
    let (late, said) = of_entry_a(Feature::Lag, &["a,4711,5,S,EUR,MEIER,SA,1000,2024-08-01,2025-03-03,,x"]);
    assert!((late - libm::log1p(214.0)).abs() < 1e-12);
    assert_eq!(said.unwrap(), "entered 214 days after its effective date 2024-08-01, on 2025-03-03");

    let (early, said) = of_entry_a(Feature::Lag, &["a,4711,5,S,EUR,MEIER,SA,1000,2025-03-04,2025-03-03,,x"]);
    assert!((early + libm::log1p(1.0)).abs() < 1e-12);
    assert_eq!(said.unwrap(), "entered 1 day before its effective date 2025-03-04, on 2025-03-03");
}

#[test]
fn the_distance_to_a_month_end_counts_both_ways() {
    for (date, days) in [("2025-01-31", 0.0), ("2025-02-01", 1.0), ("2025-02-27", 1.0), ("2025-01-15", 15.0)]
    {
        let line = format!("a,4711,5,S,EUR,MEIER,SA,1000,{date},,,x");
        assert_eq!(of_entry_a(Feature::PeriodEnd, &[&line]).0, days, "{date}");
    }
}

#[test]
fn the_shape_of_an_entry_is_counted() {
    let lines = [
        "a,4711,100.10,S,EUR,MEIER,SA,1000,,,,x",
        "a,4711,5,S,USD,MEIER,SA,1000,,,,",
        "a,1200,100,H,EUR,MEIER,SA,1000,,,,",
    ];

    assert_eq!(of_entry_a(Feature::Lines, &lines), (libm::log(3.0), Some("the entry has 3 lines".into())));
    assert_eq!(
        of_entry_a(Feature::Accounts, &lines),
        (libm::log(2.0), Some("the entry touches 2 different accounts".into()))
    );
    assert_eq!(
        of_entry_a(Feature::Imbalance, &lines),
        (libm::log1p(5.0), Some("debits and credits differ by 5.00 USD".into()))
    );
    let (share, said) = of_entry_a(Feature::MissingText, &lines);
    assert!((share - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(said.unwrap(), "2 of 3 lines without any text");
}

#[test]
fn tenths_that_floats_cannot_hold_still_balance() {
    let lines = ["a,1,0.1,S,,,,,,,,x", "a,2,0.2,S,,,,,,,,x", "a,3,0.3,H,,,,,,,,x"];

    assert_eq!(of_entry_a(Feature::Imbalance, &lines), (0.0, None));
}

#[test]
fn ids_of_features_are_distinct() {
    let mut ids = Feature::ALL.map(Feature::id);
    ids.sort_unstable();

    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]));
}
