//! What is in the report, in the order in which it is read.

use crate::amount::group;
use crate::result::{
    Band, Completeness, ControlTest, Results, RollForward, Selection, TopEntry, Verdict, Window,
};

use super::chart;
use super::draw::Drawing;

/// More entries are in the workpaper; nobody reads more on paper.
const MOST_ENTRIES: usize = 50;
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
            section("Control tests", vec![Block::Table(tests(&results.tests))]),
            section("Distributions", distributions(results)),
            section("Top entries", top(results)),
            section("Rules that sum the scores up", rules(results)),
            section("Selections for testing", vec![Block::Table(selections(&results.selections))]),
            section("Model and parameters", model(results)),
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
    vec![Block::Table(inputs), Block::Table(totals)]
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
        ("Roll-forward".into(), verdict),
        ("Unbalanced entries".into(), count(found.unbalanced.total())),
        ("Control totals".into(), format!("{} given, {differing} differ", found.control_totals.len())),
        ("Gaps in numbers".into(), count(found.gaps.total())),
        ("Ids used twice".into(), count(found.duplicates.total())),
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
    if found.unbalanced.total() > 0 {
        let listed = found.unbalanced.listed().iter().take(MOST_ROWS);
        blocks.push(Block::Table(Table {
            caption: "Entries that do not balance".into(),
            columns: vec![text("Entry", 40), text("Currency", 20), number("Difference", 40)],
            rows: listed
                .map(|one| vec![one.entry.clone(), one.currency.clone(), one.difference.grouped()])
                .collect(),
            note: more(found.unbalanced.total(), MOST_ROWS),
        }));
    }
    blocks
}

fn tests(tests: &[ControlTest]) -> Table {
    Table {
        caption: "Every test with what it hit; the workpaper has a sheet for each".into(),
        columns: vec![
            text("Test", 9),
            text("What it looks for", 30),
            text("Level", 9),
            text("Source", 22),
            number("Weight", 8),
            number("Entries", 9),
            number("Lines", 9),
            number("Amount", 20),
        ],
        rows: tests
            .iter()
            .map(|test| {
                vec![
                    test.id.clone(),
                    test.title.clone(),
                    test.level.clone(),
                    test.source.clone(),
                    test.weight.to_string(),
                    count(test.hits.total()),
                    count(test.lines_hit),
                    test.amount.grouped(),
                ]
            })
            .collect(),
        note: String::new(),
    }
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

fn top(results: &Results) -> Vec<Block> {
    let listed = results.top.listed();
    let shown = listed.len().min(MOST_ENTRIES);
    let mut blocks = vec![Block::Text(format!(
        "The {shown} riskiest of {} entries. A score near 1 is unusual, below 0.5 ordinary; the risk joins it with the \
         control tests. The number before a reason says how many splits earlier than expected the feature set the \
         entry apart, on average over the trees.",
        count(results.population.entries)
    ))];
    blocks.extend(listed.iter().take(MOST_ENTRIES).map(|entry| Block::Entry(entry_card(entry))));
    blocks
}

fn entry_card(top: &TopEntry) -> Entry {
    let mut facts = vec![format!("{} {}", top.amount.grouped(), top.currency).trim_end().to_string()];
    facts.extend(top.date.map(|date| date.to_string()));
    if !top.user.is_empty() {
        facts.push(format!("user {}", top.user));
    }
    if !top.population.is_empty() {
        facts.push(format!("population {}", top.population));
    }
    facts.push(format!("score {:.4}, {}", top.score, top.detector.in_words()));
    if !top.text.is_empty() {
        facts.push(format!("“{}”", top.text));
    }
    let money =
        |amount: Option<crate::amount::Amount>| amount.map(|amount| amount.grouped()).unwrap_or_default();
    Entry {
        heading: format!("{}. {}", top.rank, top.entry),
        band: top.band,
        risk: percent(top.risk),
        facts: facts.join(" · "),
        reasons: top
            .reasons
            .iter()
            .map(|reason| format!("{:.2}  {}", reason.contribution, reason.words))
            .collect(),
        hits: top.hits.iter().map(|hit| format!("{}  {}", hit.test, hit.words)).collect(),
        lines: Table {
            caption: String::new(),
            columns: vec![text("Account", 34), number("Debit", 17), number("Credit", 17), text("Text", 32)],
            rows: top
                .lines
                .listed()
                .iter()
                .take(MOST_ROWS)
                .map(|line| {
                    vec![
                        format!("{} {}", line.account, line.account_name).trim_end().to_string(),
                        money(line.debit),
                        money(line.credit),
                        line.text.clone(),
                    ]
                })
                .collect(),
            note: more(top.lines.total(), MOST_ROWS.min(top.lines.listed().len())),
        },
    }
}

fn rules(results: &Results) -> Vec<Block> {
    let surrogate = &results.surrogate;
    if surrogate.rules.is_empty() {
        return vec![Block::Text("No rule was found that says what the scores say.".into())];
    }
    let fidelity = percent(surrogate.fidelity);
    vec![
        Block::Text(format!(
            "These rules flag {fidelity} of what the scores flag. They are easier to discuss, and they are not the score."
        )),
        Block::Table(Table {
            caption: String::new(),
            columns: vec![text("Rule", 64), number("Entries", 16), number("Precision", 20)],
            rows: surrogate
                .rules
                .iter()
                .map(|rule| vec![rule.text.clone(), count(rule.support), percent(rule.precision)])
                .collect(),
            note: String::new(),
        }),
    ]
}

fn selections(selections: &[Selection]) -> Table {
    Table {
        caption: "The workpaper has a sheet for each, with columns for support and conclusion".into(),
        columns: vec![text("Selection", 16), number("Chosen", 10), number("Of entries", 12), text("How", 62)],
        rows: selections
            .iter()
            .map(|selection| {
                let mut how = selection.method.in_words();
                if !selection.left_out.is_empty() {
                    how += &format!("; left out: {}", selection.left_out);
                }
                vec![
                    selection.method.title().into(),
                    count(selection.chosen.total()),
                    count(selection.population_entries),
                    how,
                ]
            })
            .collect(),
        note: String::new(),
    }
}

fn model(results: &Results) -> Vec<Block> {
    let model = &results.model;
    let facts = vec![
        ("Model".into(), model.id.clone()),
        (
            "Trained on".into(),
            format!(
                "{}, {} entries, {}",
                model.trained_on,
                count(model.trained_entries),
                period(model.window)
            ),
        ),
        (
            "Forest".into(),
            format!("{} trees of {} entries, {} features", model.trees, model.sample, model.features),
        ),
    ];
    let parameters = Table {
        caption: "Parameters, defaults included".into(),
        columns: vec![text("Name", 40), text("Value", 60)],
        rows: results.parameters.iter().map(|one| vec![one.name.clone(), one.value.clone()]).collect(),
        note: String::new(),
    };
    vec![Block::Facts(facts), Block::Table(parameters)]
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
