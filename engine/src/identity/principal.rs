//! Who calls, whatever it showed to be known by: what it is called in the audit log, and whose things it may see.

use store::Scope;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// As the audit log has it: `token:api`, `user:ID`.
    pub name: String,
    pub scope: Scope,
}

impl Principal {
    /// Whoever shows the one token of the installation.
    pub fn api() -> Self {
        Self { name: "token:api".into(), scope: Scope::Installation }
    }

    /// Where nobody said who calls. It sees nothing.
    pub fn nobody() -> Self {
        Self { name: "nobody".into(), scope: Scope::Nobody }
    }
}
