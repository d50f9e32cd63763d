//! What is in the report, in the order in which it is read.

use crate::amount::group;
use crate::result::{Band, Completeness, Listed, Results, RollForward, Verdict, Window};

use super::chart;
use super::draw::Drawing;

mod findings;
mod model;

/// Of the lines of an entry, of differing accounts, of what is wrong with the ledger.
const MOST_ROWS: usize = 12;

/// Who signs.
pub(super) const ROLES: [&str; 2] = ["Prepared by", "Reviewed by"];

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    pub(super) title: String,
    pub(super) subtitle: String,
    /// A number and what it counts.
    pub(super) figures: Vec<(String, String)>,
    pub(super) provenance: Vec<(String, String)>,
    pub(super) sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    Text(String),
    Facts(Vec<(String, String)>),
    Table(Table),
    Figure(Figure),
    Entry(Entry),
}

#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Table {
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
    /// How many rows there are beyond these, in words; empty if none.
    pub(super) note: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Of the width, relative to the other columns.
    pub(super) share: u16,
    pub(super) is_number: bool,
}

pub(super) const fn text(title: &'static str, share: u16) -> Column {
    Column { title, share, is_number: false }
}

pub(super) const fn number(title: &'static str, share: u16) -> Column {
    Column { title, share, is_number: true }
}

/// A chart, what to see in it, and its numbers for whoever cannot see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) caption: String,
    pub(super) drawing: Drawing,
    pub(super) table: Table,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) heading: String,
    pub(super) band: Band,
    pub(super) risk: String,
    pub(super) facts: String,
    pub(super) reasons: Vec<String>,
    pub(super) hits: Vec<String>,
    pub(super) lines: Table,
}

pub(super) fn of(results: &Results) -> Document {
    let population = &results.population;
    let mut figures = vec![
        (count(population.entries), "entries".to_string()),
        (count(population.lines), "lines".to_string()),
    ];
    for band in results.bands.iter().rev() {
        figures.push((count(band.entries), format!("{} risk", band.band.name())));
    }
    figures.push((
        count(results.inputs.iter().map(|input| input.rejected.total()).sum()),
        "lines rejected".into(),
    ));
    let mut provenance: Vec<_> =
        results.provenance().into_iter().map(|(label, value)| (label.to_string(), value)).collect();
    provenance.extend(results.drift_in_words().map(|words| ("Drift".to_string(), words.to_string())));
    provenance.push(("Command".into(), results.command.clone()));
    provenance.push(("SHA-256 of all scores".into(), results.scores_sha256.clone()));
    provenance.push(("Program".into(), results.program.clone()));
    Document {
        title: "Journal-entry testing".into(),
        subtitle: format!("{} — {}", inputs(results), period(population.window)),
        figures,
        provenance,
        sections: vec![
            section("Population", populations(results)),
            section("Completeness", completeness(&results.completeness)),
            section("Control tests", vec![Block::Table(findings::tests(&results.tests))]),
            section("Distributions", distributions(results)),
            section("Top entries", findings::top(results)),
            section("Rules that sum the scores up", findings::rules(results)),
            section("Selections for testing", vec![Block::Table(findings::selections(&results.selections))]),
            section("Model and parameters", model::blocks(results)),
        ],
    }
}

fn section(title: &str, blocks: Vec<Block>) -> Section {
    Section { title: title.into(), blocks }
}

fn inputs(results: &Results) -> String {
    let name =
        |path: &std::path::Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().to_string();
    let names: Vec<_> = results.inputs.iter().map(|input| name(&input.path)).collect();
    names.join(", ")
}

fn populations(results: &Results) -> Vec<Block> {
    let inputs = Table {
        caption: "What was read".into(),
        columns: vec![
            text("Input", 40),
            text("Format", 22),
            number("Bytes", 14),
            number("Lines", 12),
            number("Rejected", 12),
        ],
        rows: results
            .inputs
            .iter()
            .map(|input| {
                vec![
                    input.path.display().to_string(),
                    input.format.clone(),
                    count(input.bytes),
                    count(input.lines),
                    count(input.rejected.total()),
                ]
            })
            .collect(),
        note: String::new(),
    };
    let totals = Table {
        caption: "Totals by entity and currency".into(),
        columns: vec![
            text("Entity", 20),
            text("Currency", 14),
            number("Lines", 16),
            number("Debit", 25),
            number("Credit", 25),
        ],
        rows: results
            .population
            .totals
            .iter()
            .map(|total| {
                vec![
                    total.entity.clone(),
                    total.currency.clone(),
                    count(total.lines),
                    total.debit.grouped(),
                    total.credit.grouped(),
                ]
            })
            .collect(),
        note: String::new(),
    };
    let mut blocks = vec![Block::Table(inputs), Block::Table(totals)];
    blocks.extend(results.in_part.iter().map(|in_part| Block::Text(format!("Known in part: {in_part}."))));
    blocks.extend(results.inputs.iter().filter_map(|input| {
        listed(
            &format!("Lines rejected of {}", input.path.display()),
            vec![number("Line", 8), text("Field", 18), text("Problem", 37), text("Remedy", 37)],
            &input.rejected,
            |one| {
                let (field, problem) = (one.field.clone(), one.problem.clone());
                vec![one.first_line.to_string(), field, problem, one.remedy.clone()]
            },
        )
    }));
    blocks
}

fn completeness(found: &Completeness) -> Vec<Block> {
    let differing = found.control_totals.iter().filter(|total| !total.agrees).count();
    let verdict = match &found.roll_forward {
        RollForward::NotDone { why } => format!("Not done: {why}."),
        RollForward::Done { accounts, verdict: Verdict::Agrees, .. } => {
            format!("All {} accounts agree to the cent.", count(accounts.total()))
        }
        RollForward::Done { accounts, differing, verdict: Verdict::Overridden { by, why } } => format!(
            "FAILED: {} of {} accounts differ. Overridden by {by}: {why}.",
            count(*differing),
            count(accounts.total())
        ),
    };
    let mut blocks = vec![Block::Facts(vec![
        ("Incomplete entries".into(), count(found.incomplete.total())),
        ("Roll-forward".into(), verdict),
        ("Unbalanced entries".into(), count(found.unbalanced.total())),
        ("Control totals".into(), format!("{} given, {differing} differ", found.control_totals.len())),
        ("Gaps in numbers".into(), count(found.gaps.total())),
        ("Ids used twice".into(), count(found.duplicates.total())),
        ("Lines with odd dates".into(), count(found.misdated.total())),
    ])];
    if let RollForward::Done { accounts, differing, .. } = &found.roll_forward
        && *differing > 0
    {
        let differs = accounts.listed().iter().filter(|one| one.difference != crate::amount::Amount::ZERO);
        blocks.push(Block::Table(Table {
            caption: "Accounts that differ".into(),
            columns: vec![
                text("Entity", 12),
                text("Account", 26),
                number("Opening", 18),
                number("Movement", 18),
                number("Closing", 18),
                number("Difference", 14),
            ],
            rows: differs
                .take(MOST_ROWS)
                .map(|one| {
                    vec![
                        one.entity.clone(),
                        format!("{} {}", one.account, one.name),
                        one.opening.grouped(),
                        one.movement.grouped(),
                        one.closing.grouped(),
                        one.difference.grouped(),
                    ]
                })
                .collect(),
            note: more(*differing, MOST_ROWS),
        }));
    }
    blocks.extend(listed(
        "Incomplete entries",
        vec![text("Entry", 30), text("What is missing", 70)],
        &found.incomplete,
        |one| vec![one.entry.clone(), one.words.clone()],
    ));
    blocks.extend(listed(
        "Entries that do not balance",
        vec![text("Entry", 40), text("Currency", 20), number("Difference", 40)],
        &found.unbalanced,
        |one| vec![one.entry.clone(), one.currency.clone(), one.difference.grouped()],
    ));
    let totals: Vec<_> = found.control_totals.iter().filter(|total| !total.agrees).collect();
    blocks.extend(listed(
        "Control totals that differ",
        vec![text("Total", 40), number("Expected", 30), number("Found", 30)],
        &Listed::of(totals, 0),
        |one| vec![one.name.clone(), one.expected.clone(), one.found.clone()],
    ));
    blocks.extend(listed(
        "Gaps in the numbers of entries",
        vec![text("After", 40), text("Before", 40), number("Missing", 20)],
        &found.gaps,
        |one| vec![one.after.clone(), one.before.clone(), count(one.missing)],
    ));
    blocks.extend(listed(
        "Ids used more than once",
        vec![text("Id", 70), number("Times", 30)],
        &found.duplicates,
        |one| vec![one.id.clone(), count(one.times)],
    ));
    blocks.extend(listed(
        "Lines with odd dates",
        vec![text("Entry", 30), text("What is odd", 70)],
        &found.misdated,
        |one| vec![one.entry.clone(), one.words.clone()],
    ));
    blocks
}

/// The first of a list as a table; none of an empty one.
fn listed<T>(
    caption: &str,
    columns: Vec<Column>,
    list: &Listed<T>,
    row: impl Fn(&T) -> Vec<String>,
) -> Option<Block> {
    let rows: Vec<_> = list.listed().iter().take(MOST_ROWS).map(row).collect();
    let note = more(list.total(), rows.len());
    let table = Table { caption: caption.into(), columns, rows, note };
    (list.total() > 0).then_some(Block::Table(table))
}

fn distributions(results: &Results) -> Vec<Block> {
    let found = &results.distributions;
    let mut blocks = vec![
        Block::Figure(chart::histogram(&found.scores)),
        Block::Figure(chart::scatter(&found.points)),
        Block::Figure(chart::week(&found.week)),
    ];
    blocks.extend(found.benford.iter().map(|benford| Block::Figure(chart::benford(benford))));
    blocks
}

fn more(total: u64, shown: usize) -> String {
    match total.saturating_sub(shown as u64) {
        0 => String::new(),
        more => format!("{} more are not shown here", count(more)),
    }
}

pub(super) fn period(window: Option<Window>) -> String {
    window.map_or("no line has a date".into(), |Window { from, to }| format!("{from} to {to}"))
}

pub(super) fn count(count: u64) -> String {
    group(&count.to_string())
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
