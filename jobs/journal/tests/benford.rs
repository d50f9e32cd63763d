//! Nigrini's corporate payments: the digits as he published them.
//!
//! They lie outside the repository, in `shared/data/journal` beside the project; without them the test says so.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy does not know helpers for tests")]

use std::fs::File;
use std::path::PathBuf;

use flate2::read::GzDecoder;
use journal::amount::Amount;
use journal::benford::{Analysis, Conformity, Counts, Kind};

fn payments(least: Amount) -> Option<Counts> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/journal/corporate_payments.csv.gz");
    if !path.exists() {
        println!("skipped: no data file `corporate_payments.csv.gz`");
        return None;
    }
    let mut counts = Counts::from(least);
    let mut rows = csv::Reader::from_reader(GzDecoder::new(File::open(path).unwrap()));
    for (place, row) in rows.records().enumerate() {
        let amount: Amount = row.unwrap()[3].parse().unwrap();
        // Nigrini counts payments; corrections below zero are none.
        if !amount.is_negative() {
            counts.add(amount, place as u64);
        }
    }
    Some(counts)
}

fn show(analysis: &Analysis) {
    println!(
        "{:?}: n {}, MAD {:.9}, {:?}, chi-square {:.3} ({} degrees, p {:e})",
        analysis.kind,
        analysis.amounts,
        analysis.mad,
        analysis.conformity,
        analysis.chi_square,
        analysis.degrees,
        analysis.p_value
    );
}

#[test]
fn first_two_digits_are_the_published_ones() {
    // All payments are in the published figures, the 7,320 below ten too.
    let Some(counts) = payments(Amount::ZERO) else { return };

    let analysis = counts.analysis(Kind::FirstTwo);

    show(&analysis);
    assert_eq!(analysis.amounts, 185_083);
    assert_eq!(format!("{:.9}", analysis.mad), "0.002336614");
    assert_eq!(analysis.conformity, Some(Conformity::None));
    // Published as 32,094: digits taken from floats put a few amounts before their digits.
    assert_eq!(format!("{:.3}", analysis.chi_square), "32100.901");
    let mut digits = analysis.digits.clone();
    digits.sort_by(|one, other| {
        other.excess(analysis.amounts).abs().total_cmp(&one.excess(analysis.amounts).abs())
    });
    let largest: Vec<_> = digits[..5]
        .iter()
        .map(|digit| (digit.digits, format!("{:.2}", digit.excess(analysis.amounts).abs())))
        .collect();
    assert_eq!(
        largest,
        [(50, "5938.25"), (11, "3331.98"), (10, "2811.92"), (14, "1043.68"), (98, "889.95")]
            .map(|(digits, excess)| (digits, excess.to_string()))
    );
}

#[test]
fn the_other_tests_of_digits_say_how_far_the_payments_are_from_the_law() {
    let Some(counts) = payments(journal::benford::LEAST) else { return };

    assert_eq!(counts.amounts(), 177_763);
    for kind in Kind::ALL {
        let analysis = counts.analysis(kind);

        show(&analysis);
        assert_eq!(analysis.digits.iter().map(|digit| digit.observed).sum::<u64>(), analysis.amounts);
    }
}
