use jobkit::testing::{Bench, FakeDatabases};
use jobkit::{Outcome, SecretString};
use secret_rotation::adapters::file_store::FileStore;
use secret_rotation::adapters::postgres::{Postgres, PostgresConfig};
use secret_rotation::phase::Adoption;
use secret_rotation::rotate::RotateArgs;
use secret_rotation::secret::OfTheSystem;
use secret_rotation::{Managed, Rotate, Secrets};
use std::sync::Arc;
use std::time::{Duration, Instant};

struct Dbs;
impl jobkit::Databases for Dbs {
    fn url(&self, _: &str) -> Result<SecretString, jobkit::DatabaseError> {
        Ok(SecretString::from(std::env::var("ADMIN").unwrap()))
    }
}

#[tokio::main]
async fn main() {
    let _ = FakeDatabases::default;
    let dir = std::env::args().nth(1).unwrap();
    let store = FileStore::new(&dir, std::env::var("KEY").unwrap());
    let config = PostgresConfig {
        database: "app".into(),
        roles: std::env::var("ROLES").unwrap().split(',').map(str::to_owned).collect(),
        owner: std::env::var("OWNER").unwrap_or_default(),
        must: vec!["SELECT 1".into(), "CREATE SCHEMA IF NOT EXISTS x".into()],
    };
    let managed = Managed {
        name: "db".into(),
        store: Arc::new(store),
        path: "db".into(),
        target: Arc::new(Postgres::new(config, Arc::new(Dbs))),
        every: Duration::from_secs(1000),
        grace: Duration::ZERO,
        max_grace: Duration::from_secs(10),
        adoption: Adoption::Extend,
    };
    let job = Rotate { secrets: Secrets::new([managed], Arc::new(OfTheSystem)) };
    let bench = Bench::default();
    for _ in 0..4 {
        let next = bench.beside();
        let began = Instant::now();
        match next.run(&job, &RotateArgs { name: "db".into(), compromised: false }, 1).await {
            Ok(Outcome::Completed(Some(value))) => println!("{value} {:?}", began.elapsed()),
            Ok(other) => println!("{other:?}"),
            Err(problem) => println!("FAILED {}", problem.chain()),
        }
        bench.host.kept().let_go(next.id);
    }
    println!("{:?}", bench.host.kept().actions().len());
}
