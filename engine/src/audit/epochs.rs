//! The epochs of the log: the first one, and those that were declared because the database was restored to an earlier state
//! ([0126](../../../docs/decisions/0126-a-restored-log-goes-on-as-another-epoch.md)).

use audit::epoch::{Statement, StatementError};
use jobkit::PortError;
use store::{EpochRow, Store, StoreError};

use super::shelf::Shelf;

/// What the database has of them, as far as it fits together.
#[derive(Debug, Clone, Default)]
pub struct Epochs {
    pub statements: Vec<Statement>,
    pub rows: Vec<EpochRow>,
    /// The first one that does not, and why: nothing behind it is believed.
    pub problem: Option<(u64, String)>,
}

/// Where the statements lie, in an anchor's folder of an epoch and in an export.
pub fn statement_path(number: u64) -> String {
    format!("statements/{number:020}")
}

pub const FOLDERS: &str = "epochs";

/// Where an anchor has the epoch; the first one has all of it.
pub fn folder(number: u64) -> Option<String> {
    (number > 1).then(|| format!("{FOLDERS}/{number}"))
}

/// An epoch behind this one, which an anchor has. A restored database may have lost it with its statement; where it ended nobody
/// can say from there.
pub async fn later(shelf: &dyn Shelf, own: u64) -> Result<Option<u64>, PortError> {
    let names = shelf.names(FOLDERS).await?;
    let numbers = names.iter().filter_map(|name| name.parse::<u64>().ok());
    Ok(numbers.filter(|number| *number > own).max())
}

impl Epochs {
    pub async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        Ok(Self::of(store.epochs().await?))
    }

    /// Whose keys they are signed by is for the chain of keys to say.
    pub fn of(rows: Vec<EpochRow>) -> Self {
        let mut epochs = Self::default();
        for row in rows {
            match epochs.next(&row) {
                Ok(statement) => epochs.statements.push(statement),
                Err(problem) => {
                    epochs.problem = Some((row.number, problem));
                    break;
                }
            }
            epochs.rows.push(row);
        }
        epochs
    }

    fn next(&self, row: &EpochRow) -> Result<Statement, String> {
        let told = Statement::open(&row.note).map_err(|problem: StatementError| problem.to_string())?;
        if told.number != row.number || told.number != self.number() + 1 {
            return Err(format!("it is epoch {} behind epoch {}", told.number, self.number()));
        }
        if told.common != row.common || told.common < self.begins() {
            return Err(format!("it begins at {} entries, where it cannot", told.common));
        }
        Ok(told)
    }

    /// Of the one that goes on.
    pub fn number(&self) -> u64 {
        self.statements.last().map_or(1, |last| last.number)
    }

    /// So many of its entries are those of the epochs before.
    pub fn begins(&self) -> u64 {
        self.statements.last().map_or(0, |last| last.common)
    }

    /// To which a checkpoint of the database belongs.
    pub fn of_size(&self, size: u64) -> u64 {
        self.statements
            .iter()
            .rfind(|statement| statement.common < size)
            .map_or(1, |statement| statement.number)
    }

    /// By which an epoch ended, if it did.
    pub fn end_of(&self, number: u64) -> Option<&Statement> {
        self.statements.iter().find(|statement| statement.number == number + 1)
    }
}
