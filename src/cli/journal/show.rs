//! What a run found, for people at a terminal.

use std::fmt::Write;

use journal::result::compare::{Change, Comparison};
use journal::result::{Benford, Results, TopEntry};
use journal::run::{Summary, Trained, in_words};

use crate::cli::print::{self, Cell};

pub fn summary(summary: &Summary) -> String {
    let mut text = in_words(summary);
    text.push_str("\nWritten\n");
    for path in &summary.outputs {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}", path.display());
    }
    text
}

pub fn trained(trained: &Trained) -> String {
    let Trained { id, sha256, name, window, entries, lines, rejected, roll_forward, in_part, .. } = trained;
    let window = window.map(|window| format!(", {} to {}", window.from, window.to)).unwrap_or_default();
    let mut text = format!(
        "Model {}, id {id}\n  made from {entries} entries with {lines} lines{window}, {rejected} lines rejected\n  {}\n  \
         SHA-256 {sha256}, {} bytes\n",
        print::plain(name),
        print::plain(roll_forward),
        trained.bytes,
    );
    for in_part in in_part {
        let _ = writeln!(text, "  known in part: {}", print::plain(in_part));
    }
    for population in &trained.populations {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {}: {} entries", print::plain(&population.title), population.entries);
    }
    let _ = writeln!(text, "\nWritten\n  {}", trained.file.display());
    text
}

/// Before what was found, what it was not found in.
pub fn in_part(results: &Results) -> String {
    results.in_part.iter().map(|in_part| format!("Known in part: {}\n", print::plain(in_part))).collect()
}

pub fn tests(results: &Results) -> String {
    let rows = results.tests.iter().map(|test| {
        let idle = test.parameters.iter().find_map(|parameter| parameter.strip_prefix("not possible: "));
        let hits = match idle {
            Some(why) => why.to_string(),
            None => test.hits.total().to_string(),
        };
        [
            test.title.clone(),
            test.id.clone(),
            test.level.clone(),
            test.weight.to_string(),
            hits,
            test.amount.grouped(),
        ]
        .map(Cell::from)
        .into()
    });
    print::table(&["TEST", "ID", "LEVEL", "WEIGHT", "ENTRIES HIT", "AMOUNT"], &rows.collect::<Vec<_>>())
}

pub fn entries(results: &Results) -> String {
    results.asked.iter().map(|top| entry(top, results.population.entries)).collect::<Vec<_>>().join("\n")
}

fn entry(top: &TopEntry, of: u64) -> String {
    let mut text = format!(
        "{}  {} {}, {}, {}\n  score {:.3}, rank {} of {of}, by {}\n  risk {:.3}, {}; measured among {}\n",
        top.entry,
        top.amount.grouped(),
        top.currency,
        top.user,
        top.date.map_or_else(|| "no date".into(), |date| date.to_string()),
        top.score,
        top.rank,
        top.detector.in_words(),
        top.risk,
        top.band.name(),
        top.population,
    );
    for reason in &top.reasons {
        let _ = writeln!(text, "  - {}", print::plain(&reason.words));
    }
    for hit in &top.hits {
        let _ = writeln!(text, "  * {}: {}", hit.test, print::plain(&hit.words));
    }
    let lines: Vec<Vec<Cell>> = top
        .lines
        .listed()
        .iter()
        .map(|line| {
            let amount = |amount: Option<journal::amount::Amount>| {
                amount.map_or_else(String::new, journal::amount::Amount::grouped)
            };
            let account = format!("{} {}", line.account, line.account_name);
            vec![
                account.trim_end().into(),
                amount(line.debit).into(),
                amount(line.credit).into(),
                line.text.clone().into(),
            ]
        })
        .collect();
    text.push_str(&print::table(&["ACCOUNT", "DEBIT", "CREDIT", "TEXT"], &lines));
    text
}

pub fn benford(results: &Results) -> String {
    let row = |benford: &Benford| -> Vec<Cell> {
        let excess = |digit: &journal::result::DigitCount| {
            digit.observed as f64 - digit.expected * benford.amounts as f64
        };
        let most = benford.digits.iter().max_by(|one, other| excess(one).total_cmp(&excess(other)));
        let most = most.map_or_else(String::new, |digit| {
            format!(
                "{} ({} times, {:.0} expected)",
                benford.kind.digits(digit.digits),
                digit.observed,
                digit.expected * benford.amounts as f64
            )
        });
        vec![
            benford.kind.title().into(),
            benford.amounts.to_string().into(),
            format!("{:.6}", benford.mad).into(),
            format!("{:.1} ({} degrees)", benford.chi_square, benford.degrees).into(),
            benford.conclusion.clone().into(),
            most.into(),
        ]
    };
    let rows: Vec<_> = results.distributions.benford.iter().map(row).collect();
    print::table(&["DIGITS", "AMOUNTS", "MAD", "CHI-SQUARE", "CONCLUSION", "MOST IN EXCESS"], &rows)
}

pub fn comparison(found: &Comparison) -> String {
    let same = |is: bool| if is { "the same" } else { "different" };
    let mut text =
        format!("The input is {}, the scores are {}.\n", same(found.same_input), same(found.same_scores));
    changes(&mut text, "Settings", &found.parameters);
    changes(&mut text, "Population", &found.population);
    changes(&mut text, "Entries hit by tests", &found.tests);
    changes(&mut text, "Bands", &found.bands);
    for (title, entries) in [("No longer listed", &found.gone), ("Newly listed", &found.new)] {
        if !entries.is_empty() {
            let _ = writeln!(text, "{title}: {}", print::short(&entries.join(", "), 400));
        }
    }
    if !found.moved.is_empty() {
        let rows = found.moved.iter().take(50).map(|moved| {
            let of = |rank: u64, risk: f64| Cell::from(format!("rank {rank}, risk {risk:.3}"));
            vec![
                moved.entry.clone().into(),
                of(moved.rank_before, moved.risk_before),
                of(moved.rank_after, moved.risk_after),
            ]
        });
        let _ = write!(
            text,
            "{} entries moved\n{}",
            found.moved.len(),
            print::table(&["ENTRY", "BEFORE", "AFTER"], &rows.collect::<Vec<_>>())
        );
    }
    text
}

fn changes<T: ToString>(text: &mut String, title: &str, changes: &[Change<T>]) {
    if changes.is_empty() {
        return;
    }
    let cell = |value: &Option<T>| Cell::from(value.as_ref().map_or_else(|| "-".into(), ToString::to_string));
    let rows: Vec<_> = changes
        .iter()
        .map(|change| vec![change.name.clone().into(), cell(&change.before), cell(&change.after)])
        .collect();
    let _ = writeln!(text, "{title}\n{}", print::table(&["NAME", "BEFORE", "AFTER"], &rows));
}
