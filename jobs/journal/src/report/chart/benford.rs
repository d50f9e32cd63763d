//! Digits as they are, against digits as they should be.

use super::WIDTH;
use super::axis::{Area, Scale, axis_name, base_line, left_axis};
use crate::report::document::{Figure, Table, count, number, percent, text};
use crate::report::draw::{Anchor, Drawing, Ink};
use crate::result::Benford;

const AREA: Area = Area { left: 56.0, top: 22.0, width: WIDTH - 66.0, height: 150.0 };
/// Every digit is named if there are no more than these; else every tenth.
const ALL_NAMED: usize = 12;

pub(in crate::report) fn benford(benford: &Benford) -> Figure {
    let mut drawing = Drawing::new(WIDTH, AREA.bottom() + 34.0);
    let share = |observed: u64| observed as f64 / benford.amounts.max(1) as f64;
    let most = benford
        .digits
        .iter()
        .flat_map(|digit| [digit.expected, share(digit.observed)])
        .max_by(f64::total_cmp)
        .unwrap_or(0.0);
    let heights = Scale::up_to(most * 100.0);
    left_axis(&mut drawing, AREA, heights, "share of amounts", " %");
    let slot = AREA.width / benford.digits.len().max(1) as f64;
    let bar = slot * if benford.digits.len() <= ALL_NAMED { 0.6 } else { 0.75 };
    let mut expected = Vec::with_capacity(benford.digits.len());
    for (place, digit) in benford.digits.iter().enumerate() {
        let middle = AREA.left + (place as f64 + 0.5) * slot;
        let height = heights.place(share(digit.observed) * 100.0) * AREA.height;
        drawing.rect((middle - bar / 2.0, AREA.bottom() - height), (bar, height), Ink::Bar);
        expected.push((middle, AREA.bottom() - heights.place(digit.expected * 100.0) * AREA.height));
        if benford.digits.len() <= ALL_NAMED || digit.digits.is_multiple_of(10) {
            let name = benford.kind.digits(digit.digits);
            drawing.text((middle, AREA.bottom() + 12.0), Anchor::Middle, Ink::Muted, name);
        }
    }
    drawing.path(expected, 1.4, Ink::Contrast);
    base_line(&mut drawing, AREA);
    axis_name(&mut drawing, AREA, "digits");
    drawing.rect((AREA.left, 5.0), (9.0, 9.0), Ink::Bar);
    drawing.text((AREA.left + 14.0, 12.5), Anchor::Start, Ink::Text, "observed");
    drawing.path(vec![(AREA.left + 70.0, 9.5), (AREA.left + 86.0, 9.5)], 1.4, Ink::Contrast);
    drawing.text((AREA.left + 91.0, 12.5), Anchor::Start, Ink::Text, "expected");
    Figure {
        title: format!("Benford: {}", benford.kind.title().to_lowercase()),
        caption: format!(
            "{} of {}. Mean absolute deviation {:.6}, chi-square {:.2} with {} degrees of freedom: {}.",
            count(benford.amounts),
            benford.population,
            benford.mad,
            benford.chi_square,
            benford.degrees,
            benford.conclusion
        ),
        drawing,
        table: Table {
            caption: "Digits, observed and expected".into(),
            columns: vec![
                text("Digits", 16),
                number("Observed", 28),
                number("Share", 28),
                number("Expected", 28),
            ],
            rows: benford
                .digits
                .iter()
                .map(|digit| {
                    vec![
                        benford.kind.digits(digit.digits),
                        count(digit.observed),
                        percent(share(digit.observed)),
                        percent(digit.expected),
                    ]
                })
                .collect(),
            note: String::new(),
        },
    }
}
