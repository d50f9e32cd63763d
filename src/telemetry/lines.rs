//! How a log line is written: the time, how bad it is, where it comes from, its words, and the fields that it may have. A
//! line that is written while a request is answered or a job is run says which, also where whoever wrote it does not know.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields::{is_allowed, is_ours};
use crate::config::settings::LogFormat;

/// The words of a line are a field to the library.
const WORDS: &str = "message";

/// Of a line that comes by the older way of logging, which other libraries go.
const FOREIGN_TARGET: &str = "log.target";

pub struct Lines {
    pub format: LogFormat,
}

/// What is kept of a line or of a span around it.
#[derive(Default)]
pub struct Kept {
    words: String,
    target: Option<String>,
    fields: Map<String, Value>,
    /// The names of what was left out.
    withheld: Vec<&'static str>,
}

impl Kept {
    fn take(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        match field.name() {
            WORDS => self.words = text(&value()),
            FOREIGN_TARGET => self.target = Some(text(&value())),
            name if is_allowed(name) => {
                self.fields.insert(name.to_owned(), value());
            }
            name if name.starts_with("log.") => {}
            name => self.withheld.push(name),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Visit for Kept {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, || format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, || value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, || value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, || value.into());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.take(field, || u64::try_from(value).map_or_else(|_| value.to_string().into(), Value::from));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, || value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, || value.into());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.take(field, || value.to_string().into());
    }
}

/// What spans have is kept as JSON, and the same holds for it.
impl<'w> FormatFields<'w> for Lines {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut kept = Kept::default();
        fields.record(&mut kept);
        write!(writer, "{}", Value::Object(kept.fields))
    }

    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut kept = Kept { fields: read(current), ..Kept::default() };
        fields.record(&mut kept);
        current.fields = Value::Object(kept.fields).to_string();
        Ok(())
    }
}

fn read(span: &FormattedFields<Lines>) -> Map<String, Value> {
    serde_json::from_str(&span.fields).unwrap_or_default()
}

impl<S> FormatEvent<S, Lines> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, Lines>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let meta = event.metadata();
        let mut kept = Kept::default();
        event.record(&mut kept);
        let target = kept.target.take().unwrap_or_else(|| meta.target().to_owned());
        if !is_ours(&target) && *meta.level() > Level::INFO {
            return Ok(());
        }
        // Whoever wrote the line knows best, then the spans from the inside, then whatever is going on.
        for span in context.event_scope().into_iter().flatten() {
            let extensions = span.extensions();
            let around = extensions.get::<FormattedFields<Lines>>().map(read).unwrap_or_default();
            add(&mut kept.fields, around);
        }
        add(&mut kept.fields, whose());
        let mut now = String::new();
        SystemTime.format_time(&mut Writer::new(&mut now))?;
        match self.format {
            LogFormat::Json => writer.write_str(&json(&now, meta, target, kept))?,
            LogFormat::Text => write_text(&mut writer, &now, meta, &target, &kept)?,
        }
        writeln!(writer)
    }
}

fn add(fields: &mut Map<String, Value>, more: Map<String, Value>) {
    for (name, value) in more {
        fields.entry(name).or_insert(value);
    }
}

/// The request that is answered, or the job that runs.
fn whose() -> Map<String, Value> {
    let request = engine::http::answering().map(|id| ("request.id".to_owned(), id.into()));
    let job = engine::panics::running_job().map(|id| ("job.id".to_owned(), id.to_string().into()));
    request.into_iter().chain(job).collect()
}

/// The time first, so that the lines of a file can be read and sorted as they are.
fn json(now: &str, meta: &Metadata<'_>, target: String, kept: Kept) -> String {
    let level = meta.level().as_str();
    let first = [("timestamp", now.into()), ("level", level.into()), ("target", target.into())];
    let first = first.into_iter().chain([(WORDS, Value::from(kept.words))]);
    let withheld =
        (!kept.withheld.is_empty()).then(|| ("withheld".to_owned(), kept.withheld.join(", ").into()));
    let pairs = first.map(|(name, value)| (name.to_owned(), value)).chain(kept.fields).chain(withheld);
    let pairs: Vec<_> = pairs.map(|(name, value)| format!("{}:{value}", Value::from(name))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn write_text(
    writer: &mut Writer<'_>,
    now: &str,
    meta: &Metadata<'_>,
    target: &str,
    kept: &Kept,
) -> fmt::Result {
    let level = meta.level().as_str();
    if writer.has_ansi_escapes() {
        let colour = colour(*meta.level());
        write!(writer, "\x1b[2m{now}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m \x1b[2m{target}:\x1b[0m ")?;
    } else {
        write!(writer, "{now} {level:>5} {target}: ")?;
    }
    // What others wrote into it cannot begin a line of its own, or colour the terminal.
    for letter in kept.words.chars() {
        match letter.is_control() && letter != '\t' {
            true => write!(writer, "{}", letter.escape_default())?,
            false => writer.write_char(letter)?,
        }
    }
    for (name, value) in &kept.fields {
        write!(writer, " {name}={value}")?;
    }
    if !kept.withheld.is_empty() {
        write!(writer, " withheld={:?}", kept.withheld.join(", "))?;
    }
    Ok(())
}

fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

#[cfg(test)]
mod tests;
