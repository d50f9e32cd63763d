//! Why the entries at the top are there: each is looked up in its part once more, when it is known which they are.

use std::collections::BTreeMap;
use std::path::Path;

use super::PassError;
use super::judge::{Bench, Picked, text};
use super::measure::of_entries;
use super::parts::Crew;
use crate::controls::{Fact, Place, View};
use crate::line::Side;
use crate::names::Sort;
use crate::part::{Entry, Part};
use crate::reasons::{About, Scene, Splits, Words, splits};
use crate::result::{EntryLine, Listed, MOST_LINES, TestHit, TopEntry};

/// An entry that is told, with the other entries that its tests name. Its rank is known when all entries are in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Top {
    pub entry: TopEntry,
    pub others: Vec<Option<Place>>,
}

/// In the order of what was picked.
pub fn tell(
    crew: Crew<'_>,
    bench: Bench<'_>,
    folder: &Path,
    picked: &[Picked],
) -> Result<Vec<Top>, PassError> {
    let failed = PassError::put_aside(folder);
    let mut of_parts: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (place, picked) in picked.iter().enumerate() {
        of_parts.entry(picked.row.part).or_default().push(place);
    }
    let of_parts: Vec<(u32, Vec<usize>)> = of_parts.into_iter().collect();
    let words: Vec<Option<Words<'_>>> = (0..bench.scorers.len()).map(|place| words(bench, place)).collect();
    let work = |told: &mut Vec<(usize, Top)>, place: usize| {
        let (part, places) = &of_parts[place];
        let loaded = bench.terms.spool.load(*part as usize).map_err(failed)?;
        let facts = bench.facts.of_part(*part as usize).map_err(failed)?;
        let facts: Vec<&[Fact]> = of_entries(&facts).take(loaded.entries().len()).collect();
        for (population, words) in words.iter().enumerate() {
            let (Some(words), Some((detectors, _))) = (words, &bench.scorers[population]) else { continue };
            let own = places.iter().filter(|place| usize::from(picked[**place].row.population) == population);
            let own: Vec<usize> = own.copied().collect();
            let measured = own.iter().map(|place| &picked[*place].measures);
            let forests = (&detectors.values, &detectors.pairs);
            let split = splits(forests, measured, detectors.has_amounts)?;
            for (place, split) in own.into_iter().zip(&split) {
                let picked = &picked[place];
                let number = picked.row.number as usize;
                let entry = Told { part: &loaded, entry: &loaded.entries()[number], facts: facts[number] };
                told.push((place, top(bench, &entry, picked, (words, split))));
            }
        }
        Ok(())
    };
    let told = crew.over(of_parts.len(), |_| Ok(Vec::new()), work)?;
    let mut told: Vec<(usize, Top)> = told.into_iter().flatten().collect();
    told.sort_unstable_by_key(|(place, _)| *place);
    Ok(told.into_iter().map(|(_, top)| top).collect())
}

fn words(bench: Bench<'_>, population: usize) -> Option<Words<'_>> {
    let (_, combiner) = bench.scorers[population].as_ref()?;
    Some(Words::new(Scene {
        names: bench.scene.names,
        dims: bench.terms.dims,
        yardstick: &bench.yardsticks[population],
        combiner,
        empty: bench.terms.empty,
        titles: bench.terms.extra,
    }))
}

struct Told<'p> {
    part: &'p Part,
    entry: &'p Entry,
    facts: &'p [Fact],
}

fn top(bench: Bench<'_>, told: &Told<'_>, picked: &Picked, (words, splits): (&Words<'_>, &Splits)) -> Top {
    let Picked { row, scored, measures } = picked;
    let names = bench.scene.names;
    let postings = told.part.postings_of(told.entry);
    let hits = View::new(bench.scene, told.part, told.entry, told.facts).hits();
    let mut lines = Listed::default();
    for posting in postings {
        let of = |side| (posting.side == side).then(|| posting.signed.abs());
        let line = || EntryLine {
            account: names.name(Sort::Account, posting.account).into(),
            account_name: bench.terms.spool.account_name(posting.account).into(),
            debit: of(Side::Debit),
            credit: of(Side::Credit),
            text: text(told.part, posting).into(),
        };
        lines.push_with(line, MOST_LINES);
    }
    let entry = TopEntry {
        rank: 0,
        entry: row.entry.clone(),
        population: bench.terms.populations.title(row.population.into()).into(),
        score: row.score,
        risk: row.risk,
        band: row.band,
        detector: row.detector,
        date: row.date,
        user: names.name(Sort::User, row.user).into(),
        amount: row.amount,
        currency: names.name(Sort::Currency, row.currency).into(),
        text: row.text.clone(),
        lines,
        hits: hits
            .iter()
            .map(|hit| TestHit { test: hit.id.about().id.into(), words: hit.said.words(names) })
            .collect(),
        reasons: words.reasons(&About { postings, measures, scored: *scored, splits }),
    };
    Top { entry, others: hits.iter().map(|hit| hit.other).collect() }
}
