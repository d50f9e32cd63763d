//! Whose things somebody may see and touch.

use super::{NewRow, StoreError};

/// Everything that is read or changed for somebody who calls is within one of these. What lies outside is not there: it
/// is neither shown, nor changed, nor told apart from what never was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everything, things that belong to no tenant included.
    Installation,
    /// What belongs to this tenant.
    Tenant(String),
    /// Nothing: so it is where nobody said who asks.
    Nobody,
}

impl Scope {
    /// Whether a thing of this tenant, or of none, is within.
    pub fn covers(&self, tenant: Option<&str>) -> bool {
        match self {
            Self::Installation => true,
            Self::Tenant(own) => tenant == Some(own),
            Self::Nobody => false,
        }
    }

    /// As a statement takes it: none is no condition, and no thing is of the tenant without a name.
    pub fn bound(&self) -> Option<&str> {
        match self {
            Self::Installation => None,
            Self::Tenant(own) => Some(own),
            Self::Nobody => Some(""),
        }
    }

    /// Whose a new thing is: that of whom it names, which is to be within, and where it names nobody the caller's own.
    pub fn own(&self, named: Option<String>) -> Result<Option<String>, Foreign> {
        match (self, named) {
            (Self::Installation, named) => Ok(named),
            (Self::Tenant(own), None) => Ok(Some(own.clone())),
            (Self::Tenant(own), Some(named)) if named == *own => Ok(Some(named)),
            (Self::Tenant(own), Some(_)) => {
                Err(Foreign(format!("must be `{own}`, your own; or leave it out")))
            }
            (Self::Nobody, _) => {
                Err(Foreign("nobody said who asks, so there is none it could belong to".into()))
            }
        }
    }

    /// Before rows are written: each is of a tenant within.
    pub fn takes(&self, rows: &[NewRow]) -> Result<(), StoreError> {
        let foreign = rows.iter().find(|row| !self.covers(row.tenant.as_deref()));
        foreign.map_or(Ok(()), |row| {
            let problem =
                self.own(row.tenant.clone()).err().map_or_else(|| "is missing".into(), |foreign| foreign.0);
            Err(StoreError::Refused(format!("tenant: {problem}")))
        })
    }
}

/// How tenants are kept apart here, beside the conditions that each statement has in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Isolation {
    /// By those alone.
    Statements,
    /// By policies of the database too, where nothing is amiss with them.
    Policies { amiss: Vec<String>, required: bool },
}

/// Why something cannot belong to the tenant that it names, in words that follow the name of the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_its_own_and_nothing_of_others_or_of_nobody() {
        let tenant = Scope::Tenant("north".into());
        for (scope, thing, within) in [
            (&Scope::Installation, Some("north"), true),
            (&Scope::Installation, None, true),
            (&tenant, Some("north"), true),
            (&tenant, Some("north "), false),
            (&tenant, Some("south"), false),
            (&tenant, None, false),
            (&Scope::Nobody, Some("north"), false),
            (&Scope::Nobody, None, false),
        ] {
            assert_eq!(scope.covers(thing), within, "{scope:?} {thing:?}");
        }
    }

    #[test]
    fn a_new_thing_is_the_callers_own_and_never_another_tenants() {
        let tenant = Scope::Tenant("north".into());
        for (scope, named, own) in [
            (&Scope::Installation, None, Some(None)),
            (&Scope::Installation, Some("south"), Some(Some("south"))),
            (&tenant, None, Some(Some("north"))),
            (&tenant, Some("north"), Some(Some("north"))),
            (&tenant, Some("south"), None),
            (&tenant, Some(""), None),
            (&Scope::Nobody, None, None),
            (&Scope::Nobody, Some("north"), None),
        ] {
            let told = scope.own(named.map(str::to_owned));
            assert_eq!(told.as_ref().ok().map(Option::as_deref), own, "{scope:?} {named:?}");
            assert!(told.is_ok() || !format!("{told:?}").contains("south"), "{told:?}");
        }
    }
}
