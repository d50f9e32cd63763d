//! Tokens of services: a name that is given once, a change that all see at once, and what is written down of it.

use std::time::Duration;

use futures::future::join_all;
use jobkit::Clock;
use serde_json::json;
use store::TokenId;
use store::tokens::{Barred, NewToken, TokenChange, TokenChanged, TokenRow, TokenState, Which};

use crate::support::store::{TestStore, ada, promises, refusal, seconds};

promises![
    a_token_is_found_by_id_and_by_name_as_it_was_made,
    a_name_is_given_once_for_ever,
    a_token_that_is_revoked_lets_nobody_in_on_any_instance,
    a_token_ends_by_the_time_of_the_store,
    of_many_who_rotate_at_once_the_last_secret_holds_and_one_before_it,
    every_change_is_written_down_without_a_secret,
    when_a_token_was_used_is_written_once_in_a_while,
];

const LIFE: Duration = Duration::from_secs(3_600);

fn new(t: &TestStore, name: &str) -> NewToken {
    NewToken {
        id: TokenId(t.ids.next().0),
        name: name.into(),
        hash: [7; 32],
        permissions: vec!["jobs:read".into(), "jobs:write".into()],
        tenant: Some("north".into()),
        networks: vec!["10.0.0.0/8".into()],
        life: LIFE,
    }
}

async fn create(t: &TestStore, name: &str) -> TokenRow {
    t.store.create_token(&new(t, name), &ada()).await.unwrap()
}

async fn look(t: &TestStore, id: TokenId) -> (TokenRow, jiff::Timestamp) {
    t.store.token(&Which::Id(id)).await.unwrap().unwrap()
}

fn rotate(hash: u8, grace: u64) -> TokenChange {
    TokenChange::Rotate { hash: [hash; 32], grace: Duration::from_secs(grace), life: LIFE }
}

async fn change(t: &TestStore, token: &TokenRow, change: TokenChange) -> TokenRow {
    match t.store.change_token(token.id, &change, &ada()).await.unwrap() {
        TokenChanged::Done(token) => *token,
        other => panic!("{other:?}"),
    }
}

async fn a_token_is_found_by_id_and_by_name_as_it_was_made(t: TestStore) {
    let (wanted, other) = (new(&t, "billing"), create(&t, "reports").await);
    let created = t.store.create_token(&wanted, &ada()).await.unwrap();

    let (by_id, now) = look(&t, wanted.id).await;
    let (by_name, _) = t.store.token(&Which::Name("billing".into())).await.unwrap().unwrap();

    assert!(created == by_id && by_id == by_name);
    assert_eq!((by_id.id, by_id.hash, &by_id.permissions), (wanted.id, [7; 32], &wanted.permissions));
    assert_eq!((by_id.tenant.as_deref(), &by_id.networks), (Some("north"), &wanted.networks));
    assert_eq!((by_id.created_at, by_id.expires_at), (t.clock.now(), t.clock.now() + seconds(3_600)));
    assert_eq!((by_id.created_by.as_str(), by_id.before.is_none()), (ada().name.as_str(), true));
    assert_eq!((by_id.state(now), by_id.admits(&[7; 32], now)), (TokenState::Live, Ok(())));
    assert!(by_id.rotated_at.is_none() && by_id.revoked_at.is_none() && by_id.used_at.is_none());
    let ids = async |after, limit| {
        let tokens = t.store.tokens(after, limit).await.unwrap();
        tokens.iter().map(|token| token.id).collect::<Vec<_>>()
    };
    let mut both = [other.id, wanted.id];
    both.sort();
    assert_eq!(ids(None, 10).await, both);
    assert_eq!(ids(None, 1).await, both[..1]);
    assert_eq!(ids(Some(both[0]), 10).await, both[1..]);
    assert!(t.store.token(&Which::Name("Billing".into())).await.unwrap().is_none());
    assert!(t.store.token(&Which::Id(TokenId(t.ids.next().0))).await.unwrap().is_none());
}

async fn a_name_is_given_once_for_ever(t: TestStore) {
    let made =
        join_all((0..6).map(|_| async { t.store.create_token(&new(&t, "billing"), &ada()).await })).await;
    let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    let token = made.into_iter().next().unwrap().unwrap();
    for refused in refused {
        assert!(refusal(refused).contains("there is or was a token of this name"));
    }

    change(&t, &token, TokenChange::Revoke).await;

    let again = t.store.create_token(&new(&t, "billing"), &ada()).await;
    assert!(refusal(again).contains("there is or was"));
    let names: Vec<_> = t.store.tokens(None, 10).await.unwrap().into_iter().map(|token| token.id).collect();
    assert_eq!(names, [token.id]);
}

async fn a_token_that_is_revoked_lets_nobody_in_on_any_instance(t: TestStore) {
    let other = t.second().await;
    let token = create(&t, "billing").await;
    let rotated = change(&t, &token, rotate(8, 60)).await;
    let admits = async |secret: u8| {
        let (token, now) = look(&other, rotated.id).await;
        token.admits(&[secret; 32], now)
    };
    assert_eq!((admits(7).await, admits(8).await), (Ok(()), Ok(())));

    change(&t, &token, TokenChange::Revoke).await;

    assert_eq!((admits(7).await, admits(8).await), (Err(Barred::Secret), Err(Barred::Revoked)));
    let again = t.store.change_token(token.id, &TokenChange::Revoke, &ada()).await.unwrap();
    assert!(matches!(again, TokenChanged::Same(_)));
    let back = t.store.change_token(token.id, &rotate(9, 60), &ada()).await.unwrap();
    assert!(matches!(back, TokenChanged::Refused(_)));
    let nobody = t.store.change_token(TokenId(t.ids.next().0), &TokenChange::Revoke, &ada()).await.unwrap();
    assert!(matches!(nobody, TokenChanged::Unknown));
}

async fn a_token_ends_by_the_time_of_the_store(t: TestStore) {
    let token = create(&t, "billing").await;
    let rotated = {
        t.clock.advance(Duration::from_secs(3_000));
        change(&t, &token, rotate(8, 7_200)).await
    };
    let admits = async |secret: u8| {
        let (token, now) = look(&t, rotated.id).await;
        token.admits(&[secret; 32], now)
    };
    assert_eq!((admits(7).await, admits(8).await), (Ok(()), Ok(())));

    t.clock.advance(Duration::from_secs(600));
    assert_eq!((admits(7).await, admits(8).await), (Err(Barred::Secret), Ok(())));

    t.clock.advance(Duration::from_secs(3_000));
    assert_eq!((admits(7).await, admits(8).await), (Err(Barred::Secret), Err(Barred::Expired)));
}

async fn of_many_who_rotate_at_once_the_last_secret_holds_and_one_before_it(t: TestStore) {
    let token = create(&t, "billing").await;

    join_all((10..20).map(|hash| change(&t, &token, rotate(hash, 60)))).await;

    let (token, now) = look(&t, token.id).await;
    let admitted: Vec<u8> = (7..20).filter(|hash| token.admits(&[*hash; 32], now).is_ok()).collect();
    let before = token.before.as_ref().unwrap().hash[0];
    let mut expected = [token.hash[0], before];
    expected.sort_unstable();
    assert_eq!(admitted, expected);
}

async fn every_change_is_written_down_without_a_secret(t: TestStore) {
    let token = create(&t, "billing").await;
    change(&t, &token, rotate(8, 60)).await;
    change(&t, &token, TokenChange::Revoke).await;

    let told = t.everything_audited().await;

    let object = format!("token:{}", token.id);
    let said: Vec<_> = told.iter().map(|entry| (entry.action.as_str(), entry.object.as_str())).collect();
    assert_eq!(
        said,
        ["token.created", "token.rotated", "token.revoked"].map(|action| (action, object.as_str()))
    );
    for entry in &told {
        assert_eq!((&entry.actor, entry.outcome.as_str()), (&ada().name, "ok"));
        assert_eq!((entry.tenant.as_deref(), &entry.details["name"]), (Some("north"), &json!("billing")));
        assert!(!entry.details.to_string().contains("hash"), "{}", entry.details);
    }
    assert_eq!(told[0].details["permissions"], json!(["jobs:read", "jobs:write"]));
}

async fn when_a_token_was_used_is_written_once_in_a_while(t: TestStore) {
    let token = create(&t, "billing").await;
    let minute = Duration::from_secs(60);
    let used = async || {
        t.store.token_used(token.id, minute).await.unwrap();
        look(&t, token.id).await.0.used_at.unwrap()
    };
    let first = t.clock.now();
    assert_eq!(used().await, first);

    t.clock.advance(Duration::from_secs(59));
    assert_eq!(used().await, first);

    t.clock.advance(Duration::from_secs(1));
    assert_eq!(used().await, first + seconds(60));
    assert_eq!(t.everything_audited().await.len(), 1, "nothing is said of it but that the token was made");
}
