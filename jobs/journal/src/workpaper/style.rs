//! How the cells look. Made once: a workbook has one table of formats.

use rust_xlsxwriter::{Color, Format, FormatAlign, FormatBorder};

use crate::result::Band;

pub(super) const INK: Color = Color::RGB(0x1f2933);
pub(super) const ACCENT: Color = Color::RGB(0x1f4e79);
pub(super) const CONTRAST: Color = Color::RGB(0xc2571a);
const RULE: Color = Color::RGB(0xd5dbe1);
const MUTED: Color = Color::RGB(0x5f6c7b);
const TO_FILL: Color = Color::RGB(0xfffbe6);

pub(super) struct Styles {
    pub(super) title: Format,
    pub(super) heading: Format,
    pub(super) note: Format,
    pub(super) label: Format,
    pub(super) header: Format,
    pub(super) number_header: Format,
    pub(super) text: Format,
    pub(super) count: Format,
    pub(super) count_of_fact: Format,
    pub(super) money: Format,
    pub(super) money_as_text: Format,
    pub(super) share: Format,
    pub(super) decimal: Format,
    pub(super) plain: Format,
    pub(super) date: Format,
    pub(super) to_fill: Format,
    pub(super) link: Format,
    bands: [Format; 3],
}

impl Styles {
    pub(super) fn new() -> Self {
        let base = Format::new().set_font_name("Calibri").set_font_size(10).set_font_color(INK);
        let cell = base
            .clone()
            .set_align(FormatAlign::Top)
            .set_border_bottom(FormatBorder::Thin)
            .set_border_bottom_color(RULE);
        let text = cell.clone().set_text_wrap().set_align(FormatAlign::Left).set_indent(1).set_quote_prefix();
        let band = |back| text.clone().set_bold().set_background_color(Color::RGB(back));
        let header = base
            .clone()
            .set_bold()
            .set_font_color(Color::White)
            .set_background_color(ACCENT)
            .set_text_wrap()
            .set_align(FormatAlign::Top);
        Self {
            title: base.clone().set_bold().set_font_size(18).set_font_color(ACCENT),
            heading: base.clone().set_bold().set_font_size(12).set_font_color(ACCENT),
            note: base.clone().set_font_color(MUTED).set_quote_prefix(),
            label: cell.clone().set_font_color(MUTED).set_text_wrap(),
            number_header: header.clone().set_align(FormatAlign::Right),
            header: header.set_align(FormatAlign::Left).set_indent(1),
            count: cell.clone().set_num_format("#,##0"),
            count_of_fact: cell.clone().set_num_format("#,##0").set_align(FormatAlign::Left).set_indent(1),
            money: cell.clone().set_num_format("#,##0.00##"),
            money_as_text: text.clone().set_align(FormatAlign::Right),
            share: cell.clone().set_num_format("0.00%"),
            decimal: cell.clone().set_num_format("0.0000"),
            plain: cell.clone(),
            date: cell.clone().set_num_format("yyyy-mm-dd").set_align(FormatAlign::Left).set_indent(1),
            to_fill: base
                .set_text_wrap()
                .set_align(FormatAlign::Top)
                .set_border(FormatBorder::Thin)
                .set_border_color(RULE)
                .set_background_color(TO_FILL)
                .set_unlocked(),
            link: cell.set_font_color(ACCENT).set_underline(rust_xlsxwriter::FormatUnderline::Single),
            bands: [text.clone(), band(0xfff1cc), band(0xf9dcd4)],
            text,
        }
    }

    pub(super) fn band(&self, band: Band) -> &Format {
        match band {
            Band::Low => &self.bands[0],
            Band::Medium => &self.bands[1],
            Band::High => &self.bands[2],
        }
    }
}
