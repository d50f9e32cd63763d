//! A drawing as SVG inside the page. Colours are classes, so that the page can turn dark.

use std::fmt::Write as _;

use super::escape;
use crate::report::draw::{Anchor, Drawing, HEAT_LEVELS, Ink, Shape};

pub(super) fn svg(drawing: &Drawing, title: &str) -> String {
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}. The numbers are in the table below.\">\n",
        drawing.width,
        drawing.height,
        escape(title)
    );
    drawing.shapes.iter().for_each(|shape| write_shape(&mut svg, shape));
    svg.push_str("</svg>\n");
    svg
}

fn write_shape(svg: &mut String, shape: &Shape) {
    // Writing to a string cannot fail.
    let _ = match shape {
        Shape::Rect { x, y, width, height, ink } => writeln!(
            svg,
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" class=\"{}\"/>",
            class(*ink)
        ),
        Shape::Line { from, to, width, ink } => writeln!(
            svg,
            "<path d=\"M{:.2} {:.2}L{:.2} {:.2}\" stroke-width=\"{width}\" class=\"s {}\"/>",
            from.0,
            from.1,
            to.0,
            to.1,
            class(*ink)
        ),
        Shape::Path { points, width, ink } => {
            let mut path = String::new();
            for (place, (x, y)) in points.iter().enumerate() {
                let _ = write!(path, "{}{x:.2} {y:.2}", if place == 0 { 'M' } else { 'L' });
            }
            writeln!(svg, "<path d=\"{path}\" stroke-width=\"{width}\" class=\"s {}\"/>", class(*ink))
        }
        Shape::Dot { x, y, radius, ink } => {
            writeln!(svg, "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" class=\"{}\"/>", class(*ink))
        }
        Shape::Text { x, y, size, anchor, turned, ink, text } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let turn =
                if *turned { format!(" transform=\"rotate(-90 {x:.2} {y:.2})\"") } else { String::new() };
            writeln!(
                svg,
                "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{size}\" text-anchor=\"{anchor}\" class=\"{}\"{turn}>{}</text>",
                class(*ink),
                escape(text)
            )
        }
    };
}

fn class(ink: Ink) -> String {
    match ink {
        Ink::Text => "i-text".into(),
        Ink::Accent => "i-accent".into(),
        Ink::Raised => "i-raised".into(),
        Ink::Muted => "i-muted".into(),
        Ink::Grid => "i-grid".into(),
        Ink::Bar => "i-bar".into(),
        Ink::Contrast => "i-contrast".into(),
        Ink::Low => "i-low".into(),
        Ink::Medium => "i-medium".into(),
        Ink::High => "i-high".into(),
        Ink::Count(level) => format!("i-count{level}"),
        Ink::Heat(level) => format!("i-heat{level}"),
        Ink::OnHeat(level) if level * 2 > HEAT_LEVELS => "i-on-strong".into(),
        Ink::OnHeat(_) => "i-on-weak".into(),
    }
}

/// A level of heat keeps its colour on a dark page: the text on it is chosen for it.
pub(super) fn heat_rule(level: u8) -> String {
    let hex = |ink: Ink| {
        let (red, green, blue) = ink.rgb();
        format!("#{red:02x}{green:02x}{blue:02x}")
    };
    format!(
        ".i-count{level}{{fill:{}}} .i-heat{level}{{fill:{}}}",
        hex(Ink::Count(level)),
        hex(Ink::Heat(level))
    )
}
