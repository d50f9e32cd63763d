//! Whose fault an error of the database is: that decides whether trying again can help.

use crate::store::StoreError;

impl StoreError {
    /// A row that cannot be written, now or ever: others must not wait for it.
    pub fn blames_the_data(&self) -> bool {
        self.code().is_some_and(|code| match code.parse::<u32>() {
            // SQLite's extended codes end in TOOBIG, CONSTRAINT or MISMATCH; PostgreSQL's are five letters long.
            Ok(number) if code.len() < 5 => matches!(number & 0xff, 18..=20),
            _ => code.starts_with("22") || code.starts_with("23"),
        })
    }

    /// Somebody else's transaction holds a row, or two waited for each other; another try may do.
    pub fn blames_a_lock(&self) -> bool {
        if let StoreError::Busy { .. } = self {
            return true;
        }
        self.code().is_some_and(|code| matches!(code.as_str(), "55P03" | "40P01" | "40001"))
    }

    fn code(&self) -> Option<String> {
        let StoreError::Database { cause, .. } = self else { return None };
        let error = cause.downcast_ref::<sqlx::Error>()?.as_database_error()?;
        error.code().map(Into::into)
    }
}
