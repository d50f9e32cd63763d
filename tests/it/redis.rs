//! What the way to Redis promises its callers, on a real one.

use std::sync::Arc;

use engine::adapters::redis::Redis;
use futures::StreamExt;
use jobkit::SecretString;
use jobkit::redact::ExposeSecret;
use store::chain;

use crate::support::binary::Place;
use crate::support::redis::RedisServer;
use crate::support::smtp::Authority;

const PASSWORD: &str = "pw-redis-5d07";

async fn ping(redis: &Redis) -> Result<String, String> {
    redis.query("asking", &redis::cmd("PING")).await.map_err(|problem| chain(&problem))
}

#[tokio::test]
async fn a_redis_that_comes_back_is_used_again_without_ado() {
    let server = RedisServer::start();
    let redis = server.redis();
    assert_eq!(ping(&redis).await.unwrap(), "PONG");

    server.stop();
    assert!(ping(&redis).await.unwrap_err().starts_with("asking: "));
    assert!(ping(&redis).await.is_err());
    server.start_again();

    assert_eq!(ping(&redis).await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_redis_that_was_away_at_the_start_is_used_once_it_is_there() {
    let server = RedisServer::start();
    server.stop();
    let redis = server.redis();
    assert!(ping(&redis).await.is_err());

    server.start_again();

    assert_eq!(ping(&redis).await.unwrap(), "PONG");
}

#[tokio::test]
async fn a_redis_with_tls_of_our_own_authority_is_believed_and_another_is_not() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = RedisServer::encrypted(&authority, PASSWORD);
    let trusting = |authority: &Authority, password| {
        Redis::trusting(&authority.certificate(), &server.secure_url(password), "compline").unwrap()
    };
    let redis = trusting(&authority, PASSWORD);
    assert_eq!(ping(&redis).await.unwrap(), "PONG");
    let mut news = redis.subscribe("compline:test").await.unwrap();
    let () = redis.query("telling", redis::cmd("PUBLISH").arg("compline:test").arg("x")).await.unwrap();
    assert_eq!(news.messages.next().await.unwrap().get_payload_bytes(), b"x");

    for (redis, why) in [
        (trusting(&other, PASSWORD), "invalid peer certificate"),
        (Redis::new(&server.secure_url(PASSWORD), "compline").unwrap(), "UnknownIssuer"),
        (trusting(&authority, "wrong"), "Password authentication failed"),
    ] {
        let refused = ping(&redis).await.unwrap_err();
        assert!(refused.contains(why) && !refused.contains(PASSWORD), "{refused}");
    }

    server.stop();
    assert!(ping(&redis).await.is_err());
    server.start_again();
    assert_eq!(ping(&redis).await.unwrap(), "PONG");
}

#[test]
fn an_authority_that_is_none_is_refused_before_anything_connects() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let (secure, plain) = ("rediss://localhost:6379/0", "redis://localhost:6379/0");
    for (file, url, why) in [
        (&empty, secure, "cannot be read; a PEM file"),
        (&folder.path().join("none.pem"), secure, "cannot be read; a PEM file"),
        (&Authority::new().certificate(), plain, "redis.url must begin with rediss://"),
    ] {
        let Err(problem) = Redis::trusting(file, &SecretString::from(url), "compline") else {
            panic!("{}", file.display())
        };
        assert!(chain(&problem).contains(why), "{}", chain(&problem));
    }
}

#[test]
fn doctor_says_why_a_redis_with_tls_is_not_believed() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = RedisServer::encrypted(&authority, PASSWORD);
    let place = |ca: &Authority| {
        let url = server.secure_url(PASSWORD);
        Place::new().with("REDIS_URL", url.expose_secret()).file(
            "compline.toml",
            &format!("[redis]\nurl = \"env:REDIS_URL\"\nca_file = {:?}\n", ca.certificate()),
        )
    };

    let well = place(&authority).run(&["doctor"]);
    let ill = place(&other).run(&["doctor"]);

    assert!(well.all().contains("redis") && well.all().contains("answers in"), "{}", well.all());
    assert!(ill.all().contains("invalid peer certificate"), "{}", ill.all());
    assert!(!ill.all().contains(PASSWORD), "{}", ill.all());
}

/// Those who wait behind one attempt to connect share its failure; one after the other they would wait for ever.
#[tokio::test]
async fn many_callers_of_a_silent_redis_wait_no_longer_than_one() {
    // It takes connections and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = SecretString::from(format!("redis://{}/0", silent.local_addr().unwrap()));
    let redis = Arc::new(Redis::new(&url, "compline").unwrap());

    let asking = (0..50).map(|_| {
        let redis = redis.clone();
        tokio::spawn(async move { ping(&redis).await })
    });
    let asking: Vec<_> = asking.collect();
    let mut refused = 0;
    for asked in asking {
        refused += usize::from(asked.await.unwrap().is_err());
    }

    assert_eq!(refused, 50);
    // Each attempt is a connection; there was one.
    assert!(silent.accept().await.is_ok());
    assert!(futures::FutureExt::now_or_never(silent.accept()).is_none());
}

#[tokio::test]
async fn a_subscription_ends_with_its_redis() {
    let server = RedisServer::start();
    let redis = server.redis();
    let mut heard = redis.subscribe("news").await.unwrap();
    let _: i64 = redis.query("telling", redis::cmd("PUBLISH").arg("news").arg("one")).await.unwrap();
    let message = heard.messages.next().await.unwrap();
    assert_eq!(message.get_payload::<String>().unwrap(), "one");
    assert!(heard.is_alive().await);

    server.stop();

    assert!(heard.messages.next().await.is_none());
    assert!(!heard.is_alive().await);
}

#[test]
fn the_doctor_tells_a_redis_that_answers_from_one_that_is_away() {
    let server = RedisServer::start();
    let place = Place::new().with("COMPLINE__REDIS__URL", &server.url());
    place.run(&["migrate"]).expect(0);
    place.run(&["doctor"]).expect(0).says(&["ok    redis"]);

    server.stop();

    place.run(&["doctor"]).expect(4).says(&["FAIL  redis", "remedy: start Redis"]);
    Place::new().run(&["doctor"]).says(&["redis.url is empty"]);
}
