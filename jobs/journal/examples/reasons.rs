//! How often the reasons name what was changed: `reasons FOLDER` with the data sets of the project's measurements (journal/injected_ledger.csv).
//!
//! Injected anomalies are scored and told about as the entries of every ledger; of those that were changed it is looked up whether the first three reasons name a column
//! that was. The anomalies of the protocol change every column; so each column is also changed alone.

#![expect(clippy::unwrap_used, reason = "an example that is called wrongly may say so in any way")]

use std::path::Path;

use journal::reasons::{About, Scene, Words, splits};
use journal::result::Reason;
use journal::scoring::measures::Signal;
use journal::scoring::whole::whole;

mod injections;

use injections::{Random, Row, inject, injected, loaded};

/// As the lines have them, and the amount.
const COLUMNS: [&str; 8] =
    ["source", "user", "account", "business_unit", "document_type", "hour", "period", "amount"];
/// What the extra columns are called.
const EXTRA: [&str; 2] = ["hour", "period"];
const SEEDS: u64 = 20;
const EACH: usize = 60;
/// So many reasons are looked at.
const FIRST: usize = 3;

fn main() {
    let folder = std::env::args().nth(1).expect("usage: reasons FOLDER");
    let rows = injected(&Path::new(&folder).join("journal/injected_ledger.csv"));
    let regular: Vec<Row> = rows.iter().filter(|row| row.label == "regular").cloned().collect();
    protocol(&regular);
    alone(&regular);
}

fn protocol(regular: &[Row]) {
    let (mut all, mut any, mut sure) = (0, 0, 0);
    let (mut least_any, mut locals, mut pairs) = (1.0_f64, 0, 0);
    for seed in 0..SEEDS {
        let (mut here, mut found) = (0, 0);
        for (row, reasons) in told(&inject(regular, EACH, &mut Random(5_000 + seed)), seed, seed == 0) {
            let named = named(&reasons);
            if row.label == "local" {
                locals += 1;
                pairs += usize::from(reasons.iter().take(FIRST).any(|reason| reason.feature.contains(" + ")));
                continue;
            }
            here += 1;
            found += usize::from((0..8).any(|column| row.changed[column] && named[column]));
            sure += usize::from(named[row.sure.unwrap()]);
        }
        (all, any) = (all + here, any + found);
        least_any = least_any.min(found as f64 / here as f64);
    }
    let share = |count: usize, of: usize| count as f64 / of as f64;
    println!("| injections | of {SEEDS} seeds | share | least of a seed |\n|---|---|---|---|");
    println!(
        "| global: a changed column is named in the first three reasons | {all} | {:.4} | {least_any:.4} |",
        share(any, all)
    );
    println!("| global: the column that surely has a new value is | {all} | {:.4} | |", share(sure, all));
    println!("| local: a combination is | {locals} | {:.4} | |", share(pairs, locals));
}

/// One column of an ordinary line gets a value that nobody has seen, or its amount is far above all others.
fn alone(regular: &[Row]) {
    let largest = regular.iter().map(|row| row.cents.abs()).max().unwrap();
    let mut found = [0; 8];
    for seed in 0..SEEDS {
        let mut random = Random(9_000 + seed);
        let mut rows = regular.to_vec();
        for (column, _) in COLUMNS.iter().enumerate() {
            for number in 0..EACH / 8 {
                let mut row = regular[random.below(regular.len())].clone();
                match column {
                    7 => row.cents = (largest as f64 * (1.2 + 8.0 * random.unit())) as i64,
                    column => row.values[column] = format!("NEW{number:03}"),
                }
                row.label = "alone".into();
                row.sure = Some(column);
                rows.push(row);
            }
        }
        for (row, reasons) in told(&rows, seed, seed == 0) {
            let column = row.sure.unwrap();
            found[column] += usize::from(named(&reasons)[column]);
        }
    }
    let each = EACH / 8 * SEEDS as usize;
    println!("\n| one column changed alone | lines | named in the first three reasons |\n|---|---|---|");
    for (column, found) in COLUMNS.iter().zip(found) {
        println!("| {column} | {each} | {:.4} |", found as f64 / each as f64);
    }
    println!("| **all** | {} | {:.4} |", 8 * each, found.iter().sum::<usize>() as f64 / (8 * each) as f64);
}

/// The reasons of each line that is not regular.
fn told(rows: &[Row], seed: u64, shown: bool) -> Vec<(&Row, Vec<Reason>)> {
    let (part, names) = loaded(rows);
    let whole = whole(std::slice::from_ref(&part), &names, seed).unwrap();
    let places: Vec<usize> = (0..rows.len()).filter(|&place| rows[place].label != "regular").collect();
    let measured = places.iter().map(|&place| &whole.entries[place].measures);
    let splits =
        splits((&whole.fitted.detectors.values, &whole.fitted.detectors.pairs), measured, whole.has.amounts)
            .unwrap();
    let titles = EXTRA.map(String::from);
    let words = Words::new(Scene {
        names: &names,
        dims: &whole.fitted.dims,
        yardstick: &whole.fitted.yardstick,
        combiner: &whole.fitted.combiner,
        empty: whole.fitted.empty,
        titles: &titles,
    });
    let tell = |(&place, splits): (&usize, _)| {
        let entry = &whole.entries[place];
        let postings = part.postings_of(&part.entries()[place]);
        let about = About { postings, measures: &entry.measures, scored: entry.scored, splits };
        (&rows[place], words.reasons(&about))
    };
    let told: Vec<(&Row, Vec<Reason>)> = places.iter().zip(&splits).map(tell).collect();
    for (row, reasons) in told.iter().step_by(15).filter(|_| shown) {
        eprintln!("{}: {:?}", row.label, row.values);
        for Reason { feature, contribution, words } in reasons {
            eprintln!("    {contribution:.2} {feature}: {words}");
        }
    }
    told
}

/// Which columns the first reasons name.
fn named(reasons: &[Reason]) -> [bool; 8] {
    let mut named = [false; 8];
    for reason in reasons.iter().take(FIRST) {
        for feature in reason.feature.split(" + ") {
            let feature = match feature {
                test if test == Signal::SeldomAccount.id() => "account",
                test if test == Signal::BelowLimit.id() => "amount",
                feature => feature,
            };
            if let Some(column) = COLUMNS.iter().position(|column| *column == feature) {
                named[column] = true;
            }
        }
    }
    named
}
