//! The score and the risk of every entry, once the ledger is surveyed: the passes in their order, and what only the order of all entries shows.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::hands::{self, Hands, Pass, Passing, Stint};
use super::teach::{Site, Taught};
use super::{Read, Request, RunError, Step, Surveyed, Watch, challenge, drifted, outcome, told};
use crate::drift::Drift;
use crate::names::Sort;
use crate::output::hex;
use crate::passes::detect::Scorers;
use crate::passes::judge::{Bench, Found, Row, judge};
use crate::passes::measure::HitCounts;
use crate::passes::parts::{Crew, Share};
use crate::passes::populations::Populations;
use crate::passes::rank;
use crate::passes::rules::{Flagging, surrogate};
use crate::passes::shuffle::{self, Facts, Records, buckets_for};
use crate::passes::tell::{Top, tell};
use crate::result::{Challenge, Model, Surrogate};
use crate::selection::monetary_unit::Draw;

pub(super) struct Scored {
    pub(super) found: Found,
    /// The riskiest first.
    pub(super) top: Vec<Top>,
    /// In the order of their ids.
    pub(super) asked: Vec<Top>,
    pub(super) surrogate: Surrogate,
    pub(super) hits: HitCounts,
    /// Among which the entries were scored.
    pub(super) populations: Populations,
    /// What scored the ledger, in short.
    pub(super) model: Model,
    pub(super) drift: Vec<Drift>,
    pub(super) challenge: Option<Challenge>,
    pub(super) scores_sha256: String,
}

pub(super) fn score(
    request: &Request,
    passing: Passing<'_>,
    read: &Read,
    surveyed: &Surveyed,
    watch: Watch<'_>,
) -> Result<Scored, RunError> {
    let settings = &request.settings;
    let (spool, folder) = (&read.reading.spool, read.place.path());
    let facts = tie(request, passing, read, surveyed, watch)?;
    let teacher = read.models.as_ref().map(|models| &models.model);
    let mut carried = teacher.map(|teacher| teacher.carried(spool.names())).transpose()?;
    let learned = carried.as_mut().map(|carried| std::mem::take(&mut carried.learned));
    let among = match &carried {
        Some(carried) => (&*carried.dims, &carried.populations),
        None => (&surveyed.dims, &surveyed.populations),
    };
    let site = surveyed.site(request, read, among, (passing, &facts), watch);
    let Site { terms, scene, .. } = site;
    let Taught { yardsticks, scorers, hits } = match learned {
        Some(learned) => site.ask(learned)?,
        None => site.teach(settings)?,
    };
    let judges = |done, of| watch(Step::Judge, done, of);
    let wanted = settings.wanted();
    let shares = settings.risk.shares(&settings.controls, |test| hits.share(test));
    let bench = Bench {
        terms,
        yardsticks: &yardsticks,
        scorers: &scorers,
        scene,
        facts: &facts,
        risk: &settings.risk,
        shares: &shares,
        currency: surveyed.survey.totals.main_currency(),
        wanted: &wanted,
    };
    let mut found = passing.sum(Pass::Judge, &wanted, &judges, |crew| judge(crew, bench, folder))?.finish();
    // From here on nobody has a share but the run itself.
    let drift = match teacher.zip(carried.as_ref()) {
        Some((teacher, carried)) => drifted::drift(site, teacher, &carried.known, &scorers, settings.drift)?,
        None => Vec::new(),
    };
    let crew = site.crew(&judges);
    let write_failed = |cause| RunError::Write { folder: folder.into(), cause };
    let mut picked = std::mem::take(&mut found.top);
    let asked_from = picked.len();
    picked.append(&mut found.asked);
    let mut tops = tell(crew, bench, folder, &picked)?;
    told::name_others(&mut found, &mut tops, folder).map_err(write_failed)?;
    let Ordered { scores_sha256, flagged_from } = in_order(request, read, &mut found, &mut tops)?;
    let flagging = Flagging { scorers: &scorers, from: flagged_from, seed: settings.seed };
    let surrogate = surrogate(crew, terms, folder, flagging)?;
    let challenge = challenge::challenge(request, read, surveyed, (site, &scorers), watch)?;
    let model = match teacher {
        Some(teacher) => teacher.about(),
        None => outcome::own_model(request, surveyed, model_sha256(&scorers)),
    };
    let asked = tops.split_off(asked_from);
    let populations = among.1.clone();
    Ok(Scored {
        found,
        top: tops,
        asked,
        surrogate,
        hits,
        populations,
        model,
        drift,
        challenge,
        scores_sha256,
    })
}

/// What entries have with others.
pub(super) fn tie(
    request: &Request,
    passing: Passing<'_>,
    read: &Read,
    surveyed: &Surveyed,
    watch: Watch<'_>,
) -> Result<Facts, RunError> {
    let (spool, folder, writers) = (&read.reading.spool, read.place.path(), &surveyed.writers);
    let parts = spool.parts();
    let records = Records { writers, buckets: buckets_for(parts), stay: passing.is_shared() };
    let work =
        |crew: Crew<'_>| Facts::of(crew, folder, records, parts, &request.settings.controls, spool.names());
    let tied = passing.sum(Pass::Tie, folder, &|done, of| watch(Step::Tie, done, of), work);
    if let (Err(RunError::StintDone), Hands::Stint(Stint { index, of, .. })) = (&tied, passing.hands) {
        // They are as large as the ledger, and what they said is written down.
        let own = Share { index, of, ..Share::whole(folder) }.range(records.buckets);
        shuffle::forget(folder, writers, own)
            .map_err(|cause| RunError::Write { folder: folder.into(), cause })?;
    }
    tied
}

/// The first of so many entries are those that rules are to flag.
const FLAGGED: u64 = 100;

/// What only the order of all entries shows.
struct Ordered {
    scores_sha256: String,
    /// The score of the last of the first hundredth.
    flagged_from: f64,
}

/// Goes over all entries in the order of their ranks: the hash of all scores, the ranks of those at the top, and the monetary units.
fn in_order(
    request: &Request,
    read: &Read,
    found: &mut Found,
    tops: &mut [Top],
) -> Result<Ordered, RunError> {
    let (spool, folder) = (&read.reading.spool, read.place.path());
    let mut draw: Option<Draw> = match request.settings.selections.monetary_unit.basis() {
        // A ledger without amounts has nothing to draw from, and is no error.
        Some(basis) if found.cells.has_units() => Some(found.cells.plan(basis)?),
        _ => None,
    };
    let told: BTreeSet<&str> = tops.iter().map(|top| &*top.entry.entry).collect();
    let mut ranks = BTreeMap::new();
    let last_flagged = found.bands.iter().sum::<u64>().div_ceil(FLAGGED);
    let mut flagged_from = f64::INFINITY;
    let mut hash = Sha256::new();
    let mut ranked = 0;
    let each = |rank: u64, row: &Row| {
        ranked = rank;
        hash.update((row.entry.len() as u64).to_le_bytes());
        hash.update(&row.entry);
        hash.update(row.score.to_bits().to_le_bytes());
        if rank == last_flagged {
            flagged_from = row.score;
        }
        if told.contains(&*row.entry) {
            ranks.insert(row.entry.clone(), rank);
        }
        if let Some(draw) = &mut draw {
            draw.offer(&row.item(spool.names().name(Sort::User, row.user)));
        }
        Ok(())
    };
    rank::each(folder, spool.parts(), each)
        .map_err(|cause| RunError::Write { folder: folder.into(), cause })?;
    // A file that lost its end would lose entries without a word.
    if ranked != found.bands.iter().sum::<u64>() {
        return Err(RunError::Write { folder: folder.into(), cause: hands::broken() });
    }
    for top in tops {
        top.entry.rank = ranks.get(&top.entry.entry).copied().unwrap_or(0);
    }
    if let Some(draw) = draw {
        found.selections.insert(1, draw.finish()?);
    }
    Ok(Ordered { scores_sha256: hex(hash), flagged_from })
}

/// Over the forests of all populations, which is what was grown with the seed.
fn model_sha256(scorers: &Scorers) -> String {
    let mut hash = Sha256::new();
    for (detectors, _) in scorers.iter().flatten() {
        hash.update(detectors.values.to_bytes());
        hash.update(detectors.pairs.to_bytes());
    }
    hex(hash)
}
