use std::collections::BTreeMap;

use super::*;
use crate::names::{Joined, Sort};
use crate::part::{Part, from_lines};
use crate::scoring::dims::Dim;
use crate::scoring::fixture::{Lines, ledger};
use crate::scoring::whole;

const ENTRIES: u32 = 700;

fn fitted(lines: &Lines) -> (Fitted, Part, Names) {
    let (part, names) = from_lines(lines.iter());
    (whole::whole(std::slice::from_ref(&part), &names, 7).unwrap().fitted, part, names)
}

fn scored(fitted: &Fitted, part: &Part) -> BTreeMap<String, Judged> {
    let entries = part.entries().iter().map(|entry| part.postings_of(entry));
    let judged = fitted.score(&mut Facets::default(), entries).unwrap();
    part.entries().iter().map(|entry| part.id(entry).to_string()).zip(judged).collect()
}

/// The ledger scored by a model that was made with these names.
fn scored_by(fitted: &Fitted, names: &Names, lines: &Lines) -> BTreeMap<String, Judged> {
    let (_folder, mut spool) = lines.spooled();
    let Joined { names, ours, theirs } = spool.names().join(names);
    let carried = fitted.carried(&Carry { names: &names, ranks: &theirs }, None);
    spool.rename(names, &ours);
    scored(&carried, &spool.load(0).unwrap())
}

fn bits(judged: &BTreeMap<String, Judged>) -> Vec<(&String, u64, u64)> {
    judged
        .iter()
        .map(|(id, judged)| (id, judged.scored.score.to_bits(), judged.scored.together.to_bits()))
        .collect()
}

#[test]
fn a_ledger_is_scored_by_its_own_model_as_without() {
    let lines = ledger(0..ENTRIES, "m");
    let (fitted, part, names) = fitted(&lines);
    let direct: Vec<_> = whole::score(&[part], &names, 7).unwrap();

    let by_model = scored_by(&fitted, &names, &lines);

    assert_eq!(direct.len(), by_model.len());
    for entry in direct {
        let found = &by_model[&entry.id];
        assert_eq!(found.scored.score.to_bits(), entry.scored.score.to_bits(), "{}", entry.id);
        assert_eq!(found.scored, entry.scored);
        assert_eq!((&found.measures, found.detected), (&entry.measures, entry.detected));
    }
}

/// Names before, between and behind those of the model: its symbols move.
#[test]
fn names_that_the_model_does_not_know_change_no_score_of_those_it_knows() {
    let (fitted, part, names) = fitted(&ledger(0..ENTRIES, "m"));
    let own = scored(&fitted, &part);
    let others = ledger(0..600, "a").and(ledger(0..600, "mu")).and(ledger(0..600, "z"));

    let mut by_model = scored_by(&fitted, &names, &ledger(0..ENTRIES, "m").and(others));
    let strangers = by_model.len() - own.len();
    by_model.retain(|id, _| own.contains_key(id));

    assert_eq!(strangers, 1_800);
    assert_eq!(bits(&by_model), bits(&own));
    assert_eq!(by_model, own);
}

#[test]
fn a_ledger_with_few_of_the_names_is_scored_as_among_all() {
    let (fitted, part, names) = fitted(&ledger(0..ENTRIES, "m"));
    let mut own = scored(&fitted, &part);

    let by_model = scored_by(&fitted, &names, &ledger(300..310, "m"));

    own.retain(|id, _| by_model.contains_key(id));
    assert_eq!((by_model.len(), bits(&by_model)), (10, bits(&own)));
}

#[test]
fn a_name_that_the_model_never_saw_surprises_as_half_an_entry() {
    let (fitted, _, names) = fitted(&ledger(0..ENTRIES, "m"));
    let user = fitted.dims.place(Dim::Name(Sort::User)).unwrap();

    let by_model = scored_by(&fitted, &names, &ledger(5..6, "new"));

    let users = names.count(Sort::User) as f64;
    let expected = -libm::log(0.5 / (f64::from(ENTRIES) + 0.5 * (users + 1.0)));
    assert_eq!(by_model["newE000005"].measures.surprisals[user], expected);
}

#[test]
fn a_text_that_is_empty_is_so_to_a_model_that_never_saw_one() {
    let lines = ledger(0..50, "m");
    let (part, names) = from_lines(lines.iter().filter(|line| !line.header_text.is_empty()));
    let fitted = whole::whole(&[part], &names, 7).unwrap().fitted;
    let joined = from_lines(lines.iter()).1.join(&names);

    let carried = fitted.carried(&Carry { names: &joined.names, ranks: &joined.theirs }, None);

    assert_eq!((fitted.empty, carried.empty), (Empty(None), Empty(Some(0))));
}

#[test]
fn what_was_put_into_bytes_scores_with_the_same_bits() {
    let (fitted, part, names) = fitted(&ledger(0..ENTRIES, "m"));
    let mut bytes = Vec::new();
    fitted.put(&mut bytes);
    let mut reader = Reader::new(&bytes);

    let back = Fitted::take(&mut reader, &names, None).unwrap();

    assert!(reader.is_at_end());
    assert_eq!(scored(&back, &part), scored(&fitted, &part));
    let mut again = Vec::new();
    back.put(&mut again);
    assert!(again == bytes, "{} and {} bytes", again.len(), bytes.len());
}

#[test]
fn what_is_carried_together_shares_its_categories() {
    let (fitted, _, names) = fitted(&ledger(0..50, "m"));
    let joined = names.join(&names);
    let carry = Carry { names: &joined.names, ranks: &joined.theirs };

    let first = fitted.carried(&carry, None);
    let second = fitted.carried(&carry, Some((&fitted, &first)));

    assert!(Arc::ptr_eq(&first.dims, &second.dims));
}
