//! The fourth pass: every entry in numbers, which are put aside, with the control tests that it hits; and the entries that forests are grown from.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::PassError;
use super::count::Terms;
use super::parts::Crew;
use super::shuffle::Facts;
use super::spill::{SpillReader, SpillWriter, broken, put_f64, take_array, take_f64};
use super::sums::{Sum, all};
use crate::controls::{self, Fact, Hit, Scene, View};
use crate::part::Part;
use crate::scoring::combine::{SignalCounts, SignalRanks};
use crate::scoring::facets::Facets;
use crate::scoring::measures::{Measures, Signal, Yardstick};
use crate::selection::least::Least;
use crate::stored::{Broken, Reader, Stored, put_bytes};

/// Forests are fitted on at most so many entries of all populations, those with the smallest hashes of their ids.
const MOST_FITTED: usize = 65_536;
/// And of each population on at most so many, but for the last word of the above.
const FEWEST_FITTED: usize = 4_096;

/// What is known of a population once all its entries are measured.
pub struct Measured {
    pub signals: SignalRanks,
    /// In the order of their ids.
    pub fitted: Vec<Measures>,
}

/// How many entries and lines each control test hits. Adds up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HitCounts {
    /// By [`controls::Id::ALL`].
    pub tests: Vec<Hits>,
    pub entries: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hits {
    pub entries: u64,
    pub lines: u64,
}

impl HitCounts {
    fn new() -> Self {
        Self { tests: vec![Hits::default(); controls::Id::ALL.len()], entries: 0 }
    }

    /// The tests hit, a bit for each.
    fn add(&mut self, hits: &[Hit], lines: usize) -> u64 {
        self.entries += 1;
        let mut tests = 0;
        for hit in hits {
            let counts = &mut self.tests[hit.id as usize];
            counts.entries += 1;
            // Without lines the entry as a whole is meant.
            counts.lines += if hit.lines.is_empty() { lines } else { hit.lines.len() } as u64;
            tests |= 1 << hit.id as u32;
        }
        tests
    }

    fn merge(&mut self, other: &Self) {
        self.entries += other.entries;
        for (counts, more) in self.tests.iter_mut().zip(&other.tests) {
            counts.entries += more.entries;
            counts.lines += more.lines;
        }
    }

    /// The share of entries that a test hits.
    pub fn share(&self, test: controls::Id) -> f64 {
        self.tests[test as usize].entries as f64 / self.entries.max(1) as f64
    }
}

/// What is measured of some parts.
#[derive(Debug, PartialEq)]
pub struct Sums {
    populations: Vec<Population>,
    pub hits: HitCounts,
}

#[derive(Debug, PartialEq)]
struct Population {
    signals: SignalCounts,
    fitted: Least<Fitted>,
}

#[derive(Debug, PartialEq)]
struct Fitted {
    id: String,
    measures: Measures,
}

/// What entries are measured and tested by.
#[derive(Clone, Copy)]
pub struct Measuring<'a> {
    pub yardsticks: &'a [Yardstick],
    pub scene: Scene<'a>,
    pub facts: &'a Facts,
}

impl Sums {
    fn new(populations: usize) -> Self {
        let new = |_| Population { signals: SignalCounts::default(), fitted: Least::new(most(populations)) };
        Self { populations: (0..populations).map(new).collect(), hits: HitCounts::new() }
    }

    pub fn finish(self) -> (Vec<Measured>, HitCounts) {
        let finish = |population: Population| {
            let mut fitted = population.fitted.into_values();
            fitted.sort_unstable_by(|one, other| one.id.cmp(&other.id));
            let fitted = fitted.into_iter().map(|fitted| fitted.measures).collect();
            Measured { signals: population.signals.finish(), fitted }
        };
        (self.populations.into_iter().map(finish).collect(), self.hits)
    }
}

/// How many entries of each population forests are fitted on.
fn most(populations: usize) -> usize {
    (MOST_FITTED / populations.max(1)).max(FEWEST_FITTED)
}

impl Sum for Sums {
    /// How many populations there are.
    type Of<'a> = usize;

    fn merge(&mut self, more: Self) {
        self.hits.merge(&more.hits);
        for (population, more) in self.populations.iter_mut().zip(more.populations) {
            population.signals.merge(&more.signals);
            population.fitted.merge(more.fitted);
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        let Self { populations, hits } = self;
        for Population { signals, fitted } in populations {
            signals.put(out);
            fitted.put(out, |Fitted { id, measures }, out| {
                id.put(out);
                put_measures(measures, out);
            });
        }
        hits.entries.put(out);
        hits.tests.iter().map(|hits| (hits.entries, hits.lines)).collect::<Vec<_>>().put(out);
    }

    fn take(from: &mut Reader<'_>, populations: usize) -> Result<Self, Broken> {
        let population = |_| {
            let signals = Stored::take(from)?;
            let fitted = Least::take(from, most(populations), |from| {
                Ok(Fitted { id: Stored::take(from)?, measures: take_measures(from)? })
            });
            Ok(Population { signals, fitted: fitted? })
        };
        let populations = (0..populations).map(population).collect::<Result<_, _>>()?;
        let entries = Stored::take(from)?;
        let tests: Vec<(u64, u64)> = Stored::take(from)?;
        if tests.len() != controls::Id::ALL.len() {
            return Err(Broken("it counts the hits of other tests"));
        }
        let tests = tests.into_iter().map(|(entries, lines)| Hits { entries, lines }).collect();
        Ok(Self { populations, hits: HitCounts { tests, entries } })
    }
}

/// As one of several values; in files of their own measures stand as they are.
pub(super) fn put_measures(measures: &Measures, out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    put((0, 0), measures, &mut bytes);
    put_bytes(&bytes, out);
}

pub(super) fn take_measures(from: &mut Reader<'_>) -> Result<Measures, Broken> {
    let mut bytes = from.bytes()?;
    let taken = take(&mut bytes).filter(|_| bytes.is_empty());
    taken.map(|(_, measures)| measures).ok_or(Broken("measures are none"))
}

pub fn measure(
    crew: Crew<'_>,
    terms: Terms<'_>,
    folder: &Path,
    by: Measuring<'_>,
    seed: u64,
) -> Result<Sums, PassError> {
    let failed = PassError::put_aside(folder);
    let Terms { spool, dims, populations, empty, .. } = terms;
    let begin = |_| Ok((Sums::new(populations.count()), Facets::default()));
    let work = |(sums, facets): &mut (Sums, Facets), number| {
        let part = spool.load(number).map_err(failed)?;
        let facts_of_part = by.facts.of_part(number).map_err(failed)?;
        let mut file = SpillWriter::create(&measures_file(crew.share.into, number)).map_err(failed)?;
        for ((entry, known), id) in part.entries().iter().zip(of_entries(&facts_of_part)).zip(ids(&part)) {
            let postings = part.postings_of(entry);
            let own = populations.place(postings);
            let measures = by.yardsticks[own].measure(dims, facets, postings, empty);
            let hits = View::new(by.scene, &part, entry, known).hits();
            let tests = sums.hits.add(&hits, postings.len());
            file.push(|out| put((own, tests), &measures, out)).map_err(failed)?;
            let key = xxh3_64_with_seed(id.as_bytes(), seed).into();
            let population = &mut sums.populations[own];
            population.signals.add(&measures);
            population.fitted.offer(key, id, || Fitted { id: id.into(), measures });
        }
        file.finish().map_err(failed)
    };
    let sums = crew.over(spool.parts(), begin, work)?.into_iter().map(|(sums, _)| sums);
    Ok(all(sums.collect()).unwrap_or_else(|| Sums::new(populations.count())))
}

fn ids(part: &Part) -> impl Iterator<Item = &str> {
    part.entries().iter().map(|entry| part.id(entry))
}

/// The facts of the first entry, of the second, and so on without end.
pub fn of_entries(facts: &[Fact]) -> impl Iterator<Item = &[Fact]> {
    let mut rest = facts;
    (0_u32..).map(move |number| {
        let (own, behind) = rest.split_at(rest.partition_point(|fact| fact.number <= number));
        rest = behind;
        own
    })
}

/// The measures of a part's entries, in their order, each with its population.
pub struct MeasuresOfPart(SpillReader);

impl MeasuresOfPart {
    pub fn open(folder: &Path, part: usize) -> std::io::Result<Self> {
        SpillReader::open(&measures_file(folder, part)).map(Self)
    }

    /// With the population and, by a bit for each, the tests hit.
    pub fn read(&mut self) -> std::io::Result<Option<((usize, u64), Measures)>> {
        self.0.next_with(take)
    }

    /// That of the next entry, which there must be.
    pub fn expect(&mut self) -> std::io::Result<((usize, u64), Measures)> {
        self.read()?.ok_or_else(broken)
    }
}

fn measures_file(folder: &Path, part: usize) -> PathBuf {
    folder.join(format!("measures-{part}"))
}

pub(super) fn put((population, tests): (usize, u64), measures: &Measures, out: &mut Vec<u8>) {
    out.extend((population as u16).to_le_bytes());
    out.extend(tests.to_le_bytes());
    out.extend((measures.surprisals.len() as u16).to_le_bytes());
    let Measures { surprisals, top_pairs, pairs_above, pairs_below, deviation, amount, signals } = measures;
    let numbers = surprisals
        .iter()
        .chain(top_pairs)
        .chain([pairs_above, pairs_below, deviation, amount])
        .chain(signals);
    numbers.for_each(|number| put_f64(*number, out));
}

fn take(bytes: &mut &[u8]) -> Option<((usize, u64), Measures)> {
    let population = u16::from_le_bytes(take_array(bytes)?).into();
    let tests = u64::from_le_bytes(take_array(bytes)?);
    let surprisals = u16::from_le_bytes(take_array(bytes)?);
    let surprisals = (0..surprisals).map(|_| take_f64(bytes)).collect::<Option<_>>()?;
    let mut numbers = [0.0; 7 + Signal::ALL.len()];
    for number in &mut numbers {
        *number = take_f64(bytes)?;
    }
    let [a, b, c, pairs_above, pairs_below, deviation, amount, signals @ ..] = numbers;
    let top_pairs = [a, b, c];
    Some((
        (population, tests),
        Measures { surprisals, top_pairs, pairs_above, pairs_below, deviation, amount, signals },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_come_back_bit_for_bit() {
        let measures = Measures {
            surprisals: vec![0.1, 5.5],
            top_pairs: [3.0, 2.0, 1.0],
            pairs_above: 6.5,
            pairs_below: 0.25,
            deviation: 1e-17,
            amount: 9.9,
            signals: [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        };
        let mut bytes = Vec::new();
        put((3, 1 << 35), &measures, &mut bytes);

        assert_eq!(take(&mut bytes.as_slice()), Some(((3, 1 << 35), measures)));
        assert_eq!(take(&mut &bytes[..bytes.len() - 1]), None);
    }
}
