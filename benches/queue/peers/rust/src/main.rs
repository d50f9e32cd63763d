//! The Rust peers of the queue benchmark: `compline-bench-peers <peer> <command> URL …`.
//! The commands are those of `benches/queue/README.md`; every one prints one JSON line.

mod apalis;
mod awa;
mod contract;
mod floor;

#[tokio::main]
async fn main() -> contract::Outcome {
    // In a task, as the callers of a service are.
    tokio::spawn(run(std::env::args().skip(1).collect())).await?
}

async fn run(args: Vec<String>) -> contract::Outcome {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["apalis-postgres", command @ ..] => contract::run::<apalis::Apalis>(command).await,
        ["awa", command @ ..] => contract::run::<awa::Awa>(command).await,
        ["floor", command @ ..] => contract::run::<floor::Floor>(command).await,
        _ => Err("expected a peer: apalis-postgres, awa or floor".into()),
    }
}
