//! Redis: one connection that everybody shares, further ones for whoever waits on theirs, and subscriptions.
//!
//! Nothing is waited for here: a call to a Redis that is away fails within seconds, and the next one connects
//! anew. Whoever calls decides whether to wait (`service::Patience`), to go without, or to say so.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, Shared};
use jobkit::redact::{ExposeSecret, SecretString};
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, FromRedisValue, Pipeline, RedisError,
    RedisResult, ScriptInvocation, ServerErrorKind, TlsCertificates,
};

use super::tls::{self, TlsError};

/// A Redis on the network answers within a millisecond; one that needs longer is as good as away.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, thiserror::Error)]
#[error("{doing}")]
pub struct RedisFault {
    doing: &'static str,
    #[source]
    cause: RedisError,
}

impl RedisFault {
    /// What the server said, where it said something.
    pub fn code(&self) -> Option<&str> {
        self.cause.code()
    }
}

/// Not a Redis that is away: what no Redis could be reached by.
#[derive(Debug, thiserror::Error)]
pub enum NoRedis {
    #[error("redis.url is no URL of a Redis; write redis://HOST:6379/0, or rediss:// with TLS")]
    Url(#[source] RedisError),
    #[error("redis.ca_file is of no use without TLS; redis.url must begin with rediss://")]
    NoTls,
    #[error("redis.ca_file")]
    Authority(#[from] TlsError),
}

pub struct Redis {
    client: Client,
    prefix: String,
    shared: Line,
}

impl Redis {
    /// Does not connect: a Redis that is away is no reason to end.
    pub fn new(url: &SecretString, prefix: &str) -> Result<Self, NoRedis> {
        Ok(Self::over(Client::open(url.expose_secret()).map_err(NoRedis::Url)?, prefix))
    }

    /// Believes this authority, and no other.
    pub fn trusting(authority: &Path, url: &SecretString, prefix: &str) -> Result<Self, NoRedis> {
        let client = Client::open(url.expose_secret()).map_err(NoRedis::Url)?;
        if !matches!(client.get_connection_info().addr(), ConnectionAddr::TcpTls { .. }) {
            return Err(NoRedis::NoTls);
        }
        // Read by ourselves first, because the library takes an empty file for an authority that vouches for nobody.
        tls::certificates(authority)?;
        let root_cert = std::fs::read(authority)
            .map_err(|cause| TlsError::Unreadable { path: authority.into(), cause: cause.into() })?;
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(root_cert) };
        let client = Client::build_with_tls(url.expose_secret(), certificates).map_err(NoRedis::Url)?;
        Ok(Self::over(client, prefix))
    }

    fn over(client: Client, prefix: &str) -> Self {
        let shared = Line::new(client.clone(), ANSWER_WITHIN);
        Self { client, prefix: prefix.into(), shared }
    }

    /// The name of a key or channel of this installation: `compline:enqueue`.
    pub fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    pub async fn query<T: FromRedisValue>(
        &self,
        doing: &'static str,
        command: &Cmd,
    ) -> Result<T, RedisFault> {
        self.shared.query(doing, command).await
    }

    pub async fn pipeline<T: FromRedisValue>(
        &self,
        doing: &'static str,
        commands: &Pipeline,
    ) -> Result<T, RedisFault> {
        self.shared.pipeline(doing, commands).await
    }

    /// By its hash; the text is sent to a server that does not know it.
    pub async fn script<T: FromRedisValue>(
        &self,
        doing: &'static str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, RedisFault> {
        let (number, mut connection) = self.shared.connection(doing).await?;
        self.shared.answered(doing, number, script.invoke_async(&mut connection).await)
    }

    /// A connection of its own for commands that wait up to `longest` for their answer; on the shared one
    /// everybody else would wait behind them.
    pub fn waiting_line(&self, longest: Duration) -> Line {
        Line::new(self.client.clone(), longest + ANSWER_WITHIN)
    }

    pub async fn server(&self) -> Result<Server, RedisFault> {
        // Sections one by one: servers older than 7 take one at a time.
        let mut ask = Pipeline::new();
        ask.cmd("INFO").arg("server").cmd("INFO").arg("memory");
        let (server, memory): (String, String) = self.pipeline("asking Redis who it is", &ask).await?;
        Ok(Server::from_info(&(server + &memory)))
    }

    pub async fn subscribe(&self, channel: &str) -> Result<Subscription, RedisFault> {
        let subscribing = async {
            let mut subscription = self.client.get_async_pubsub().await?;
            subscription.subscribe(channel).await?;
            let (sink, messages) = subscription.split();
            Ok(Subscription { sink, messages })
        };
        within(ANSWER_WITHIN, subscribing).await.map_err(|cause| RedisFault { doing: "subscribing", cause })
    }
}

/// What a Redis says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub version: String,
    /// What it does when its memory is full.
    eviction: String,
}

impl Server {
    fn from_info(info: &str) -> Self {
        let field = |name: &str| {
            let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            value.unwrap_or_default().trim().to_owned()
        };
        Self { version: field("redis_version"), eviction: field("maxmemory_policy") }
    }

    /// What we cannot rely on, and the remedy.
    pub fn unfit(&self) -> Option<(String, &'static str)> {
        let mut numbers = self.version.split('.').map_while(|part| part.parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if version < OLDEST {
            return Some(("it is too old".into(), "use Redis 6.2 or newer"));
        }
        // What we keep there would vanish without a word.
        (self.eviction.starts_with("allkeys")).then(|| {
            (
                format!("it evicts any key when its memory is full ({})", self.eviction),
                "set maxmemory-policy noeviction",
            )
        })
    }
}

/// The first with `XAUTOCLAIM`.
const OLDEST: (u32, u32) = (6, 2);

/// What is said on a channel, until the connection is lost.
pub struct Subscription {
    sink: PubSubSink,
    pub messages: PubSubStream,
}

impl Subscription {
    /// Whether anybody is there: whoever only listens never learns that the other side is gone.
    pub async fn is_alive(&mut self) -> bool {
        within(ANSWER_WITHIN, self.sink.ping::<redis::Value>()).await.is_ok()
    }
}

type Opening = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

/// A connection that is made when it is first needed, and made anew after whatever broke it. Those who ask
/// while it is being made share the attempt and its failure, so nobody waits longer than for one.
///
/// The library's own `ConnectionManager` gives up for ever when a server answers while it loads its data.
pub struct Line {
    client: Client,
    answer_within: Duration,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    number: u64,
    opening: Option<Opening>,
}

impl Line {
    fn new(client: Client, answer_within: Duration) -> Self {
        Self { client, answer_within, open: Mutex::default() }
    }

    pub async fn query<T: FromRedisValue>(
        &self,
        doing: &'static str,
        command: &Cmd,
    ) -> Result<T, RedisFault> {
        let (number, mut connection) = self.connection(doing).await?;
        self.answered(doing, number, command.query_async(&mut connection).await)
    }

    pub async fn pipeline<T: FromRedisValue>(
        &self,
        doing: &'static str,
        commands: &Pipeline,
    ) -> Result<T, RedisFault> {
        let (number, mut connection) = self.connection(doing).await?;
        self.answered(doing, number, commands.query_async(&mut connection).await)
    }

    async fn connection(&self, doing: &'static str) -> Result<(u64, MultiplexedConnection), RedisFault> {
        let (number, opening) = self.opening();
        match opening.await {
            Ok(connection) => Ok((number, connection)),
            Err(cause) => {
                self.forget(number);
                Err(RedisFault { doing, cause })
            }
        }
    }

    /// Lets go of a connection that the answer shows to be of no more use.
    fn answered<T>(&self, doing: &'static str, number: u64, answer: RedisResult<T>) -> Result<T, RedisFault> {
        answer.map_err(|cause| {
            if breaks(&cause) {
                self.forget(number);
            }
            RedisFault { doing, cause }
        })
    }

    fn opening(&self) -> (u64, Opening) {
        let mut open = self.lock();
        let number = open.number;
        let opening = open.opening.get_or_insert_with(|| {
            let (client, answer_within) = (self.client.clone(), self.answer_within);
            let opening = async move {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(ANSWER_WITHIN))
                    .set_response_timeout(Some(answer_within));
                within(ANSWER_WITHIN * 2, client.get_multiplexed_async_connection_with_config(&config)).await
            };
            opening.boxed().shared()
        });
        (number, opening.clone())
    }

    /// The next call connects anew, unless somebody's has already.
    fn forget(&self, number: u64) {
        let mut open = self.lock();
        if open.number == number {
            *open = Open { number: number + 1, opening: None };
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the connection is of no more use: lost, silent, or to a server that is no longer the one to ask.
fn breaks(cause: &RedisError) -> bool {
    match cause.kind() {
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed => true,
        ErrorKind::Server(kind) => matches!(
            kind,
            ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown | ServerErrorKind::ReadOnly
        ),
        _ => false,
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let silent = std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer in {limit:?}"));
        Err(RedisError::from(silent))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_cannot_be_relied_on_is_named() {
        for (version, eviction, unfit) in [
            ("7.0.15", "noeviction", None),
            ("6.2.0", "volatile-lru", None),
            ("6.0.16", "noeviction", Some("it is too old")),
            ("7.4.1", "allkeys-lru", Some("it evicts any key when its memory is full (allkeys-lru)")),
        ] {
            let info = format!("# Server\r\nredis_version:{version}\r\nmaxmemory_policy:{eviction}\r\n");
            let found = Server::from_info(&info).unfit().map(|(problem, _)| problem);
            assert_eq!(found.as_deref(), unfit, "{version} {eviction}");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_its_password() {
        for url in ["http://host", "redis://ada:hunter2@host/x", "redis://ada:hunter2@host:port/0"] {
            let Err(problem) = Redis::new(&SecretString::from(url), "compline") else { panic!("{url}") };
            assert!(!store::chain(&problem).contains("hunter2"), "{problem:?}");
        }
    }
}
