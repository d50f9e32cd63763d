//! Whose things somebody may see and touch.

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
}

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
}
