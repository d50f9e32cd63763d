//! What figures are made of. Coordinates are points, from the upper left corner.

/// What a shape means, so that a page can have it in dark and in light, and paper in print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Accent,
    Raised,
    Muted,
    Grid,
    Bar,
    Contrast,
    Low,
    Medium,
    High,
    /// Of [`HEAT_LEVELS`], how many entries.
    Count(u8),
    /// Of [`HEAT_LEVELS`], how unusual.
    Heat(u8),
    /// A text on a level of heat.
    OnHeat(u8),
}

pub(super) const HEAT_LEVELS: u8 = 8;

impl Ink {
    /// In print, and on a light page.
    pub(super) fn rgb(self) -> (u8, u8, u8) {
        match self {
            Self::Text => (0x1f, 0x29, 0x33),
            Self::Accent => (0x1f, 0x4e, 0x79),
            Self::Raised => (0xf1, 0xf4, 0xf7),
            Self::Muted => (0x5f, 0x6c, 0x7b),
            Self::Grid => (0xdd, 0xe2, 0xe8),
            Self::Bar => (0x2f, 0x6a, 0x9f),
            Self::Contrast => (0xc2, 0x57, 0x1a),
            Self::Low => (0x86, 0xa3, 0xbd),
            Self::Medium => (0xd0, 0x8b, 0x12),
            Self::High => (0xb3, 0x26, 0x1e),
            Self::Count(level) => between((0xe8, 0xf0, 0xf7), (0x1b, 0x4c, 0x7a), level),
            Self::Heat(level) => between((0xfd, 0xf0, 0xe3), (0x9c, 0x3a, 0x0a), level),
            Self::OnHeat(level) if level * 2 > HEAT_LEVELS => (0xff, 0xff, 0xff),
            Self::OnHeat(_) => Self::Text.rgb(),
        }
    }
}

fn between(from: (u8, u8, u8), to: (u8, u8, u8), level: u8) -> (u8, u8, u8) {
    let last = u16::from(HEAT_LEVELS - 1);
    let level = u16::from(level).min(last);
    let mix = |from: u8, to: u8| ((u16::from(from) * (last - level) + u16::from(to) * level) / last) as u8;
    (mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Rect {
        x: f64,
        y: f64,
        width: f64,
        height: f64,
        ink: Ink,
    },
    Line {
        from: (f64, f64),
        to: (f64, f64),
        width: f64,
        ink: Ink,
    },
    Path {
        points: Vec<(f64, f64)>,
        width: f64,
        ink: Ink,
    },
    Dot {
        x: f64,
        y: f64,
        radius: f64,
        ink: Ink,
    },
    /// `y` is where the letters stand. A turned text reads upwards.
    Text {
        x: f64,
        y: f64,
        size: f64,
        anchor: Anchor,
        turned: bool,
        ink: Ink,
        text: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Drawing {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) shapes: Vec<Shape>,
}

impl Drawing {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, shapes: Vec::new() }
    }

    pub(super) fn rect(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), ink: Ink) {
        self.shapes.push(Shape::Rect { x, y, width, height, ink });
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), ink: Ink) {
        self.shapes.push(Shape::Line { from, to, width: 0.6, ink });
    }

    pub(super) fn path(&mut self, points: Vec<(f64, f64)>, width: f64, ink: Ink) {
        self.shapes.push(Shape::Path { points, width, ink });
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, ink: Ink) {
        self.shapes.push(Shape::Dot { x, y, radius, ink });
    }

    pub(super) fn text(&mut self, at: (f64, f64), anchor: Anchor, ink: Ink, text: impl Into<String>) {
        self.sized_text(at, 8.0, anchor, ink, text);
    }

    pub(super) fn sized_text(
        &mut self,
        (x, y): (f64, f64),
        size: f64,
        anchor: Anchor,
        ink: Ink,
        text: impl Into<String>,
    ) {
        self.shapes.push(Shape::Text { x, y, size, anchor, turned: false, ink, text: text.into() });
    }

    pub(super) fn turned_text(&mut self, (x, y): (f64, f64), ink: Ink, text: impl Into<String>) {
        let text = text.into();
        self.shapes.push(Shape::Text { x, y, size: 8.0, anchor: Anchor::Middle, turned: true, ink, text });
    }
}
