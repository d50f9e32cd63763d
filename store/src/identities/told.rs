//! What the audit log and people are told of users and sessions. Ids stand in it, and never a name, an address of
//! e-mail, a password or a code.

use jobkit::{AuditEntry, Origin};
use serde_json::{Value, json};

use super::{Ending, Factor, FailedSignIn, SessionRow, UserId, UserRow};
use crate::{Actor, News, Severity};

/// An account is locked for a while, because somebody tries passwords of it.
pub const IDENTITY_LOCKED: &str = "identity.locked";
/// A refresh token was used twice, so that its session ended.
pub const IDENTITY_TOKEN_REUSED: &str = "identity.token_reused";

/// Who acts, by a name such as `user:019c…`.
fn acting(name: impl Into<String>, origin: &Origin) -> Actor {
    Actor::with_origin(name, origin.clone())
}

/// A user who acts, and from where.
pub fn acting_user(id: UserId, origin: &Origin) -> Actor {
    acting(format!("user:{id}"), origin)
}

/// Somebody who is not let in, whoever it is.
pub fn stranger(origin: &Origin) -> Actor {
    acting("stranger", origin)
}

fn object(id: UserId) -> String {
    format!("user:{id}")
}

pub fn user_entry(by: &Actor, action: &str, user: &UserRow, details: Value) -> AuditEntry {
    AuditEntry { tenant: user.tenant.clone(), ..by.entry(action, object(user.id), "ok", details) }
}

pub fn user_created(by: &Actor, user: &UserRow) -> AuditEntry {
    user_entry(by, "user.created", user, json!({ "role": user.role, "tenant": user.tenant }))
}

pub fn signed_in(user: &UserRow, session: &SessionRow, factor: &Factor, origin: &Origin) -> AuditEntry {
    let details = json!({
        "session": session.id,
        "factor": factor.name(),
        "recovery_codes_left": user.recovery,
    });
    user_entry(&acting_user(user.id, origin), "user.signed_in", user, details)
}

/// `locked` says until when this failure keeps others like it out.
pub fn sign_in_failed(failed: &FailedSignIn, locked: Option<jiff::Timestamp>) -> AuditEntry {
    let object = failed.user.map_or_else(|| "user:unknown".into(), object);
    let details = json!({ "why": failed.why, "locked_until": locked });
    stranger(&failed.origin).entry("user.sign_in_failed", object, "refused", details)
}

/// Somebody tries passwords of an account that there is.
pub fn account_locked(user: UserId, until: jiff::Timestamp) -> News {
    let text = format!("sign-in of user {user} failed so often that it is locked until {until}");
    News::happened(IDENTITY_LOCKED, &user.to_string(), Severity::Warning, text)
}

pub fn session_ended(by: &Actor, user: &UserRow, session: &SessionRow, why: Ending) -> AuditEntry {
    let (action, outcome) = match why {
        Ending::Reused => ("session.reused", "refused"),
        Ending::SignedOut => ("user.signed_out", "ok"),
        _ => ("session.ended", "ok"),
    };
    let details = json!({ "session": session.id, "why": why });
    AuditEntry { outcome: outcome.into(), ..user_entry(by, action, user, details) }
}

/// A token was stolen, or a program kept an old one. Only a person can tell.
pub fn token_reused(session: &SessionRow) -> News {
    let text = format!(
        "a refresh token of user {} was used twice; session {} has ended, and whoever is the user signs in again",
        session.user, session.id
    );
    News::happened(IDENTITY_TOKEN_REUSED, &session.user.to_string(), Severity::Critical, text)
}

pub fn sessions_ended(by: &Actor, user: &UserRow, why: Ending, count: u64) -> AuditEntry {
    user_entry(by, "session.ended", user, json!({ "why": why, "count": count }))
}

/// What a change of a user says, with how many sessions ended by it.
pub fn user_changed(by: &Actor, applied: &super::Applied, ended: u64) -> AuditEntry {
    let mut details = applied.details.clone();
    if ended > 0 {
        details["sessions_ended"] = ended.into();
    }
    user_entry(by, applied.action, &applied.user, details)
}
