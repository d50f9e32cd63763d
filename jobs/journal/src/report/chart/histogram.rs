//! How many entries have which score.

use super::WIDTH;
use super::axis::{Area, Scale, bottom_axis, left_axis};
use crate::report::document::{Figure, Table, count, number, text};
use crate::report::draw::{Drawing, Ink};
use crate::result::Histogram;

const AREA: Area = Area { left: 56.0, top: 10.0, width: WIDTH - 66.0, height: 150.0 };

pub(in crate::report) fn histogram(histogram: &Histogram) -> Figure {
    let mut drawing = Drawing::new(WIDTH, AREA.bottom() + 34.0);
    let most = histogram.counts.iter().max().copied().unwrap_or(0) as f64;
    // Logarithmic, or the few that matter would not be seen beside the many that do not.
    let heights = Scale::decades([1.0, most].into_iter());
    let places = Scale::Linear { from: histogram.from, to: histogram.to };
    left_axis(&mut drawing, AREA, heights, "entries (logarithmic)", "");
    let width = AREA.width / histogram.counts.len().max(1) as f64;
    for (index, &entries) in histogram.counts.iter().enumerate().filter(|(_, entries)| **entries > 0) {
        // A single entry lies on the lowest line, and must be seen all the same.
        let height = (heights.place(entries as f64) * AREA.height).max(2.0);
        let x = AREA.left + places.place(histogram.edge(index)) * AREA.width;
        drawing.rect((x + 0.4, AREA.bottom() - height), ((width - 0.8).max(0.4), height), Ink::Bar);
    }
    bottom_axis(&mut drawing, AREA, places, "score");
    let rows = histogram
        .counts
        .iter()
        .enumerate()
        .filter(|(_, entries)| **entries > 0)
        .map(|(index, entries)| {
            let (from, to) = (histogram.edge(index), histogram.edge(index + 1));
            vec![format!("{from:.3} to {to:.3}"), count(*entries)]
        })
        .collect();
    Figure {
        title: "Scores".into(),
        caption: "Entries per range of the score. Most are ordinary; those at the right are not.".into(),
        drawing,
        table: Table {
            caption: "Entries per range of the score".into(),
            columns: vec![text("Score", 50), number("Entries", 50)],
            rows,
            note: String::new(),
        },
    }
}
