//! What somebody may do, by name, and which role may do what; pure. Every route of the API names one of these, and
//! whoever calls has it or is refused.

use std::fmt;
use std::str::FromStr;

use store::Role;

macro_rules! permissions {
    ($($(#[$doc:meta])* $one:ident $text:literal;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission {
            $($(#[$doc])* $one,)+
        }

        impl Permission {
            pub const ALL: &[Permission] = &[$(Permission::$one),+];

            pub fn name(self) -> &'static str {
                match self { $(Permission::$one => $text,)+ }
            }
        }
    };
}

permissions! {
    /// Jobs, their results, the operations on many of them, and what people decided on them.
    JobsRead "jobs:read";
    /// Enqueue.
    JobsWrite "jobs:write";
    /// Retry, cancel and discard, one or many.
    JobsControl "jobs:control";
    /// Decide on the items of a result.
    ReviewsWrite "reviews:write";
    /// The files that jobs wrote.
    ArtifactsRead "artifacts:read";
    /// Files that were handed in: list and look at.
    UploadsRead "uploads:read";
    /// Hand files in, and delete them.
    UploadsWrite "uploads:write";
    /// What families keep of things beyond jobs.
    RecordsRead "records:read";
    /// What happens, as the audit log has it.
    EventsRead "events:read";
    /// Which kinds of jobs there are, and what they take.
    KindsRead "kinds:read";
    QueuesRead "queues:read";
    /// Pause and resume.
    QueuesControl "queues:control";
    LimitsRead "limits:read";
    /// Pause and resume.
    LimitsControl "limits:control";
    /// Schedules, and trying out what one would do.
    SchedulesRead "schedules:read";
    /// Make, change and delete.
    SchedulesWrite "schedules:write";
    /// Pause, resume, run now, catch up.
    SchedulesControl "schedules:control";
    AlertsRead "alerts:read";
    /// Acknowledge, and send a sample.
    AlertsControl "alerts:control";
    ModelsRead "models:read";
    /// Say which model of a name is used.
    ModelsPromote "models:promote";
    WorkersRead "workers:read";
    /// What waits for people, and exactly what would be done.
    ApprovalsRead "approvals:read";
    /// Give them, or refuse.
    ApprovalsGive "approvals:give";
    /// Tokens of services: make, look at, rotate, revoke.
    TokensManage "tokens:manage";
    /// People who sign in: make, look at, disable, give a role.
    UsersManage "users:manage";
}

impl Permission {
    /// It is about what belongs to no tenant, so that nobody who has one may use it.
    pub fn is_of_the_installation(self) -> bool {
        match self {
            Self::JobsRead
            | Self::JobsWrite
            | Self::JobsControl
            | Self::ReviewsWrite
            | Self::ArtifactsRead
            | Self::UploadsRead
            | Self::UploadsWrite
            | Self::RecordsRead
            | Self::EventsRead
            | Self::KindsRead
            | Self::QueuesRead
            | Self::SchedulesRead
            | Self::SchedulesWrite
            | Self::SchedulesControl
            | Self::ApprovalsRead
            | Self::ApprovalsGive => false,
            Self::QueuesControl
            | Self::LimitsRead
            | Self::LimitsControl
            | Self::AlertsRead
            | Self::AlertsControl
            | Self::ModelsRead
            | Self::ModelsPromote
            | Self::WorkersRead
            | Self::TokensManage
            | Self::UsersManage => true,
        }
    }

    /// It changes how the installation runs or who may do what. `http.admin_networks` says from where.
    pub fn is_administrative(self) -> bool {
        matches!(
            self,
            Self::QueuesControl
                | Self::LimitsControl
                | Self::SchedulesWrite
                | Self::ModelsPromote
                | Self::ApprovalsGive
                | Self::TokensManage
                | Self::UsersManage
        )
    }

    /// Whether a service may have it. One that could make tokens or users would outlive its own end, and people approve.
    pub fn is_for_services(self) -> bool {
        !matches!(self, Self::ApprovalsGive | Self::TokensManage | Self::UsersManage)
    }

    /// The least role that has it.
    fn least(self) -> Role {
        match self {
            Self::JobsRead
            | Self::ArtifactsRead
            | Self::UploadsRead
            | Self::RecordsRead
            | Self::EventsRead
            | Self::KindsRead
            | Self::QueuesRead
            | Self::LimitsRead
            | Self::SchedulesRead
            | Self::AlertsRead
            | Self::ModelsRead
            | Self::ApprovalsRead
            | Self::WorkersRead => Role::Viewer,
            Self::JobsWrite
            | Self::JobsControl
            | Self::ReviewsWrite
            | Self::UploadsWrite
            | Self::SchedulesControl
            | Self::AlertsControl => Role::Member,
            Self::QueuesControl
            | Self::LimitsControl
            | Self::SchedulesWrite
            | Self::ModelsPromote
            | Self::ApprovalsGive
            | Self::TokensManage
            | Self::UsersManage => Role::Admin,
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Permission {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|one| one.name() == text);
        found.ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|one| one.name()).collect();
            format!("`{text}` is no permission: {}", known.join(", "))
        })
    }
}

/// A set of them.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u32);

impl Permissions {
    pub const NONE: Permissions = Permissions(0);

    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    pub fn of_role(role: Role) -> Self {
        Permission::ALL.iter().copied().filter(|one| has(role, one.least())).collect()
    }

    /// What a role has and a service may have.
    pub fn of_services(self) -> Self {
        self.iter().filter(|one| one.is_for_services()).collect()
    }

    /// As a store keeps them. A name that this version does not know is none that it could grant.
    pub fn of_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        names.into_iter().filter_map(|name| name.parse::<Permission>().ok()).collect()
    }

    pub fn has(self, one: Permission) -> bool {
        self.0 & bit(one) != 0
    }

    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in `other`.
    pub fn beyond(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |one| self.has(*one))
    }

    pub fn names(self) -> Vec<String> {
        self.iter().map(|one| one.name().to_owned()).collect()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(all: I) -> Self {
        all.into_iter().fold(Self::NONE, |set, one| Self(set.0 | bit(one)))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::name)).finish()
    }
}

fn bit(one: Permission) -> u32 {
    1 << (one as u32)
}

fn has(role: Role, least: Role) -> bool {
    rank(role) >= rank(least)
}

/// The order of roles: each may do what those below it may.
pub fn rank(role: Role) -> u8 {
    match role {
        Role::Viewer => 0,
        Role::Member => 1,
        Role::Admin => 2,
        Role::Owner => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written_and_each_has_its_bit() {
        for one in Permission::ALL {
            assert_eq!(one.name().parse(), Ok(*one));
            let alone: Permissions = [*one].into_iter().collect();
            assert_eq!(alone.iter().collect::<Vec<_>>(), [*one]);
        }
        assert!("jobs".parse::<Permission>().unwrap_err().contains("jobs:read"));
        assert_eq!(Permissions::of_names(["jobs:read", "jobs:fly"]).names(), ["jobs:read"]);
    }

    #[test]
    fn each_role_may_do_what_those_below_it_may_and_more() {
        let [owner, admin, member, viewer] =
            [Role::Owner, Role::Admin, Role::Member, Role::Viewer].map(Permissions::of_role);
        assert_eq!(owner, Permissions::all());
        assert_eq!(admin, owner);
        assert!(member.beyond(admin).is_empty() && !admin.beyond(member).is_empty());
        assert!(viewer.beyond(member).is_empty() && !member.beyond(viewer).is_empty());
        for one in viewer.iter() {
            assert!(one.name().ends_with(":read"), "{one}");
        }
        for one in Permission::ALL.iter().filter(|one| one.is_administrative()) {
            assert!(!member.has(*one), "{one}");
        }
    }

    #[test]
    fn a_service_makes_neither_tokens_nor_users_and_approves_nothing() {
        let services = Permissions::all().of_services();
        assert_eq!(
            Permissions::all().beyond(services).names(),
            ["approvals:give", "tokens:manage", "users:manage"]
        );
    }

    /// The page that people read.
    #[test]
    fn the_reference_lists_each_with_what_it_is() {
        let page = include_str!("../../../docs/reference/access.md");
        let mark = |holds| if holds { "yes" } else { "" };
        for one in Permission::ALL {
            let line = page.lines().find(|line| line.starts_with(&format!("| `{one}` |")));
            let cells: Vec<_> = line.unwrap_or_else(|| panic!("{one}")).split('|').map(str::trim).collect();
            let roles = [Role::Viewer, Role::Member, Role::Admin, Role::Owner];
            let roles = roles.map(|role| mark(Permissions::of_role(role).has(*one)));
            let kinds =
                [one.is_for_services(), one.is_of_the_installation(), one.is_administrative()].map(mark);
            assert_eq!(cells[3..10], [&roles[..], &kinds[..]].concat(), "{one}");
        }
    }
}
