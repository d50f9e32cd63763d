//! The report as a PDF of A4 pages, with bookmarks, in the fonts that every reader has.

use pdf_writer::{Finish, Name, Pdf, Rect, Ref, TextStr};

use super::document::{Block, Document, ROLES};
use super::draw::{Anchor, Ink};
use font::Font;
use layout::{Layout, MARGIN, Mark, PAGE, Type, WIDTH};

mod blocks;
mod font;
mod layout;

const TITLE: Type = Type::new(Font::Bold, 24.0, Ink::Accent);
const SUBTITLE: Type = Type::new(Font::Regular, 12.0, Ink::Muted);
const SMALL: Type = Type::new(Font::Regular, 7.5, Ink::Muted);
const NUMBERS: &str = "The numbers behind the charts";

pub(super) fn file(document: &Document) -> Vec<u8> {
    // Once to learn on which page each section begins, and again with the contents.
    let marks = set(document, &[]).marks;
    let mut layout = set(document, &marks);
    footers(&mut layout, document);
    assemble(layout, document)
}

fn set(document: &Document, marks: &[Mark]) -> Layout {
    let mut layout = Layout::new();
    cover(&mut layout, document, marks);
    for section in &document.sections {
        blocks::section(&mut layout, &section.title);
        section.blocks.iter().for_each(|block| blocks::block(&mut layout, block));
    }
    // On a page a table cannot be folded away, so it comes last.
    blocks::section(&mut layout, NUMBERS);
    let figures =
        document.sections.iter().flat_map(|section| &section.blocks).filter_map(|block| match block {
            Block::Figure(figure) => Some(figure),
            _ => None,
        });
    for figure in figures {
        blocks::table(&mut layout, &figure.table);
    }
    layout
}

fn cover(layout: &mut Layout, document: &Document, marks: &[Mark]) {
    layout.paragraph(MARGIN, WIDTH, TITLE, &document.title);
    layout.paragraph(MARGIN, WIDTH, SUBTITLE, &document.subtitle);
    layout.y += 14.0;
    figures(layout, &document.figures);
    layout.paragraph(MARGIN, WIDTH, SMALL, "Every number here follows from these values.");
    layout.y += 4.0;
    blocks::facts(layout, &document.provenance, Font::Mono);
    layout.y += 6.0;
    sign_off(layout);
    contents(layout, document, marks);
    layout.new_page();
}

fn figures(layout: &mut Layout, figures: &[(String, String)]) {
    const GAP: f32 = 8.0;
    const HEIGHT: f32 = 46.0;
    let number = figures.len().max(1) as f32;
    let width = (WIDTH - GAP * (number - 1.0)) / number;
    for (place, (figure, what)) in figures.iter().enumerate() {
        let x = MARGIN + place as f32 * (width + GAP);
        layout.rect((x, layout.y), (width, HEIGHT), Ink::Raised);
        let look = Type::new(Font::Bold, 15.0, Ink::Text);
        // A long number gets smaller, not cut.
        let size = (look.size * (width - 14.0) / look.font.width(figure, look.size)).min(look.size);
        layout.text((x + 7.0, layout.y + 22.0), Type { size, ..look }, Anchor::Start, figure);
        layout.text((x + 7.0, layout.y + 36.0), SMALL, Anchor::Start, what);
    }
    layout.y += HEIGHT + 16.0;
}

fn sign_off(layout: &mut Layout) {
    for role in ROLES {
        layout.y += 24.0;
        layout.text((MARGIN, layout.y), Type { size: 9.0, ..SMALL }, Anchor::Start, role);
        for (from, to, what) in [(118.0, 340.0, "name"), (360.0, WIDTH, "date")] {
            layout.rule((MARGIN + from, layout.y + 2.0), (MARGIN + to, layout.y + 2.0), 0.6, Ink::Muted);
            layout.text((MARGIN + from, layout.y + 11.0), SMALL, Anchor::Start, what);
        }
        layout.y += 12.0;
    }
    layout.y += 20.0;
}

fn contents(layout: &mut Layout, document: &Document, marks: &[Mark]) {
    let titles = document.sections.iter().map(|section| &*section.title).chain([NUMBERS]);
    let look = Type::new(Font::Regular, 10.0, Ink::Text);
    for (place, title) in titles.enumerate() {
        layout.y += look.leading() + 2.0;
        layout.text((MARGIN, layout.y), look, Anchor::Start, title);
        if let Some(mark) = marks.get(place) {
            let page = (mark.page + 1).to_string();
            layout.text((MARGIN + WIDTH, layout.y), look, Anchor::End, &page);
        }
        layout.rule((MARGIN, layout.y + 4.0), (MARGIN + WIDTH, layout.y + 4.0), 0.4, Ink::Grid);
    }
}

fn footers(layout: &mut Layout, document: &Document) {
    let pages = layout.pages.len();
    let input = document.provenance.first().map_or("", |(_, hash)| hash);
    let by_code = if layout.is_exact {
        String::new()
    } else {
        " Letters that the fonts lack are shown by near ones or by code; copied text has them as they are."
            .into()
    };
    for page in 0..pages {
        let y = PAGE.1 - 34.0;
        let left = format!("{} · input {}", document.title, input.get(..16).unwrap_or(input));
        layout.text_on(page, (MARGIN, y), SMALL, Anchor::Start, &left);
        let right = format!("page {} of {pages}", page + 1);
        layout.text_on(page, (MARGIN + WIDTH, y), SMALL, Anchor::End, &right);
        if page == 0 {
            layout.text_on(page, (MARGIN, y + 11.0), SMALL, Anchor::Start, by_code.trim());
        }
    }
}

/// Numbers of the objects of a file: catalogue, pages, info, outline, fonts; then two for each page, one for each
/// bookmark.
struct Refs {
    pages: usize,
}

impl Refs {
    const CATALOG: Ref = Ref::new(1);
    const TREE: Ref = Ref::new(2);
    const INFO: Ref = Ref::new(3);
    const OUTLINE: Ref = Ref::new(4);
    const FONTS: i32 = 5;
    const FIRST: i32 = Self::FONTS + Font::ALL.len() as i32;

    fn font(font: Font) -> Ref {
        Ref::new(Self::FONTS + font as i32)
    }

    fn page(&self, page: usize) -> Ref {
        Ref::new(Self::FIRST + 2 * page as i32)
    }

    fn content(&self, page: usize) -> Ref {
        Ref::new(Self::FIRST + 2 * page as i32 + 1)
    }

    fn bookmark(&self, number: usize) -> Ref {
        Ref::new(Self::FIRST + 2 * self.pages as i32 + number as i32)
    }
}

fn assemble(layout: Layout, document: &Document) -> Vec<u8> {
    let Layout { pages, marks, .. } = layout;
    let refs = Refs { pages: pages.len() };
    let mut pdf = Pdf::new();
    let mut catalog = pdf.catalog(Refs::CATALOG);
    catalog.pages(Refs::TREE).outlines(Refs::OUTLINE).lang(TextStr("en"));
    catalog.viewer_preferences().display_doc_title(true);
    catalog.finish();
    let title = format!("{}: {}", document.title, document.subtitle);
    // No time: the same results give the same bytes.
    pdf.document_info(Refs::INFO).title(TextStr(&title)).creator(TextStr("Compline"));
    pdf.pages(Refs::TREE).kids((0..pages.len()).map(|page| refs.page(page))).count(pages.len() as i32);
    for font in Font::ALL {
        pdf.type1_font(Refs::font(font)).base_font(font.base()).encoding_predefined(Name(b"WinAnsiEncoding"));
    }
    for (number, content) in pages.into_iter().enumerate() {
        let mut page = pdf.page(refs.page(number));
        page.parent(Refs::TREE).media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).contents(refs.content(number));
        let mut resources = page.resources();
        let mut fonts = resources.fonts();
        for font in Font::ALL {
            fonts.pair(font.name(), Refs::font(font));
        }
        fonts.finish();
        resources.finish();
        page.finish();
        pdf.stream(refs.content(number), &content.finish());
    }
    outline(&mut pdf, &refs, &marks);
    pdf.finish()
}

fn outline(pdf: &mut Pdf, refs: &Refs, marks: &[Mark]) {
    let mut outline = pdf.outline(Refs::OUTLINE);
    if let Some(last) = marks.len().checked_sub(1) {
        outline.first(refs.bookmark(0)).last(refs.bookmark(last)).count(marks.len() as i32);
    }
    outline.finish();
    for (number, mark) in marks.iter().enumerate() {
        let mut item = pdf.outline_item(refs.bookmark(number));
        item.title(TextStr(&mark.title)).parent(Refs::OUTLINE);
        if number > 0 {
            item.prev(refs.bookmark(number - 1));
        }
        if number + 1 < marks.len() {
            item.next(refs.bookmark(number + 1));
        }
        item.dest().page(refs.page(mark.page)).xyz(0.0, PAGE.1 - mark.y, None);
    }
}
