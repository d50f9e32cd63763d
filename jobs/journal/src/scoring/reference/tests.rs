use super::*;
use crate::line::Line;
use crate::names::{Names, Sort};
use crate::part::{Part, from_lines};
use crate::scoring::dims::{Dim, Has};
use crate::stored::Reader;

/// So many users and partners that their pairs are counted in the map.
const MANY: u32 = 400;

/// Entries with a user and a partner each.
fn ledger(pairs: &[(u32, u32)]) -> (Part, Names) {
    let texts: Vec<[String; 3]> = pairs
        .iter()
        .enumerate()
        .map(|(place, (user, partner))| [format!("{place:05}"), format!("u{user}"), format!("p{partner}")])
        .collect();
    from_lines(texts.iter().map(|[entry, user, partner]| Line { entry, user, partner, ..Line::default() }))
}

fn pairs() -> Vec<(u32, u32)> {
    (0..4 * MANY).map(|place| (place % MANY, place * 7 % MANY + place / MANY % 3)).collect()
}

/// Of the first so many entries, with room in the map for `most`.
fn counted(part: &Part, names: &Names, entries: usize, most: usize) -> (Dims, Reference) {
    let dims = Dims::of(names, Has::default());
    let mut reference = Reference { map: PairMap::with_most(most), ..Reference::new(&dims, 1) };
    let mut facets = Facets::default();
    for entry in &part.entries()[..entries] {
        reference.add(&dims, &mut facets, part.postings_of(entry));
    }
    (dims, reference)
}

/// What is known of each pair of names.
fn known(names: &Names, (dims, reference): &(Dims, Reference)) -> Vec<Option<u64>> {
    let place = |sort| dims.place(Dim::Name(sort)).unwrap();
    let pair = (place(Sort::User), place(Sort::Partner));
    assert_eq!(reference.tables[super::place(pair)], Table::Sparse);
    let symbol = |sort, name: &str| names.find(sort, name).unwrap().0;
    let of = |(user, partner): (u32, u32)| {
        let (user, partner) = (format!("u{user}"), format!("p{partner}"));
        reference.count_pair(pair, symbol(Sort::User, &user), symbol(Sort::Partner, &partner))
    };
    pairs().into_iter().map(of).collect()
}

#[test]
fn the_pairs_that_are_kept_are_the_same_whatever_other_names_there_are() {
    let pairs = pairs();
    let (part, names) = ledger(&pairs);
    let more: Vec<(u32, u32)> =
        pairs.iter().copied().chain((0..300).map(|other| (10_000 + other, 20_000 + other))).collect();
    let (longer, more_names) = ledger(&more);
    assert_ne!(names.find(Sort::User, "u2"), more_names.find(Sort::User, "u2"));

    let alone = known(&names, &counted(&part, &names, pairs.len(), 500));
    let among = known(&more_names, &counted(&longer, &more_names, pairs.len(), 500));

    assert_eq!(alone, among);
    assert!(alone.contains(&None) && alone.iter().any(Option::is_some));
}

#[test]
fn counts_that_travelled_as_bytes_add_up_to_those_of_the_whole() {
    let pairs = pairs();
    let (part, names) = ledger(&pairs);
    let whole = counted(&part, &names, pairs.len(), 500);
    let (dims, half) = counted(&part, &names, pairs.len() / 2, 500);
    let mut rest = Reference { map: PairMap::with_most(500), ..Reference::new(&dims, 1) };
    for entry in &part.entries()[pairs.len() / 2..] {
        rest.add(&dims, &mut Facets::default(), part.postings_of(entry));
    }
    let travelled = |reference: &Reference| {
        let mut bytes = Vec::new();
        reference.put_counts(&mut bytes);
        let mut from = Reader::new(&bytes);
        let taken = Reference::take_counts(&mut from, &dims, 1).unwrap();
        assert!(from.is_at_end());
        assert!(Reference::take_counts(&mut Reader::new(&bytes[..bytes.len() - 1]), &dims, 1).is_err());
        taken
    };

    let mut sum = travelled(&half);
    sum.merge(&travelled(&rest));
    let sum = travelled(&sum);

    // Some of the pairs were given up on either side, and the same of both.
    assert_eq!(sum.entries(), whole.1.entries());
    assert_eq!(sum.values, whole.1.values);
    assert_eq!(sum.tables, whole.1.tables);
    let (sum, whole) = (known(&names, &(dims, sum)), known(&names, &whole));
    assert!(whole.contains(&None));
    for (sum, whole) in sum.iter().zip(&whole) {
        assert!(whole.is_none() || sum == whole, "{sum:?} {whole:?}");
    }
}
