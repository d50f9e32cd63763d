//! Who calls too often is refused, by all processes together, and comes in again when its time has come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use engine::adapters::clock::SystemClock;
use engine::limits::callers::rules::CallerRules;
use futures::future::join_all;
use jobkit::Clock;
use reqwest::Method;
use serde_json::json;
use tokio::sync::Barrier;

use crate::support::http::{Answer, Server, Setup, TOKEN, answer};
use crate::support::redis::RedisServer;
use crate::support::store::{TestStore, promises, seconds};

promises![
    a_stranger_is_refused_after_so_many_and_told_when_to_come_again,
    two_instances_keep_one_limit_and_a_restart_forgets_nothing,
    with_redis_two_instances_keep_one_limit_and_a_restart_forgets_nothing,
    a_redis_that_forgets_or_goes_away_lets_through_once_more_and_no_sign_in,
    where_nothing_counts_nobody_signs_in_and_others_are_counted_by_each_process,
    whoever_is_known_is_not_held_up_by_strangers_of_the_same_address,
    a_high_rate_is_taken_ahead_and_given_back_at_the_end,
    a_route_has_its_own_limit_and_a_stream_counts_once,
    health_is_never_refused_and_pages_and_unknown_routes_are,
    callers_behind_a_proxy_are_counted_each_and_exempt_networks_not_at_all,
    a_clock_that_is_set_back_holds_nobody_up_for_longer_than_a_window,
    a_page_in_a_browser_may_read_how_it_stands,
];

fn rules() -> CallerRules {
    CallerRules { strangers: "6/m".parse().unwrap(), ..CallerRules::default() }
}

/// In the time of the test.
fn setup(t: &TestStore) -> Setup {
    Setup { clock: t.clock.clone(), rates: rules(), identity: true, ..Setup::default() }
}

async fn server(t: &TestStore) -> Server {
    Server::with(t.second().await, setup(t)).await
}

/// Without a token.
async fn stranger(server: &Server) -> Answer {
    answer(server.bare(Method::GET, "/v1/queues")).await
}

/// Each time as somebody else, so that no account is locked.
async fn sign_in(server: &Server) -> Answer {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let email = format!("nobody-{}@example.org", NUMBER.fetch_add(1, Ordering::Relaxed));
    let body = json!({ "email": email, "password": "not the right one" });
    answer(server.bare(Method::POST, "/auth/sign-in").json(&body)).await
}

fn standing(answer: &Answer) -> [&str; 4] {
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after"]
        .map(|name| answer.header(name))
}

/// All at once, in turn to each of them; how many were not refused for being too many.
async fn rush(servers: &[&Server], count: usize) -> usize {
    let start = Arc::new(Barrier::new(count));
    let all = (0..count).map(|n| {
        let (request, start) = (servers[n % servers.len()].bare(Method::GET, "/v1/queues"), start.clone());
        tokio::spawn(async move {
            start.wait().await;
            answer(request).await.status
        })
    });
    let statuses: Vec<_> = join_all(all).await.into_iter().map(Result::unwrap).collect();
    assert!(statuses.iter().all(|status| matches!(status, 401 | 429)), "{statuses:?}");
    statuses.iter().filter(|status| **status == 401).count()
}

async fn a_stranger_is_refused_after_so_many_and_told_when_to_come_again(t: TestStore) {
    let server = server(&t).await;
    for (left, reset) in [("5", "10"), ("4", "20"), ("3", "30"), ("2", "40"), ("1", "50"), ("0", "60")] {
        let refused = stranger(&server).await;
        assert_eq!((refused.status, standing(&refused)), (401, ["6", left, reset, ""]));
    }

    let refused = stranger(&server).await;

    assert_eq!(standing(&refused), ["6", "0", "60", "10"]);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert!(refused.headers.contains_key("x-request-id"));
    let problem = refused.expect(429);
    assert_eq!(problem["code"], "rate_limited");
    let detail = "this address without a token may send 6 requests at once and one more every 10s; the next one in 10 s";
    assert_eq!(problem["detail"], detail);
    t.clock.advance(seconds(9));
    assert_eq!(stranger(&server).await.header("retry-after"), "1");
    t.clock.advance(seconds(1));
    assert_eq!([stranger(&server).await.status, stranger(&server).await.status], [401, 429]);
    t.clock.advance(seconds(60));
    assert_eq!(rush(&[&server], 20).await, 6);
}

async fn two_instances_keep_one_limit_and_a_restart_forgets_nothing(t: TestStore) {
    let [mut one, mut two] = [server(&t).await, server(&t).await];

    assert_eq!(rush(&[&one, &two], 40).await, 6);

    one.end().await;
    two.end().await;
    let again = server(&t).await;
    assert_eq!(rush(&[&again], 10).await, 0);
    t.clock.advance(seconds(30));
    assert_eq!(rush(&[&again], 10).await, 3);
}

/// Redis has no time but its own, so the rate is so low that nothing comes back while this runs.
fn with_redis(t: &TestStore, redis: &RedisServer) -> Setup {
    let rates = CallerRules { strangers: "20/d".parse().unwrap(), ..CallerRules::default() };
    Setup { rates, redis: Some(redis.redis()), ..setup(t) }
}

async fn with_redis_two_instances_keep_one_limit_and_a_restart_forgets_nothing(t: TestStore) {
    let redis = RedisServer::start();
    let mut one = Server::with(t.second().await, with_redis(&t, &redis)).await;
    let mut two = Server::with(t.second().await, with_redis(&t, &redis)).await;

    assert_eq!(rush(&[&one, &two], 60).await, 20);

    one.end().await;
    two.end().await;
    let again = Server::with(t.second().await, with_redis(&t, &redis)).await;
    let refused = stranger(&again).await;
    assert_eq!((refused.status, standing(&refused)[1]), (429, "0"));
    // And the store was not asked.
    assert_eq!(t.connection().await.count("caller_rate").await, 0);
}

async fn refused(server: &Server) {
    assert_eq!(sign_in(server).await.expect(429)["code"], "rate_limited");
}

async fn a_redis_that_forgets_or_goes_away_lets_through_once_more_and_no_sign_in(t: TestStore) {
    let redis = RedisServer::start();
    let server = Server::with(t.second().await, with_redis(&t, &redis)).await;
    let ends_shutting = || t.clock.advance(seconds(1));
    assert_eq!(rush(&[&server], 30).await, 20);
    for _ in 0..5 {
        assert_eq!(sign_in(&server).await.status, 401);
    }
    refused(&server).await;

    redis.redis().query::<()>("forgetting all", &redis::cmd("FLUSHALL")).await.unwrap();
    ends_shutting();
    assert_eq!(rush(&[&server], 30).await, 20);
    refused(&server).await;

    // From here on the store counts, and goes on with it while Redis is away.
    redis.stop();
    ends_shutting();
    assert_eq!(rush(&[&server], 30).await, 20);
    ends_shutting();
    assert_eq!(rush(&[&server], 30).await, 0);
    refused(&server).await;

    // What it wrote down it still knows.
    redis.start_again();
    ends_shutting();
    assert_eq!(rush(&[&server], 30).await, 0);
}

async fn where_nothing_counts_nobody_signs_in_and_others_are_counted_by_each_process(t: TestStore) {
    let server = server(&t).await;
    server.t.store.close().await;

    assert_eq!(sign_in(&server).await.expect(503)["code"], "store_away");
    assert_eq!(rush(&[&server], 20).await, 6);
    t.clock.advance(seconds(10));
    assert_eq!(rush(&[&server], 20).await, 1);
}

async fn whoever_is_known_is_not_held_up_by_strangers_of_the_same_address(t: TestStore) {
    let server = server(&t).await;
    assert_eq!(rush(&[&server], 20).await, 6);

    let known = server.get("/v1/queues").await;

    assert_eq!((known.status, standing(&known)[0]), (200, "600000"));
    assert_eq!(stranger(&server).await.status, 429);
}

async fn a_high_rate_is_taken_ahead_and_given_back_at_the_end(t: TestStore) {
    let mut server = server(&t).await;
    let first = server.get("/v1/queues").await;
    assert_eq!(standing(&first), ["600000", "599999", "1", ""]);
    assert_eq!(t.connection().await.count("caller_rate").await, 1);

    server.end().await;

    let again = self::server(&t).await;
    assert_eq!(standing(&again.get("/v1/queues").await)[1], "599998");
}

async fn a_route_has_its_own_limit_and_a_stream_counts_once(t: TestStore) {
    let routes = [("GET /v1/events", "2/m"), ("GET /v1/queues", "off")];
    let routes = routes.map(|(route, bound)| (route.to_owned(), bound.parse().unwrap())).into();
    let rates = CallerRules { routes, ..rules() };
    let server = Server::with(t.second().await, Setup { rates, ..setup(&t) }).await;
    let stream = || server.bare(Method::GET, "/v1/events").bearer_auth(TOKEN).send();

    let (first, second) = (stream().await.unwrap(), stream().await.unwrap());

    for (stream, left) in [(&first, "1"), (&second, "0")] {
        assert_eq!(stream.status(), 200);
        assert_eq!(stream.headers()["x-ratelimit-remaining"], left);
    }
    assert_eq!(stream().await.unwrap().status(), 429);
    assert_eq!(standing(&server.get("/v1/queues").await), [""; 4]);
    assert_eq!(standing(&server.get("/v1/kinds").await)[0], "600000");
}

async fn health_is_never_refused_and_pages_and_unknown_routes_are(t: TestStore) {
    let server = server(&t).await;
    let get = async |path: &str| answer(server.bare(Method::GET, path)).await;
    for (path, status) in [("/docs", 200), ("/docs/page.js", 200), ("/nowhere", 404), ("/v1/nowhere", 404)] {
        assert_eq!(get(path).await.status, status, "{path}");
    }
    assert_eq!(rush(&[&server], 10).await, 2);

    for path in ["/docs", "/docs/page.js", "/nowhere", "/v1/jobs"] {
        assert_eq!(get(path).await.status, 429, "{path}");
    }
    // Nor may anybody look for the names of hooks, or try signatures, as often as they like.
    for hook in ["pay", "nowhere"] {
        let delivery = server.bare(Method::POST, &format!("/v1/hooks/{hook}")).body("{}");
        assert_eq!(answer(delivery.header("x-signature", "00")).await.status, 429, "{hook}");
    }
    for path in ["/livez", "/readyz"] {
        let answer = get(path).await;
        assert_eq!((answer.status, standing(&answer)), (200, [""; 4]), "{path}");
    }
}

async fn callers_behind_a_proxy_are_counted_each_and_exempt_networks_not_at_all(t: TestStore) {
    let rates = CallerRules { exempt: vec!["203.0.113.0/24".parse().unwrap()], ..rules() };
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let behind = Server::with(t.second().await, Setup { rates: rates.clone(), proxies, ..setup(&t) }).await;
    let from = async |server: &Server, address: &str| {
        answer(server.bare(Method::GET, "/v1/queues").header("x-forwarded-for", address)).await.status
    };
    for _ in 0..6 {
        assert_eq!(from(&behind, "192.0.2.7").await, 401);
    }

    assert_eq!(from(&behind, "192.0.2.7").await, 429);
    assert_eq!(from(&behind, "192.0.2.7, 192.0.2.8").await, 401);
    for _ in 0..10 {
        assert_eq!(from(&behind, "203.0.113.9").await, 401);
    }
    // What a stranger says of itself where no proxy is known counts for nothing.
    let alone = Server::with(t.second().await, Setup { rates, ..setup(&t) }).await;
    for n in 0..6 {
        assert_eq!(from(&alone, &format!("203.0.113.{n}")).await, 401);
    }
    assert_eq!(from(&alone, "203.0.113.9").await, 429);
}

async fn a_clock_that_is_set_back_holds_nobody_up_for_longer_than_a_window(t: TestStore) {
    let server = server(&t).await;
    assert_eq!(rush(&[&server], 20).await, 6);

    t.clock.set(t.clock.now() - seconds(86_400));
    // Until then the process believes what it was told.
    t.clock.advance(seconds(1));
    assert_eq!(stranger(&server).await.header("retry-after"), "10");
    t.clock.advance(seconds(10));
    assert_eq!([stranger(&server).await.status, stranger(&server).await.status], [401, 429]);
    t.clock.advance(seconds(60));
    assert_eq!(rush(&[&server], 20).await, 6);
}

async fn a_page_in_a_browser_may_read_how_it_stands(t: TestStore) {
    let page = "https://console.example.org";
    let setup =
        Setup { origins: &["https://console.example.org"], clock: Arc::new(SystemClock::new()), ..setup(&t) };
    let server = Server::with(t.second().await, setup).await;
    assert_eq!(rush(&[&server], 20).await, 6);

    let refused = answer(server.bare(Method::GET, "/v1/queues").header("origin", page)).await;

    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (429, page));
    let exposed = refused.header("access-control-expose-headers");
    for name in ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        assert!(exposed.contains(name), "{name}: {exposed}");
    }
    // A browser that asks beforehand asks for nothing.
    let asked = server.bare(Method::OPTIONS, "/v1/queues").header("origin", page);
    assert_eq!(answer(asked.header("access-control-request-method", "GET")).await.status, 200);
}
