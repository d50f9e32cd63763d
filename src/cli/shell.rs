//! What a shell and `man` want to know, made from the same definition that parses the arguments.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::Cli;
use super::exit::{CliError, Exit, Result};
use super::print;

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell to complete for.
    shell: Shell,
}

pub fn completions(args: &CompletionsArgs) -> Result {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "compline", &mut script);
    print::line(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for every command into this directory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn man(args: &ManArgs) -> Result {
    if let Some(dir) = &args.dir {
        clap_mangen::generate_to(Cli::command(), dir).map_err(|error| {
            CliError::from_chain(error)
                .remedy(format!("`{}` must be a directory you may write", dir.display()))
        })?;
        return Ok(Exit::Ok);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(CliError::from_chain)?;
    print::line(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Ok)
}
