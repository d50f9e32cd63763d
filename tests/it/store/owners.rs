//! The last owner of the installation stays one, whoever takes it from whom at the same moment.

use futures::future::join;
use jobkit::SecretString;
use jobkit::redact::Personal;
use store::identities::{NewUser, UserChange, UserChanged, UserRow, Whom};
use store::{Role, UserId};

use crate::support::store::{TestStore, ada, promises};

promises![
    the_last_owner_who_may_sign_in_is_neither_disabled_nor_given_another_role,
    of_two_owners_who_take_it_from_each_other_at_once_one_is_left,
];

async fn create(t: &TestStore, name: &str, role: Role, tenant: Option<&str>) -> UserRow {
    let user = NewUser {
        id: UserId(t.ids.next().0),
        email: format!("{name}@example.org").parse().unwrap(),
        name: Personal::new(name.into()),
        role,
        tenant: tenant.map(str::to_owned),
        password: SecretString::from("$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"),
    };
    t.store.create_user(&user, &ada()).await.unwrap()
}

async fn change(t: &TestStore, user: &UserRow, change: UserChange) -> Result<(), String> {
    match t.store.change_user(user.id, &change, &ada()).await.unwrap() {
        UserChanged::Done(_) | UserChanged::Same(_) => Ok(()),
        UserChanged::Refused(why) => Err(why.to_owned()),
        UserChanged::Unknown => Err("unknown".into()),
    }
}

async fn the_last_owner_who_may_sign_in_is_neither_disabled_nor_given_another_role(t: TestStore) {
    let (grace, admin) =
        (create(&t, "grace", Role::Owner, None).await, create(&t, "admin", Role::Admin, None).await);
    // An owner of a tenant, and one who may not sign in, are none of the installation.
    create(&t, "north", Role::Owner, Some("north")).await;
    let bob = create(&t, "bob", Role::Owner, None).await;
    change(&t, &bob, UserChange::Disable).await.unwrap();
    let written = t.everything_audited().await.len();

    for taken in [UserChange::Disable, UserChange::role(Role::Admin)] {
        let why = change(&t, &grace, taken.clone()).await.expect_err("the last one");
        assert!(why.contains("last owner") && why.contains("make another one first"), "{why}");
        // Of others nothing is taken.
        change(&t, &admin, taken).await.unwrap();
    }

    let found = t.store.user(&Whom::Id(grace.id)).await.unwrap().unwrap();
    assert_eq!((found.role, found.disabled_at), (Role::Owner, None));
    assert_eq!(
        t.everything_audited().await.len(),
        written + 1,
        "the admin was disabled, and is admin as before"
    );
    change(&t, &grace, UserChange::role(Role::Owner)).await.unwrap();
    change(&t, &bob, UserChange::Enable).await.unwrap();
    change(&t, &grace, UserChange::Disable).await.unwrap();
    change(&t, &grace, UserChange::role(Role::Viewer)).await.unwrap();
    change(&t, &bob, UserChange::Disable).await.expect_err("the last one");
}

async fn of_two_owners_who_take_it_from_each_other_at_once_one_is_left(t: TestStore) {
    let other = t.second().await;
    let mut left = create(&t, "first", Role::Owner, None).await;
    for round in 0..10 {
        let new = create(&t, &format!("owner{round}"), Role::Owner, None).await;

        let (of_new, of_left) =
            join(change(&t, &new, UserChange::role(Role::Admin)), change(&other, &left, UserChange::Disable))
                .await;

        assert!(of_new.is_ok() != of_left.is_ok(), "{round}: {of_new:?} {of_left:?}");
        if of_left.is_ok() {
            left = new;
        }
    }
}
