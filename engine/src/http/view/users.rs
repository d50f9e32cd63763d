//! Users as those see them who manage users.

use jiff::Timestamp;
use serde::Serialize;
use store::identities::UserRow;
use store::{Role, UserId};
use utoipa::ToSchema;

use crate::http::api::auth::UserRole;

#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    #[schema(value_type = Uuid)]
    pub id: UserId,
    pub email: String,
    pub name: String,
    #[schema(value_type = UserRole)]
    pub role: Role,
    /// Null: the whole installation.
    pub tenant: Option<String>,
    pub created_at: Timestamp,
    pub password_changed_at: Timestamp,
    /// Null: may sign in.
    pub disabled_at: Option<Timestamp>,
    pub second_factor: bool,
    pub recovery_codes_left: u64,
}

impl From<&UserRow> for User {
    fn from(user: &UserRow) -> Self {
        Self {
            id: user.id,
            email: user.email.expose().to_owned(),
            name: user.name.expose().clone(),
            role: user.role,
            tenant: user.tenant.clone(),
            created_at: user.created_at,
            password_changed_at: user.password_changed_at,
            disabled_at: user.disabled_at,
            second_factor: user.second_factor().is_some(),
            recovery_codes_left: user.recovery,
        }
    }
}
