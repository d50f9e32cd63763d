//! Reads what came with the ledger: the trial balance, and the log of entries.

use std::path::{Path, PathBuf};

use super::{Given, RunError};
use crate::completeness::{self, Balance};
use crate::ingest::control::{self, ControlTotal};
use crate::ingest::{Input, ReadError, Rejection};
use crate::passes::log::{Log, LogWriter};
use crate::settings::Settings;

/// What the whole ledger is compared with.
pub(super) fn compared(given: &Given, settings: &Settings) -> Result<completeness::Given, RunError> {
    let trial_balance = given.trial_balance.as_ref().map(|path| balances(path, settings)).transpose()?;
    let in_window = settings.window.in_words().is_some();
    Ok(completeness::Given { trial_balance, control_totals: given.control_totals, in_window })
}

/// What each part is compared with, put aside beside it.
pub(super) fn logged(
    given: &Given,
    settings: &Settings,
    folder: &Path,
    parts: usize,
) -> Result<Option<Log>, RunError> {
    given.entry_log.as_ref().map(|path| log(path, settings, folder, parts)).transpose()
}

fn balances(path: &Path, settings: &Settings) -> Result<Vec<Balance>, RunError> {
    let mut balances = Vec::new();
    let mut rejected = None;
    let read = control::balances(&input(path)?, &settings.trial_balance, &mut |row| match row {
        Ok(balance) => balances.push(owned(&balance)),
        Err(rejection) => keep_first(&mut rejected, rejection),
    });
    whole(path, read.map(|_| ()), rejected)?;
    Ok(balances)
}

/// What a row does not say follows from what it says.
fn owned(balance: &control::Balance<'_>) -> Balance {
    let control::Balance { entity, account, opening, debit, credit, closing } = *balance;
    let moved = debit.unwrap_or_default() - credit.unwrap_or_default();
    let opening =
        opening.or_else(|| (debit.or(credit).is_some()).then_some(closing? - moved)).unwrap_or_default();
    Balance {
        entity: entity.into(),
        account: account.into(),
        currency: String::new(),
        opening,
        closing: closing.unwrap_or(opening + moved),
    }
}

fn log(path: &Path, settings: &Settings, folder: &Path, parts: usize) -> Result<Log, RunError> {
    let failed = |cause| RunError::Write { folder: folder.into(), cause };
    let mut log = LogWriter::create(folder, parts).map_err(failed)?;
    let (mut rejected, mut written) = (None, Ok(()));
    let mut put = |total: &ControlTotal<'_>| {
        if written.is_ok() {
            written = log.push(total);
        }
    };
    let read = control::control_totals(&input(path)?, &settings.entry_log, &mut |row| match row {
        Ok(total) => put(&total),
        Err(rejection) => keep_first(&mut rejected, rejection),
    });
    whole(path, read.map(|_| ()), rejected)?;
    written.map_err(failed)?;
    log.finish().map_err(failed)
}

fn input(path: &Path) -> Result<Input, RunError> {
    let path: PathBuf = path.into();
    // Opening a pipe would wait for a writer.
    match std::fs::metadata(&path) {
        Ok(kind) if kind.is_file() => Ok(Input::File(path)),
        Ok(_) => Err(RunError::NotAFile(path)),
        Err(cause) => Err(RunError::Open { path, cause }),
    }
}

fn keep_first(first: &mut Option<Rejection>, rejection: Rejection) {
    first.get_or_insert(rejection);
}

/// A ledger compared with half a trial balance would differ where it does not.
fn whole(path: &Path, read: Result<(), ReadError>, rejected: Option<Rejection>) -> Result<(), RunError> {
    read.map_err(|cause| RunError::Read { path: path.into(), cause })?;
    match rejected {
        None => Ok(()),
        Some(rejection) => Err(RunError::Given { path: path.into(), rejection: rejection.to_string() }),
    }
}
