//! The real binary in a directory of its own, with an environment of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

pub struct Place {
    directory: TempDir,
    variables: Vec<(String, String)>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn all(&self) -> String {
        format!("{}\n{}", self.out, self.err)
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.all().contains(part), "`{part}` is missing in\n{}", self.all());
        }
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }
}

impl Place {
    /// An empty directory: the defaults hold, with SQLite in it.
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn with(mut self, variable: &str, value: &str) -> Self {
        self.variables.push((variable.into(), value.into()));
        self
    }

    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.path().join(name), text).unwrap();
        self
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with_input(args, "")
    }

    pub fn run_with_input(&self, args: &[&str], input: &str) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // A command that does not read its input may be gone by now.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Nothing of the developer's own environment reaches the command.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_compline"));
        command.args(args).current_dir(self.path()).env_clear();
        // Where `scripts/coverage` counts what it runs through.
        command.envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)));
        if args.first() == Some(&"serve") {
            // Tests run side by side, and there is one port that is the default.
            command.env("COMPLINE__HTTP__LISTEN", "127.0.0.1:0").env("COMPLINE__HTTP__STOP_DELAY", "0s");
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Enqueues and returns the id.
    #[track_caller]
    pub fn enqueue(&self, args: &[&str]) -> String {
        let ran = self.run(&[&["enqueue"], args].concat()).expect(0);
        ran.out.trim().to_string()
    }

    #[track_caller]
    pub fn work(&self, code: i32) -> Ran {
        self.run(&["work", "--until-idle"]).expect(code)
    }

    #[track_caller]
    pub fn job(&self, id: &str) -> Value {
        self.run(&["jobs", "show", id, "--json"]).expect(0).json()
    }
}
