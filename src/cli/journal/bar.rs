//! How far a run is, with its rate and the time that is left, for whoever sits at the terminal.

use std::io::{self, IsTerminal};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use journal::run::Step;

use crate::cli::Call;

pub struct Bar {
    bar: ProgressBar,
    step: Mutex<Option<Step>>,
}

impl Bar {
    pub fn new(call: &Call) -> Self {
        let hidden = call.print.json || !io::stderr().is_terminal();
        Self { bar: if hidden { ProgressBar::hidden() } else { ProgressBar::new(0) }, step: Mutex::new(None) }
    }

    pub fn show(&self, step: Step, done: u64, of: Option<u64>) {
        if self.bar.is_hidden() {
            return;
        }
        let mut known = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if known.replace(step) != Some(step) {
            let template = match step {
                Step::Read => "{msg:40} {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
                Step::Write => "{msg:40}",
                _ => "{msg:40} {bar:30} part {pos} of {len}, {per_sec}, {eta} left",
            };
            // The templates are constants; a mistake in one leaves the style before it.
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.bar.set_style(style);
            }
            self.bar.reset();
            self.bar.set_message(step.in_words());
        }
        if let Some(of) = of {
            self.bar.set_length(of);
        }
        self.bar.set_position(done);
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
