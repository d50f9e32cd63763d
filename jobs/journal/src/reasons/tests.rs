use std::sync::LazyLock;

use iforest::IsolationForest;
use jiff::civil::{Date, date};
use ndarray::{Array2, s};

use super::*;
use crate::amount::Amount;
use crate::line::{Line, Side};
use crate::names::Sort;
use crate::part::{Part, from_lines};
use crate::scoring::dims::Dim;
use crate::scoring::fitted::Fitted;
use crate::scoring::measures::Signal;
use crate::scoring::whole::{Whole, whole};

/// What makes an entry of the test's ledger special; the rest of it is as everywhere.
#[derive(Clone)]
struct Entry {
    id: String,
    user: &'static str,
    account: String,
    against: &'static str,
    unit: String,
    debit: i64,
    credit: i64,
    text: &'static str,
    document: Date,
    entered: Date,
    period: u8,
    seconds: u32,
    manual: bool,
    region: &'static str,
}

/// A thousand ordinary entries of February to November; account 4000 is never used by unit K3.
fn ordinary(index: usize) -> Entry {
    let weekdays =
        (0..).filter_map(|days: i64| date(2024, 2, 1).checked_add(jiff::Span::new().days(days)).ok());
    let mut weekdays = weekdays.filter(|day| day.weekday().to_monday_zero_offset() < 5);
    let entered = weekdays.nth(index / 5).unwrap();
    Entry {
        id: format!("e{index:04}"),
        user: ["ADAMS", "BAKER", "CLARK"][index / 3 % 3],
        account: format!("4{}00", index % 5),
        against: "1000",
        unit: format!("K{}", if index.is_multiple_of(5) { index / 5 % 3 } else { index % 4 }),
        debit: 20_000 + (index * 7_919 % 30_011) as i64,
        credit: 20_000 + (index * 7_919 % 30_011) as i64,
        text: "Invoice 17 of a customer",
        document: entered,
        entered,
        period: entered.month() as u8,
        seconds: 9 * 3_600 + (index * 7_919 % 28_800) as u32,
        manual: (index / 7).is_multiple_of(2),
        region: ["north", "south"][index / 11 % 2],
    }
}

fn entries() -> Vec<Entry> {
    let special = |id: &str, change: fn(&mut Entry)| {
        let mut entry = Entry { id: id.into(), ..ordinary(500) };
        change(&mut entry);
        entry
    };
    let saturday = date(2024, 3, 9);
    let mut entries: Vec<Entry> = (0..1_000).map(ordinary).collect();
    entries.extend([
        special("user", |entry| entry.user = "MEIER"),
        special("no-user", |entry| entry.user = ""),
        special("pair", |entry| entry.unit = "K3".into()),
        special("amount", |entry| (entry.debit, entry.credit) = (12_000_000, 12_000_000)),
        special("unbalanced", |entry| entry.credit -= 1_250),
        special("period", |entry| entry.period = 2),
        special("lag", |entry| entry.document = date(2024, 5, 20)),
        special("text", |entry| entry.text = "Correction, see mail"),
        special("no-text", |entry| entry.text = ""),
        special("account", |entry| entry.account = "9999".into()),
        special("night", |entry| entry.seconds = 23 * 3_600 + 600),
        special("region", |entry| entry.region = "nowhere"),
        Entry { id: "weekend".into(), entered: saturday, document: saturday, period: 3, ..ordinary(0) },
    ]);
    entries.extend((0..30).map(|index| Entry {
        id: format!("limit{index:02}"),
        account: "7000".into(),
        against: "7001",
        debit: 990_000 + 100 * index,
        credit: 990_000 + 100 * index,
        ..ordinary(7 * index as usize)
    }));
    entries
}

static LEDGER: LazyLock<Ledger> = LazyLock::new(Ledger::new);

struct Ledger {
    part: Part,
    names: Names,
    whole: Whole,
    splits: Vec<Splits>,
    titles: Vec<String>,
}

impl Ledger {
    fn new() -> Self {
        let entries = entries();
        // The same with another name.
        let land = |region| {
            ["L1", "L2", "L3"]
                [["north", "south", "nowhere"].iter().position(|known| *known == region).unwrap()]
        };
        let regions: Vec<[&str; 2]> =
            entries.iter().map(|entry| [entry.region, land(entry.region)]).collect();
        let lines = entries.iter().zip(&regions).flat_map(|(entry, region)| {
            let line = |number, account: &'static str, side, cents| Line {
                entry: &entry.id,
                number: Some(number),
                account,
                side,
                amount: Amount::from_cents(cents),
                currency: "EUR",
                source: "GL",
                document_type: "SA",
                user: entry.user,
                business_unit: &entry.unit,
                header_text: entry.text,
                effective: Some(entry.entered),
                entered: Some(entry.entered),
                document: Some(entry.document),
                entered_time: Some(entry.seconds),
                fiscal_year: Some(2024),
                period: Some(entry.period),
                manual: Some(entry.manual),
                extra: region,
                ..Line::default()
            };
            let debit = Line { account: &entry.account, ..line(1, "", Side::Debit, entry.debit) };
            [debit, line(2, entry.against, Side::Credit, entry.credit)]
        });
        let (part, names) = from_lines(lines);
        let whole = whole(std::slice::from_ref(&part), &names, 7).unwrap();
        let measured = whole.entries.iter().map(|entry| &entry.measures);
        let splits = splits(
            (&whole.fitted.detectors.values, &whole.fitted.detectors.pairs),
            measured,
            whole.has.amounts,
        )
        .unwrap();
        Self { part, names, whole, splits, titles: vec!["region".into(), "land".into()] }
    }

    fn scene(&self) -> Scene<'_> {
        let Fitted { dims, yardstick, combiner, empty, .. } = &self.whole.fitted;
        Scene { names: &self.names, dims, yardstick, combiner, empty: *empty, titles: &self.titles }
    }

    /// The reasons of an entry; with somebody named, as if that one had had the strongest word.
    fn reasons(&self, id: &str, winner: Option<Winner>) -> Vec<Reason> {
        let place = self.whole.entries.iter().position(|entry| entry.id == id).unwrap();
        let entry = &self.whole.entries[place];
        let scored = winner.map_or(entry.scored, |winner| Scored { winner, score: 9.0, ..entry.scored });
        let postings = self.part.postings_of(&self.part.entries()[place]);
        let splits = &self.splits[place];
        Words::new(self.scene()).reasons(&About { postings, measures: &entry.measures, scored, splits })
    }

    fn first(&self, id: &str, winner: Winner) -> (String, String) {
        let reason = self.reasons(id, Some(winner)).into_iter().next().unwrap();
        (reason.feature, reason.words)
    }
}

const PAIR: &str = "account 4000 and business unit K3 meet in 1 entry, where about 42 would be expected were one nothing to the other";

#[test]
fn the_first_reason_is_the_winners_with_plain_values() {
    let ledger = &*LEDGER;
    for (id, winner, feature, words) in [
        ("user", Winner::Values, "user", "user MEIER occurs in 1 of 1,043 entries"),
        ("user", Winner::ValueForest, "user", "user MEIER occurs in 1 of 1,043 entries"),
        ("no-user", Winner::Values, "user", "no user is given, as in 1 of 1,043 entries"),
        ("region", Winner::Values, "region", "region nowhere occurs in 1 of 1,043 entries"),
        ("account", Winner::Values, "account", "account 9999 occurs in 1 of 1,043 entries"),
        (
            "text",
            Winner::Values,
            "header_text",
            "a text that begins “correction see” occurs in 1 of 1,043 entries",
        ),
        ("no-text", Winner::Values, "header_text", "no text is given, as in 1 of 1,043 entries"),
        (
            "night",
            Winner::Values,
            "hour",
            "entered at 23:10, between 23:00 and 24:00 like 1 of 1,043 entries",
        ),
        ("weekend", Winner::Values, "weekday", "dated on a Saturday, 2024-03-09, like 1 of 1,043 entries"),
        ("pair", Winner::Pairs, "account + business_unit", PAIR),
        ("pair", Winner::PairForest, "account + business_unit", PAIR),
        // A rare value makes all its pairs a little rare; it is the reason.
        ("user", Winner::Pairs, "user", "user MEIER occurs in 1 of 1,043 entries"),
        (
            "amount",
            Winner::Amount,
            "amount",
            "120,000.00 EUR is far above about 350, the median of 1,013 credits of account 1000 (18.0 robust deviations)",
        ),
        (
            "limit07",
            Winner::ValueForest,
            "amount",
            "9,907.00 EUR in all is far above about 360, the median of all 2,086 lines (10.2 robust deviations)",
        ),
        (
            "pair",
            Winner::ValueForest,
            "values",
            "rare only together: account 4000 in 212 and business unit K3 in 207 of 1,043 entries",
        ),
    ] {
        let told = ledger.first(id, winner);
        assert_eq!(told, (feature.into(), words.into()), "{id}, {winner:?}");
    }
}

#[test]
fn control_tests_are_told_with_what_they_found() {
    let ledger = &*LEDGER;
    for (id, signal, words) in [
        ("unbalanced", Signal::Unbalanced, "debits and credits differ by 12.50 EUR"),
        (
            "period",
            Signal::OutOfPeriod,
            "effective on 2024-06-20 but in period 2 of 2024; of its 121 entries 1 is of June 2024",
        ),
        (
            "lag",
            Signal::Lag,
            "entered 31 days after the date of its document, 2024-05-20; of 1,043 entries of document type SA 1 was 31 to 62 days \
             after",
        ),
        (
            "text",
            Signal::RareText,
            "its text begins “correction see”, like that of 1 of 1,043 entries of document type SA",
        ),
        ("no-text", Signal::RareText, "it has no text, like 1 of 1,043 entries of document type SA"),
        (
            "limit07",
            Signal::BelowLimit,
            "9,907.00 EUR is just below 10,000: 30 entries lie within 1 % below it, 0 in the 2 % before",
        ),
        ("account", Signal::SeldomAccount, "account 9999 occurs in 1 of 1,043 entries"),
        (
            "weekend",
            Signal::Weekend,
            "entered on Saturday 2024-03-09; of 519 entries of source GL and document type SA made by hand 1 was on a Saturday",
        ),
        ("night", Signal::AfterHours, "entered at 23:10, outside 06:00 to 20:00"),
    ] {
        let told = ledger.first(id, Winner::Test(signal));
        assert_eq!(told, (signal.id().into(), words.into()), "{id}");
    }
}

#[test]
fn what_a_test_has_said_is_not_said_again() {
    let ledger = &*LEDGER;
    for (id, signal, feature) in [
        ("account", Signal::SeldomAccount, "account"),
        ("weekend", Signal::Weekend, "weekday"),
        ("night", Signal::AfterHours, "hour"),
        ("text", Signal::RareText, "header_text"),
        ("no-text", Signal::RareText, "header_text"),
    ] {
        let features = |winner| -> Vec<String> {
            ledger.reasons(id, Some(winner)).into_iter().map(|reason| reason.feature).collect()
        };
        assert!(features(Winner::Amount).contains(&feature.to_string()), "{id}");
        assert!(!features(Winner::Test(signal)).contains(&feature.to_string()), "{id}");
    }
}

#[test]
fn two_pairs_say_the_same_where_their_values_mark_the_same_entries() {
    let ledger = &*LEDGER;
    let words = Words::new(ledger.scene());
    let value = |sort, name| {
        let dim = ledger.whole.fitted.dims.place(Dim::Name(sort)).unwrap();
        (dim, ledger.names.find(sort, name).unwrap().index() as u32)
    };
    let pair = |one: (usize, u32), other: (usize, u32)| {
        let ((first, a), (second, b)) = if one.0 < other.0 { (one, other) } else { (other, one) };
        Subject::Pair { pair: (first, second), a, b }
    };
    let (region, land) = (Sort::Extra(0), Sort::Extra(1));
    let with = |end| pair(end, value(Sort::Account, "4000"));
    let north = with(value(region, "north"));
    for (other, same) in [
        (with(value(region, "north")), true),
        (with(value(land, "L1")), true),
        (with(value(land, "L2")), false),
        (pair(value(land, "L1"), value(Sort::User, "ADAMS")), false),
    ] {
        assert_eq!(words.says_the_same(north, other), same, "{other:?}");
    }
}

#[test]
fn an_entry_about_which_nothing_is_unusual_has_no_reasons() {
    let ledger = &*LEDGER;
    let ordinary = ledger.whole.entries.iter().find(|entry| entry.scored.score < UNCOMMON).unwrap();

    assert_eq!(ledger.reasons(&ordinary.id, None), []);
}

#[test]
fn what_is_ordinary_or_weighs_nothing_or_is_told_already_is_left_out() {
    let words = Words::new(LEDGER.scene());
    let fact = |dim, splits, notable| Fact {
        subject: Subject::Value { dim, value: 0 },
        splits,
        in_sum: 0.0,
        in_pairs: 0.0,
        notable,
    };
    let facts = [
        fact(0, 0.3, true),
        fact(1, 0.004, true),
        fact(2, 0.9, false),
        fact(3, 0.7, true),
        fact(4, -2.0, true),
        fact(5, 0.5, true),
    ];

    let others = words.others(&facts, vec![facts[5].subject]);

    assert_eq!(others, [facts[3], facts[0]]);
}

/// Said of every entry of the ledger.
#[test]
fn reasons_are_few_and_weighty_and_said_once() {
    let ledger = &*LEDGER;
    let words = Words::new(ledger.scene());
    let mut most = 0;
    for (place, (entry, splits)) in ledger.whole.entries.iter().zip(&ledger.splits).enumerate() {
        let postings = ledger.part.postings_of(&ledger.part.entries()[place]);
        let about = About { postings, measures: &entry.measures, scored: entry.scored, splits };

        let reasons = words.reasons(&about);

        most = most.max(reasons.len());
        let others = reasons.get(1..).unwrap_or_default();
        assert!(others.is_sorted_by(|a, b| a.contribution >= b.contribution), "{reasons:?}");
        assert!(others.iter().all(|reason| reason.contribution >= LEAST_SPLITS), "{reasons:?}");
        let mut told: Vec<&str> = reasons.iter().map(|reason| &*reason.words).collect();
        told.sort_unstable();
        told.dedup();
        assert_eq!(told.len(), reasons.len(), "{reasons:?}");
    }
    assert!((2..=MOST).contains(&most), "{most}");
}

/// The sum over the columns is the depth that a forest spared the entry; over the facts that are told, of both forests.
#[test]
fn splits_of_every_entry_add_up_to_the_depths_it_was_spared() {
    let ledger = &*LEDGER;
    let Whole { fitted, has, entries } = &ledger.whole;
    let (value_forest, pair_forest) = (&fitted.detectors.values, &fitted.detectors.pairs);
    let spared = |forest: &IsolationForest, row: &dyn Fn(&Measures) -> Vec<f64>| {
        let cells: Vec<f64> = entries.iter().flat_map(|entry| row(&entry.measures)).collect();
        let table = Array2::from_shape_vec((entries.len(), forest.columns()), cells).unwrap();
        let expected = forest.explain(&table.slice(s![..1, ..])).unwrap().expected_depth;
        expected - forest.mean_depths(&table).unwrap()
    };
    let values = spared(value_forest, &|measures| measures.value_row(has.amounts).collect());
    let pairs = spared(pair_forest, &|measures| measures.pair_row().to_vec());
    let usual = vec![0.0; ledger.whole.fitted.dims.len()];
    for (place, (entry, splits)) in entries.iter().zip(&ledger.splits).enumerate() {
        let (values, pairs) = (values[place], pairs[place]);
        let sum = splits.values.iter().sum::<f64>();
        assert!((sum - values).abs() <= 1e-9, "{}: {sum} {values}", entry.id);
        let sum = splits.pairs.iter().sum::<f64>();
        assert!((sum - pairs).abs() <= 1e-9, "{}: {sum} {pairs}", entry.id);

        let postings = ledger.part.postings_of(&ledger.part.entries()[place]);
        let about = About { postings, measures: &entry.measures, scored: entry.scored, splits };
        let facts = facts::of(&ledger.scene(), &usual, &about);
        let sum: f64 = facts.iter().map(|fact| fact.splits).sum();
        assert!((sum - values - pairs).abs() <= 1e-9, "{}: {sum} {values} {pairs}", entry.id);
    }
}
