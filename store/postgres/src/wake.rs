//! Wake-ups: told with NOTIFY, and heard over a connection that nobody else uses.
//!
//! Whoever only listens never learns that nobody can be heard any more, so the listener asks something when
//! it was quiet for a while. The poll finds the jobs meanwhile.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Executor, PgConnection};
use tokio::sync::mpsc;

use super::failed;
use super::sessions::within;
use store::{Result, Woken};

/// The channel of all news; the payload is `q:` and a queue, `places`, or `cancel`.
pub const CHANNEL: &str = "compline_wake";

const DOING: &str = "listening for wake-ups";

/// A place in some bucket is free.
pub const PLACES: &str = "places";

pub fn news(queues: &[String]) -> Vec<String> {
    queues.iter().map(|queue| format!("q:{queue}")).collect()
}

pub async fn tell(connection: &mut PgConnection, news: &[String]) -> Result<()> {
    sqlx::query("SELECT pg_notify($1, news) FROM unnest($2::text[]) AS news")
        .bind(CHANNEL)
        .bind(news)
        .execute(connection)
        .await
        .map_err(failed("waking workers"))?;
    Ok(())
}

/// Delivered with the commit, and not at all when there is none.
pub async fn at_commit(tx: &mut PgConnection, mut queues: Vec<String>) -> Result<()> {
    queues.sort_unstable();
    queues.dedup();
    match queues.is_empty() {
        true => Ok(()),
        false => tell(tx, &news(&queues)).await,
    }
}

pub async fn listen(connect: PgConnectOptions, answer_within: Duration) -> Result<mpsc::Receiver<Woken>> {
    // A pool for this one connection: should it die silently, it blocks a place that nobody else wants.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(answer_within)
        .connect_lazy_with(connect);
    let mut listener = PgListener::connect_with(&pool).await.map_err(failed(DOING))?;
    // Whoever asked comes again, and hears that something may have been missed.
    listener.eager_reconnect(false);
    let listening = async { listener.listen(CHANNEL).await.map_err(failed(DOING)) };
    within(answer_within, DOING, listening).await?;
    let (sender, receiver) = mpsc::channel(1_024);
    tokio::spawn(pass_on(listener, sender, answer_within));
    Ok(receiver)
}

/// Until the connection is lost, and with it whatever was said meanwhile, or nobody wants to hear more.
async fn pass_on(mut listener: PgListener, sender: mpsc::Sender<Woken>, answer_within: Duration) {
    loop {
        let heard = tokio::select! {
            heard = listener.try_recv() => heard,
            () = sender.closed() => return,
            () = tokio::time::sleep(answer_within) => {
                let asking = async { listener.execute("SELECT 1").await.map_err(failed(DOING)) };
                match within(answer_within, DOING, asking).await {
                    Ok(_) => continue,
                    Err(problem) => return tracing::debug!("the listener is deaf: {problem}"),
                }
            }
        };
        let Ok(Some(news)) = heard else { return };
        let woken = match news.payload().strip_prefix("q:") {
            Some(queue) => Woken::Queue(queue.into()),
            None if news.payload() == PLACES => Woken::Places,
            None => Woken::Cancel,
        };
        if sender.send(woken).await.is_err() {
            return;
        }
    }
}
