//! A network between a test and its database, which can swallow what is sent without a word, as a firewall
//! does that forgot a connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Connections are numbered by the times the network was broken before they were made. What goes over one
/// of an earlier number waits, for ever or until it is delivered late.
#[derive(Clone, Copy)]
struct State {
    broken: bool,
    times: u32,
    delivered: bool,
}

pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
}

impl Proxy {
    /// In front of the server of this URL.
    pub async fn before(url: &str) -> Self {
        let server = url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = watch::Sender::new(State { broken: false, times: 0, delivered: false });
        let seen = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                let born = seen.borrow().times;
                tokio::spawn(relay(from_client, to_server, born, seen.subscribe()));
                tokio::spawn(relay(from_server, to_client, born, seen.subscribe()));
            }
        });
        Self { address, state }
    }

    /// The URL, through this network.
    pub fn url(&self, url: &str) -> String {
        let (user, rest) = url.split_once('@').unwrap();
        let (_, database) = rest.split_once('/').unwrap();
        format!("{user}@{}/{database}", self.address)
    }

    /// From here on nothing arrives, in either direction, and nobody is told.
    pub fn swallow(&self) {
        self.state.send_modify(|state| (state.broken, state.times) = (true, state.times + 1));
    }

    /// New connections work; those that were there stay dead.
    pub fn mend(&self) {
        self.state.send_modify(|state| state.broken = false);
    }

    /// What was sent over the dead ones arrives after all.
    pub fn deliver(&self) {
        self.state.send_modify(|state| state.delivered = true);
    }
}

async fn relay(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    born: u32,
    mut state: watch::Receiver<State>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let passes = |state: &State| state.delivered || (!state.broken && state.times == born);
        if state.wait_for(passes).await.is_err() {
            return;
        }
        // Its end is told too, when it may be.
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}
