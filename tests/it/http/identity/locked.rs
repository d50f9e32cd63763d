//! Locks: who fails too often waits, whether there is such a user or not, and not for ever.

use std::net::IpAddr;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Tokens, credentials, refused, same_answer, server, setup, sign_in, user, with};
use crate::support::http::{Answer, Server, Setup, answer};
use crate::support::store::{TestStore, promises, seconds};

promises![
    who_fails_five_times_waits_and_comes_in_when_the_lock_ends,
    a_lock_tells_nothing_of_whether_there_is_such_a_user,
    a_stranger_elsewhere_does_not_lock_the_owner_out,
    many_guesses_at_once_are_counted_before_the_first_is_known,
    what_somebody_changes_with_the_password_counts_too,
];

fn wrong() -> Value {
    with(credentials(), "password", "a wrong password")
}

async fn who_fails_five_times_waits_and_comes_in_when_the_lock_ends(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    for _ in 0..5 {
        refused(&sign_in(&server, &wrong()).await, 401, "sign_in_refused");
    }

    // The right one does not help, or guessing would go on.
    let locked = sign_in(&server, &credentials()).await;

    refused(&locked, 429, "locked_out");
    assert_eq!(locked.header("retry-after"), "30");
    server.t.clock.advance(seconds(29));
    assert_eq!(sign_in(&server, &credentials()).await.header("retry-after"), "1");
    server.t.clock.advance(seconds(1));
    sign_in(&server, &credentials()).await.expect(200);
    // And it begins anew.
    for _ in 0..5 {
        refused(&sign_in(&server, &wrong()).await, 401, "sign_in_refused");
    }
    assert_eq!(sign_in(&server, &credentials()).await.header("retry-after"), "30");
    server.t.clock.advance(seconds(30));
    refused(&sign_in(&server, &wrong()).await, 401, "sign_in_refused");
    assert_eq!(sign_in(&server, &credentials()).await.header("retry-after"), "60");
}

async fn a_lock_tells_nothing_of_whether_there_is_such_a_user(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let nobody = with(wrong(), "email", "nobody@example.org");
    for _ in 0..6 {
        let (known, unknown) = (sign_in(&server, &wrong()).await, sign_in(&server, &nobody).await);
        same_answer(&known, &unknown);
    }
    refused(&sign_in(&server, &nobody).await, 429, "locked_out");
}

/// From an address that a proxy names.
async fn from(server: &Server, address: IpAddr, body: &Value) -> Answer {
    let request = server.bare(Method::POST, "/auth/sign-in").json(body);
    answer(request.header("x-forwarded-for", address.to_string())).await
}

async fn a_stranger_elsewhere_does_not_lock_the_owner_out(t: TestStore) {
    let proxies = vec!["127.0.0.1".parse().unwrap()];
    let server = Server::with(t.clone(), Setup { proxies, ..setup(&t) }).await;
    user(&server.t).await;
    let owner = IpAddr::from([192, 0, 2, 7]);
    from(&server, owner, &credentials()).await.expect(200);
    // From so many networks that the account itself is locked.
    for n in 0..50 {
        refused(&from(&server, IpAddr::from([198, 51, n, 1]), &wrong()).await, 401, "sign_in_refused");
    }
    let stranger = IpAddr::from([198, 51, 100, 1]);
    refused(&from(&server, stranger, &wrong()).await, 429, "locked_out");

    from(&server, owner, &credentials()).await.expect(200);

    server.t.clock.advance(seconds(15 * 60));
    let elsewhere = IpAddr::from([203, 0, 113, 1]);
    from(&server, elsewhere, &credentials()).await.expect(200);
}

async fn many_guesses_at_once_are_counted_before_the_first_is_known(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let wrong = wrong();

    let answers = futures::future::join_all((0..30).map(|_| sign_in(&server, &wrong))).await;

    let tried = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!((tried, answers.iter().filter(|answer| answer.status == 429).count()), (5, 25));
}

async fn what_somebody_changes_with_the_password_counts_too(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let tokens = Tokens::new(&server).await;
    let change =
        json!({ "current_password": "a wrong password", "new_password": "another compiler, by and by" });
    for _ in 0..5 {
        refused(&tokens.post(&server, "/auth/password", &change).await, 401, "sign_in_refused");
    }

    refused(&tokens.post(&server, "/auth/password", &change).await, 429, "locked_out");
    let begin = json!({ "step": "begin", "password": super::PASSWORD });
    refused(&tokens.post(&server, "/auth/totp", &begin).await, 429, "locked_out");
    refused(&sign_in(&server, &credentials()).await, 429, "locked_out");
    // The session itself goes on.
    tokens.get(&server, "/auth/me").await.expect(200);
}
