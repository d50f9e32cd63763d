//! A ledger scored by another model too, to see in what the two differ before it takes the first one's place.

use super::by_model::Carried;
use super::teach::{Site, Taught};
use super::{Read, Request, RunError, Step, Surveyed, Watch};
use crate::passes::contest::{Contest, Side, contest};
use crate::passes::detect::Scorers;
use crate::result::{Challenge, MOST_TOP};

/// What is put aside for it, beside that of the champion.
const CHALLENGER: &str = "challenger";
/// The first of so many entries are those that a model flags.
const FLAGGED: u64 = 100;

/// None where there is no challenger. The champion's entries have been judged, at its site.
pub(super) fn challenge(
    request: &Request,
    read: &Read,
    surveyed: &Surveyed,
    (site, champion): (Site<'_>, &Scorers),
    watch: Watch<'_>,
) -> Result<Option<Challenge>, RunError> {
    let challenger = read.models.as_ref().and_then(|models| models.challenger.as_ref());
    let Some(challenger) = challenger else { return Ok(None) };
    let spool = &read.reading.spool;
    // An earlier attempt may have left its own where parts are kept.
    let folder = read.place.path().join(format!("{CHALLENGER}-{:x}", request.tag.claim));
    std::fs::create_dir(&folder).map_err(|cause| RunError::Write { folder: folder.clone(), cause })?;
    let Carried { dims, populations, learned, .. } = challenger.carried(spool.names())?;
    let own = surveyed.site(request, read, (&dims, &populations), (site.passing, site.facts), watch);
    let Taught { scorers, .. } = own.within(&folder).ask(learned)?;
    let entries = surveyed.survey.entries;
    let first = entries.div_ceil(FLAGGED).min(MOST_TOP as u64);
    let judges = |done, of| watch(Step::Judge, done, of);
    let sides =
        [Side { folder: read.place.path(), scorers: champion }, Side { folder: &folder, scorers: &scorers }];
    let Contest { spearman, both, only: [champion_only, challenger_only] } =
        contest(site.crew(&judges), spool.parts(), sides, (entries, first as usize))?;
    let model = challenger.about();
    Ok(Some(Challenge { model, entries, spearman, first, both, champion_only, challenger_only }))
}
