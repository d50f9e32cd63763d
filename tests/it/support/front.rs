//! A door in front of a server, which can be shut, or shuts by itself after so many bytes: the server keeps what it has.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub struct Front {
    address: SocketAddr,
    /// How many bytes still go to the server; what is sent at nought ends the connection.
    budget: Arc<watch::Sender<usize>>,
    heard: Arc<Mutex<Vec<u8>>>,
}

/// Enough for the heads of a few requests.
const MOST_HEARD: usize = 1 << 20;

impl Front {
    pub async fn before(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let budget = Arc::new(watch::Sender::new(usize::MAX));
        let heard = Arc::<Mutex<Vec<u8>>>::default();
        let (seen, ears) = (budget.clone(), heard.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *seen.borrow() > 0 {
                    tokio::spawn(relay(client, server.clone(), seen.clone(), ears.clone()));
                }
            }
        });
        Self { address, budget, heard }
    }

    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// What was sent to the server first, as text.
    pub fn heard(&self) -> String {
        String::from_utf8_lossy(&self.heard.lock().unwrap()).into_owned()
    }

    pub fn shut(&self) {
        self.budget.send_replace(0);
    }

    pub fn shut_after(&self, bytes: usize) {
        self.budget.send_replace(bytes);
    }

    pub fn open(&self) {
        self.budget.send_replace(usize::MAX);
    }

    pub fn is_shut(&self) -> bool {
        *self.budget.borrow() == 0
    }
}

async fn relay(
    client: TcpStream,
    server: String,
    budget: Arc<watch::Sender<usize>>,
    heard: Arc<Mutex<Vec<u8>>>,
) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut shut = budget.subscribe();
    let up = async {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
            {
                let mut heard = heard.lock().unwrap();
                let room = MOST_HEARD - heard.len();
                heard.extend_from_slice(&buffer[..read.min(room)]);
            }
            let mut allowed = 0;
            budget.send_modify(|left| {
                allowed = read.min(*left);
                *left = if *left == usize::MAX { usize::MAX } else { *left - allowed };
            });
            if to_server.write_all(&buffer[..allowed]).await.is_err() || allowed < read {
                return;
            }
        }
    };
    let down = tokio::io::copy(&mut from_server, &mut to_client);
    tokio::select! {
        () = up => {}
        _ = down => {}
        _ = shut.wait_for(|left| *left == 0) => {}
    }
}
