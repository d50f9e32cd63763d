//! Where the application's own connection comes in: the one place above the stores that names their driver.

/// A transaction of the caller's own, on the same database.
pub enum Transaction<'a> {
    Postgres(&'a mut sqlx::PgConnection),
    Sqlite(&'a mut sqlx::SqliteConnection),
}

impl<'a> From<&'a mut sqlx::PgConnection> for Transaction<'a> {
    fn from(connection: &'a mut sqlx::PgConnection) -> Self {
        Self::Postgres(connection)
    }
}

impl<'a> From<&'a mut sqlx::SqliteConnection> for Transaction<'a> {
    fn from(connection: &'a mut sqlx::SqliteConnection) -> Self {
        Self::Sqlite(connection)
    }
}
