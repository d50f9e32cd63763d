//! An account that DocuSign moves to another host. What is remembered of where it is must not outlive that.

use docusign_emulator::{Options, Rule};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{World, world};
use crate::provider::{Fault, SignatureProvider};

/// Where the account was: answers everything so.
async fn house_that_it_left(head: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { return };
            let mut heard = [0; 8_192];
            let _ = stream.read(&mut heard).await;
            let length = body.len();
            let answer =
                format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

impl World {
    /// Only where the account is, an envelope is known to be missing.
    async fn ask(&self) -> Fault {
        self.provider.audit_events("00000000-0000-4000-8000-000000000000").await.unwrap_err().fault
    }

    fn asked_where(&self) -> usize {
        self.emulator.recorded().iter().filter(|call| call.path.starts_with("/oauth/userinfo")).count()
    }
}

#[tokio::test]
async fn an_account_that_moved_is_found_where_it_is_now() {
    for (head, body) in [
        ("404 Not Found", ""),
        ("404 Not Found", r#"{"errorCode":"ACCOUNT_NOT_FOUND"}"#),
        ("302 Found\r\nlocation: http://127.0.0.1:9/", ""),
        ("400 Bad Request", r#"{"errorCode":"ACCOUNT_HAS_BEEN_MOVED"}"#),
        ("401 Unauthorized", r#"{"errorCode":"AUTHORIZATION_INVALID_TOKEN"}"#),
    ] {
        let world = world(Options::default()).await;
        world.emulator.seen_at(&house_that_it_left(head, body).await);
        assert_ne!(world.ask().await, Fault::Missing, "{head}");

        world.emulator.seen_at(&world.emulator.url());

        assert_eq!(world.ask().await, Fault::Missing, "{head} {body}");
    }
}

#[tokio::test]
async fn with_each_token_it_is_asked_where_the_account_is() {
    let world = world(Options::default()).await;
    assert_eq!(world.ask().await, Fault::Missing);
    world.emulator.seen_at(&house_that_it_left("503 Service Unavailable", "").await);
    let before = world.asked_where();

    world.emulator.revoke_tokens();

    assert_eq!(world.ask().await, Fault::Unknown);
    assert_eq!(world.asked_where(), before + 1);
}

/// As many as there are find out at once that it moved; DocuSign is asked once.
#[tokio::test]
async fn many_that_find_it_gone_ask_once() {
    let world = world(Options::default()).await;
    world.emulator.seen_at(&house_that_it_left("404 Not Found", "").await);
    world.ask().await;
    let before = world.asked_where();
    world.emulator.seen_at(&world.emulator.url());

    let faults = futures::future::join_all((0..16).map(|_| world.ask())).await;

    assert_eq!((faults, world.asked_where()), (vec![Fault::Missing; 16], before + 1));
}

/// DocuSign says nothing of it for a while. The API is well, and the account where it was.
#[tokio::test]
async fn while_nobody_says_where_the_account_is_it_is_taken_to_be_where_it_was() {
    for rule in ["error-before@get=1x:503", "lost-before@get=1x", "html@get=1x"] {
        let world = world(Options::default()).await;
        assert_eq!(world.ask().await, Fault::Missing);
        let (tokens, asked) = (world.token_calls(), world.asked_where());
        world.clock.advance(std::time::Duration::from_secs(3_600));
        world.emulator.set_faults(7, vec![rule.parse::<Rule>().ok().unwrap()]).unwrap();

        assert_eq!(world.ask().await, Fault::Missing, "{rule}");

        assert_eq!((world.token_calls(), world.asked_where()), (tokens + 1, asked + 1), "{rule}");
        // Whoever looks after it is told, and takes from nobody what is known.
        world.emulator.set_faults(7, vec![rule.replace("1x", "2x").parse::<Rule>().ok().unwrap()]).unwrap();
        assert!(world.provider.probe().await.is_err(), "{rule}");
        assert_eq!(world.ask().await, Fault::Missing, "{rule}");
    }
}

/// Many a job asks for an envelope that is not there.
#[tokio::test]
async fn an_envelope_that_is_missing_moves_no_account() {
    let world = world(Options::default()).await;
    world.ask().await;
    let before = world.asked_where();

    assert_eq!(world.ask().await, Fault::Missing);

    assert_eq!(world.asked_where(), before);
}
