//! Tokens of services: made, looked at, rotated, revoked, and known again when they are shown. The store is asked each
//! time, so that a token that is revoked lets nobody in from the commit on, on any instance.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jobkit::{Clock, IdGenerator, SecretString};
use serde_json::{Value, json};
use store::tokens::{Barred, NewToken, TokenChange, TokenChanged, TokenRow, Which};
use store::{Actor, Store, TokenId};
use tracing::{debug, info};

use super::keys::random;
use super::networks::Network;
use super::principal::{Principal, scope_of, within};
use super::service_token::{read, write};
use super::users::check_tenant;
use super::{IdentityError, Permissions};
use crate::queue::problem_of_name;
use crate::units::format_duration;

pub const DEFAULT_LIFE: Duration = Duration::from_secs(90 * 86_400);
pub const LONGEST_LIFE: Duration = Duration::from_secs(366 * 86_400);
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
/// Long enough to bring the new secret to every machine, and short enough that the old one is not forgotten.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(86_400);
pub const LONGEST_GRACE: Duration = Duration::from_secs(7 * 86_400);
/// When a token was used is written once in so long.
const USED_EVERY: Duration = Duration::from_secs(60);
const MOST_NETWORKS: usize = 100;

#[derive(Clone)]
pub struct Tokens {
    store: Arc<dyn Store>,
    ids: Arc<IdGenerator>,
}

/// A token to be.
#[derive(Debug, Clone)]
pub struct Given {
    pub name: String,
    pub permissions: Permissions,
    /// None: the whole installation.
    pub tenant: Option<String>,
    /// Empty: from anywhere.
    pub networks: Vec<Network>,
    pub life: Duration,
}

impl Given {
    /// What will be made, for whoever approves it.
    pub fn told(&self) -> Value {
        let networks: Vec<_> = self.networks.iter().map(ToString::to_string).collect();
        json!({
            "name": self.name, "permissions": self.permissions.names(), "tenant": self.tenant, "networks": networks,
            "lasts_seconds": self.life.as_secs(),
        })
    }
}

/// What another secret will do, for whoever approves it: whoever is told it may all that the token may.
pub fn rotating(token: &TokenRow, grace: Duration, life: Duration) -> Value {
    json!({
        "rotate": token.id, "name": token.name, "permissions": permissions(token).names(), "tenant": token.tenant,
        "grace_seconds": grace.as_secs(), "lasts_seconds": life.as_secs(),
    })
}

/// What nobody sees a second time.
pub struct Issued {
    pub token: TokenRow,
    pub secret: SecretString,
}

/// Who shows a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    Known(Principal),
    /// It is a token of ours, and may not be shown from there.
    Elsewhere,
    Unknown,
}

impl Tokens {
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, ids: Arc::new(IdGenerator::new(clock)) }
    }

    /// `own` are the permissions of whoever asks: nobody gives what he has not.
    pub async fn create(&self, given: Given, own: Permissions, by: &Actor) -> Result<Issued, IdentityError> {
        let Given { name, permissions, tenant, networks, life } = given;
        let invalid = |field, problem: String| Err(IdentityError::Invalid { field, problem });
        if let Some(problem) = problem_of_name(&name) {
            return invalid("name", problem);
        }
        if permissions.is_empty() {
            return invalid("permissions", "names none; a token without one opens nothing".into());
        }
        if let Some(one) = permissions.iter().find(|one| !one.is_for_services()) {
            return invalid("permissions", format!("{one} is for people alone"));
        }
        if let Some(one) = permissions.iter().find(|one| tenant.is_some() && one.is_of_the_installation()) {
            return invalid(
                "permissions",
                format!("{one} is about the whole installation, and the token has a tenant"),
            );
        }
        beyond(permissions, own)?;
        if let Some(tenant) = &tenant {
            check_tenant(tenant)?;
        }
        if networks.len() > MOST_NETWORKS {
            return invalid("networks", format!("names {}; at most {MOST_NETWORKS}", networks.len()));
        }
        check("expires_in", life, SHORTEST_LIFE, LONGEST_LIFE)?;
        let id = TokenId(self.ids.next().0);
        let (secret, hash) = write(id, &random()?);
        let networks = networks.iter().map(ToString::to_string).collect();
        let new = NewToken { id, name, hash, permissions: permissions.names(), tenant, networks, life };
        let token = self.store.create_token(&new, by).await?;
        Ok(Issued { token, secret })
    }

    pub async fn find(&self, which: &Which) -> Result<Option<TokenRow>, IdentityError> {
        Ok(self.store.token(which).await?.map(|(token, _)| token))
    }

    pub async fn list(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, IdentityError> {
        Ok(self.store.tokens(after, limit).await?)
    }

    /// False when it was so already.
    pub async fn revoke(&self, id: TokenId, by: &Actor) -> Result<bool, IdentityError> {
        match self.store.change_token(id, &TokenChange::Revoke, by).await? {
            TokenChanged::Done(_) => Ok(true),
            TokenChanged::Same(_) => Ok(false),
            TokenChanged::Refused(why) => Err(IdentityError::Refused(why)),
            TokenChanged::Unknown => Err(IdentityError::UnknownToken(id)),
        }
    }

    /// Another secret for the same token. Whoever is told it has what the token may, so it is given only to whoever could
    /// have made the token.
    pub async fn rotate(
        &self,
        token: &TokenRow,
        (grace, life): (Duration, Duration),
        own: Permissions,
        by: &Actor,
    ) -> Result<Issued, IdentityError> {
        check("grace", grace, Duration::ZERO, LONGEST_GRACE)?;
        check("expires_in", life, SHORTEST_LIFE, LONGEST_LIFE)?;
        beyond(permissions(token), own)?;
        let (secret, hash) = write(token.id, &random()?);
        let change = TokenChange::Rotate { hash, grace, life };
        match self.store.change_token(token.id, &change, by).await? {
            TokenChanged::Done(token) | TokenChanged::Same(token) => Ok(Issued { token: *token, secret }),
            TokenChanged::Refused(why) => Err(IdentityError::Refused(why)),
            TokenChanged::Unknown => Err(IdentityError::UnknownToken(token.id)),
        }
    }

    /// Who shows this, from there. Why somebody is not let in stands in our log alone.
    pub async fn who(&self, shown: &SecretString, from: IpAddr) -> Result<Caller, IdentityError> {
        let Some(shown) = read(shown) else { return Ok(Caller::Unknown) };
        let Some((token, now)) = self.store.token(&Which::Id(shown.id)).await? else {
            return Ok(Caller::Unknown);
        };
        let (id, name) = (token.id, &token.name);
        match token.admits(&shown.hash, now) {
            Ok(()) => {}
            Err(why @ (Barred::Revoked | Barred::Expired)) => {
                info!(token.id = %id, "the token {name} was shown, and is {why:?}");
                return Ok(Caller::Unknown);
            }
            Err(Barred::Secret) => {
                info!(token.id = %id, "the token {name} was shown with a secret that it has not, or not any more");
                return Ok(Caller::Unknown);
            }
        }
        if !within_networks(&token, from) {
            info!(token.id = %id, "the token {name} was shown from a network that it is not for");
            return Ok(Caller::Elsewhere);
        }
        let long_ago = |at| now.duration_since(at).unsigned_abs() >= USED_EVERY;
        if token.used_at.is_none_or(long_ago)
            && let Err(problem) = self.store.token_used(id, USED_EVERY).await
        {
            // Whoever is let in need not wait for this.
            debug!("when the token {name} was used is not written: {}", store::chain(&problem));
        }
        Ok(Caller::Known(principal(&token)))
    }
}

fn principal(token: &TokenRow) -> Principal {
    Principal {
        name: format!("service:{}", token.name),
        scope: scope_of(token.tenant.as_deref()),
        permissions: permissions(token),
        role: None,
    }
}

/// Whatever a row says, a service has none of what is for people.
fn permissions(token: &TokenRow) -> Permissions {
    Permissions::of_names(token.permissions.iter().map(String::as_str)).of_services()
}

/// A network that cannot be read holds nobody, and keeps the list from being empty.
fn within_networks(token: &TokenRow, from: IpAddr) -> bool {
    let read: Vec<Network> = token.networks.iter().filter_map(|network| network.parse().ok()).collect();
    match token.networks.is_empty() {
        true => true,
        false => !read.is_empty() && within(from, &read),
    }
}

fn beyond(asked: Permissions, own: Permissions) -> Result<(), IdentityError> {
    match asked.beyond(own).iter().next() {
        None => Ok(()),
        Some(one) => {
            let problem = format!("{one} is none that you have, so it is none that you can give");
            Err(IdentityError::Invalid { field: "permissions", problem })
        }
    }
}

fn check(field: &'static str, given: Duration, least: Duration, most: Duration) -> Result<(), IdentityError> {
    match (least..=most).contains(&given) {
        true => Ok(()),
        false => {
            let [given, least, most] = [given, least, most].map(format_duration);
            let problem = format!("is \"{given}\"; from \"{least}\" to \"{most}\"");
            Err(IdentityError::Invalid { field, problem })
        }
    }
}

#[cfg(test)]
mod tests {
    use store::Role;
    use uuid::Uuid;

    use super::*;

    fn token(permissions: &[&str], networks: &[&str]) -> TokenRow {
        let at = jiff::Timestamp::UNIX_EPOCH;
        TokenRow {
            id: TokenId(Uuid::from_u128(1)),
            name: "billing".into(),
            hash: [7; 32],
            before: None,
            permissions: permissions.iter().map(ToString::to_string).collect(),
            tenant: Some("north".into()),
            networks: networks.iter().map(ToString::to_string).collect(),
            created_at: at,
            created_by: "cli:ada".into(),
            expires_at: at,
            rotated_at: None,
            revoked_at: None,
            used_at: None,
        }
    }

    #[test]
    fn a_token_has_what_it_says_and_nothing_that_is_for_people() {
        let principal = principal(&token(&["jobs:read", "tokens:manage", "jobs:fly"], &[]));
        assert_eq!(principal.permissions.names(), ["jobs:read"]);
        assert_eq!((principal.name.as_str(), principal.role), ("service:billing", None));
        assert_eq!(principal.scope, store::Scope::Tenant("north".into()));
    }

    #[test]
    fn a_token_is_shown_from_its_networks_and_from_nowhere_when_none_can_be_read() {
        for (networks, from, within) in [
            (&[][..], "192.0.2.7", true),
            (&["10.0.0.0/8"], "10.1.2.3", true),
            (&["10.0.0.0/8"], "192.0.2.7", false),
            (&["10.0.0.0/8", "192.0.2.7/32"], "192.0.2.7", true),
            (&["what"], "192.0.2.7", false),
        ] {
            assert_eq!(within_networks(&token(&[], networks), from.parse().unwrap()), within, "{networks:?}");
        }
    }

    #[test]
    fn nobody_gives_what_he_has_not() {
        let member = Permissions::of_role(Role::Member);
        let viewer = Permissions::of_role(Role::Viewer);
        assert!(beyond(viewer, member).is_ok() && beyond(member, member).is_ok());
        let told = beyond(member, viewer).unwrap_err().to_string();
        assert!(told.starts_with("permissions: jobs:write is none that you have"), "{told}");
    }
}
