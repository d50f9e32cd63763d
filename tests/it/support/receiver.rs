//! A receiver of webhooks: it keeps what it gets, and answers as the test says.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use engine::webhooks::signature::{Keys, Unverified};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// As a receiver with the secret sees it, who looks at once.
    pub fn verify(&self) -> Result<(), Unverified> {
        let mut keys = Keys::default();
        keys.add(SECRET).unwrap();
        let at = self.headers["webhook-timestamp"].parse().unwrap();
        keys.verify(self.id(), at, &self.headers["webhook-signature"], self.body.as_bytes(), at)
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Answer {
    Status(u16),
    /// To another page of this receiver.
    Redirect,
    /// The request is read, and then nothing.
    Cut,
    /// The request is read, and the connection stays as it is.
    Silence,
}

pub struct Receiver {
    pub port: u16,
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let it = Self { port, received: Arc::default(), answers: Arc::default() };
        let (received, answers) = (it.received.clone(), it.answers.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (received, answers) = (received.clone(), answers.clone());
                tokio::spawn(async move { serve(stream, &received, &answers).await });
            }
        });
        it
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// To the next requests; afterwards it says 204.
    pub fn answers(&self, answers: impl IntoIterator<Item = Answer>) {
        self.answers.lock().unwrap().extend(answers);
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn ids(&self) -> Vec<String> {
        self.received().iter().map(|one| one.id().to_owned()).collect()
    }
}

async fn serve(mut stream: TcpStream, received: &Mutex<Vec<Received>>, answers: &Mutex<VecDeque<Answer>>) {
    let Some(request) = read(&mut stream).await else { return };
    received.lock().unwrap().push(request);
    let answer = answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(204));
    let head = match answer {
        Answer::Cut => return,
        Answer::Silence => return std::future::pending().await,
        Answer::Redirect => "302 Found\r\nlocation: /elsewhere".to_owned(),
        Answer::Status(status) => format!("{status} Told"),
    };
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: BTreeMap<_, _> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            if body.len() >= headers.get("content-length")?.parse().ok()? {
                return Some(Received { path, headers, body: body.to_owned() });
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
