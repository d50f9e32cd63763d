//! What goes to the terminal or the pipe: tables, JSON, colours where there is an eye to see them.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use engine::units::format_duration;
use jiff::Timestamp;
use serde::Serialize;
use store::state::JobState;

use super::exit::{CliError, Exit, Result};

/// How this run prints.
#[derive(Debug, Clone, Copy)]
pub struct Print {
    pub json: bool,
    pub colour: bool,
}

impl Print {
    pub fn new(json: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, colour: !json && wanted && io::stdout().is_terminal() }
    }

    /// One JSON document, or what people read.
    pub fn answer(self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self.told(json, text)? {
            true => Ok(()),
            false => std::process::exit(Exit::Ok as i32),
        }
    }

    /// As [`Print::answer`], for who has to tidy up after it: whether anybody still reads.
    pub fn told(self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<bool> {
        match self.json {
            true => written(&serde_json::to_string_pretty(json).map_err(CliError::from_chain)?),
            false => written(&text()),
        }
    }

    pub fn state(self, state: JobState) -> Cell {
        let colour = match state {
            JobState::Completed => "32",
            JobState::Running | JobState::Available => "36",
            JobState::Retryable => "33",
            JobState::Discarded => "31",
            JobState::Cancelled | JobState::Scheduled | JobState::Waiting => "2",
        };
        Cell { text: state.name().into(), colour: self.colour.then_some(colour) }
    }
}

/// Writes a line to standard output. A reader that has seen enough (`| head`) is no failure.
pub fn line(text: &str) -> Result<()> {
    match written(text)? {
        true => Ok(()),
        false => std::process::exit(Exit::Ok as i32),
    }
}

/// Whether anybody still reads.
fn written(text: &str) -> Result<bool> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => {
            let text = format!("the answer cannot be written to standard output: {error}");
            Err(CliError::new(
                Exit::Failed,
                text,
                "what was asked for has been done; only the answer is lost",
            ))
        }
        Ok(()) => Ok(true),
    }
}

/// A remark beside the answer, for people only.
pub fn remark(text: &str) {
    // Nothing can be done when standard error is closed.
    drop(writeln!(io::stderr(), "{text}"));
}

pub struct Cell {
    text: String,
    colour: Option<&'static str>,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        // A row is one line.
        Self { text: plain(&text.into()).replace('\n', " "), colour: None }
    }
}

/// A row of a table from anything that turns into cells.
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($crate::cli::print::Cell::from($cell)),*] };
}

pub(crate) use row;

/// Columns aligned by the widest cell, two spaces apart.
pub fn table(headings: &[&str], rows: &[Vec<Cell>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.chars().count());
        }
    }
    let mut lines = vec![aligned(headings.iter().map(|heading| (*heading, None)), &widths)];
    lines.extend(rows.iter().map(|row| aligned(row.iter().map(|c| (c.text.as_str(), c.colour)), &widths)));
    lines.join("\n")
}

fn aligned<'a>(cells: impl Iterator<Item = (&'a str, Option<&'a str>)>, widths: &[usize]) -> String {
    let mut line = String::new();
    for ((text, colour), width) in cells.zip(widths) {
        let gap = " ".repeat(width - text.chars().count() + 2);
        match colour {
            Some(colour) => line.push_str(&format!("\x1b[{colour}m{text}\x1b[0m{gap}")),
            None => line.push_str(&format!("{text}{gap}")),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Text from a job may hold control characters, and a terminal obeys those; they are made visible.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The first line, shortened to fit a table.
pub fn short(text: &str, most: usize) -> String {
    let first = text.lines().next().unwrap_or_default();
    match first.chars().count() > most {
        true => first.chars().take(most - 1).chain(['…']).collect(),
        false => first.into(),
    }
}

pub fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

pub fn optional_time(at: Option<Timestamp>) -> String {
    at.map(time).unwrap_or_else(|| "-".into())
}

/// How long something took; what is too short to matter is not called nothing.
pub fn took(duration: Duration) -> String {
    match duration < Duration::from_millis(1) {
        true => "<1ms".into(),
        false => format_duration(duration),
    }
}

pub fn count(number: usize, thing: &str) -> String {
    match thing.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        _ if number == 1 => format!("{number} {thing}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_counted_in_words() {
        for (number, thing, said) in
            [(1, "entry", "1 entry"), (94, "entry", "94 entries"), (0, "key", "0 keys"), (2, "job", "2 jobs")]
        {
            assert_eq!(count(number, thing), said);
        }
    }

    #[test]
    fn columns_line_up_with_and_without_colour() {
        let print = Print { json: false, colour: true };
        let rows = vec![
            vec!["a".into(), print.state(JobState::Completed), "x".into()],
            vec!["längst".into(), print.state(JobState::Waiting), "y".into()],
        ];

        let text = table(&["ID", "STATE", "Q"], &rows);

        let bare = text.replace("\x1b[32m", "").replace("\x1b[2m", "").replace("\x1b[0m", "");
        assert_eq!(bare, "ID      STATE      Q\na       completed  x\nlängst  waiting    y");
    }

    #[test]
    fn a_job_cannot_command_the_terminal() {
        assert_eq!(plain("\x1b[2Jgone\r"), "\u{fffd}[2Jgone\u{fffd}");
        assert_eq!(Cell::from("why:\nunknown").text, "why: unknown");
        assert_eq!(short("first\nsecond", 40), "first");
        assert_eq!(short("abcdef", 4), "abc…");
    }
}
