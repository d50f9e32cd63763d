//! Ports for the servers of tests, which go away and come back: not of those that the system gives to whoever connects,
//! or one of these has the port meanwhile, and the server cannot have it back.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the system's own, which begin at 32,768.
const FIRST: u32 = 10_000;
const COUNT: u32 = 22_000;

/// A port that nobody listens on for now.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Processes of the same time begin far from each other.
    let begin = std::process::id().wrapping_mul(7_919) % COUNT;
    for _ in 0..COUNT {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(FIRST + (begin + next) % COUNT).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
