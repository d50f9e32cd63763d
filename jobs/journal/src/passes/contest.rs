//! Two models on one ledger: how far they agree on which entries are unusual. The entries were measured and judged by each, in folders of their own.

use std::path::Path;

use super::PassError;
use super::detect::{DetectedOfPart, Scorers};
use super::judge::IdsOfPart;
use super::measure::MeasuresOfPart;
use super::parts::Crew;
use super::spill::broken;
use crate::result::{Listed, MOST_TOP, Parted, Placed};
use crate::scoring::combine::Scored;
use crate::selection::least::Least;
use crate::usual::ranks::{RankCounts, Ranks};

/// What one of the two says of the entries.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub folder: &'a Path,
    pub scorers: &'a Scorers,
}

/// On all entries, and on those that each finds the most unusual.
#[derive(Debug, Clone, PartialEq)]
pub struct Contest {
    pub spearman: f64,
    /// How many of the first entries are the first of both.
    pub both: u64,
    /// Among the first of the one only, in its order.
    pub only: [Listed<Parted>; 2],
}

/// What the parts say together.
struct Seen {
    ranks: [RankCounts; 2],
    first: [Least<(String, [f64; 2])>; 2],
}

/// Of the champion and of the challenger, on so many entries, each with so many first ones. The ids are in the folder of the former.
pub fn contest(
    crew: Crew<'_>,
    parts: usize,
    sides: [Side<'_>; 2],
    (entries, first): (u64, usize),
) -> Result<Contest, PassError> {
    let new = || Seen {
        ranks: [RankCounts::default(), RankCounts::default()],
        first: [Least::new(first), Least::new(first)],
    };
    let look = |seen: &mut Seen, part: usize| {
        each(sides, part, |id, scored| {
            let scores = scored.map(|scored| scored.score);
            for side in 0..2 {
                seen.ranks[side].add(scores[side]);
                seen.first[side].offer(unusual_first(&scored[side]), id, || (id.into(), scores));
            }
        })
    };
    let mut all = new();
    for more in crew.over(parts, |_| Ok(new()), look)? {
        all.ranks.iter_mut().zip(&more.ranks).for_each(|(ranks, more)| ranks.merge(more));
        all.first.iter_mut().zip(more.first).for_each(|(first, more)| first.merge(more));
    }
    let ranks = all.ranks.map(RankCounts::finish);
    let correlate = |sums: &mut Sums, part: usize| {
        each(sides, part, |_, scored| sums.add([0, 1].map(|side| middle(&ranks[side], scored[side].score))))
    };
    let mut sums = Sums::default();
    for more in crew.over(parts, |_| Ok(Sums::default()), correlate)? {
        sums.merge(&more);
    }
    if sums.entries != i128::from(entries) {
        return Err(PassError::put_aside(sides[0].folder)(broken()));
    }
    let firsts = all.first.map(Least::into_values);
    let placed = |(entry, scores): &(String, [f64; 2])| {
        let placed = |side: usize| Placed { rank: ranks[side].above(scores[side]) + 1, score: scores[side] };
        Parted { entry: entry.clone(), champion: placed(0), challenger: placed(1) }
    };
    let ids = firsts.each_ref().map(|first| -> std::collections::BTreeSet<&str> {
        first.iter().map(|(entry, _)| &**entry).collect()
    });
    let only = [0, 1].map(|side| {
        let mut only = Listed::default();
        let alone = firsts[side].iter().filter(|(entry, _)| !ids[1 - side].contains(&**entry));
        alone.for_each(|entry| only.push_with(|| placed(entry), MOST_TOP));
        only
    });
    Ok(Contest { spearman: sums.correlation(), both: ids[0].intersection(&ids[1]).count() as u64, only })
}

/// Calls with each entry's id and what the two say of it.
fn each(sides: [Side<'_>; 2], part: usize, mut take: impl FnMut(&str, [Scored; 2])) -> Result<(), PassError> {
    let [champion, challenger] = sides;
    let failed = PassError::put_aside(champion.folder);
    let mut ids = IdsOfPart::open(champion.folder, part).map_err(failed)?;
    let mut files = [Entries::open(champion, part)?, Entries::open(challenger, part)?];
    loop {
        let [one, other] = &mut files;
        match (one.next()?, other.next()?, ids.read().map_err(failed)?) {
            (Some(one), Some(other), Some(id)) => take(id, [one, other]),
            (None, None, None) => return Ok(()),
            // A file that lost its end would lose entries without a word.
            _ => return Err(failed(broken())),
        }
    }
}

/// The entries of a part as one of the two has put them aside.
struct Entries<'a> {
    side: Side<'a>,
    measures: MeasuresOfPart,
    detected: DetectedOfPart,
}

impl<'a> Entries<'a> {
    fn open(side: Side<'a>, part: usize) -> Result<Self, PassError> {
        let failed = PassError::put_aside(side.folder);
        let measures = MeasuresOfPart::open(side.folder, part).map_err(failed)?;
        Ok(Self { side, measures, detected: DetectedOfPart::open(side.folder, part).map_err(failed)? })
    }

    fn next(&mut self) -> Result<Option<Scored>, PassError> {
        let failed = PassError::put_aside(self.side.folder);
        let Some(((population, _), measures)) = self.measures.read().map_err(failed)? else {
            return Ok(None);
        };
        let detected = self.detected.expect().map_err(failed)?;
        // A population that has entries has a scorer.
        let scorer = self.side.scorers.get(population).and_then(Option::as_ref);
        let (_, combiner) = scorer.ok_or_else(|| failed(broken()))?;
        Ok(Some(combiner.score(&detected, &measures)))
    }
}

/// A lesser key for a higher score, and of equal scores for the one of which more is unusual: the order of all files of scores.
fn unusual_first(scored: &Scored) -> u128 {
    u128::from(highest_first(scored.score)) << 64 | u128::from(highest_first(scored.together))
}

fn highest_first(number: f64) -> u64 {
    let bits = number.to_bits();
    // Rises with the number: the bits of those below zero fall.
    let rising = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    !rising
}

/// Twice the mean rank of all entries of a score, from the lowest: a whole number.
fn middle(ranks: &Ranks, score: f64) -> i128 {
    i128::from(ranks.total() - ranks.at_least(score)) + 1 + i128::from(ranks.total() - ranks.above(score))
}

/// For the correlation of ranks: sums of whole numbers, which are the same in any order.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    entries: i128,
    of: [i128; 2],
    squares: [i128; 2],
    products: i128,
}

impl Sums {
    fn add(&mut self, ranks: [i128; 2]) {
        self.entries += 1;
        for (side, rank) in ranks.into_iter().enumerate() {
            self.of[side] += rank;
            self.squares[side] += rank * rank;
        }
        self.products += ranks[0] * ranks[1];
    }

    fn merge(&mut self, other: &Self) {
        self.entries += other.entries;
        for side in 0..2 {
            self.of[side] += other.of[side];
            self.squares[side] += other.squares[side];
        }
        self.products += other.products;
    }

    /// Spearman's, where equals share the mean of their ranks. 0 where one of the two finds all entries alike.
    fn correlation(&self) -> f64 {
        let Self { entries, of: [one, other], squares, products } = *self;
        let together = entries * products - one * other;
        let spread = |side: usize| (entries * squares[side] - self.of[side] * self.of[side]) as f64;
        let both = libm::sqrt(spread(0) * spread(1));
        if both > 0.0 { together as f64 / both } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::ops::ControlFlow;

    use super::*;
    use crate::part::from_lines;
    use crate::passes::parts::Share;
    use crate::passes::spill::SpillWriter;
    use crate::passes::{detect, measure};
    use crate::scoring::combine::Winner;
    use crate::scoring::facets::Facets;
    use crate::scoring::fitted::Fitted;
    use crate::scoring::fixture::ledger;
    use crate::scoring::whole;

    fn correlation(pairs: &[(f64, f64)]) -> f64 {
        let of = |side: fn(&(f64, f64)) -> f64| {
            let mut counts = RankCounts::default();
            pairs.iter().for_each(|pair| counts.add(side(pair)));
            counts.finish()
        };
        let (one, other) = (of(|pair| pair.0), of(|pair| pair.1));
        let mut sums = [Sums::default(), Sums::default()];
        for (place, pair) in pairs.iter().enumerate() {
            sums[place % 2].add([middle(&one, pair.0), middle(&other, pair.1)]);
        }
        let [mut all, more] = sums;
        all.merge(&more);
        all.correlation()
    }

    /// As `scipy.stats.spearmanr` has it.
    #[test]
    fn ranks_correlate_as_spearman_has_it() {
        for (pairs, expected) in [
            (&[(1.0, 10.0), (2.0, 20.0), (3.0, 30.0)][..], 1.0),
            (&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)], -1.0),
            (&[(1.0, 2.0), (2.0, 1.0), (3.0, 4.0), (4.0, 3.0), (5.0, 5.0)], 0.8),
            (&[(1.0, 1.0), (1.0, 2.0), (2.0, 2.0), (3.0, 3.0)], 0.833_333_333_333_333_3),
            (&[(1.0, 1.0), (2.0, 1.0)], 0.0),
            (&[], 0.0),
        ] {
            let found = correlation(pairs);
            assert!((found - expected).abs() < 1e-12, "{pairs:?}: {found}");
        }
    }

    /// A part of thirty entries as it is put aside, each of its files with so many of them.
    fn put_aside(folder: &Path, counts: [(&str, usize); 3]) -> Scorers {
        let (part, names) = from_lines(ledger(0..30, "m").iter());
        let fitted: Fitted = whole::whole(std::slice::from_ref(&part), &names, 7).unwrap().fitted;
        let postings = part.entries().iter().map(|entry| part.postings_of(entry));
        let judged = fitted.score(&mut Facets::default(), postings).unwrap();
        for (name, count) in counts {
            let mut file = SpillWriter::create(&folder.join(format!("{name}-0"))).unwrap();
            for (entry, judged) in part.entries().iter().zip(&judged).take(count) {
                let put = |out: &mut Vec<u8>| match name {
                    "ids" => out.extend(part.id(entry).as_bytes()),
                    "measures" => measure::put((0, 0), &judged.measures, out),
                    _ => detect::put(&judged.detected, out),
                };
                file.push(put).unwrap();
            }
            file.finish().unwrap();
        }
        vec![Some((fitted.detectors, fitted.combiner))]
    }

    /// As a power cut may leave it: entries that are not there must not be missing without a word.
    #[test]
    fn a_file_of_either_side_that_lost_its_end_is_noticed() {
        let all = |count| [("ids", count), ("measures", count), ("detected", count)];
        let whole = all(30);
        let without = |name| whole.map(|(of, count)| (of, if of == name { 29 } else { count }));
        for (champion, challenger, of_whole) in [
            (whole, whole, Some(30)),
            (whole, all(29), None),
            (whole, without("measures"), None),
            (whole, without("detected"), None),
            (all(29), whole, None),
            (without("ids"), whole, None),
            (without("measures"), whole, None),
            (all(29), all(29), Some(29)),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let folders = ["champion", "challenger"].map(|side| folder.path().join(side));
            let scorers = [0, 1].map(|side| {
                fs::create_dir(&folders[side]).unwrap();
                put_aside(&folders[side], [champion, challenger][side])
            });
            let sides = [0, 1].map(|side| Side { folder: &folders[side], scorers: &scorers[side] });
            let watch = &|_, _| ControlFlow::Continue(());
            let crew = Crew { threads: 1, watch, share: Share::whole(&folders[0]) };

            for entries in [29, 30] {
                let is_whole = of_whole == Some(entries);
                match contest(crew, 1, sides, (entries, 3)) {
                    Ok(found) => {
                        assert!(is_whole && found.both == 3, "{champion:?} {challenger:?} {entries}");
                    }
                    Err(PassError::PutAside { .. }) => assert!(!is_whole),
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }

    #[test]
    fn the_most_unusual_has_the_least_key() {
        let scored = |score, together| Scored { score, winner: Winner::Values, together };
        let falling = [
            scored(7.0, -1.0),
            scored(4.5, 2.0),
            scored(4.5, 0.0),
            scored(4.5, -3.0),
            scored(0.0, 1.0),
            scored(-0.5, 9.0),
            scored(-2.0, 9.0),
        ];

        assert!(falling.is_sorted_by_key(unusual_first));
        assert!(falling.windows(2).all(|pair| unusual_first(&pair[0]) != unusual_first(&pair[1])));
    }
}
