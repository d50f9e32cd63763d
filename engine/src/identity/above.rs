//! Whom somebody may manage who manages users; pure. Whoever sets another's password can be that other, so nobody touches
//! one who may do more, and nobody makes one. Nobody changes what he is himself.

use store::Role;
use store::identities::UserRow;

use super::permission::Permissions;
use super::principal::Principal;

/// Why somebody may not, for people.
pub type Forbidden = &'static str;

/// To give somebody this role.
pub fn may_give(by: &Principal, role: Role) -> Result<(), Forbidden> {
    if role == Role::Owner && by.role != Some(Role::Owner) {
        return Err("only an owner makes an owner");
    }
    match Permissions::of_role(role).beyond(by.permissions).is_empty() {
        true => Ok(()),
        false => Err("nobody gives a role that may do more than he may himself"),
    }
}

/// To change anything of somebody's.
pub fn may_change(by: &Principal, user: &UserRow) -> Result<(), Forbidden> {
    if by.name == Principal::user(user).name {
        return Err(
            "nobody manages himself; the routes below /auth change one's own password and second factor",
        );
    }
    if user.role == Role::Owner && by.role != Some(Role::Owner) {
        return Err("only an owner touches an owner");
    }
    match Permissions::of_role(user.role).beyond(by.permissions).is_empty() {
        true => Ok(()),
        false => Err("nobody touches a user who may do more than he may himself"),
    }
}

#[cfg(test)]
mod tests {
    use jobkit::SecretString;
    use jobkit::redact::Personal;
    use store::{Scope, UserId};
    use uuid::Uuid;

    use super::super::permission::{Permission, rank};
    use super::*;

    fn user(id: u128, role: Role) -> UserRow {
        let at = jiff::Timestamp::UNIX_EPOCH;
        UserRow {
            id: UserId(Uuid::from_u128(id)),
            email: "ada@example.org".parse().unwrap(),
            name: Personal::new("Ada".into()),
            role,
            tenant: None,
            password: SecretString::from("$argon2id$"),
            password_changed_at: at,
            created_at: at,
            disabled_at: None,
            totp: None,
            recovery: 0,
        }
    }

    #[test]
    fn nobody_touches_or_makes_one_who_may_do_more_and_only_owners_owners() {
        for by in Role::ALL {
            let principal = Principal::user(&user(1, *by));
            for role in Role::ALL {
                // Admins and owners may do the same, and an owner is an owner's affair.
                let fine = rank(*by) >= rank(*role);
                assert_eq!(may_give(&principal, *role).is_ok(), fine, "{by:?} gives {role:?}");
                assert_eq!(may_change(&principal, &user(2, *role)).is_ok(), fine, "{by:?} changes {role:?}");
                assert!(may_change(&principal, &user(1, *role)).is_err(), "{by:?} changes himself");
            }
        }
        let api = Principal::api();
        for role in Role::ALL {
            assert!(may_give(&api, *role).is_ok() && may_change(&api, &user(2, *role)).is_ok(), "{role:?}");
        }
    }

    #[test]
    fn one_who_may_manage_users_and_little_else_makes_nobody_with_more() {
        let clerk = Principal {
            scope: Scope::Installation,
            permissions: [Permission::UsersManage, Permission::JobsRead].into_iter().collect(),
            ..Principal::nobody()
        };
        for role in Role::ALL {
            assert!(
                may_give(&clerk, *role).is_err() && may_change(&clerk, &user(2, *role)).is_err(),
                "{role:?}"
            );
        }
    }
}
