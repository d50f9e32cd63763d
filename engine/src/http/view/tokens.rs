//! Tokens of services as callers see them. Of the secret nothing is in them.

use jiff::Timestamp;
use serde::Serialize;
use store::TokenId;
use store::tokens::{TokenRow, TokenState};
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
pub struct Token {
    #[schema(value_type = Uuid)]
    pub id: TokenId,
    /// The audit log has what it does as `service:NAME`.
    pub name: String,
    #[schema(value_type = ServiceTokenState)]
    pub state: &'static str,
    pub permissions: Vec<String>,
    /// Null: the whole installation.
    pub tenant: Option<String>,
    /// Where it may be shown; empty is anywhere.
    pub networks: Vec<String>,
    pub created_at: Timestamp,
    pub created_by: String,
    pub expires_at: Timestamp,
    pub rotated_at: Option<Timestamp>,
    /// Until then the secret before this one is let in.
    pub old_secret_until: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// To within a minute.
    pub used_at: Option<Timestamp>,
}

/// `live`: it lets in. `expired` and `revoked`: it does not.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ServiceTokenState {
    Live,
    Expired,
    Revoked,
}

impl Token {
    pub fn of(token: TokenRow, now: Timestamp) -> Self {
        let state = token.state(now);
        let before = token.before.filter(|before| before.until > now && state == TokenState::Live);
        Self {
            id: token.id,
            name: token.name,
            state: state.name(),
            permissions: token.permissions,
            tenant: token.tenant,
            networks: token.networks,
            created_at: token.created_at,
            created_by: token.created_by,
            expires_at: token.expires_at,
            rotated_at: token.rotated_at,
            old_secret_until: before.map(|before| before.until),
            revoked_at: token.revoked_at,
            used_at: token.used_at,
        }
    }
}
