use std::io;
use std::sync::{Arc, Mutex};

use jobkit::JobId;
use tracing::{debug, info, info_span, warn};

use super::*;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn told(format: LogFormat, ansi: bool, tell: impl FnOnce()) -> String {
    let log = Log::default();
    let own = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::TRACE)
        .with_writer(move || own.clone())
        .with_ansi(ansi)
        .fmt_fields(Lines { format })
        .event_format(Lines { format })
        .finish();
    tracing::subscriber::with_default(subscriber, tell);
    let bytes = log.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn json_of(tell: impl FnOnce()) -> Value {
    let text = told(LogFormat::Json, false, tell);
    serde_json::from_str(&text).unwrap_or_else(|problem| panic!("{problem}: {text}"))
}

#[test]
fn a_field_that_is_not_listed_is_left_out_and_named() {
    let line = json_of(
        || warn!(job.id = "j-1", email = "ada@example.org", args = ?["DE02"], ms = 7, "it {}", "went"),
    );

    assert_eq!((&line["job.id"], &line["ms"]), (&"j-1".into(), &7.into()));
    assert_eq!((&line["message"], &line["level"]), (&"it went".into(), &"WARN".into()));
    assert_eq!(line["withheld"], "email, args");
    assert_eq!(line["target"], "compline::telemetry::lines::tests");
    assert!(!line.to_string().contains("ada@") && !line.to_string().contains("DE02"), "{line}");

    let line = told(LogFormat::Text, false, || warn!(job.id = "j-1", email = "ada@example.org", "it went"));
    assert!(
        line.ends_with(" compline::telemetry::lines::tests: it went job.id=\"j-1\" withheld=\"email\"\n"),
        "{line}"
    );
}

#[test]
fn spans_say_what_they_may_too() {
    let line = json_of(|| {
        let job =
            info_span!("job", job.id = "j-1", email = "ada@example.org", trace.id = tracing::field::Empty);
        let _within = job.enter();
        job.record("trace.id", "t-1");
        info_span!("step", job.id = "j-2", name = "Ada").in_scope(|| info!(ms = 1, "done"));
    });

    assert_eq!((&line["job.id"], &line["trace.id"], &line["ms"]), (&"j-2".into(), &"t-1".into(), &1.into()));
    assert!(!line.to_string().contains("ada@") && !line.to_string().contains("Ada"), "{line}");
}

#[test]
fn a_line_says_which_job_runs_though_whoever_wrote_it_does_not_know() {
    let job = JobId(uuid::Uuid::nil());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    let line = json_of(|| runtime.block_on(engine::panics::running(job, async { info!("something slow") })));

    assert_eq!(line["job.id"], job.to_string());
    assert_eq!(json_of(|| info!("nothing runs"))["job.id"], Value::Null);
}

#[test]
fn what_other_crates_say_at_debug_and_trace_stays_out() {
    let lines = told(LogFormat::Json, false, || {
        debug!(target: "lettre::transport", "C: RCPT TO:<ada@example.org>");
        debug!(target: "compline_engine::wake", "telling of news failed");
        info!(target: "hyper", "fine");
    });

    let targets = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["target"].clone());
    assert_eq!(targets.collect::<Vec<_>>(), ["compline_engine::wake", "hyper"]);
}

#[test]
fn nobody_begins_a_line_of_their_own_or_colours_the_terminal() {
    let line = told(LogFormat::Text, false, || warn!("a\n2026-01-01 ERROR forged\u{1b}[31m"));

    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.ends_with("a\\n2026-01-01 ERROR forged\\u{1b}[31m\n"), "{line}");
    let coloured = told(LogFormat::Text, true, || warn!("a"));
    assert!(coloured.contains("\u{1b}[33m WARN\u{1b}[0m"), "{coloured:?}");
}
