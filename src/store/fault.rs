//! Whose fault an error of the database is: that decides whether trying again can help.

use crate::store::StoreError;

impl StoreError {
    /// A row that cannot be written, now or ever: others must not wait for it.
    pub fn blames_the_data(&self) -> bool {
        self.code().is_some_and(|code| match code.parse::<u32>() {
            // SQLite's extended codes end in TOOBIG, CONSTRAINT or MISMATCH; PostgreSQL's are five letters long.
            Ok(number) if code.len() < 5 => matches!(number & 0xff, 18..=20),
            // Data exceptions, constraints, and what is larger than a limit of the program.
            _ => ["22", "23", "54"].iter().any(|class| code.starts_with(class)),
        })
    }

    /// Somebody else's transaction holds a row, or two waited for each other; another try may do.
    pub fn blames_a_lock(&self) -> bool {
        if let StoreError::Busy { .. } = self {
            return true;
        }
        self.code().is_some_and(|code| matches!(code.as_str(), "55P03" | "40P01" | "40001"))
    }

    /// Neither what was asked nor what was found is at fault: when the database is well again, it works.
    pub fn blames_the_store(&self) -> bool {
        let StoreError::Database { cause, .. } = self else { return false };
        let unreadable = match cause.downcast_ref::<sqlx::Error>() {
            Some(error) => matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }),
            None => cause.is::<serde_json::Error>(),
        };
        !unreadable && !self.blames_the_data()
    }

    fn code(&self) -> Option<String> {
        let StoreError::Database { cause, .. } = self else { return None };
        let error = cause.downcast_ref::<sqlx::Error>()?.as_database_error()?;
        error.code().map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        StoreError::Database { doing: "storing a step", cause: cause.into() }
    }

    #[test]
    fn a_store_that_is_away_is_to_blame_and_a_row_that_cannot_be_read_is_not() {
        let unreadable = || serde_json::from_str::<u8>("x").unwrap_err();
        for (error, blamed) in [
            (failed(sqlx::Error::PoolTimedOut), true),
            (failed(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())), true),
            (failed("the disk is full"), true),
            (failed(sqlx::Error::Decode(unreadable().into())), false),
            (failed(unreadable()), false),
            (StoreError::LeaseLost, false),
            (StoreError::Refused("no".into()), false),
        ] {
            assert_eq!(error.blames_the_store(), blamed, "{error:?}");
        }
    }
}
