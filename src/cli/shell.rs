//! What a shell and `man` want to know, made from the same definition that parses the arguments.

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

pub fn man() -> Result {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).map_err(CliError::from_chain)?;
    print::line(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Ok)
}
