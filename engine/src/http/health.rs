//! Whether the process lives, and whether it can serve. Open to everybody, so it says no more than that.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use tokio::sync::Mutex;
use utoipa::ToSchema;

use super::Shared;

#[derive(Debug, Serialize, ToSchema)]
pub struct Alive {
    pub status: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// Whether all that follows is true.
    pub ready: bool,
    /// The store answers; asked once a second at most.
    pub store: bool,
    /// The store's schema is recent enough for this program.
    pub schema: bool,
    /// The process is not about to end.
    pub serving: bool,
}

/// What the store said is believed for so long.
const FRESH: Duration = Duration::from_secs(1);
/// A store that takes longer than this to say its version serves nobody.
const LONGEST_LOOK: Duration = Duration::from_secs(5);

/// What the store said last. Anybody may ask, so it is asked by one at a time, and those who come meanwhile get the
/// same answer.
#[derive(Default)]
pub struct Readiness {
    /// When, on the steady clock, and whether the schema suffices; none where there was no answer.
    last: Mutex<Option<(Duration, Option<bool>)>>,
}

impl Readiness {
    async fn ask(
        &self,
        steady: impl Fn() -> Duration,
        look: impl Future<Output = Option<bool>>,
    ) -> Option<bool> {
        let mut last = self.last.lock().await;
        match *last {
            Some((at, schema)) if steady().saturating_sub(at) < FRESH => schema,
            _ => {
                let schema = look.await;
                *last = Some((steady(), schema));
                schema
            }
        }
    }
}

/// Whether the process lives.
///
/// It asks nothing of anybody: a database that is away is no reason to start this process again.
#[utoipa::path(get, path = "/livez", tag = "health", security(()),
    responses((status = 200, description = "It lives.", body = Alive)))]
pub async fn livez() -> Json<Alive> {
    Json(Alive { status: "ok" })
}

/// Whether the process can serve.
#[utoipa::path(get, path = "/readyz", tag = "health", security(()), responses(
    (status = 200, description = "It can.", body = Ready),
    (status = 503, description = "It cannot just now; the body says what is missing.", body = Ready)))]
pub async fn readyz(State(api): State<Shared>) -> (StatusCode, Json<Ready>) {
    let look = async {
        match tokio::time::timeout(LONGEST_LOOK.min(api.limits.answer_timeout), api.store.schema()).await {
            Ok(Ok(schema)) => Some(schema.suffices()),
            _ => None,
        }
    };
    let schema = api.readiness.ask(|| api.clock.steady(), look).await;
    let (store, schema, serving) = (schema.is_some(), schema.unwrap_or(false), !api.stop.is_cancelled());
    let ready = store && schema && serving;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready, store, schema, serving }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

    use super::*;

    #[tokio::test]
    async fn however_many_ask_at_once_the_store_is_asked_by_one_and_once_a_second() {
        let (readiness, looks, now) = (Readiness::default(), AtomicU32::new(0), AtomicU64::new(0));
        let steady = || Duration::from_millis(now.load(Ordering::SeqCst));
        let look = |answer| {
            let looks = &looks;
            async move {
                looks.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                answer
            }
        };

        let all = (0..100).map(|_| readiness.ask(steady, look(Some(true))));
        assert_eq!(futures::future::join_all(all).await, [Some(true); 100]);
        assert_eq!(looks.load(Ordering::SeqCst), 1);

        now.store(999, Ordering::SeqCst);
        assert_eq!(readiness.ask(steady, look(None)).await, Some(true));
        now.store(1_000, Ordering::SeqCst);
        assert_eq!(readiness.ask(steady, look(None)).await, None);
        assert_eq!(looks.load(Ordering::SeqCst), 2);
    }
}
