//! A light client for `benches/http/run`: requests that are bytes made beforehand, on connections that stay open, and
//! answers of which only the status and the length are read. It shares two cores with what it measures.
//!
//! `http-load ADDRESS TOKEN JOBS_PER_REQUEST CONNECTIONS SECONDS [REQUESTS_PER_SECOND]` prints one line of JSON. With a
//! rate, a request is due by the clock whether or not the one before was answered, and its latency counts from then.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

struct Load {
    address: String,
    request: Vec<u8>,
    jobs: u64,
    connections: u64,
    seconds: u64,
    rate: Option<u64>,
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (address, token, jobs, connections, seconds, rate) = match *args {
        [address, token, jobs, connections, seconds] => (address, token, jobs, connections, seconds, None),
        [address, token, jobs, connections, seconds, rate] => {
            (address, token, jobs, connections, seconds, Some(rate.parse()?))
        }
        _ => return Err("http-load ADDRESS TOKEN JOBS CONNECTIONS SECONDS [RATE]".into()),
    };
    let jobs = jobs.parse()?;
    let load = Load {
        address: address.into(),
        request: request(address, token, jobs),
        jobs,
        connections: connections.parse()?,
        seconds: seconds.parse()?,
        rate,
    };
    // One thread: the rest of the machine belongs to the server and its database.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(Arc::new(load)))
}

fn request(address: &str, token: &str, jobs: u64) -> Vec<u8> {
    let job = r#"{"kind":"system.noop","args":{}}"#;
    let (path, body) = match jobs {
        1 => ("/v1/jobs", job.to_owned()),
        many => {
            let all = vec![job; usize::try_from(many).unwrap_or(1)].join(",");
            ("/v1/jobs/batch", format!("{{\"jobs\":[{all}]}}"))
        }
    };
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    (head + &body).into_bytes()
}

async fn run(load: Arc<Load>) -> Result<()> {
    let (start, length) = (now() + Duration::from_millis(200), Duration::from_secs(load.seconds));
    let callers =
        (0..load.connections).map(|number| tokio::spawn(call(load.clone(), number, start, start + length)));
    let mut waits = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        waits.extend(caller.await??);
    }
    let took = (now() - start).as_secs_f64();
    waits.sort_unstable();
    let at = |share: f64| {
        let index = ((waits.len() as f64) * share).ceil() as usize;
        waits.get(index.saturating_sub(1)).map_or(0.0, |wait| wait.as_secs_f64() * 1e3)
    };
    let (requests, jobs) = (waits.len() as f64, waits.len() as f64 * load.jobs as f64);
    println!(
        "{{\"requests\":{requests},\"jobs\":{jobs},\"seconds\":{took:.3},\"requests_per_second\":{:.0},\"jobs_per_second\":{:.0},\
         \"p50_ms\":{:.2},\"p99_ms\":{:.2},\"longest_ms\":{:.2}}}",
        requests / took,
        jobs / took,
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

/// How long each answer took.
async fn call(load: Arc<Load>, number: u64, start: Duration, end: Duration) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(&load.address).await?;
    stream.set_nodelay(true)?;
    let mut waits = Vec::new();
    let mut buffer = Vec::with_capacity(64 << 10);
    let between = load.rate.map(|rate| Duration::from_secs_f64(load.connections as f64 / rate as f64));
    let offset = between.map(|between| between.mul_f64(number as f64 / load.connections as f64));
    for turn in 0u32.. {
        let due = match (between, offset) {
            (Some(between), Some(offset)) => start + offset + between * turn,
            _ => start.max(now()),
        };
        if due >= end {
            break;
        }
        tokio::time::sleep(due.saturating_sub(now())).await;
        if between.is_none() && now() >= end {
            break;
        }
        stream.write_all(&load.request).await?;
        answer(&mut stream, &mut buffer).await?;
        waits.push(now() - due);
    }
    Ok(waits)
}

/// Reads one answer whole, and fails on any but 202.
async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<()> {
    buffer.clear();
    let mut whole = None;
    while whole.is_none_or(|whole| buffer.len() < whole) {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the server closed the connection".into());
        }
        if whole.is_none()
            && let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n")
        {
            let text = std::str::from_utf8(&buffer[..head])?;
            if !text.starts_with("HTTP/1.1 202") {
                return Err(format!("not accepted: {}", String::from_utf8_lossy(buffer)).into());
            }
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            whole = Some(head + 4 + length.ok_or("no length")?.parse::<usize>()?);
        }
    }
    Ok(())
}

/// CLOCK_MONOTONIC.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}
