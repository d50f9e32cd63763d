//! Whose fault an error of the database is: that decides whether trying again can help.

use jobkit::HostError;

use crate::StoreError;

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

    /// What was asked cannot be, now or ever.
    pub fn is_refusal(&self) -> bool {
        matches!(self, StoreError::Refused(_) | StoreError::Unapproved(_))
    }

    /// Somebody else's transaction holds a row, or two waited for each other; another try may do.
    pub fn blames_a_lock(&self) -> bool {
        if let StoreError::Busy { .. } = self {
            return true;
        }
        self.code().is_some_and(|code| matches!(code.as_str(), "55P03" | "40P01" | "40001"))
    }

    /// Neither what was asked nor what was found is at fault: when the database is well again, it works. Only
    /// what says so by itself: a table without its permission would be waited for until somebody looks.
    pub fn blames_the_store(&self) -> bool {
        let StoreError::Database { cause, .. } = self else { return false };
        match cause.downcast_ref::<sqlx::Error>() {
            Some(sqlx::Error::Database(error)) => error.code().is_some_and(|code| is_away(&code)),
            Some(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
            ),
            // A call that had no answer, or a commit that others shared and whose error is only told in words.
            None => !cause.is::<serde_json::Error>(),
        }
    }

    fn code(&self) -> Option<String> {
        let StoreError::Database { cause, .. } = self else { return None };
        let error = cause.downcast_ref::<sqlx::Error>()?.as_database_error()?;
        error.code().map(Into::into)
    }
}

/// To a handler: what it may do about it.
impl From<StoreError> for HostError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::LeaseLost => HostError::LeaseLost,
            StoreError::Unapproved(_) => HostError::Refused(error.to_string()),
            StoreError::Refused(why) => HostError::Refused(why),
            StoreError::Database { .. } if error.blames_the_store() => HostError::Away(Box::new(error)),
            StoreError::Database { .. } | StoreError::Busy { .. } => HostError::Store(Box::new(error)),
        }
    }
}

/// An error with all its causes on one line.
pub fn chain(problem: &dyn std::error::Error) -> String {
    let mut text = problem.to_string();
    let mut next = problem.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// What the database says of itself, and not of what it was asked.
fn is_away(code: &str) -> bool {
    match code.parse::<u32>() {
        // SQLite's extended codes end in BUSY, LOCKED, IOERR, FULL or CANTOPEN.
        Ok(number) if code.len() < 5 => matches!(number & 0xff, 5 | 6 | 10 | 13 | 14),
        // Connections, resources, an operator who intervenes, the system below.
        _ => ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class)),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

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
            (failed("no answer"), true),
            (failed(sqlx::Error::RowNotFound), false),
            (failed(sqlx::Error::Decode(unreadable().into())), false),
            (failed(unreadable()), false),
            (StoreError::LeaseLost, false),
            (StoreError::Refused("no".into()), false),
        ] {
            assert_eq!(error.blames_the_store(), blamed, "{error:?}");
        }
    }

    /// Every SQL error that did not blame the data was once the store's fault, so a missing permission had its
    /// job tried for ever without a count.
    #[test]
    fn the_code_tells_a_database_that_is_away_from_one_that_says_no() {
        for (code, name, blamed) in [
            ("08006", "connection failure", true),
            ("53100", "disk full", true),
            ("53300", "too many connections", true),
            ("57014", "query cancelled by a time-out", true),
            ("57P01", "the administrator shuts it down", true),
            ("58030", "an I/O error of its own", true),
            ("5", "SQLITE_BUSY", true),
            ("517", "SQLITE_BUSY_SNAPSHOT", true),
            ("262", "SQLITE_LOCKED_SHAREDCACHE", true),
            ("778", "SQLITE_IOERR_WRITE", true),
            ("13", "SQLITE_FULL", true),
            ("14", "SQLITE_CANTOPEN", true),
            ("42501", "no permission", false),
            ("42P01", "no such table", false),
            ("P0001", "a trigger says no", false),
            ("22P05", "a letter that it cannot hold", false),
            ("23505", "a key that is there", false),
            ("54000", "larger than a limit", false),
            ("40P01", "deadlock", false),
            ("55P03", "a row that is locked", false),
            ("XX000", "a bug of its own", false),
            ("1", "SQLITE_ERROR", false),
            ("8", "SQLITE_READONLY", false),
            ("1811", "SQLITE_CONSTRAINT_TRIGGER", false),
        ] {
            let error = failed(sqlx::Error::Database(Box::new(Says(code))));
            assert_eq!(error.blames_the_store(), blamed, "{code}, {name}");
            assert!(!(blamed && error.blames_the_data()), "{code}, {name}");
        }
        assert!(!failed(sqlx::Error::Database(Box::new(Says("")))).blames_the_store());
    }

    /// A database that gives this code.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Says(&'static str);

    impl sqlx::error::DatabaseError for Says {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }
}
