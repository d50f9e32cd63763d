//! From a value to a place on paper.

use crate::report::draw::{Anchor, Drawing, Ink};

/// The rectangle in which values are drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn right(self) -> f64 {
        self.left + self.width
    }

    pub(super) fn bottom(self) -> f64 {
        self.top + self.height
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Scale {
    Linear {
        from: f64,
        to: f64,
    },
    /// Decades; `from` and `to` are exponents of ten.
    Log {
        from: i32,
        to: i32,
    },
}

impl Scale {
    /// From zero to a round number that holds the value.
    pub(super) fn up_to(most: f64) -> Self {
        let step = nice_step(most);
        Self::Linear { from: 0.0, to: step * libm::ceil(most / step).max(1.0) }
    }

    /// The decades that hold all values; values of zero and less have no place.
    pub(super) fn decades(values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = values
            .filter(|value| *value > 0.0 && value.is_finite())
            .fold((f64::INFINITY, 0.0_f64), |(least, most), value| (least.min(value), most.max(value)));
        if most == 0.0 {
            return Self::Log { from: 0, to: 1 };
        }
        let from = libm::floor(libm::log10(least)) as i32;
        let to = libm::ceil(libm::log10(most)) as i32;
        Self::Log { from, to: to.max(from + 1) }
    }

    /// From 0 to 1; beyond the scale, its end.
    pub(super) fn place(self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { from, to } => (value - from) / (to - from),
            Self::Log { .. } if value <= 0.0 => 0.0,
            Self::Log { from, to } => (libm::log10(value) - f64::from(from)) / f64::from(to - from),
        };
        place.clamp(0.0, 1.0)
    }

    /// Values that get a mark, with what is written there.
    pub(super) fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Log { from, to } => {
                // Of many decades, not each is named.
                let every = ((to - from) / 8 + 1) as usize;
                (from..=to)
                    .step_by(every)
                    .map(|power| (libm::pow(10.0, f64::from(power)), short(power)))
                    .collect()
            }
            Self::Linear { from, to } => {
                let step = nice_step(to - from);
                let first = libm::ceil(from / step - 1e-9) as i64;
                let last = libm::floor(to / step + 1e-9) as i64;
                let decimals = (-libm::floor(libm::log10(step))).max(0.0) as usize;
                (first..=last).map(|n| (n as f64 * step, format!("{:.decimals$}", n as f64 * step))).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, so that about five of them make the range.
fn nice_step(range: f64) -> f64 {
    if range <= 0.0 || !range.is_finite() {
        return 1.0;
    }
    let raw = range / 5.0;
    let power = libm::pow(10.0, libm::floor(libm::log10(raw)));
    let step = [1.0, 2.0, 5.0].into_iter().find(|step| raw <= step * power * 1.000_001).unwrap_or(10.0);
    step * power
}

fn short(power: i32) -> String {
    match power {
        ..0 => format!("0.{}1", "0".repeat((-power - 1) as usize)),
        0..3 => 10_u64.pow(power as u32).to_string(),
        3..6 => format!("{}k", 10_u64.pow(power as u32 - 3)),
        6..9 => format!("{}m", 10_u64.pow(power as u32 - 6)),
        9..12 => format!("{}bn", 10_u64.pow(power as u32 - 9)),
        _ => format!("1e{power}"),
    }
}

/// Lines across the area, their numbers on the left, and the axis' name beside them.
pub(super) fn left_axis(drawing: &mut Drawing, area: Area, scale: Scale, name: &str, suffix: &str) {
    for (value, text) in scale.ticks() {
        let y = area.bottom() - scale.place(value) * area.height;
        drawing.line((area.left, y), (area.right(), y), Ink::Grid);
        drawing.text((area.left - 6.0, y + 2.8), Anchor::End, Ink::Muted, format!("{text}{suffix}"));
    }
    drawing.turned_text((area.left - 40.0, area.top + area.height / 2.0), Ink::Muted, name);
}

/// Marks below the area with their numbers, and the axis' name.
pub(super) fn bottom_axis(drawing: &mut Drawing, area: Area, scale: Scale, name: &str) {
    for (value, text) in scale.ticks() {
        let x = area.left + scale.place(value) * area.width;
        drawing.line((x, area.bottom()), (x, area.bottom() + 3.0), Ink::Muted);
        drawing.text((x, area.bottom() + 12.0), Anchor::Middle, Ink::Muted, text);
    }
    base_line(drawing, area);
    axis_name(drawing, area, name);
}

pub(super) fn base_line(drawing: &mut Drawing, area: Area) {
    drawing.line((area.left, area.bottom()), (area.right(), area.bottom()), Ink::Muted);
}

pub(super) fn axis_name(drawing: &mut Drawing, area: Area, name: &str) {
    drawing.text((area.left + area.width / 2.0, area.bottom() + 26.0), Anchor::Middle, Ink::Muted, name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_stand_at_round_numbers() {
        let texts =
            |scale: Scale| scale.ticks().into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(" ");
        for (scale, expected) in [
            (Scale::Linear { from: 0.0, to: 1.0 }, "0.0 0.2 0.4 0.6 0.8 1.0"),
            (Scale::up_to(0.33), "0.0 0.1 0.2 0.3 0.4"),
            (Scale::up_to(4_700.0), "0 1000 2000 3000 4000 5000"),
            (Scale::up_to(0.0), "0.0 0.2 0.4 0.6 0.8 1.0"),
            (Scale::decades([3.0, 45_000.0].into_iter()), "1 10 100 1k 10k 100k"),
            (Scale::decades([0.0, -5.0].into_iter()), "1 10"),
            (Scale::decades([0.01, 0.02].into_iter()), "0.01 0.1"),
        ] {
            assert_eq!(texts(scale), expected);
        }
    }

    #[test]
    fn every_value_has_a_place_inside() {
        let scale = Scale::decades([1.0, 1e6].into_iter());
        for (value, place) in [(0.0, 0.0), (-3.0, 0.0), (1.0, 0.0), (1_000.0, 0.5), (1e6, 1.0), (1e300, 1.0)]
        {
            assert_eq!(scale.place(value), place);
        }
    }
}
