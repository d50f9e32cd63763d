//! The real server as a process.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use super::binary::Place;

/// `compline serve`, with what it has logged so far.
pub struct Serving {
    child: Child,
    pub url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Serving {
    pub fn start(place: &Place) -> Self {
        let mut child = place.command(&["serve"]).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new(Mutex::new(Vec::new()));
        let url = loop {
            let line = lines.next().expect("it says where it listens").unwrap();
            if let Some((_, url)) = line.split_once("the API listens on ") {
                break url.split([' ', '"']).next().unwrap().to_owned();
            }
        };
        let kept = log.clone();
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line));
        });
        Self { child, url, log }
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn lines_with(&self, parts: &[&str]) -> Vec<String> {
        let lines = self.log.lock().unwrap();
        lines.iter().filter(|line| parts.iter().all(|part| line.contains(part))).cloned().collect()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.kill();
    }
}
