//! Who calls, whatever it showed to be known by: what it is called in the audit log, whose things it may see, and what
//! it may do. And whether that is enough for what is asked; pure.

use std::net::IpAddr;

use store::identities::UserRow;
use store::{Role, Scope};

use super::networks::Network;
use super::permission::{Permission, Permissions};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// As the audit log has it: `token:api`, `user:ID`, `service:NAME`, `platform:ISSUER:PSEUDONYM`.
    pub name: String,
    pub scope: Scope,
    pub permissions: Permissions,
    /// None of a service, which is nobody among users.
    pub role: Option<Role>,
}

impl Principal {
    /// Whoever shows the one token of the installation.
    pub fn api() -> Self {
        Self {
            name: "token:api".into(),
            scope: Scope::Installation,
            permissions: Permissions::all(),
            role: Some(Role::Owner),
        }
    }

    /// Where nobody said who calls. It sees nothing and may do nothing.
    pub fn nobody() -> Self {
        Self { name: "nobody".into(), scope: Scope::Nobody, permissions: Permissions::NONE, role: None }
    }

    pub fn user(user: &UserRow) -> Self {
        Self {
            name: format!("user:{}", user.id),
            scope: scope_of(user.tenant.as_deref()),
            permissions: Permissions::of_role(user.role),
            role: Some(user.role),
        }
    }
}

pub fn scope_of(tenant: Option<&str>) -> Scope {
    tenant.map_or(Scope::Installation, |tenant| Scope::Tenant(tenant.to_owned()))
}

/// What a route asks of whoever calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// To be known.
    Known,
    Permission(Permission),
}

/// Why somebody who is known may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has not this permission.
    Lacks(Permission),
    /// It has it, for its tenant, and this is about the whole installation.
    BeyondTenant(Permission),
    /// It has it, and not from there.
    Network(Permission),
}

/// `networks` are those that administrative permissions are used from; none means anywhere.
pub fn may(principal: &Principal, need: Need, from: IpAddr, networks: &[Network]) -> Result<(), Refusal> {
    let of_all = principal.scope == Scope::Installation;
    if let Need::Permission(permission) = need {
        if !principal.permissions.has(permission) {
            return Err(Refusal::Lacks(permission));
        }
        if permission.is_of_the_installation() && !of_all {
            return Err(Refusal::BeyondTenant(permission));
        }
        if permission.is_administrative() && !within(from, networks) {
            return Err(Refusal::Network(permission));
        }
    }
    Ok(())
}

/// An empty list holds every address.
pub fn within(from: IpAddr, networks: &[Network]) -> bool {
    networks.is_empty() || networks.iter().any(|network| network.holds(from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(scope: Scope, permissions: &[Permission]) -> Principal {
        Principal { scope, permissions: permissions.iter().copied().collect(), ..Principal::nobody() }
    }

    #[test]
    fn whoever_has_the_permission_may_where_and_for_whom_it_is() {
        use Permission::{JobsRead, LimitsControl, WorkersRead};
        let near = "10.0.0.7".parse().unwrap();
        let far = "192.0.2.7".parse().unwrap();
        let office: &[Network] = &["10.0.0.0/8".parse().unwrap()];
        let all = Scope::Installation;
        let north = Scope::Tenant("north".into());
        let has = [JobsRead, LimitsControl, WorkersRead];
        let need = Need::Permission;
        for (scope, has, need, from, networks, expected) in [
            (&all, &has[..], need(JobsRead), far, office, Ok(())),
            (&all, &has[..1], need(WorkersRead), near, office, Err(Refusal::Lacks(WorkersRead))),
            (&all, &[], Need::Known, far, office, Ok(())),
            (&all, &[], need(JobsRead), near, office, Err(Refusal::Lacks(JobsRead))),
            (&all, &has, need(WorkersRead), far, office, Ok(())),
            (&all, &has, need(LimitsControl), near, office, Ok(())),
            (&all, &has, need(LimitsControl), far, office, Err(Refusal::Network(LimitsControl))),
            (&all, &has, need(LimitsControl), far, &[], Ok(())),
            (&north, &has, need(JobsRead), far, office, Ok(())),
            (&north, &has, need(WorkersRead), near, office, Err(Refusal::BeyondTenant(WorkersRead))),
            (&north, &has[..1], need(WorkersRead), near, office, Err(Refusal::Lacks(WorkersRead))),
            (&north, &has, need(LimitsControl), far, office, Err(Refusal::BeyondTenant(LimitsControl))),
            (&north, &[], Need::Known, far, office, Ok(())),
            (&Scope::Nobody, &has, need(WorkersRead), near, &[], Err(Refusal::BeyondTenant(WorkersRead))),
        ] {
            let principal = principal(scope.clone(), has);
            let told = may(&principal, need, from, networks);
            assert_eq!(told, expected, "{principal:?} {need:?} {from}");
        }
    }

    #[test]
    fn nobody_may_do_nothing() {
        let from = "10.0.0.7".parse().unwrap();
        for one in Permission::ALL {
            assert!(may(&Principal::nobody(), Need::Permission(*one), from, &[]).is_err(), "{one}");
            assert_eq!(may(&Principal::api(), Need::Permission(*one), from, &[]), Ok(()), "{one}");
        }
    }
}
