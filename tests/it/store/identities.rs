//! Users and their sessions: a token that works once, a family that ends when somebody else has it, a lock that ends.

use std::net::IpAddr;
use std::time::Duration;

use futures::future::join_all;
use jobkit::redact::{ExposeSecret, Personal};
use jobkit::{Clock, Origin, SecretString};
use serde_json::json;
use store::identities::{
    Admission, Doors, Ending, Factor, FailedSignIn, NewSession, NewUser, Opened, Rotated, SessionRow,
    SignInProblem, UserChange, UserChanged, UserRow, Whom, acting_user,
};
use store::{AlertFilter, Role, SessionId, UserId};

use crate::support::store::{TestStore, ada, promises, refusal, seconds};

promises![
    a_user_is_found_by_id_and_by_the_address_in_any_case,
    an_address_is_had_by_one_user,
    every_change_of_a_user_is_written_down_without_a_name_or_a_secret,
    a_session_is_opened_and_found_until_it_ends,
    a_session_ends_by_idleness_and_by_age,
    what_is_over_by_time_is_ended_once_with_an_entry,
    fifty_who_use_a_token_at_once_get_one_successor,
    a_token_that_was_used_ends_its_family_on_every_instance,
    a_code_opens_one_session_however_many_show_it_at_once,
    a_recovery_code_opens_one_session,
    who_is_disabled_or_has_another_password_loses_the_sessions_and_opens_none,
    sessions_are_ended_one_by_one_and_all_but_one,
    many_failures_at_once_are_all_counted_and_the_lock_ends,
    a_failure_is_written_down_and_a_lock_is_told,
    what_is_long_over_is_forgotten,
];

const IDLE: Duration = Duration::from_secs(3600);
const LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
const HASH: &str = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA";

fn origin() -> Origin {
    Origin { request: Some("r-1".into()), ..Origin::default() }
}

fn doors() -> Doors {
    Doors::of(&"ada@example.org".parse().unwrap(), IpAddr::from([192, 0, 2, 7]))
}

async fn create(t: &TestStore, email: &str) -> UserRow {
    let user = NewUser {
        id: UserId(t.ids.next().0),
        email: email.parse().unwrap(),
        name: Personal::new("Ada Lovelace".into()),
        role: Role::Member,
        tenant: Some("north".into()),
        password: SecretString::from(HASH),
    };
    t.store.create_user(&user, &ada()).await.unwrap()
}

fn new_session(t: &TestStore, user: &UserRow) -> NewSession {
    NewSession {
        id: SessionId(t.ids.next().0),
        user: user.id,
        password: user.password.clone(),
        seed: [7; 32],
        life: LIFE,
        user_agent: "a browser".into(),
        source: "192.0.2.7".into(),
        origin: origin(),
    }
}

async fn open(t: &TestStore, user: &UserRow) -> SessionRow {
    opened(&t.store.open_session(&new_session(t, user), &Factor::Password, &doors()).await.unwrap()).unwrap()
}

fn opened(opened: &Opened) -> Option<SessionRow> {
    match opened {
        Opened::Session(opened) => Some(opened.0.clone()),
        Opened::Refused => None,
    }
}

/// The number of the token that is given out.
fn number(rotated: &Rotated) -> Result<u64, Option<Ending>> {
    match rotated {
        Rotated::To(_, number) => Ok(*number),
        Rotated::Ended(why) => Err(Some(*why)),
        Rotated::Unknown => Err(None),
    }
}

async fn change(t: &TestStore, user: &UserRow, change: UserChange) -> UserRow {
    match t.store.change_user(user.id, &change, &ada()).await.unwrap() {
        UserChanged::Done(user) => *user,
        other => panic!("{change:?}: {other:?}"),
    }
}

async fn lives(t: &TestStore, session: &SessionRow) -> bool {
    t.store.session(session.id, IDLE).await.unwrap().is_some()
}

/// What the audit log says of people: actor, action, object and outcome.
async fn told(t: &TestStore) -> Vec<(String, String, String, String)> {
    t.everything_audited()
        .await
        .into_iter()
        .map(|entry| (entry.actor, entry.action, entry.object, entry.outcome))
        .collect()
}

async fn actions(t: &TestStore) -> Vec<String> {
    told(t).await.into_iter().map(|(_, action, ..)| action).collect()
}

async fn a_user_is_found_by_id_and_by_the_address_in_any_case(t: TestStore) {
    let created = create(&t, "Ada@Example.org").await;
    let other = create(&t, "bob@example.org").await;

    let by_id = t.store.user(&Whom::Id(created.id)).await.unwrap().unwrap();
    let by_email = t.store.user(&Whom::Email("ADA@example.ORG".parse().unwrap())).await.unwrap().unwrap();
    let nobody = t.store.user(&Whom::Email("eve@example.org".parse().unwrap())).await.unwrap();

    assert!(nobody.is_none());
    for found in [&by_id, &by_email] {
        assert_eq!((found.id, found.email.expose()), (created.id, "Ada@Example.org"));
        assert_eq!((found.name.expose().as_str(), found.role), ("Ada Lovelace", Role::Member));
        assert_eq!((found.tenant.as_deref(), found.password.expose_secret()), (Some("north"), HASH));
        assert_eq!((found.created_at, found.password_changed_at), (t.clock.now(), t.clock.now()));
        assert!(found.disabled_at.is_none() && found.totp.is_none() && found.recovery == 0);
    }
    let ids = async |after, limit| {
        let users = t.store.users(after, limit).await.unwrap();
        users.iter().map(|user| user.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(None, 10).await, [created.id, other.id]);
    assert_eq!(ids(None, 1).await, [created.id]);
    assert_eq!(ids(Some(created.id), 10).await, [other.id]);
}

async fn an_address_is_had_by_one_user(t: TestStore) {
    let created = create(&t, "ada@example.org").await;
    let second = NewUser {
        id: UserId(t.ids.next().0),
        email: "ADA@example.org".parse().unwrap(),
        name: created.name.clone(),
        role: Role::Owner,
        tenant: None,
        password: created.password.clone(),
    };

    let refused = refusal(t.store.create_user(&second, &ada()).await);

    assert!(refused.contains("already"), "{refused}");
    assert!(t.store.user(&Whom::Id(second.id)).await.unwrap().is_none());
    assert_eq!(actions(&t).await, ["user.created"]);
}

async fn every_change_of_a_user_is_written_down_without_a_name_or_a_secret(t: TestStore) {
    let user = create(&t, "ada@example.org").await;
    let sealed = "the sealed secret".to_owned();
    let hash = SecretString::from(format!("{HASH}new"));
    for made in [
        UserChange::role(Role::Admin),
        UserChange::Password { hash: hash.clone(), keep: None },
        UserChange::BeginTotp { sealed: sealed.clone() },
        UserChange::ConfirmTotp { sealed, step: 7, codes: vec![[1; 32], [2; 32]] },
        UserChange::RemoveTotp,
        UserChange::Disable,
        UserChange::Enable,
    ] {
        t.clock.advance(seconds(1));
        let changed = change(&t, &user, made).await;
        let found = t.store.user(&Whom::Id(user.id)).await.unwrap().unwrap();
        assert_eq!(format!("{changed:?}"), format!("{found:?}"));
    }
    let same = t.store.change_user(user.id, &UserChange::Enable, &ada()).await.unwrap();
    assert!(matches!(same, UserChanged::Same(_)), "{same:?}");
    let nobody = t.store.change_user(UserId(t.ids.next().0), &UserChange::Enable, &ada()).await.unwrap();
    assert!(matches!(nobody, UserChanged::Unknown), "{nobody:?}");

    let found = t.store.user(&Whom::Id(user.id)).await.unwrap().unwrap();
    assert_eq!((found.role, found.password.expose_secret()), (Role::Admin, hash.expose_secret()));
    let object = format!("user:{}", user.id);
    let by_ada = |action: &str| ("user:ada".to_owned(), action.to_owned(), object.clone(), "ok".to_owned());
    let wanted = ["created", "role_changed", "password_changed", "totp_begun", "totp_confirmed"];
    let wanted = wanted.iter().chain(&["totp_removed", "disabled", "enabled"]);
    let wanted: Vec<_> = wanted.map(|word| by_ada(&format!("user.{word}"))).collect();
    assert_eq!(told(&t).await, wanted);
    let entries = t.everything_audited().await;
    assert!(entries.iter().all(|entry| entry.tenant.as_deref() == Some("north")));
    let text = format!("{entries:?}");
    for secret in ["example.org", "Lovelace", "argon2id", "sealed secret"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

async fn a_session_is_opened_and_found_until_it_ends(t: TestStore) {
    let user = create(&t, "ada@example.org").await;

    let session = open(&t, &user).await;

    let (found, of) = t.store.session(session.id, IDLE).await.unwrap().unwrap();
    assert_eq!((&found, of.id), (&session, user.id));
    assert_eq!((found.generation, found.seed, found.rotated_at), (0, [7; 32], None));
    assert_eq!((found.created_at, found.used_at), (t.clock.now(), t.clock.now()));
    assert_eq!(found.expires_at, t.clock.now() + LIFE);
    assert!(t.store.session(SessionId(t.ids.next().0), IDLE).await.unwrap().is_none());

    let by = acting_user(user.id, &origin());
    assert!(t.store.end_session(session.id, user.id, Ending::SignedOut, &by).await.unwrap());
    assert!(!t.store.end_session(session.id, user.id, Ending::SignedOut, &by).await.unwrap());
    assert!(!lives(&t, &session).await);
    let shown = t.store.rotate(session.id, 0, IDLE, &origin()).await.unwrap();
    assert_eq!(number(&shown), Err(Some(Ending::SignedOut)));
    assert_eq!(actions(&t).await, ["user.created", "user.signed_in", "user.signed_out"]);
    let entry = &t.everything_audited().await[1];
    assert_eq!((&entry.actor, &entry.object), (&by_name(&user), &by_name(&user)));
    assert_eq!(entry.origin, origin());
    let details = json!({ "session": session.id, "factor": "password", "recovery_codes_left": 0 });
    assert_eq!(entry.details, details);
}

fn by_name(user: &UserRow) -> String {
    format!("user:{}", user.id)
}

async fn a_session_ends_by_idleness_and_by_age(t: TestStore) {
    let user = create(&t, "ada@example.org").await;
    let session = open(&t, &user).await;
    t.clock.advance(IDLE);
    assert!(lives(&t, &session).await);
    assert_eq!(number(&t.store.rotate(session.id, 0, IDLE, &origin()).await.unwrap()), Ok(1));
    t.clock.advance(IDLE + seconds(1));
    assert!(!lives(&t, &session).await);
    assert_eq!(t.store.sessions(user.id, IDLE).await.unwrap(), []);
    assert_eq!(
        number(&t.store.rotate(session.id, 1, IDLE, &origin()).await.unwrap()),
        Err(Some(Ending::Idle))
    );

    let session = open(&t, &user).await;
    for number_shown in 0..7 * 24 - 1 {
        t.clock.advance(IDLE);
        assert_eq!(
            number(&t.store.rotate(session.id, number_shown, IDLE, &origin()).await.unwrap()),
            Ok(number_shown + 1)
        );
    }
    t.clock.advance(IDLE);
    assert_eq!(
        number(&t.store.rotate(session.id, 167, IDLE, &origin()).await.unwrap()),
        Err(Some(Ending::Expired))
    );
    let unknown = t.store.rotate(SessionId(t.ids.next().0), 0, IDLE, &origin()).await.unwrap();
    assert_eq!(number(&unknown), Err(None));
}

async fn what_is_over_by_time_is_ended_once_with_an_entry(t: TestStore) {
    let user = create(&t, "ada@example.org").await;
    let (idle, used, ended) = (open(&t, &user).await, open(&t, &user).await, open(&t, &user).await);
    assert!(t.store.end_session(ended.id, user.id, Ending::Revoked, &ada()).await.unwrap());
    t.clock.advance(IDLE);
    assert!(!t.store.end_if_over(idle.id, IDLE, &origin()).await.unwrap(), "it lives");
    assert_eq!(number(&t.store.rotate(used.id, 0, IDLE, &origin()).await.unwrap()), Ok(1));
    t.clock.advance(seconds(1));
    let before = t.everything_audited().await.len();

    let other = t.another().await;
    let end = |store: std::sync::Arc<dyn store::Store>, id| async move {
        store.end_if_over(id, IDLE, &origin()).await.unwrap()
    };
    let twice = [t.store.clone(), other.clone(), t.store.clone()].map(|store| end(store, idle.id));
    let told: Vec<_> = join_all(twice).await.into_iter().filter(|done| *done).collect();

    assert_eq!(told, [true]);
    for id in [used.id, ended.id, SessionId(t.ids.next().0)] {
        assert!(!t.store.end_if_over(id, IDLE, &origin()).await.unwrap());
    }
    let entries = t.everything_audited().await.split_off(before);
    let [entry] = &entries[..] else { panic!("one entry: {entries:?}") };
    assert_eq!(
        (entry.action.as_str(), &entry.actor, &entry.object),
        ("session.ended", &by_name(&user), &by_name(&user))
    );
    assert_eq!(entry.details, json!({ "session": idle.id, "why": "idle" }));
    assert_eq!(entry.origin, origin());
    // With a longer patience it would live, and it has ended.
    assert!(!lives(&t, &idle).await);
    assert!(t.store.session(idle.id, IDLE * 10).await.unwrap().is_none());
}

async fn fifty_who_use_a_token_at_once_get_one_successor(t: TestStore) {
    let user = create(&t, "ada@example.org").await;
    let session = open(&t, &user).await;
    let other = t.another().await;
    let instances = [&t.store, &other];

    let origin = origin();
    let rotations = (0..50).map(|n| instances[n % 2].rotate(session.id, 0, IDLE, &origin));
    let rotations = join_all(rotations).await;

    for rotated in rotations {
        assert_eq!(number(&rotated.unwrap()), Ok(1));
    }
    let (found, _) = t.store.session(session.id, IDLE).await.unwrap().unwrap();
    assert_eq!((found.generation, found.rotated_at), (1, Some(t.clock.now())));
    // The successor is in use, and whoever came late hears of it for as long as the grace lasts.
    assert_eq!(number(&other.rotate(session.id, 1, IDLE, &origin).await.unwrap()), Ok(2));
    t.clock.advance(seconds(10));
    assert_eq!(number(&t.store.rotate(session.id, 0, IDLE, &origin).await.unwrap()), Ok(1));
    assert_eq!(actions(&t).await, ["user.created", "user.signed_in"]);
}

async fn a_token_that_was_used_ends_its_family_on_every_instance(t: TestStore) {
    let user = create(&t, "ada@example.org").await;
    let (session, beside) = (open(&t, &user).await, open(&t, &user).await);
    let other = t.another().await;
    assert_eq!(number(&t.store.rotate(session.id, 0, IDLE, &origin()).await.unwrap()), Ok(1));
    t.clock.advance(seconds(11));

    let stolen = other.rotate(session.id, 0, IDLE, &origin()).await.unwrap();

    assert_eq!(number(&stolen), Err(Some(Ending::Reused)));
    for instance in [&t.store, &other] {
        assert!(instance.session(session.id, IDLE).await.unwrap().is_none());
        assert_eq!(
            number(&instance.rotate(session.id, 1, IDLE, &origin()).await.unwrap()),
            Err(Some(Ending::Reused))
        );
        assert!(instance.session(beside.id, IDLE).await.unwrap().is_some());
    }
    let last = told(&t).await.pop().unwrap();
    assert_eq!((last.1.as_str(), last.2, last.3.as_str()), ("session.reused", by_name(&user), "refused"));
    t.store.fold(100, &t.ids).await.unwrap();
    let alerts = t.store.alerts(&AlertFilter::default()).await.unwrap();
    let keys: Vec<_> = alerts.iter().map(|alert| alert.key.clone()).collect();
    assert_eq!(keys, [format!("identity.token_reused/{}", user.id)]);
}

async fn confirmed(t: &TestStore) -> UserRow {
    let user = create(t, "ada@example.org").await;
    change(t, &user, UserChange::BeginTotp { sealed: "sealed".into() }).await;
    let confirm = UserChange::ConfirmTotp { sealed: "sealed".into(), step: 7, codes: vec![[1; 32], [2; 32]] };
    change(t, &user, confirm).await
}

async fn a_code_opens_one_session_however_many_show_it_at_once(t: TestStore) {
    let user = confirmed(&t).await;
    let other = t.another().await;
    let instances = [&t.store, &other];

    let alone = t.store.open_session(&new_session(&t, &user), &Factor::Password, &doors()).await.unwrap();
    let sessions: Vec<_> = (0..12).map(|_| new_session(&t, &user)).collect();
    let factor = Factor::Totp { step: 8 };
    let doors = doors();
    let openings =
        sessions.iter().enumerate().map(|(n, new)| instances[n % 2].open_session(new, &factor, &doors));
    let openings = join_all(openings).await;

    assert!(opened(&alone).is_none());
    let openings: Vec<_> = openings.iter().filter_map(|one| opened(one.as_ref().unwrap())).collect();
    assert_eq!(openings.len(), 1, "{openings:?}");
    for step in [7, 8] {
        let again =
            t.store.open_session(&new_session(&t, &user), &Factor::Totp { step }, &doors).await.unwrap();
        assert!(opened(&again).is_none(), "{step}");
    }
    let next =
        t.store.open_session(&new_session(&t, &user), &Factor::Totp { step: 9 }, &doors).await.unwrap();
    assert!(opened(&next).is_some());
}

async fn a_recovery_code_opens_one_session(t: TestStore) {
    let user = confirmed(&t).await;
    let sessions: Vec<_> = (0..6).map(|_| new_session(&t, &user)).collect();
    let (factor, doors) = (Factor::Recovery([1; 32]), doors());

    let openings = join_all(sessions.iter().map(|new| t.store.open_session(new, &factor, &doors))).await;

    let openings: Vec<_> = openings.iter().filter_map(|one| opened(one.as_ref().unwrap())).collect();
    assert_eq!(openings.len(), 1, "{openings:?}");
    assert_eq!(t.store.user(&Whom::Id(user.id)).await.unwrap().unwrap().recovery, 1);
    let none =
        t.store.open_session(&new_session(&t, &user), &Factor::Recovery([9; 32]), &doors).await.unwrap();
    assert!(opened(&none).is_none());
    let entry = t.everything_audited().await.pop().unwrap();
    assert_eq!(
        (&entry.details["factor"], &entry.details["recovery_codes_left"]),
        (&json!("recovery_code"), &json!(1))
    );
}

async fn who_is_disabled_or_has_another_password_loses_the_sessions_and_opens_none(t: TestStore) {
    let user = create(&t, "ada@example.org").await;
    let (first, second) = (open(&t, &user).await, open(&t, &user).await);
    let hash = SecretString::from(format!("{HASH}new"));

    let changed = change(&t, &user, UserChange::Password { hash, keep: Some(first.id) }).await;

    assert!(lives(&t, &first).await && !lives(&t, &second).await);
    let shown = t.store.rotate(second.id, 0, IDLE, &origin()).await.unwrap();
    assert_eq!(number(&shown), Err(Some(Ending::PasswordChanged)));
    // The old password was right when it was looked at.
    let late = t.store.open_session(&new_session(&t, &user), &Factor::Password, &doors()).await.unwrap();
    assert!(opened(&late).is_none());

    change(&t, &changed, UserChange::Disable).await;
    assert!(!lives(&t, &first).await);
    let none = t.store.open_session(&new_session(&t, &changed), &Factor::Password, &doors()).await.unwrap();
    assert!(opened(&none).is_none());
    change(&t, &changed, UserChange::Enable).await;
    assert!(!lives(&t, &first).await);
    assert!(lives(&t, &open(&t, &changed).await).await);
}

async fn sessions_are_ended_one_by_one_and_all_but_one(t: TestStore) {
    let (user, other) = (create(&t, "ada@example.org").await, create(&t, "bob@example.org").await);
    let mut sessions = Vec::new();
    for _ in 0..4 {
        t.clock.advance(seconds(1));
        sessions.push(open(&t, &user).await);
    }
    let foreign = open(&t, &other).await;
    let living = async || {
        let rows = t.store.sessions(user.id, IDLE).await.unwrap();
        rows.iter().map(|session| session.id).collect::<Vec<_>>()
    };
    let ids: Vec<_> = sessions.iter().map(|session| session.id).collect();
    assert_eq!(living().await, [ids[3], ids[2], ids[1], ids[0]]);

    // Nobody ends what belongs to somebody else.
    assert!(!t.store.end_session(foreign.id, user.id, Ending::Revoked, &ada()).await.unwrap());
    assert!(t.store.end_session(ids[1], user.id, Ending::Revoked, &ada()).await.unwrap());
    assert_eq!(living().await, [ids[3], ids[2], ids[0]]);
    let ended = t.store.end_sessions_of(user.id, Some(ids[2]), Ending::Revoked, &ada()).await.unwrap();
    assert_eq!((ended, living().await), (2, vec![ids[2]]));
    assert_eq!(t.store.end_sessions_of(user.id, None, Ending::Revoked, &ada()).await.unwrap(), 1);
    assert_eq!(t.store.end_sessions_of(user.id, None, Ending::Revoked, &ada()).await.unwrap(), 0);
    assert_eq!(
        t.store.end_sessions_of(UserId(t.ids.next().0), None, Ending::Revoked, &ada()).await.unwrap(),
        0
    );
    assert!(lives(&t, &foreign).await);
    let ended = actions(&t).await.iter().filter(|action| *action == "session.ended").count();
    assert_eq!(ended, 3);
}

async fn many_failures_at_once_are_all_counted_and_the_lock_ends(t: TestStore) {
    let other = t.another().await;
    let instances = [&t.store, &other];
    let (doors, now) = (doors(), t.clock.now());

    let tries = join_all((0..20).map(|n| instances[n % 2].begin_sign_in(&doors))).await;

    let open = tries.iter().filter(|one| matches!(one.as_ref().unwrap(), Admission::Open)).count();
    assert_eq!(open, 5);
    let locked = Admission::Locked { until: now + seconds(30) };
    assert_eq!(t.store.begin_sign_in(&doors).await.unwrap(), locked);
    let elsewhere = Doors::of(&"ada@example.org".parse().unwrap(), IpAddr::from([198, 51, 100, 1]));
    assert_eq!(t.store.begin_sign_in(&elsewhere).await.unwrap(), Admission::Open);

    t.clock.advance(seconds(30));
    assert_eq!(t.store.begin_sign_in(&doors).await.unwrap(), Admission::Open);
    // It was no failure, so it is taken back: somebody who has the right password comes in.
    t.store.sign_in_due(&doors).await.unwrap();
    let user = create(&t, "ada@example.org").await;
    open_through(&t, &user, &doors).await;
    for _ in 0..4 {
        assert_eq!(t.store.begin_sign_in(&doors).await.unwrap(), Admission::Open);
    }
}

async fn open_through(t: &TestStore, user: &UserRow, doors: &Doors) {
    let session = new_session(t, user);
    assert!(opened(&t.store.open_session(&session, &Factor::Password, doors).await.unwrap()).is_some());
}

async fn a_failure_is_written_down_and_a_lock_is_told(t: TestStore) {
    let user = create(&t, "ada@example.org").await;
    let known = FailedSignIn { user: Some(user.id), why: SignInProblem::WrongPassword, origin: origin() };
    let unknown = FailedSignIn { user: None, why: SignInProblem::UnknownUser, origin: origin() };
    let doors = doors();
    for failed in [&unknown, &known, &known, &known, &known] {
        assert_eq!(t.store.begin_sign_in(&doors).await.unwrap(), Admission::Open);
        t.store.sign_in_failed(&doors, failed).await.unwrap();
    }

    let entries: Vec<_> = t.everything_audited().await.into_iter().skip(1).collect();
    let objects: Vec<_> = entries.iter().map(|entry| entry.object.as_str()).collect();
    let one = by_name(&user);
    assert_eq!(objects, ["user:unknown", &one, &one, &one, &one]);
    for entry in &entries {
        assert_eq!((entry.actor.as_str(), entry.action.as_str()), ("stranger", "user.sign_in_failed"));
        assert_eq!((entry.outcome.as_str(), &entry.origin), ("refused", &origin()));
    }
    assert_eq!(entries[3].details, json!({ "why": "wrong_password", "locked_until": null }));
    let until = t.clock.now() + seconds(30);
    assert_eq!(entries[4].details, json!({ "why": "wrong_password", "locked_until": until }));
    t.store.fold(100, &t.ids).await.unwrap();
    let alerts = t.store.alerts(&AlertFilter::default()).await.unwrap();
    let keys: Vec<_> = alerts.iter().map(|alert| alert.key.clone()).collect();
    assert_eq!(keys, [format!("identity.locked/{}", user.id)]);
}

async fn what_is_long_over_is_forgotten(t: TestStore) {
    let user = create(&t, "ada@example.org").await;
    let session = open(&t, &user).await;
    t.store.begin_sign_in(&doors()).await.unwrap();
    t.clock.advance(LIFE + seconds(10));
    assert_eq!(t.store.forget_sessions(LIFE + seconds(10), 10).await.unwrap(), 0);
    t.clock.advance(LIFE + seconds(1));

    // One session, and three doors.
    assert_eq!(t.store.forget_sessions(LIFE + seconds(10), 10).await.unwrap(), 4);

    assert_eq!(number(&t.store.rotate(session.id, 0, IDLE, &origin()).await.unwrap()), Err(None));
    assert_eq!(t.store.forget_sessions(seconds(0), 10).await.unwrap(), 0);
}
