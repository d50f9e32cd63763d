//! The sixth pass: one score for each entry, the control tests it hits, its risk. Entries are put aside in the order of their scores, and of what the outputs
//! list only the first is made.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::PassError;
use super::count::Terms;
use super::detect::{DetectedOfPart, Scorers};
use super::measure::{MeasuresOfPart, of_entries};
use super::parts::Crew;
use super::shuffle::Facts;
use super::spill::{SpillReader, SpillWriter, broken};
use super::sums::all;
use crate::amount::Amount;
use crate::calendar::accounting_date;
use crate::controls::{self, Fact, Scene};
use crate::line::Side;
use crate::names::Symbol;
use crate::part::{Entry, Part, Posting};
use crate::result::Detector;
use crate::risk;
use crate::scoring::combine::{Scored, Winner};
use crate::scoring::measures::Yardstick;

pub mod row;
pub mod tally;

pub use row::Row;
pub use tally::{Found, Picked, Tally, Wanted};

use tally::Judged;

/// All that entries are judged by.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    pub terms: Terms<'a>,
    pub yardsticks: &'a [Yardstick],
    pub scorers: &'a Scorers,
    pub scene: Scene<'a>,
    pub facts: &'a Facts,
    pub risk: &'a risk::Config,
    pub shares: &'a risk::Shares,
    /// In which amounts are added up.
    pub currency: Option<Symbol>,
    pub wanted: &'a Wanted,
}

pub fn judge(crew: Crew<'_>, bench: Bench<'_>, folder: &Path) -> Result<Tally, PassError> {
    let failed = PassError::put_aside(folder);
    let begin = |_| Ok(Tally::new(bench.wanted));
    let work = |tally: &mut Tally, number: usize| {
        let part = bench.terms.spool.load(number).map_err(failed)?;
        let facts = bench.facts.of_part(number).map_err(failed)?;
        let mut rows = judge_part(bench, folder, &part, number, &facts).map_err(failed)?;
        put_ids(crew.share.into, number, &part).map_err(failed)?;
        // The riskiest first, so that little is made of what does not stay among the first.
        rows.sort_unstable_by(|one, other| {
            other.row.risk.total_cmp(&one.row.risk).then_with(|| one.row.entry.cmp(&other.row.entry))
        });
        for judged in &rows {
            tally.add(bench, judged);
        }
        rows.sort_unstable_by(|one, other| one.row.order().cmp(&other.row.order()));
        let mut file = SpillWriter::create(&rows_file(crew.share.into, number)).map_err(failed)?;
        for judged in &rows {
            file.push(|out| judged.row.put(out)).map_err(failed)?;
        }
        file.finish().map_err(failed)
    };
    let tally = all(crew.over(bench.terms.spool.parts(), begin, work)?);
    Ok(tally.unwrap_or_else(|| Tally::new(bench.wanted)))
}

fn judge_part<'p>(
    bench: Bench<'_>,
    folder: &Path,
    part: &'p Part,
    number: usize,
    facts: &'p [Fact],
) -> std::io::Result<Vec<Judged<'p>>> {
    let mut measures = MeasuresOfPart::open(folder, number)?;
    let mut detected = DetectedOfPart::open(folder, number)?;
    let mut rows = Vec::with_capacity(part.entries().len());
    for ((place, entry), facts) in part.entries().iter().enumerate().zip(of_entries(facts)) {
        let ((population, tests), measures) = measures.expect()?;
        let detected = detected.expect()?;
        // Of a population that has entries.
        let Some((_, combiner)) = &bench.scorers[population] else { continue };
        let scored = combiner.score(&detected, &measures);
        let found = Spoken { population, tests, scored, ranks: combiner.ranks(&detected) };
        let row = row(bench, part, (entry, number, place), &found);
        rows.push(Judged { row, part, entry, facts, scored, measures, hits: OnceCell::new() });
    }
    Ok(rows)
}

/// What detectors and tests said of an entry.
struct Spoken {
    population: usize,
    tests: u64,
    scored: Scored,
    ranks: [f64; 4],
}

fn row(
    bench: Bench<'_>,
    part: &Part,
    (entry, number, place): (&Entry, usize, usize),
    spoken: &Spoken,
) -> Row {
    let Spoken { population, tests, scored, ranks } = *spoken;
    let postings = part.postings_of(entry);
    let (amount, currency) = moved(postings, bench.currency);
    let risk = bench.shares.risk(scored.score, tests);
    let first = postings.first();
    Row {
        entry: part.id(entry).into(),
        part: number as u32,
        number: place as u32,
        population: population as u16,
        score: scored.score,
        together: scored.together,
        risk,
        band: bench.risk.band(risk),
        detector: detector(scored.winner),
        ranks,
        tests,
        amount,
        in_main_currency: Some(currency) == bench.currency,
        currency,
        date: first.and_then(accounting_date),
        user: first.map_or(Symbol(0), |first| first.user),
        text: first.map_or("", |first| text(part, first)).into(),
    }
}

fn detector(winner: Winner) -> Detector {
    match winner {
        Winner::Values => Detector::ValueSum,
        Winner::Pairs => Detector::CombinationSum,
        Winner::ValueForest => Detector::ValueForest,
        Winner::PairForest => Detector::CombinationForest,
        Winner::Amount => Detector::Amount,
        Winner::Test(_) => Detector::ControlTest,
    }
}

/// What an entry moves: its debits in the main currency, or where it has no line of that in the currency that it moves most of. A line of one side, such as a
/// correction by a negative amount, counts as the other side does.
fn moved(postings: &[Posting], main: Option<Symbol>) -> (Amount, Symbol) {
    let mut sums: Vec<(Symbol, [Amount; 2])> = Vec::with_capacity(1);
    for posting in postings {
        let place = sums.iter().position(|(currency, _)| *currency == posting.currency);
        let place = place.unwrap_or_else(|| {
            sums.push((posting.currency, [Amount::ZERO; 2]));
            sums.len() - 1
        });
        let side = &mut sums[place].1[usize::from(posting.side == Side::Credit)];
        *side = *side + posting.signed.abs();
    }
    let moved = sums.into_iter().map(|(currency, [debit, credit])| (debit.max(credit), currency));
    moved
        .max_by_key(|&(amount, currency)| (Some(currency) == main, amount, std::cmp::Reverse(currency)))
        .unwrap_or((Amount::ZERO, Symbol(0)))
}

pub(crate) fn text<'p>(part: &'p Part, posting: &Posting) -> &'p str {
    match part.text(posting.header_text) {
        "" => part.text(posting.line_text),
        header => header,
    }
}

/// The rows of a part, the highest score first.
pub(crate) fn rows_of_part(folder: &Path, part: usize) -> std::io::Result<SpillReader> {
    SpillReader::open(&rows_file(folder, part))
}

fn rows_file(folder: &Path, part: usize) -> PathBuf {
    folder.join(format!("rows-{part}"))
}

/// An entry of another part is told by its id, which only that part knows.
fn put_ids(folder: &Path, number: usize, part: &Part) -> std::io::Result<()> {
    let mut file = SpillWriter::create(&ids_file(folder, number))?;
    for entry in part.entries() {
        file.push(|out| out.extend(part.id(entry).as_bytes()))?;
    }
    file.finish()
}

/// The ids of a part's entries, in their order.
pub(crate) struct IdsOfPart(SpillReader);

impl IdsOfPart {
    pub(crate) fn open(folder: &Path, part: usize) -> std::io::Result<Self> {
        SpillReader::open(&ids_file(folder, part)).map(Self)
    }

    pub(crate) fn read(&mut self) -> std::io::Result<Option<&str>> {
        let id = self.0.record()?;
        id.map(|id| std::str::from_utf8(id).map_err(|_| broken())).transpose()
    }

    /// That of the next entry, which there must be.
    pub(crate) fn expect(&mut self) -> std::io::Result<&str> {
        self.read()?.ok_or_else(broken)
    }
}

/// The ids of the entries of these numbers, which are in order.
pub(crate) fn ids(folder: &Path, part: usize, numbers: &[u32]) -> std::io::Result<Vec<String>> {
    let mut file = IdsOfPart::open(folder, part)?;
    let mut wanted = numbers.iter().peekable();
    let mut found = Vec::with_capacity(numbers.len());
    let mut number = 0;
    while let (Some(&&next), Some(id)) = (wanted.peek(), file.read()?) {
        if next == number {
            found.push(id.to_string());
            wanted.next();
        }
        number += 1;
    }
    Ok(found)
}

fn ids_file(folder: &Path, part: usize) -> PathBuf {
    folder.join(format!("ids-{part}"))
}

/// The ids of the tests of a row, in the order of the catalogue.
pub fn test_ids(tests: u64) -> Vec<&'static str> {
    let hit = |id: &&controls::Id| tests >> **id as u32 & 1 == 1;
    controls::Id::ALL.iter().filter(hit).map(|id| id.about().id).collect()
}
