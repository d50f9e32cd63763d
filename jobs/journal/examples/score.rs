//! A whole run without a server, with the time of each step: `score LEDGER OUT [SETTINGS]`, the last as JSON laid over the defaults. With `MODEL=FILE` in the
//! environment it scores by that model; with `TRAIN=NAME` it makes one instead.

#![expect(clippy::unwrap_used, reason = "an example that is called wrongly may say so in any way")]
#![expect(clippy::disallowed_methods, reason = "it says how long it took")]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use jiff::Timestamp;
use journal::output::RunTag;
use journal::run::{By, Chosen, Given, Request, Run, Step, run};
use journal::settings::Settings;

fn main() {
    let mut args = std::env::args().skip(1);
    let usage = "usage: score LEDGER OUT [SETTINGS]";
    let path = PathBuf::from(args.next().expect(usage));
    let out_dir = PathBuf::from(args.next().expect(usage));
    let settings = args.next().map_or(serde_json::json!({}), |json| serde_json::from_str(&json).unwrap());
    let threads = std::env::var("THREADS").ok().map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        |threads| threads.parse().unwrap(),
    );
    let request = Request {
        file: path.clone(),
        query: None,
        path,
        out_dir,
        tag: RunTag { run: "example".into(), claim: 1 },
        settings: Settings::default().with(&settings).unwrap(),
        given: Given::default(),
        accept: None,
        by: By {
            model: std::env::var_os("MODEL").map(|file| Chosen::file(file.as_ref())),
            challenger: std::env::var_os("CHALLENGER").map(|file| Chosen::file(file.as_ref())),
        },
        model_name: std::env::var("TRAIN").unwrap_or_default(),
        created: Timestamp::UNIX_EPOCH,
        threads,
        parts: None,
    };
    let begun = Instant::now();
    let last: Mutex<Option<(Step, Instant)>> = Mutex::new(None);
    let watch = |step, _, _| {
        let mut last = last.lock().unwrap();
        if last.is_none_or(|(known, _)| known != step) {
            if let Some((known, since)) = *last {
                println!("{known:?}: {:.2} s", since.elapsed().as_secs_f64());
            }
            *last = Some((step, Instant::now()));
        }
        ControlFlow::Continue(())
    };
    if !request.model_name.is_empty() {
        let trained = Run::new(request).write_model(&watch).unwrap();
        println!("{:.2} s in all\n{trained:#?}", begun.elapsed().as_secs_f64());
        return;
    }
    match run(request, &watch) {
        Ok(summary) => {
            let text = std::fs::read_to_string(summary.outputs.last().unwrap()).unwrap();
            println!(
                "{:.2} s in all\n{}",
                begun.elapsed().as_secs_f64(),
                text.lines().take(60).collect::<Vec<_>>().join("\n")
            );
        }
        Err(error) => {
            eprintln!("{error}: {:?}", std::error::Error::source(&error));
            std::process::exit(1);
        }
    }
}
