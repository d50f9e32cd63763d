//! Amounts against scores, for a sample of the population.

use super::WIDTH;
use super::axis::{Area, Scale, bottom_axis, left_axis};
use crate::report::document::{Figure, Table, count, number, text};
use crate::report::draw::{Anchor, Drawing, Ink};
use crate::result::{Band, ScatterPoint};

const AREA: Area = Area { left: 56.0, top: 22.0, width: WIDTH - 66.0, height: 220.0 };

pub(in crate::report) fn scatter(points: &[ScatterPoint]) -> Figure {
    let mut drawing = Drawing::new(WIDTH, AREA.bottom() + 34.0);
    let amounts = Scale::decades(points.iter().map(|point| point.amount));
    let scores = Scale::Linear { from: 0.0, to: 1.0 };
    left_axis(&mut drawing, AREA, scores, "score", "");
    // The risky ones last, so that no ordinary one hides them.
    for band in Band::ALL {
        for point in points.iter().filter(|point| point.band == band) {
            let x = AREA.left + amounts.place(point.amount) * AREA.width;
            let y = AREA.bottom() - scores.place(point.score) * AREA.height;
            drawing.dot((x, y), radius(band), ink(band));
        }
    }
    bottom_axis(&mut drawing, AREA, amounts, "amount (logarithmic)");
    for (place, band) in Band::ALL.into_iter().enumerate() {
        let x = AREA.left + place as f64 * 80.0;
        drawing.dot((x + 4.0, 9.0), radius(band) + 0.6, ink(band));
        drawing.text((x + 12.0, 12.0), Anchor::Start, Ink::Text, format!("{} risk", band.name()));
    }
    Figure {
        title: "Amounts and scores".into(),
        caption: format!("A seeded sample of {} entries.", count(points.len() as u64)),
        drawing,
        table: table(points),
    }
}

fn radius(band: Band) -> f64 {
    match band {
        Band::Low => 1.1,
        Band::Medium => 1.7,
        Band::High => 2.4,
    }
}

fn ink(band: Band) -> Ink {
    match band {
        Band::Low => Ink::Low,
        Band::Medium => Ink::Medium,
        Band::High => Ink::High,
    }
}

/// A row for each decade of amounts: nobody reads two thousand points.
fn table(points: &[ScatterPoint]) -> Table {
    let Scale::Log { from, to } = Scale::decades(points.iter().map(|point| point.amount)) else {
        return Table::default();
    };
    let rows = (from..to)
        .filter_map(|power| {
            let (least, most) = (libm::pow(10.0, f64::from(power)), libm::pow(10.0, f64::from(power + 1)));
            let is_last = power + 1 == to;
            let inside = |point: &&ScatterPoint| {
                (least..most).contains(&point.amount) || (is_last && point.amount == most)
            };
            let inside: Vec<_> = points.iter().filter(inside).collect();
            let of = |band| count(inside.iter().filter(|point| point.band == band).count() as u64);
            let highest = inside.iter().map(|point| point.score).max_by(f64::total_cmp)?;
            let amounts = format!("{least} to {most}");
            Some(vec![amounts, of(Band::Low), of(Band::Medium), of(Band::High), format!("{highest:.4}")])
        })
        .collect();
    Table {
        caption: "Entries of the sample by amount and band".into(),
        columns: vec![
            text("Amount", 36),
            number("Low", 14),
            number("Medium", 14),
            number("High", 14),
            number("Highest score", 22),
        ],
        rows,
        note: String::new(),
    }
}
