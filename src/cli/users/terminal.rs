//! Asks on the terminal for something that nobody else should read: what is typed is not shown.

use std::io::{self, BufRead, Write};

use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// Shows what is typed again, whatever happens in between.
struct Silent(Termios);

impl Silent {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        // A terminal that is gone has nothing to show.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}

pub fn ask(question: &str) -> io::Result<SecretString> {
    let mut told = io::stderr();
    told.write_all(question.as_bytes())?;
    told.flush()?;
    let mut line = String::new();
    {
        let _silent = Silent::begin()?;
        io::stdin().lock().read_line(&mut line)?;
    }
    told.write_all(b"\n")?;
    Ok(SecretString::from(line.trim_end_matches(['\n', '\r'])))
}

pub fn same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}
