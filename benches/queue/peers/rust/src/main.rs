//! The Rust peers of the queue benchmark: `compline-bench-peers <peer> <command> URL …`.
//! The commands are those of `benches/queue/README.md`; every one prints one JSON line.

mod apalis;
mod awa;
mod contract;

use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["apalis-postgres", command @ ..] => contract::run::<apalis::Apalis>(command).await,
        ["awa", command @ ..] => contract::run::<awa::Awa>(command).await,
        _ => Err("expected a peer: apalis-postgres or awa".into()),
    }
}
