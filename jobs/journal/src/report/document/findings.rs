//! What was found: tests, entries, rules, selections.

use super::{Block, Entry, MOST_ROWS, Table, count, more, number, percent, text};
use crate::result::{ControlTest, Results, Selection, TopEntry};

/// More entries are in the workpaper; nobody reads more on paper.
const MOST_ENTRIES: usize = 50;

pub(super) fn tests(tests: &[ControlTest]) -> Table {
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

pub(super) fn top(results: &Results) -> Vec<Block> {
    let listed = results.top.listed();
    let shown = listed.len().min(MOST_ENTRIES);
    let mut blocks = vec![Block::Text(format!(
        "The {shown} riskiest of {} entries. A score of 4.6 is as rare as the first of a hundred by its strongest reason, 6.9 \
         as the first of a thousand; the risk joins it with the control tests. The number before a reason says how many splits earlier than expected the feature set the \
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

pub(super) fn rules(results: &Results) -> Vec<Block> {
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

pub(super) fn selections(selections: &[Selection]) -> Table {
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
