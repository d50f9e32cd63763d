use proptest::prelude::*;

use super::monetary_unit::{Basis, Cells, Lattice};
use super::*;
use crate::stored::Reader;

fn amount(text: &str) -> Amount {
    text.parse().unwrap()
}

fn item(entry: &str, cents: i64) -> Item<'_> {
    let risk = (cents.rem_euclid(997)) as f64 / 997.0;
    let band = if risk >= 0.7 { Band::High } else { Band::Low };
    Item { entry, amount: Amount::from_cents(cents), band, risk, date: None, user: "", text: "" }
}

/// Amounts of many sizes, with zeros and a few that are larger than any interval.
fn population(entries: u64) -> Vec<(String, i64)> {
    (0..entries)
        .map(|number| {
            let wild = key(9, "test", &number.to_string()) as u64;
            let size = 10_i64.pow((wild % 7) as u32);
            (format!("JE{number}"), (wild >> 8) as i64 % (size * 10))
        })
        .collect()
}

fn ids(selection: &Selection) -> Vec<&str> {
    selection.chosen.listed().iter().map(|chosen| &*chosen.entry).collect()
}

fn monetary_unit(population: &[(String, i64)], seed: u64, basis: Basis) -> Selection {
    let mut cells = Cells::new(seed);
    population.iter().for_each(|(entry, cents)| cells.offer(&item(entry, *cents)));
    let mut draw = cells.plan(basis).unwrap();
    population.iter().for_each(|(entry, cents)| draw.offer(&item(entry, *cents)));
    draw.finish().unwrap()
}

/// Each selection over two halves that are merged.
fn select_in_halves(population: &[(String, i64)]) -> [Selection; 4] {
    let bounds = [(amount("0"), 5), (amount("100"), 7), (amount("10000"), 9)];
    let (left, right) = population.split_at(population.len() / 3);
    let mut high = [AllHigh::default(), AllHigh::default()];
    let mut random = [Random::new(7, 25).unwrap(), Random::new(7, 25).unwrap()];
    let mut stratified = [Stratified::new(7, &bounds).unwrap(), Stratified::new(7, &bounds).unwrap()];
    let mut cells = [Cells::new(7), Cells::new(7)];
    for (half, items) in [left, right].into_iter().enumerate() {
        for (entry, cents) in items {
            let item = item(entry, *cents);
            high[half].offer(&item);
            random[half].offer(&item);
            stratified[half].offer(&item);
            cells[half].offer(&item);
        }
    }
    let [mut all_cells, other_cells] = cells;
    all_cells.merge(&other_cells);
    let mut draws = [0, 1].map(|_| all_cells.plan(Basis::Size(40)).unwrap());
    for (half, items) in [left, right].into_iter().enumerate() {
        items.iter().for_each(|(entry, cents)| draws[half].offer(&item(entry, *cents)));
    }
    let [mut all_high, other] = high;
    all_high.merge(other);
    let [mut all_random, other] = random;
    all_random.merge(other);
    let [mut all_stratified, other] = stratified;
    all_stratified.merge(other);
    let [mut draw, other] = draws;
    draw.merge(other);
    [all_high.finish(), all_random.finish(), all_stratified.finish(), draw.finish().unwrap()]
}

#[test]
fn the_key_of_an_entry_can_be_computed_by_anybody() {
    // printf '7:random:JE1' | sha256sum
    assert_eq!(format!("{:032x}", key(7, "random", "JE1")), "46696677b922d34c97cedcdf87bdecad");
}

#[test]
fn the_order_of_the_stream_and_its_partitions_change_nothing() {
    let mut population = population(2_000);
    let expected = select_in_halves(&population);

    population.reverse();
    let reversed = select_in_halves(&population);
    population.sort_by_key(|(entry, _)| key(1, "shuffle", entry));
    let shuffled = select_in_halves(&population);

    assert!(expected.iter().all(|selection| !selection.chosen.listed().is_empty()));
    assert_eq!(reversed, expected);
    assert_eq!(shuffled, expected);
}

#[test]
fn all_high_has_every_high_entry_and_no_other_the_riskiest_first() {
    let items = [("a", 997), ("b", 700), ("c", 996), ("d", 690), ("e", 1_993)];
    let mut high = AllHigh::default();

    items.iter().for_each(|(entry, cents)| high.offer(&item(entry, *cents)));

    // c and e have the same risk, and stand in the order of their ids.
    assert_eq!(ids(&high.finish()), ["c", "e", "b"]);
}

#[test]
fn random_takes_as_many_as_asked_for_all_if_there_are_fewer_and_others_by_another_seed() {
    let population = population(500);
    let draw = |seed, size| {
        let mut random = Random::new(seed, size).unwrap();
        population.iter().for_each(|(entry, cents)| random.offer(&item(entry, *cents)));
        random.finish()
    };

    assert_eq!(draw(1, 60).chosen.listed().len(), 60);
    assert_eq!(draw(1, 600).chosen.listed().len(), 500);
    assert_ne!(draw(1, 60).chosen, draw(2, 60).chosen);
    assert_eq!(draw(1, 60).chosen.listed()[..20], *draw(1, 20).chosen.listed());
}

#[test]
fn points_are_a_sample_that_no_order_changes() {
    let draw = |entries: &mut dyn Iterator<Item = u64>| {
        let mut halves = [Points::new(3), Points::new(3)];
        for number in entries {
            let point = ScatterPoint { amount: number as f64, score: 0.5, band: Band::Low };
            halves[(number % 2) as usize].offer(&number.to_string(), point);
        }
        let [mut all, other] = halves;
        all.merge(other);
        all.finish()
    };

    let points = draw(&mut (0..5_000));

    assert_eq!(points.len(), MOST_POINTS);
    assert_eq!(draw(&mut (0..5_000).rev()), points);
    let mean = points.iter().map(|point| point.amount).sum::<f64>() / points.len() as f64;
    assert!((2_300.0..2_700.0).contains(&mean), "{mean}");
}

#[test]
fn random_gives_every_entry_the_same_chance() {
    let population = population(100);
    let mut times = [0_u32; 100];

    for seed in 0..500 {
        let mut random = Random::new(seed, 10).unwrap();
        population.iter().for_each(|(entry, cents)| random.offer(&item(entry, *cents)));
        for id in ids(&random.finish()) {
            times[id.strip_prefix("JE").unwrap().parse::<usize>().unwrap()] += 1;
        }
    }

    // 50 expected, a standard deviation of 6.7.
    assert!(times.iter().all(|times| (20..80).contains(times)), "{times:?}");
}

#[test]
fn a_stratum_holds_its_bound_and_ends_before_the_next() {
    let items = [("a", 9_999), ("b", 10_000), ("c", 99_999), ("d", 100_000), ("e", 500), ("f", -10)];
    let mut stratified =
        Stratified::new(3, &[(amount("5"), 9), (amount("100"), 9), (amount("1000"), 9)]).unwrap();

    items.iter().for_each(|(entry, cents)| stratified.offer(&item(entry, *cents)));
    let selection = stratified.finish();

    let by_stratum = |number| {
        let of_stratum = format!("drawn from stratum {number},");
        let mut ids: Vec<_> =
            selection.chosen.listed().iter().filter(|c| c.why.starts_with(&of_stratum)).collect();
        ids.sort_by(|a, b| a.entry.cmp(&b.entry));
        ids.iter().map(|chosen| &*chosen.entry).collect::<Vec<_>>()
    };
    assert_eq!([by_stratum(1), by_stratum(2), by_stratum(3)], [vec!["a", "e"], vec!["b", "c"], vec!["d"]]);
    assert_eq!(selection.left_out, "1 entries below the lowest stratum, which begins at 5.00");
    let Method::Stratified { strata, .. } = &selection.method else { panic!("{:?}", selection.method) };
    assert_eq!(
        strata.iter().map(|stratum| stratum.population_amount).collect::<Vec<_>>(),
        [amount("104.99"), amount("1099.99"), amount("1000")]
    );
}

#[test]
fn the_interval_is_that_of_the_published_formula() {
    // The textbook's case: a population of 1,000,000, tolerable 50,000, expected 10,000, a risk of 5 %:
    // 1,000,000 x 3 / (50,000 - 10,000 x 1.6) = 88 units, an interval of 11,333.33.
    for (materiality, expected, risk_percent, interval) in [
        ("50000", "10000", 5, "11333.3333"),
        ("50000", "0", 5, "16666.6666"),
        ("50000", "10000", 10, "15151.5151"),
        ("23100", "0", 10, "10000"),
        ("46100", "0", 1, "10000"),
    ] {
        let (materiality, expected) = (amount(materiality), amount(expected));
        let basis = Basis::Materiality { materiality, expected, risk_percent };

        let selection = monetary_unit(&[("all".into(), 100_000_000)], 1, basis);

        let Method::MonetaryUnit { interval: found, start, .. } = selection.method else { panic!() };
        assert_eq!(found, amount(interval));
        assert!(Amount::ZERO < start && start <= found);
    }
}

#[test]
fn units_are_picked_as_in_the_cumulated_column_of_a_worksheet() {
    // Start 300, interval 1,000: 300, 1,300, 2,300, 3,300, ... By hand:
    let lattice = Lattice { start: 300, interval: 1_000 };
    for (before, amount, picks) in [
        (0, 299, 0),     // ends one unit before the first point
        (299, 1, 1),     // is the first point
        (300, 999, 0),   // 301 to 1,299
        (1_299, 500, 1), // 1,300 to 1,799
        (1_799, 2_500, 2),
        (4_299, 1_000, 1),
        (5_300, 1_000, 1), // exactly an interval always holds one point
    ] {
        assert_eq!(lattice.picks(before, before + amount), picks, "{before} + {amount}");
    }
}

#[test]
fn what_is_drawn_in_two_passes_is_what_a_sorted_list_gives() {
    let population = population(3_000);
    for (seed, size) in [(1, 1), (2, 30), (3, 500)] {
        let selection = monetary_unit(&population, seed, Basis::Size(size));

        let Method::MonetaryUnit { interval, start, .. } = &selection.method else { panic!() };
        let mut sorted: Vec<_> = population.iter().filter(|(_, cents)| *cents > 0).collect();
        sorted.sort_by_key(|(entry, _)| (key(seed, "monetary unit", entry), entry.clone()));
        let mut next = *start;
        let mut cumulated = Amount::ZERO;
        let mut expected = Vec::new();
        for (entry, cents) in sorted {
            cumulated = cumulated + Amount::from_cents(*cents);
            if next <= cumulated {
                expected.push(&**entry);
            }
            while next <= cumulated {
                next = next + *interval;
            }
        }
        assert_eq!(ids(&selection), expected);
        assert!(
            selection.left_out.starts_with(&chanceless(&population).to_string()),
            "{}",
            selection.left_out
        );
    }
}

fn chanceless(population: &[(String, i64)]) -> usize {
    population.iter().filter(|(_, cents)| *cents <= 0).count()
}

#[test]
fn a_second_pass_over_other_entries_is_refused() {
    let mut cells = Cells::new(1);
    cells.offer(&item("a", 100));
    let mut draw = cells.plan(Basis::Size(1)).unwrap();

    draw.offer(&item("a", 101));

    assert_eq!(draw.finish(), Err(SelectionError::OtherStream));
}

#[test]
fn what_cannot_be_drawn_is_refused_by_name() {
    let mut cells = Cells::new(1);
    assert_eq!(cells.plan(Basis::Size(1)).unwrap_err(), SelectionError::NoUnits);
    cells.offer(&item("a", 10_000_000_000));
    let materiality = |materiality, expected, risk_percent| {
        let (materiality, expected) = (amount(materiality), amount(expected));
        cells
            .plan(Basis::Materiality { materiality, expected, risk_percent })
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };

    assert!(materiality("100", "0", 7).starts_with("risk_percent: 7 is not in the table"));
    assert!(materiality("100", "62.5", 5).starts_with("materiality: the expected misstatement"));
    assert!(materiality("100", "0", 5).contains("are more than the 10000 entries"));
    assert_eq!(Random::new(1, 0).unwrap_err(), SelectionError::NoSize);
    assert!(Random::new(1, 10_001).unwrap_err().to_string().starts_with("size: 10001 are more"));
    assert_eq!(Stratified::new(1, &[]).unwrap_err(), SelectionError::NoStrata);
    let twice = [(amount("5"), 1), (amount("5"), 1)];
    assert_eq!(Stratified::new(1, &twice).unwrap_err(), SelectionError::Unordered(amount("5")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn an_entry_at_least_as_large_as_the_interval_is_always_drawn(
        cents in proptest::collection::vec(0_i64..1_000_000, 1..200), size in 1_u64..50, seed: u64,
    ) {
        let population: Vec<_> = cents.iter().enumerate().map(|(n, cents)| (n.to_string(), *cents)).collect();
        prop_assume!(cents.iter().any(|&cents| cents > 0));

        let selection = monetary_unit(&population, seed, Basis::Size(size));

        let Method::MonetaryUnit { interval, .. } = &selection.method else { panic!() };
        let drawn = ids(&selection);
        for (entry, cents) in &population {
            prop_assert!(Amount::from_cents(*cents) < *interval || drawn.contains(&&**entry));
        }
    }
}

#[test]
fn selections_that_travelled_as_bytes_add_up_to_those_of_the_whole() {
    let population = population(3_000);
    let bounds = [(amount("0"), 5), (amount("100"), 7), (amount("10000"), 9)];
    let new = || {
        let (random, stratified) = (Random::new(7, 25).unwrap(), Stratified::new(7, &bounds).unwrap());
        (AllHigh::default(), random, stratified, Points::new(7), Cells::new(7))
    };
    let of = |entries: &[(String, i64)]| {
        let (mut high, mut random, mut stratified, mut points, mut cells) = new();
        for (entry, cents) in entries {
            let item = item(entry, *cents);
            high.offer(&item);
            random.offer(&item);
            stratified.offer(&item);
            cells.offer(&item);
            points.offer(entry, ScatterPoint { amount: 0.1, score: item.risk, band: item.band });
        }
        (high, random, stratified, points, cells)
    };

    let (mut high, mut random, mut stratified, mut points, mut cells) = new();
    for entries in population.chunks(700) {
        let part = of(entries);
        let mut bytes = Vec::new();
        part.0.put(&mut bytes);
        part.1.put(&mut bytes);
        part.2.put(&mut bytes);
        part.3.put(&mut bytes);
        part.4.put(&mut bytes);
        let mut from = Reader::new(&bytes);
        high.add_from(&mut from).unwrap();
        random.add_from(&mut from).unwrap();
        stratified.add_from(&mut from).unwrap();
        points.add_from(&mut from).unwrap();
        cells.add_from(&mut from).unwrap();
        assert!(from.is_at_end());
    }

    assert_eq!((high, random, stratified, points, cells), of(&population));
}
