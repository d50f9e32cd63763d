//! What is written about the platform whose JWTs are believed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use store::Role;

use crate::identity::{Permission, Permissions};
use crate::reference::SecretRef;
use crate::units::duration;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Platform {
    /// Empty: no JWTs but our own are taken.
    pub issuer: String,
    pub audience: String,
    pub algorithms: Vec<Algorithm>,
    /// Of HS256.
    pub secret: Option<SecretRef>,
    /// Of the others.
    pub jwks_url: String,
    pub subject_claim: String,
    /// Empty: its people are the whole installation's.
    pub tenant_claim: String,
    pub role_claim: String,
    /// What a value of that claim stands for.
    pub roles: BTreeMap<String, Grant>,
    #[serde(with = "duration")]
    pub leeway: Duration,
    #[serde(with = "duration")]
    pub max_age: Duration,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: String::new(),
            algorithms: Vec::new(),
            secret: None,
            jwks_url: String::new(),
            subject_claim: "sub".into(),
            tenant_claim: String::new(),
            role_claim: "role".into(),
            roles: BTreeMap::new(),
            leeway: Duration::from_secs(30),
            max_age: Duration::from_secs(3_600),
        }
    }
}

impl Platform {
    pub fn is_set(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// For the list of keys.
    pub fn with_every_key() -> Self {
        Self {
            secret: Some(SecretRef::Env("KEY".into())),
            roles: [("*".to_owned(), Grant::Role(Role::Viewer))].into(),
            ..Self::default()
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    #[serde(rename = "HS256")]
    Hs256,
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// Both sides have the same secret.
    pub fn is_shared(self) -> bool {
        self == Self::Hs256
    }

    pub(super) fn is(self, named: jsonwebtoken::Algorithm) -> bool {
        named
            == match self {
                Self::Hs256 => jsonwebtoken::Algorithm::HS256,
                Self::Rs256 => jsonwebtoken::Algorithm::RS256,
                Self::Es256 => jsonwebtoken::Algorithm::ES256,
                Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            }
    }
}

/// What somebody may do: as one of our roles, or a list of permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    Role(Role),
    Permissions(Vec<Permission>),
}

impl Grant {
    pub fn permissions(&self) -> Permissions {
        match self {
            Self::Role(role) => Permissions::of_role(*role),
            Self::Permissions(list) => list.iter().copied().collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    One(String),
    Many(Vec<String>),
}

impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Role(role) => Written::One(role.name().into()),
            Self::Permissions(list) => Written::Many(list.iter().map(ToString::to_string).collect()),
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Written::deserialize(from)? {
            Written::One(role) => match role.parse() {
                // Whoever runs the platform would be above everybody who runs the installation.
                Ok(Role::Owner) => Err(de::Error::custom(
                    "owners are users of this installation; write admin, member or viewer",
                )),
                Ok(role) => Ok(Self::Role(role)),
                Err(problem) => Err(de::Error::custom(problem)),
            },
            Written::Many(names) => {
                let list: Result<_, String> = names.iter().map(|name| name.parse()).collect();
                list.map(Self::Permissions).map_err(de::Error::custom)
            }
        }
    }
}
