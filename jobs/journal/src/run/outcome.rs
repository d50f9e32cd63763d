//! Makes the one [`Results`] of what a run found.

use super::{Read, Request, Scored, Surveyed};
use crate::amount::group;
use crate::benford::{Analysis, Kind};
use crate::controls::{Id, Level};
use crate::model;
use crate::names::{GROUPS, Sort};
use crate::passes::judge::tally::FoundTest;
use crate::result::{
    Band, BandCount, Benford, BenfordKind, ControlTest, DigitCount, Distributions, Input, Listed,
    MOST_REJECTED, Model, Population, RejectedLine, Results, SCHEMA, Total, Window,
};
use crate::settings::{self, Settings};

pub(super) mod completeness;

pub(super) fn results(request: &Request, read: &Read, surveyed: &Surveyed, scored: &Scored) -> Results {
    let Request { settings, .. } = request;
    let found = &scored.found;
    Results {
        schema: SCHEMA,
        program: concat!("compline ", env!("CARGO_PKG_VERSION")).into(),
        command: request.command(),
        inputs: vec![input(request, read)],
        completeness: completeness::of(request, read, surveyed),
        in_part: in_part(&settings.window, read, surveyed),
        parameters: settings.parameters(),
        parameters_sha256: settings.sha256(),
        model: scored.model.clone(),
        drift: scored.drift.clone(),
        challenge: scored.challenge.clone(),
        population: population(read, surveyed),
        scores_sha256: scored.scores_sha256.clone(),
        tests: found.tests.iter().map(|test| control_test(request, surveyed, scored, test)).collect(),
        bands: Band::ALL.map(|band| band_count(request, band, found.bands[band as usize])).into(),
        distributions: Distributions {
            scores: found.scores.clone(),
            week: found.week.clone(),
            benford: Kind::ALL.map(|kind| benford(&surveyed.norms.summary().digits().analysis(kind))).into(),
            points: found.points.clone(),
        },
        top: Listed::of(scored.top.iter().map(|top| top.entry.clone()).collect(), surveyed.survey.entries),
        asked: scored.asked.iter().map(|top| top.entry.clone()).collect(),
        surrogate: scored.surrogate.clone(),
        selections: found.selections.clone(),
    }
}

/// What a window, or a bound on memory, has left out.
pub(super) fn in_part(window: &settings::Window, read: &Read, surveyed: &Surveyed) -> Vec<String> {
    let Read { reading, extra, models, .. } = read;
    let names = reading.spool.names();
    let given_up = surveyed.norms.summary().given_up();
    // By a model that has seen more names than this ledger has.
    let why = match models {
        Some(models) if !models.has_groups() => "the model has too many different values to keep",
        _ => "too many different values to keep",
    };
    let outside = window.in_words().map(|window| {
        format!(
            "the days of {window}: {} lines of other days were left out",
            group(&reading.outside.to_string())
        )
    });
    let title = |sort: Sort| match sort {
        Sort::Extra(place) => extra.get(usize::from(place)).cloned().unwrap_or_else(|| sort.title()),
        _ => sort.title(),
    };
    let grouped = Sort::all(names.extra()).filter(|sort| names.are_grouped(*sort)).map(|sort| {
        format!(
            "{}: {why}, compared by {GROUPS} groups, and control tests take those of a group for one",
            title(sort)
        )
    });
    let pairs = given_up.iter().map(|(what, kept)| {
        format!(
            "{what}: one pair of {kept} is counted, and a control test that asks for another does not hit"
        )
    });
    outside.into_iter().chain(grouped).chain(pairs).collect()
}

/// What the ledger taught itself.
pub(super) fn own_model(request: &Request, surveyed: &Surveyed, sha256: String) -> Model {
    let Settings { seed, forest, .. } = request.settings;
    Model {
        id: model::id(&sha256).into(),
        name: None,
        version: None,
        sha256,
        seed,
        trees: forest.trees as u64,
        sample: forest.sample as u64,
        features: super::by_model::features(&surveyed.dims),
        trained_on: "the ledger itself".into(),
        trained_entries: surveyed.survey.entries,
        window: window(surveyed),
    }
}

fn window(surveyed: &Surveyed) -> Option<Window> {
    surveyed.survey.totals.window.map(|(from, to)| Window { from, to })
}

fn input(request: &Request, read: &Read) -> Input {
    let origin = &read.reading.origin;
    let rejected = &read.reading.rejected;
    let first = rejected.first.iter().take(MOST_REJECTED).map(|rejection| RejectedLine {
        first_line: rejection.first_line,
        last_line: rejection.last_line,
        field: rejection.field.clone(),
        problem: rejection.problem.clone(),
        remedy: rejection.remedy.to_string(),
    });
    Input {
        path: request.path.clone(),
        format: origin.format.clone(),
        bytes: origin.bytes,
        sha256: origin.sha256.clone(),
        lines: read.reading.lines,
        rejected: Listed::of(first.collect(), rejected.count),
    }
}

fn population(read: &Read, surveyed: &Surveyed) -> Population {
    let names = read.reading.spool.names();
    let totals = &surveyed.survey.totals;
    Population {
        entries: surveyed.survey.entries,
        lines: surveyed.survey.lines,
        totals: totals
            .of
            .iter()
            .map(|(&(entity, currency), total)| Total {
                entity: names.name(Sort::Entity, entity).into(),
                currency: names.name(Sort::Currency, currency).into(),
                lines: total.lines,
                debit: total.debit,
                credit: total.credit,
            })
            .collect(),
        window: window(surveyed),
    }
}

fn band_count(request: &Request, band: Band, entries: u64) -> BandCount {
    let risk = &request.settings.risk;
    let to = Band::ALL.get(band as usize + 1).map_or(1.0, |next| risk.from(*next));
    BandCount { band, from: risk.from(band), to, entries }
}

fn control_test(request: &Request, surveyed: &Surveyed, scored: &Scored, found: &FoundTest) -> ControlTest {
    let FoundTest { id, amount, listed } = found;
    let hits = scored.hits.tests[*id as usize];
    let config = &request.settings.controls;
    let about = id.about();
    let idle = config.idle(*id, &surveyed.norms).map(|why| format!("not possible: {why}"));
    ControlTest {
        id: about.id.into(),
        title: format!("{} {}", about.code, about.title),
        level: level(about.level).into(),
        weight: config.weight(*id).into(),
        source: about.sources.iter().map(|source| source.citation()).collect::<Vec<_>>().join("; "),
        parameters: parameters(request, *id).into_iter().chain(idle).collect(),
        lines_hit: hits.lines,
        amount: *amount,
        hits: Listed::of(listed.iter().map(|(tested, _)| tested.clone()).collect(), hits.entries),
    }
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Integrity => "integrity",
        Level::Rule => "rule",
        Level::Statistical => "statistical",
    }
}

/// Those of the test, without its own name before each.
fn parameters(request: &Request, id: Id) -> Vec<String> {
    let before = format!("controls.{}.", id.about().id);
    let all = request.settings.parameters();
    all.into_iter()
        .filter_map(|parameter| {
            Some(format!("{} = {}", parameter.name.strip_prefix(&before)?, parameter.value))
        })
        .collect()
}

fn benford(analysis: &Analysis) -> Benford {
    let kind = match analysis.kind {
        Kind::First => BenfordKind::First,
        Kind::FirstTwo => BenfordKind::FirstTwo,
        Kind::SecondOrder => BenfordKind::SecondOrder,
        Kind::LastTwo => BenfordKind::LastTwo,
    };
    let conclusion = match analysis.conformity {
        Some(conformity) => {
            format!("{} by the mean absolute deviation (Nigrini 2012)", conformity.in_words())
        }
        None if analysis.amounts == 0 => "no amounts to look at".into(),
        None => {
            format!("by chi-square, digits as even as these or less come with p = {:.3}", analysis.p_value)
        }
    };
    Benford {
        kind,
        population: "all amounts of 10 and more".into(),
        amounts: analysis.amounts,
        digits: analysis
            .digits
            .iter()
            .map(|digit| DigitCount {
                digits: digit.digits.into(),
                expected: digit.expected,
                observed: digit.observed,
            })
            .collect(),
        mad: analysis.mad,
        chi_square: analysis.chi_square,
        degrees: analysis.degrees,
        conclusion,
    }
}
