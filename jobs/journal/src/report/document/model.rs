//! What found it: the model, how well it still fits, in what another one would have differed; and all parameters.

use super::{Block, MOST_ROWS, Table, count, more, number, period, text};
use crate::drift::Drift;
use crate::result::{Challenge, Listed, Parted, Results};

pub(super) fn blocks(results: &Results) -> Vec<Block> {
    let model = &results.model;
    let mut facts = vec![("Model".into(), model.id.clone())];
    if model.name.is_some() {
        facts.push(("Name".into(), model.called()));
    }
    facts.push((
        "Trained on".into(),
        format!("{}, {} entries, {}", model.trained_on, count(model.trained_entries), period(model.window)),
    ));
    facts.push((
        "Forest".into(),
        format!("{} trees of {} entries, {} features", model.trees, model.sample, model.features),
    ));
    let mut blocks = vec![Block::Facts(facts)];
    if !results.drift.is_empty() {
        blocks.extend(drift(&results.drift));
    }
    blocks.extend(results.challenge.iter().flat_map(challenge));
    blocks.push(Block::Table(Table {
        caption: "Parameters, defaults included".into(),
        columns: vec![text("Name", 40), text("Value", 60)],
        rows: results.parameters.iter().map(|one| vec![one.name.clone(), one.value.clone()]).collect(),
        note: String::new(),
    }));
    blocks
}

fn drift(populations: &[Drift]) -> Vec<Block> {
    let row = |drift: &Drift| {
        let furthest = drift.furthest();
        vec![
            drift.population.clone(),
            count(drift.entries),
            count(drift.reference_entries),
            if drift.too_few { "too few".into() } else { drift.level.word().into() },
            format!("{:.3}", drift.score_psi),
            format!("{:.3}", drift.score_ks),
            furthest.map_or_else(String::new, |moved| format!("{} {:.3}", moved.name, moved.figure)),
        ]
    };
    let table = Table {
        caption: "Drift: how the entries stand to those that the model was made from".into(),
        columns: vec![
            text("Population", 20),
            number("Entries", 12),
            number("Model's", 12),
            text("Level", 10),
            number("Score PSI", 11),
            number("Score KS", 11),
            text("Furthest", 24),
        ],
        rows: populations.iter().map(row).collect(),
        note: String::new(),
    };
    let words = populations.iter().flat_map(|drift| {
        drift
            .in_words()
            .into_iter()
            .skip(1)
            .map(|words| (drift.population.clone(), words))
            .collect::<Vec<_>>()
    });
    let words: Vec<(String, String)> = words.collect();
    let mut blocks = vec![Block::Table(table)];
    if !words.is_empty() {
        blocks.push(Block::Facts(words));
    }
    blocks
}

fn challenge(challenge: &Challenge) -> Vec<Block> {
    let Challenge { model, champion_only, challenger_only, .. } = challenge;
    let table = |who: &str, list: &Listed<Parted>| {
        let rows: Vec<_> = list.listed().iter().take(MOST_ROWS).map(parted).collect();
        (!rows.is_empty()).then(|| {
            Block::Table(Table {
                caption: format!("Flagged by the {who} alone"),
                columns: vec![
                    text("Entry", 36),
                    number("Rank", 16),
                    number("Score", 16),
                    number("Challenger's rank", 16),
                    number("Its score", 16),
                ],
                note: more(list.total(), rows.len()),
                rows,
            })
        })
    };
    let facts = vec![
        ("Challenger".into(), format!("{}, {}", model.called(), model.id)),
        ("Agreement".into(), challenge.in_words()),
    ];
    let tables = [table("champion", champion_only), table("challenger", challenger_only)];
    std::iter::once(Block::Facts(facts)).chain(tables.into_iter().flatten()).collect()
}

fn parted(parted: &Parted) -> Vec<String> {
    let Parted { entry, champion, challenger } = parted;
    let score = |score: f64| format!("{score:.2}");
    vec![
        entry.clone(),
        count(champion.rank),
        score(champion.score),
        count(challenger.rank),
        score(challenger.score),
    ]
}
