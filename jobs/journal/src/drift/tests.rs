use super::*;
use crate::names::{Joined, Names};
use crate::part::{Part, from_lines};
use crate::scoring::carry::Carry;
use crate::scoring::facets::Facets;
use crate::scoring::fitted::Fitted;
use crate::scoring::fixture::{Lines, ledger};
use crate::scoring::whole;

/// Worked out with NumPy from the definition.
#[test]
fn the_stability_index_is_that_of_the_shares() {
    for (expected, observed, index) in [
        (&[100, 100, 100, 100][..], &[50, 50, 50, 50][..], 0.0),
        (&[100, 100, 100, 100], &[200, 100, 100, 0], 1.491_035_180_922_032_1),
        (&[1_000, 0], &[950, 50], 0.233_086_289_157_670_52),
        (&[90, 90, 90, 90, 90], &[30, 60, 90, 120, 150], 0.257_335_636_842_765_2),
        (&[90, 90], &[0, 0], 0.0),
    ] {
        let found = stability_index(expected, observed);
        assert!((found - index).abs() < 1e-12, "{expected:?} {observed:?}: {found}");
    }
}

#[test]
fn a_figure_has_the_level_of_the_bounds_it_reaches() {
    let bounds = Bounds::default();
    for (figure, level) in [
        (0.0, Level::Calm),
        (0.099, Level::Calm),
        (0.1, Level::Watch),
        (0.249, Level::Watch),
        (0.25, Level::Alarm),
        (9.0, Level::Alarm),
    ] {
        assert_eq!(Level::of(figure, bounds), level, "{figure}");
    }
    assert_eq!(Level::of(0.3, Bounds { watch: 0.2, alarm: 0.5 }), Level::Watch);
}

fn fitted(lines: &Lines) -> (Fitted, Part, Names) {
    let (part, names) = from_lines(lines.iter());
    (whole::whole(std::slice::from_ref(&part), &names, 7).unwrap().fitted, part, names)
}

fn summary(fitted: &Fitted, names: &Names, part: &Part, known: Option<&Known>) -> Summary {
    let entries = || part.entries().iter().map(|entry| part.postings_of(entry));
    let mut summary = Summary::new(&fitted.dims, names);
    for (judged, postings) in fitted.score(&mut Facets::default(), entries()).unwrap().iter().zip(entries()) {
        summary.add(&judged.measures, &judged.scored);
        if let Some(known) = known {
            summary.add_unseen(known, postings);
        }
    }
    summary
}

/// A ledger as a model sees it.
fn seen(fitted: &Fitted, names: &Names, lines: &Lines) -> Summary {
    let (_folder, mut spool) = lines.spooled();
    let Joined { names, ours, theirs } = spool.names().join(names);
    let carry = Carry { names: &names, ranks: &theirs };
    let (carried, known) = (fitted.carried(&carry, None), Known::of(&carry));
    spool.rename(names, &ours);
    summary(&carried, spool.names(), &spool.load(0).unwrap(), Some(&known))
}

#[test]
fn a_ledger_has_not_drifted_from_its_own_model() {
    let lines = ledger(0..500, "m");
    let (fitted, part, names) = fitted(&lines);
    let reference = summary(&fitted, &names, &part, None).reference(&fitted.dims);

    let drift = Drift::between("all".into(), &reference, &seen(&fitted, &names, &lines), Bounds::default());

    assert_eq!((drift.level, drift.score_ks, drift.score_psi), (Level::Calm, 0.0, 0.0));
    assert!(drift.features.iter().all(|moved| moved.figure == 0.0) && drift.unseen.is_empty());
    assert_eq!((drift.entries, drift.reference_entries, drift.too_few), (500, 500, false));
    assert_eq!(
        drift.in_words(),
        ["all: 500 entries, the model was made from 500; calm: they look like those of the model"]
    );
}

#[test]
fn names_that_nobody_has_seen_are_drift_and_named_by_column() {
    let (fitted, part, names) = fitted(&ledger(0..500, "m"));
    let reference = summary(&fitted, &names, &part, None).reference(&fitted.dims);
    let lines = ledger(0..270, "m").and(ledger(270..300, "new"));

    let drift = Drift::between("all".into(), &reference, &seen(&fitted, &names, &lines), Bounds::default());

    let unseen = |name: &str| drift.unseen.iter().find(|moved| moved.name == name);
    // Thirty of three hundred; entities and currencies are those of before.
    assert_eq!(unseen("user").map(|moved| (moved.figure, moved.level)), Some((0.1, Level::Watch)));
    assert_eq!((unseen("entity"), unseen("currency")), (None, None));
    let user = drift.features.iter().find(|moved| moved.name == "user").unwrap();
    assert!(user.level > Level::Calm && drift.level == Level::Alarm, "{drift:?}");
    let words = drift.in_words();
    assert!(
        words.contains(
            &"`user`: 10.0 % of the entries have one that the model never saw (watch from 0.1)".into()
        ),
        "{words:#?}"
    );
    assert!(
        words[0].ends_with("alarm: they differ from those of the model; train it again on newer entries")
    );
}

#[test]
fn few_entries_raise_no_alarm() {
    let (fitted, part, names) = fitted(&ledger(0..500, "m"));
    let reference = summary(&fitted, &names, &part, None).reference(&fitted.dims);
    let of = |entries| {
        let seen = seen(&fitted, &names, &ledger(0..entries, "new"));
        Drift::between("all".into(), &reference, &seen, Bounds::default())
    };

    let (few, enough, none) = (of(169), of(170), of(0));

    assert_eq!(
        (few.too_few, few.level, enough.too_few, enough.level),
        (true, Level::Calm, false, Level::Alarm)
    );
    assert!(few.in_words()[0].ends_with("too few to tell drift from chance"));
    assert_eq!((none.level, none.score_psi, none.score_ks), (Level::Calm, 0.0, 0.0));
}

#[test]
fn summaries_of_parts_are_those_of_the_whole() {
    let (fitted, _, names) = fitted(&ledger(0..300, "m"));
    let other = ledger(0..100, "m").and(ledger(100..150, "new"));
    let (_folder, mut spool) = other.spooled();
    let Joined { names, ours, theirs } = spool.names().join(&names);
    let carry = Carry { names: &names, ranks: &theirs };
    let (carried, known) = (fitted.carried(&carry, None), Known::of(&carry));
    spool.rename(names, &ours);
    let part = spool.load(0).unwrap();
    let of = |range: std::ops::Range<usize>| {
        let entries = || part.entries()[range.clone()].iter().map(|entry| part.postings_of(entry));
        let mut summary = Summary::new(&carried.dims, spool.names());
        for (judged, postings) in
            carried.score(&mut Facets::default(), entries()).unwrap().iter().zip(entries())
        {
            summary.add(&judged.measures, &judged.scored);
            summary.add_unseen(&known, postings);
        }
        summary
    };

    let mut merged = of(90..150);
    merged.merge(&of(0..90));

    assert_eq!(merged, of(0..150));
}

#[test]
fn drift_comes_back_from_its_json() {
    let (fitted, part, names) = fitted(&ledger(0..200, "m"));
    let reference = summary(&fitted, &names, &part, None).reference(&fitted.dims);
    let drift = Drift::between(
        "all".into(),
        &reference,
        &seen(&fitted, &names, &ledger(0..180, "x")),
        Bounds::default(),
    );

    let json = serde_json::to_string(&drift).unwrap();

    assert_eq!(serde_json::from_str::<Drift>(&json).unwrap(), drift);
}
