//! Finds a column by its name.

use super::ReadError;
use super::table::Columns;

/// Where the column is. Case, blanks, underscores and quotes do not make another name, unless one fits exactly:
/// `JE_Header_ Description` occurs in the wild.
pub(super) fn index(columns: &Columns<'_>, name: &str) -> Result<Option<usize>, ReadError> {
    let names = match columns {
        Columns::Named(names) => names,
        // Paths into a document: they say what they mean.
        Columns::Asked(names) => return Ok(names.iter().position(|asked| asked == name)),
    };
    let exact = places(names, |found| found == name);
    let found =
        if exact.is_empty() { places(names, |found| canonical(found) == canonical(name)) } else { exact };
    match found.as_slice() {
        [] => Ok(None),
        [index] => Ok(Some(*index)),
        [..] => Err(ReadError::DoubledColumn(name.into())),
    }
}

/// As the source writes it.
pub(super) fn real<'a>(columns: &Columns<'a>, index: usize) -> &'a str {
    let (Columns::Named(names) | Columns::Asked(names)) = columns;
    &names[index]
}

fn places(names: &[String], is: impl Fn(&str) -> bool) -> Vec<usize> {
    names.iter().enumerate().filter(|(_, name)| is(name)).map(|(index, _)| index).collect()
}

pub(super) fn canonical(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The columns as an error shows them: enough to see what sort of line it is.
pub(super) fn shown(columns: &Columns<'_>) -> String {
    let (Columns::Named(names) | Columns::Asked(names)) = columns;
    let mut text: String = names.join(", ").chars().take(300).collect();
    if text.is_empty() {
        text.push_str("none");
    }
    text
}
