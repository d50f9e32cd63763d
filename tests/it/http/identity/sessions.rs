//! Sessions of a program: opened, refreshed once, stolen, listed, ended.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use store::AlertFilter;
use store::identities::UserChange;

use super::{Tokens, credentials, refresh, refused, same_answer, second, server, sign_in, user, with};
use crate::support::http::{LIVES, Server, Setup, answer};
use crate::support::store::{TestStore, ada, promises, seconds};

promises![
    who_signs_in_is_known_until_the_access_token_is_old_and_again_after_a_refresh,
    a_wrong_password_and_an_unknown_user_hear_the_same,
    fifty_refreshes_at_once_keep_one_session,
    a_stolen_token_ends_its_family_on_both_of_two_instances,
    a_token_of_another_make_ends_nobodys_session,
    who_signs_out_is_known_no_more,
    sessions_are_listed_and_ended,
    a_session_that_is_refused_as_idle_has_ended_and_is_written_down,
    a_disabled_user_is_known_no_more_and_hears_what_others_hear,
    without_a_key_nobody_signs_in,
    what_is_missing_or_too_much_is_told_with_its_field,
];

async fn who_signs_in_is_known_until_the_access_token_is_old_and_again_after_a_refresh(t: TestStore) {
    let server = server(t).await;
    let grace = user(&server.t).await;
    let told = sign_in(&server, &with(credentials(), "bearer", true)).await;
    assert_eq!(told.headers.get_all("set-cookie").iter().count(), 0, "{told:?}");
    let told = told.expect(200);
    assert_eq!((&told["expires_in"], &told["csrf_token"]), (&json!(900), &json!(null)));
    let tokens = Tokens::of(&told);

    let me = tokens.get(&server, "/auth/me").await.expect(200);

    let wanted = json!({
        "id": grace.id, "email": "Grace.Hopper@example.org", "name": "Grace", "role": "admin", "tenant": null,
        "second_factor": false, "recovery_codes_left": 0,
    });
    assert_eq!((&me, &told["user"]), (&wanted, &wanted));
    server.t.clock.advance(seconds(931));
    refused(&tokens.get(&server, "/auth/me").await, 401, "session_over");
    let next = Tokens::of(&tokens.refresh(&server).await.expect(200));
    assert_eq!(next.session, tokens.session);
    assert_ne!((&next.access, &next.refresh), (&tokens.access, &tokens.refresh));
    assert_eq!(next.get(&server, "/auth/me").await.expect(200), wanted);
    // The token of the API is nobody's session.
    refused(&server.get("/auth/me").await, 401, "session_over");
    next.get(&server, "/v1/jobs").await.expect(200);
}

async fn a_wrong_password_and_an_unknown_user_hear_the_same(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;

    let wrong = sign_in(&server, &with(credentials(), "password", "not the password")).await;
    let unknown = sign_in(&server, &with(credentials(), "email", "nobody@example.org")).await;

    refused(&wrong, 401, "sign_in_refused");
    same_answer(&wrong, &unknown);
    let entries = server.t.everything_audited().await;
    let whys: Vec<_> = entries.iter().skip(1).map(|entry| entry.details["why"].clone()).collect();
    assert_eq!(whys, [json!("wrong_password"), json!("unknown_user")]);
    let requests: Vec<_> =
        entries.iter().skip(1).map(|entry| entry.origin.request.clone().unwrap()).collect();
    assert_eq!(requests, [wrong.header("x-request-id"), unknown.header("x-request-id")]);
    let text = format!("{entries:?}");
    assert!(!text.contains("example.org") && !text.contains("not the password"), "{text}");
}

async fn fifty_refreshes_at_once_keep_one_session(t: TestStore) {
    let one = server(t).await;
    let other = second(&one).await;
    user(&one.t).await;
    let tokens = Tokens::new(&one).await;
    let instances = [&one, &other];

    let answers = join_all((0..50).map(|n| tokens.refresh(instances[n % 2]))).await;

    let successors: Vec<_> = answers.into_iter().map(|answer| Tokens::of(&answer.expect(200))).collect();
    for successor in &successors {
        assert_eq!((&successor.refresh, &successor.session), (&successors[0].refresh, &tokens.session));
    }
    let sessions = successors[7].get(&other, "/auth/sessions").await.expect(200);
    let ids: Vec<_> = sessions.as_array().unwrap().iter().map(|session| session["id"].clone()).collect();
    assert_eq!(ids, [json!(tokens.session)]);
    // And it goes on.
    successors[49].refresh(&other).await.expect(200);
}

async fn a_stolen_token_ends_its_family_on_both_of_two_instances(t: TestStore) {
    let one = server(t).await;
    let other = second(&one).await;
    user(&one.t).await;
    let (stolen, beside) = (Tokens::new(&one).await, Tokens::new(&other).await);
    let owner = Tokens::of(&stolen.refresh(&one).await.expect(200));
    one.t.clock.advance(seconds(11));

    let thief = stolen.refresh(&other).await;

    refused(&thief, 401, "session_over");
    for server in [&one, &other] {
        refused(&owner.get(server, "/auth/me").await, 401, "session_over");
        refused(&owner.refresh(server).await, 401, "session_over");
        beside.get(server, "/auth/me").await.expect(200);
    }
    one.t.store.fold(100, &one.t.ids).await.unwrap();
    let alerts = one.t.store.alerts(&AlertFilter::default()).await.unwrap();
    assert_eq!(alerts.iter().map(|alert| alert.rule.as_str()).collect::<Vec<_>>(), ["identity.token_reused"]);
}

/// Whoever knows the id of a session could end it, if a token were looked at only for its number.
async fn a_token_of_another_make_ends_nobodys_session(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let tokens = Tokens::new(&server).await;
    let cut = &tokens.refresh[..tokens.refresh.len() - 6];
    for made in ["", "cplr_", cut, &format!("{cut}AAAAAA"), &tokens.access] {
        refused(&refresh(&server, made).await, 401, "session_over");
    }

    tokens.get(&server, "/auth/me").await.expect(200);
    tokens.refresh(&server).await.expect(200);
}

async fn who_signs_out_is_known_no_more(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let (tokens, beside) = (Tokens::new(&server).await, Tokens::new(&server).await);

    let out = answer(tokens.request(&server, Method::POST, "/auth/sign-out")).await;

    assert_eq!(out.status, 204, "{out:?}");
    refused(&tokens.get(&server, "/auth/me").await, 401, "session_over");
    refused(&tokens.refresh(&server).await, 401, "session_over");
    refused(&answer(tokens.request(&server, Method::POST, "/auth/sign-out")).await, 401, "session_over");
    beside.get(&server, "/auth/me").await.expect(200);
}

async fn sessions_are_listed_and_ended(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    let mut all = Vec::new();
    for _ in 0..4 {
        server.t.clock.advance(seconds(1));
        all.push(Tokens::new(&server).await);
    }
    let own = &all[0];
    let listed = async || {
        let sessions = own.get(&server, "/auth/sessions").await.expect(200);
        let sessions = sessions.as_array().unwrap().clone();
        sessions
            .iter()
            .map(|one| (one["id"].as_str().unwrap().to_owned(), one["current"] == true))
            .collect::<Vec<_>>()
    };
    let of = |n: usize| (all[n].session.clone(), n == 0);
    assert_eq!(listed().await, [of(3), of(2), of(1), of(0)]);
    let sessions = own.get(&server, "/auth/sessions").await.expect(200);
    assert_eq!(sessions[0]["source"], "127.0.0.1");

    let end =
        async |id: &str| answer(own.request(&server, Method::DELETE, &format!("/auth/sessions/{id}"))).await;
    assert_eq!(end(&all[2].session).await.status, 204);
    refused(&end(&all[2].session).await, 404, "not_found");
    refused(&end("nonsense").await, 400, "invalid_parameter");
    assert_eq!(listed().await, [of(3), of(1), of(0)]);
    refused(&all[2].get(&server, "/auth/me").await, 401, "session_over");

    let ended = answer(own.request(&server, Method::DELETE, "/auth/sessions")).await.expect(200);
    assert_eq!((ended, listed().await), (json!({ "ended": 2 }), vec![of(0)]));
}

async fn a_session_that_is_refused_as_idle_has_ended_and_is_written_down(t: TestStore) {
    let server = server(t).await;
    let grace = user(&server.t).await;
    let (one, two) = (Tokens::new(&server).await, Tokens::new(&server).await);
    server.t.clock.advance(LIVES.idle + seconds(1));

    refused(&one.refresh(&server).await, 401, "session_over");
    refused(&one.refresh(&server).await, 401, "session_over");
    let ended = server.t.everything_audited().await;

    let ended: Vec<_> = ended.iter().filter(|entry| entry.action == "session.ended").collect();
    let [entry] = ended.as_slice() else { panic!("one entry: {ended:?}") };
    assert_eq!(entry.object, format!("user:{}", grace.id));
    assert_eq!(entry.details, json!({ "session": one.session, "why": "idle" }));
    // It would live again where people are given longer, as the other does.
    let longer = server.t.store.sessions(grace.id, LIVES.idle * 2).await.unwrap();
    assert_eq!(longer.iter().map(|session| session.id.to_string()).collect::<Vec<_>>(), [two.session]);
}

async fn a_disabled_user_is_known_no_more_and_hears_what_others_hear(t: TestStore) {
    let server = server(t).await;
    let grace = user(&server.t).await;
    let tokens = Tokens::new(&server).await;

    server.t.store.change_user(grace.id, &UserChange::Disable, &ada()).await.unwrap();

    refused(&tokens.get(&server, "/auth/me").await, 401, "session_over");
    refused(&tokens.refresh(&server).await, 401, "session_over");
    let disabled = sign_in(&server, &credentials()).await;
    let unknown = sign_in(&server, &with(credentials(), "email", "nobody@example.org")).await;
    same_answer(&disabled, &unknown);
    server.t.store.change_user(grace.id, &UserChange::Enable, &ada()).await.unwrap();
    Tokens::new(&server).await.get(&server, "/auth/me").await.expect(200);
}

async fn without_a_key_nobody_signs_in(t: TestStore) {
    let server = Server::with(t, Setup::default()).await;
    user(&server.t).await;

    refused(&sign_in(&server, &credentials()).await, 503, "sign_in_off");
    refused(&server.get("/auth/me").await, 503, "sign_in_off");
    refused(&refresh(&server, "cplr_x").await, 503, "sign_in_off");
}

async fn what_is_missing_or_too_much_is_told_with_its_field(t: TestStore) {
    let server = server(t).await;
    user(&server.t).await;
    for (body, field) in [
        (json!({}), "/email"),
        (json!({ "email": "x@y" }), "/password"),
        (with(credentials(), "email", "nobody"), "/email"),
        (with(credentials(), "password", ""), "/password"),
        (with(credentials(), "password", "x".repeat(257)), "/password"),
        (with(credentials(), "totp", ""), "/totp"),
        (with(with(credentials(), "totp", "123456"), "recovery_code", "A"), "/recovery_code"),
    ] {
        let told = sign_in(&server, &body).await.expect(422);
        assert_eq!(
            (&told["code"], &told["errors"][0]["field"]),
            (&json!("invalid_body"), &json!(field)),
            "{told}"
        );
        assert!(!told.to_string().contains("compiler"), "{told}");
    }
    // None of these was counted.
    for _ in 0..4 {
        sign_in(&server, &credentials()).await.expect(200);
    }
}
