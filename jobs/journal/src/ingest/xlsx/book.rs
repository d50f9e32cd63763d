//! What a workbook says beside its sheets: their names, shared texts, and which styles show dates.

use std::io::{BufRead, BufReader};

use super::Cell;
use super::cell::{self, Kind};
use super::package::Package;
use crate::ingest::ReadError;
use crate::ingest::xml::{Node, Xml};

/// All shared texts together, in bytes: they are the one thing that must be kept.
const MOST_SHARED: usize = 256 << 20;

pub(super) struct Book {
    /// The part that holds the sheet.
    pub(super) sheet: String,
    since_1904: bool,
    shared: Texts,
    /// By the number of the style.
    dates: Vec<bool>,
}

/// One behind the other.
#[derive(Default)]
struct Texts {
    text: String,
    ends: Vec<u32>,
}

impl Book {
    pub(super) fn open(package: &Package, sheet: Option<&str>) -> Result<Self, ReadError> {
        let (sheets, since_1904) = sheets(xml(package, "xl/workbook.xml")?)?;
        let (name, id) = match sheet {
            None => sheets.first(),
            Some(asked) => sheets.iter().find(|(name, _)| name == asked),
        }
        .ok_or_else(|| {
            let names: Vec<&str> = sheets.iter().map(|(name, _)| name.as_str()).collect();
            wrong(format!("has no sheet `{}`; it has {}", sheet.unwrap_or_default(), names.join(", ")))
        })?;
        let target = target(xml(package, "xl/_rels/workbook.xml.rels")?, id)?
            .ok_or_else(|| wrong(format!("does not say where sheet `{name}` is")))?;
        let sheet = match target.strip_prefix('/') {
            Some(absolute) => absolute.into(),
            None => format!("xl/{target}"),
        };
        let has = |part: &str| package.has(part);
        let shared = match has("xl/sharedStrings.xml") {
            true => shared(xml(package, "xl/sharedStrings.xml")?)?,
            false => Texts::default(),
        };
        let dates = match has("xl/styles.xml") {
            true => dates(xml(package, "xl/styles.xml")?)?,
            false => Vec::new(),
        };
        Ok(Self { sheet, since_1904, shared, dates })
    }

    pub(super) fn cell(&self, kind: Kind, style: usize, raw: String) -> Result<Cell, ReadError> {
        if raw.is_empty() {
            return Ok(Cell::default());
        }
        Ok(match kind {
            Kind::Number => {
                cell::number(&raw, self.dates.get(style).copied().unwrap_or(false), self.since_1904)
            }
            Kind::Text | Kind::Error => Cell { text: raw, exact: false },
            Kind::Bool => Cell { text: if raw == "1" { "true" } else { "false" }.into(), exact: false },
            Kind::Shared => {
                let text = raw.trim().parse().ok().and_then(|index| self.shared.get(index));
                let text = text.ok_or_else(|| wrong(format!("has no shared text {raw}")))?;
                Cell { text: text.into(), exact: false }
            }
        })
    }
}

impl Texts {
    fn get(&self, index: usize) -> Option<&str> {
        let start = if index == 0 { 0 } else { *self.ends.get(index - 1)? };
        self.text.get(start as usize..*self.ends.get(index)? as usize)
    }
}

fn wrong(problem: String) -> ReadError {
    ReadError::Workbook { problem }
}

fn xml(package: &Package, part: &str) -> Result<Xml<impl BufRead + use<>>, ReadError> {
    Ok(Xml::new(BufReader::new(package.part(part)?)))
}

/// Names and relations of the sheets, and whether dates count from 1904.
fn sheets(mut xml: Xml<impl BufRead>) -> Result<(Vec<(String, String)>, bool), ReadError> {
    let (mut sheets, mut since_1904) = (Vec::new(), false);
    loop {
        match xml.next()? {
            Node::Open if xml.name() == "sheet" => {
                let (mut name, mut id) = (String::new(), String::new());
                xml.attributes(&mut |key, value| match key {
                    "name" => name = value.into(),
                    "id" => id = value.into(),
                    _ => {}
                })?;
                sheets.push((name, id));
            }
            Node::Open if xml.name() == "workbookPr" => {
                xml.attributes(&mut |key, value| {
                    since_1904 |= key == "date1904" && matches!(value, "1" | "true");
                })?;
            }
            Node::End => return Ok((sheets, since_1904)),
            _ => {}
        }
    }
}

fn target(mut xml: Xml<impl BufRead>, id: &str) -> Result<Option<String>, ReadError> {
    loop {
        match xml.next()? {
            Node::Open if xml.name() == "Relationship" => {
                let (mut is_it, mut target) = (false, String::new());
                xml.attributes(&mut |key, value| match key {
                    "Id" => is_it = value == id,
                    "Target" => target = value.into(),
                    _ => {}
                })?;
                if is_it {
                    return Ok(Some(target));
                }
            }
            Node::End => return Ok(None),
            _ => {}
        }
    }
}

fn shared(mut xml: Xml<impl BufRead>) -> Result<Texts, ReadError> {
    let mut texts = Texts::default();
    let mut open: Vec<Inside> = Vec::new();
    loop {
        match xml.next()? {
            Node::Open => open.push(match xml.name() {
                "si" => Inside::Item,
                "t" => Inside::Text,
                "rPh" => Inside::Hint,
                _ => Inside::Other,
            }),
            Node::Close if open.pop() == Some(Inside::Item) => texts.ends.push(texts.text.len() as u32),
            Node::Close => {}
            Node::Text if open.last() == Some(&Inside::Text) && !open.contains(&Inside::Hint) => {
                texts.text.push_str(xml.text());
            }
            Node::Text => {}
            Node::End => return Ok(texts),
        }
        if texts.text.len() + size_of_val(texts.ends.as_slice()) > MOST_SHARED {
            return Err(wrong("has more than 256 MiB of different texts; export the ledger as CSV".into()));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Item,
    Text,
    /// How a text is spoken.
    Hint,
    Other,
}

/// Which of the cells' styles show dates.
fn dates(mut xml: Xml<impl BufRead>) -> Result<Vec<bool>, ReadError> {
    let (mut own, mut styles, mut in_cells) = (Vec::new(), Vec::new(), false);
    let mut depth = 0;
    loop {
        match xml.next()? {
            Node::Open => {
                depth += 1;
                let (mut id, mut code) = (None, String::new());
                xml.attributes(&mut |key, value| match key {
                    "numFmtId" => id = value.parse::<u32>().ok(),
                    "formatCode" => code = value.into(),
                    _ => {}
                })?;
                match (xml.name(), id) {
                    ("numFmt", Some(id)) => own.push((id, shows_date(&code))),
                    ("cellXfs", _) => in_cells = true,
                    ("xf", id) if in_cells => styles.push(id.unwrap_or(0)),
                    _ => {}
                }
            }
            Node::Close => {
                depth -= 1;
                // `cellXfs` lies right below the root.
                in_cells &= depth > 1;
            }
            Node::Text => {}
            Node::End => break,
        }
        if styles.len() + own.len() > 100_000 {
            return Err(wrong("has more styles than a workbook can have".into()));
        }
    }
    let is_date = |id: u32| match own.iter().find(|(own, _)| *own == id) {
        Some((_, is_date)) => *is_date,
        // What every spreadsheet knows without being told.
        None => matches!(id, 14..=22 | 27..=36 | 45..=47 | 50..=58),
    };
    Ok(styles.into_iter().map(is_date).collect())
}

/// A letter of dates outside quotes and brackets.
fn shows_date(code: &str) -> bool {
    let (mut quoted, mut bracketed, mut escaped) = (false, false, false);
    code.chars().any(|char| {
        let literal = std::mem::take(&mut escaped);
        match char {
            '\\' | '_' | '*' if !quoted && !literal => escaped = true,
            '"' if !literal => quoted = !quoted,
            '[' if !quoted => bracketed = true,
            ']' if !quoted => bracketed = false,
            'y' | 'Y' | 'm' | 'M' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' => {
                return !quoted && !bracketed && !literal;
            }
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_shows_a_date_if_it_has_a_letter_of_one_outside_quotes_and_brackets() {
        for (code, is_date) in [
            ("yyyy-mm-dd", true),
            ("[$-407]d. mmm yyyy", true),
            ("h:mm:ss", true),
            ("General", false),
            ("#,##0.00 \"days\"", false),
            ("[Red]0.00", false),
            ("0.00\\d", false),
            ("0.00_d", false),
        ] {
            assert_eq!(shows_date(code), is_date, "{code}");
        }
    }
}
