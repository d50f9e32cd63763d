//! Pages that fill from top to bottom. Places are given from the upper left corner; only here they are turned to the
//! lower left, where PDF has its origin.

use pdf_writer::types::LineCapStyle;
use pdf_writer::{Content, Name, Str, TextStr};

use super::font::{Font, shown};
use crate::report::draw::{Anchor, Drawing, Ink, Shape};

pub(super) const PAGE: (f32, f32) = (595.0, 842.0);
pub(super) const MARGIN: f32 = 47.5;
pub(super) const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;
const TOP: f32 = 54.0;
const BOTTOM: f32 = PAGE.1 - 60.0;

/// Where a section begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) title: String,
    pub(super) page: usize,
    pub(super) y: f32,
}

pub(super) struct Layout {
    pub(super) pages: Vec<Content>,
    pub(super) marks: Vec<Mark>,
    /// Whether some text is shown by other letters than its own.
    pub(super) is_exact: bool,
    pub(super) y: f32,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub(super) font: Font,
    pub(super) size: f32,
    pub(super) ink: Ink,
}

impl Type {
    pub(super) const fn new(font: Font, size: f32, ink: Ink) -> Self {
        Self { font, size, ink }
    }

    /// From one line to the next.
    pub(super) fn leading(self) -> f32 {
        self.size * 1.35
    }
}

impl Layout {
    pub(super) fn new() -> Self {
        Self { pages: vec![Content::new()], marks: Vec::new(), is_exact: true, y: TOP }
    }

    pub(super) fn new_page(&mut self) {
        self.pages.push(Content::new());
        self.y = TOP;
    }

    pub(super) fn page(&self) -> usize {
        self.pages.len() - 1
    }

    /// Goes to a new page unless as much is left of this one.
    pub(super) fn need(&mut self, height: f32) -> bool {
        let is_short = self.y + height > BOTTOM && self.y > TOP;
        if is_short {
            self.new_page();
        }
        is_short
    }

    pub(super) fn mark(&mut self, title: &str) {
        self.marks.push(Mark { title: title.into(), page: self.page(), y: self.y });
    }

    /// Lines of a text from here downwards, on as many pages as they need.
    pub(super) fn paragraph(&mut self, left: f32, width: f32, look: Type, text: &str) {
        for line in look.font.wrap(text, look.size, width) {
            self.need(look.leading());
            self.text((left, self.y + look.size), look, Anchor::Start, &line);
            self.y += look.leading();
        }
    }

    pub(super) fn text(&mut self, at: (f32, f32), look: Type, anchor: Anchor, text: &str) {
        let page = self.page();
        self.text_on(page, at, look, anchor, text);
    }

    pub(super) fn text_on(&mut self, page: usize, at: (f32, f32), look: Type, anchor: Anchor, text: &str) {
        let width = look.font.width(text, look.size);
        let x = at.0
            - match anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => width / 2.0,
                Anchor::End => width,
            };
        self.show(page, [1.0, 0.0, 0.0, 1.0, x, PAGE.1 - at.1], look, text);
    }

    fn show(&mut self, page: usize, matrix: [f32; 6], look: Type, text: &str) {
        let shown = shown(text);
        self.is_exact &= shown.is_exact;
        let content = &mut self.pages[page];
        if !shown.is_exact {
            let mut marked = content.begin_marked_content_with_properties(Name(b"Span"));
            marked.properties().actual_text(TextStr(text));
        }
        let (red, green, blue) = rgb(look.ink);
        content.begin_text();
        content.set_fill_rgb(red, green, blue).set_font(look.font.name(), look.size);
        content.set_text_matrix(matrix.map(round)).show(Str(&shown.bytes));
        content.end_text();
        if !shown.is_exact {
            content.end_marked_content();
        }
    }

    pub(super) fn rect(&mut self, (x, y): (f32, f32), (width, height): (f32, f32), ink: Ink) {
        let page = self.page();
        self.rect_on(page, (x, y), (width, height), ink);
    }

    pub(super) fn rect_on(&mut self, page: usize, (x, y): (f32, f32), (width, height): (f32, f32), ink: Ink) {
        let (red, green, blue) = rgb(ink);
        let content = &mut self.pages[page];
        content.set_fill_rgb(red, green, blue);
        content.rect(round(x), round(PAGE.1 - y - height), round(width), round(height)).fill_nonzero();
    }

    pub(super) fn rule(&mut self, from: (f32, f32), to: (f32, f32), width: f32, ink: Ink) {
        self.path(&[from, to], width, ink);
    }

    fn path(&mut self, points: &[(f32, f32)], width: f32, ink: Ink) {
        let (red, green, blue) = rgb(ink);
        let page = self.page();
        let content = &mut self.pages[page];
        content.set_stroke_rgb(red, green, blue).set_line_width(width);
        for (place, &(x, y)) in points.iter().enumerate() {
            let (x, y) = (round(x), round(PAGE.1 - y));
            if place == 0 {
                content.move_to(x, y);
            } else {
                content.line_to(x, y);
            }
        }
        content.stroke();
    }

    /// The end of the page's text, for what is drawn down to it.
    pub(super) fn bottom() -> f32 {
        BOTTOM
    }

    pub(super) fn top() -> f32 {
        TOP
    }

    /// From here downwards, as wide as the page's text.
    pub(super) fn drawing(&mut self, drawing: &Drawing) {
        let scale = WIDTH / drawing.width as f32;
        let top = self.y;
        let place = |(x, y): (f64, f64)| (MARGIN + x as f32 * scale, top + y as f32 * scale);
        for shape in &drawing.shapes {
            match shape {
                Shape::Rect { x, y, width, height, ink } => {
                    self.rect(place((*x, *y)), (*width as f32 * scale, *height as f32 * scale), *ink);
                }
                Shape::Line { from, to, width, ink } => {
                    self.rule(place(*from), place(*to), *width as f32 * scale, *ink);
                }
                Shape::Path { points, width, ink } => {
                    let points: Vec<_> = points.iter().map(|&point| place(point)).collect();
                    self.path(&points, *width as f32 * scale, *ink);
                }
                Shape::Dot { x, y, radius, ink } => self.dot(place((*x, *y)), *radius as f32 * scale, *ink),
                Shape::Text { x, y, size, anchor, turned, ink, text } => {
                    let look = Type::new(Font::Regular, *size as f32 * scale, *ink);
                    let at = place((*x, *y));
                    if *turned {
                        let length = look.font.width(text, look.size);
                        let matrix = [0.0, 1.0, -1.0, 0.0, at.0, PAGE.1 - at.1 - length / 2.0];
                        self.show(self.page(), matrix, look, text);
                    } else {
                        self.text(at, look, *anchor, text);
                    }
                }
            }
        }
        self.y += drawing.height as f32 * scale;
    }

    /// A line of no length with a round pen: a tenth of the bytes of a circle.
    fn dot(&mut self, (x, y): (f32, f32), radius: f32, ink: Ink) {
        let (red, green, blue) = rgb(ink);
        let page = self.page();
        let content = &mut self.pages[page];
        content.save_state().set_line_cap(LineCapStyle::RoundCap);
        content.set_stroke_rgb(red, green, blue).set_line_width(radius * 2.0);
        let (x, y) = (round(x), round(PAGE.1 - y));
        content.move_to(x, y).line_to(x, y).stroke().restore_state();
    }
}

/// Hundredths of a point are finer than any printer.
fn round(value: f32) -> f32 {
    (value * 100.0).round() / 100.0
}

fn rgb(ink: Ink) -> (f32, f32, f32) {
    let (red, green, blue) = ink.rgb();
    let share = |part: u8| (f32::from(part) / 255.0 * 1_000.0).round() / 1_000.0;
    (share(red), share(green), share(blue))
}
