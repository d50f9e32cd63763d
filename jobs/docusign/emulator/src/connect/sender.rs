//! One delivery over the wire, and only to this machine. Written by hand, so that headers are spelled as the
//! documentation spells them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use url::Url;

/// Where it goes and what it says.
#[derive(Debug, Clone)]
pub struct Parcel {
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub timeout: Duration,
}

/// The status that the receiver answered.
pub async fn send(parcel: &Parcel) -> Result<u16, String> {
    let sent = tokio::time::timeout(parcel.timeout, post(parcel)).await;
    sent.map_err(|_| format!("no answer within {} ms", parcel.timeout.as_millis()))?
}

async fn post(parcel: &Parcel) -> Result<u16, String> {
    let url = Url::parse(&parcel.url).map_err(|error| format!("{} is no URL: {error}", parcel.url))?;
    if url.scheme() != "http" {
        return Err("the emulator delivers over http to this machine; --connect-to says where".into());
    }
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    let wrong = |error: std::io::Error| error.to_string();
    let mut places = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await.map_err(wrong)?;
    // A real webhook's address in a test's data must not be called.
    let Some(place) = places.find(|place: &SocketAddr| place.ip().is_loopback()) else {
        return Err(format!("{host} is not this machine, and the emulator delivers nowhere else"));
    };
    let stream = TcpStream::connect(place).await.map_err(wrong)?;
    let _ = stream.set_nodelay(true);
    let mut stream = BufReader::new(stream);
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut head = format!("POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    for (name, value) in &parcel.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", parcel.body.len()));
    let mut whole = head.into_bytes();
    whole.extend_from_slice(&parcel.body);
    stream.write_all(&whole).await.map_err(wrong)?;
    stream.flush().await.map_err(wrong)?;
    loop {
        let mut line = String::new();
        let mut limited = (&mut stream).take(8 << 10);
        if limited.read_line(&mut line).await.map_err(wrong)? == 0 {
            return Err("the receiver closed the connection without an answer".into());
        }
        let status = line.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok());
        match status {
            // The real answer comes after it.
            Some(100..=199) => {
                while !line.trim().is_empty() {
                    line.clear();
                    (&mut stream).take(8 << 10).read_line(&mut line).await.map_err(wrong)?;
                }
            }
            Some(status) => return Ok(status),
            None => return Err(format!("the receiver answered no HTTP: {line:.40}")),
        }
    }
}
