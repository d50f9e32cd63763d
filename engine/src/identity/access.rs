//! Access tokens: JWTs of a quarter of an hour, for one session. One algorithm, one key, one issuer and one audience, all
//! pinned; what a token says of itself decides nothing. The time is our clock's.

use std::time::Duration;

use jiff::Timestamp;
use jobkit::redact::ExposeSecret;
use jobkit::{SecretString, jwt};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use store::{SessionId, UserId};

use super::IdentityError;

/// Nobody else may be called so.
pub const ISSUER: &str = "compline";
const AUDIENCE: &str = "compline-api";
/// Clocks of two instances may differ by so much.
const LEEWAY: Duration = Duration::from_secs(30);
/// A token of ours has a third of this.
const LONGEST: usize = 2_048;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

/// Signs access tokens and knows them again.
pub struct AccessTokens {
    sign: EncodingKey,
    verify: DecodingKey,
    pub life: Duration,
}

impl AccessTokens {
    pub fn new(key: &[u8; 32], life: Duration) -> Self {
        jwt::install();
        Self { sign: EncodingKey::from_secret(key), verify: DecodingKey::from_secret(key), life }
    }

    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<SecretString, IdentityError> {
        let exp = now.saturating_add(self.life).unwrap_or(Timestamp::MAX);
        let claims = Claims {
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            sub: user,
            sid: session,
            iat: now.as_second(),
            exp: exp.as_second(),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign);
        token.map(SecretString::from).map_err(|_| IdentityError::Sign)
    }

    /// Whose it is, if it is one of ours and its time is not over.
    pub fn read(&self, token: &SecretString, now: Timestamp) -> Option<(UserId, SessionId)> {
        let token = token.expose_secret();
        if token.len() > LONGEST {
            return None;
        }
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library would ask the system for the time.
        validation.validate_exp = false;
        let Claims { sub, sid, exp, iat, .. } =
            jsonwebtoken::decode::<Claims>(token, &self.verify, &validation).ok()?.claims;
        let leeway = i64::try_from(LEEWAY.as_secs()).unwrap_or(0);
        let now = now.as_second();
        (now < exp.saturating_add(leeway) && iat <= now.saturating_add(leeway)).then_some((sub, sid))
    }
}

impl std::fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessTokens").field("life", &self.life).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    use ring::hmac;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;

    const LIFE: Duration = Duration::from_secs(900);
    const KEY: [u8; 32] = [7; 32];

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn ids() -> (UserId, SessionId) {
        (UserId(Uuid::from_u128(1)), SessionId(Uuid::from_u128(2)))
    }

    fn claims() -> Value {
        let (user, session) = ids();
        json!({ "iss": "compline", "aud": "compline-api", "sub": user, "sid": session,
                "iat": at(0).as_second(), "exp": at(900).as_second() })
    }

    fn signed(header: &Value, claims: &Value, key: &[u8]) -> SecretString {
        let part = |value: &Value| BASE64.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
        SecretString::from(format!("{message}.{}", BASE64.encode(tag)))
    }

    #[test]
    fn a_token_is_known_for_as_long_as_it_lives() {
        let tokens = AccessTokens::new(&KEY, LIFE);
        let token = tokens.issue(ids().0, ids().1, at(0)).unwrap();
        for (now, known) in [(0, true), (-30, true), (-31, false), (899, true), (929, true), (930, false)] {
            assert_eq!(tokens.read(&token, at(now)), known.then_some(ids()), "{now}");
        }
        assert_eq!(AccessTokens::new(&[8; 32], LIFE).read(&token, at(0)), None);
        assert!(!format!("{tokens:?}").contains('7'), "{tokens:?}");
    }

    #[test]
    fn what_a_token_says_of_itself_decides_nothing() {
        let tokens = AccessTokens::new(&KEY, LIFE);
        let fine = json!({ "alg": "HS256", "typ": "JWT" });
        assert_eq!(tokens.read(&signed(&fine, &claims(), &KEY), at(0)), Some(ids()));
        for header in [
            json!({ "alg": "none" }),
            json!({ "alg": "HS384" }),
            json!({ "alg": "HS512" }),
            json!({ "alg": "RS256" }),
            json!({ "alg": "EdDSA" }),
            json!({ "alg": "hs256" }),
            json!({}),
        ] {
            assert_eq!(tokens.read(&signed(&header, &claims(), &KEY), at(0)), None, "{header}");
        }
        for (field, value) in [
            ("iss", json!("another")),
            ("aud", json!("another")),
            ("iss", Value::Null),
            ("aud", Value::Null),
            ("exp", Value::Null),
            ("sub", json!("ada")),
            ("sid", Value::Null),
            ("exp", json!(at(-31).as_second())),
            ("iat", json!(at(60).as_second())),
        ] {
            let mut claims = claims();
            claims[field] = value;
            if claims[field].is_null() {
                claims.as_object_mut().unwrap().remove(field);
            }
            assert_eq!(tokens.read(&signed(&fine, &claims, &KEY), at(0)), None, "{claims}");
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        let tokens = AccessTokens::new(&KEY, LIFE);
        let token = tokens.issue(ids().0, ids().1, at(0)).unwrap();
        let token = token.expose_secret();
        let unsigned = token.rsplit_once('.').unwrap().0;
        let altered = token.replacen('e', "f", 1);
        let long = format!("{token}{}", "A".repeat(3_000));
        for text in ["", ".", "..", "a.b.c", &format!("{unsigned}."), unsigned, &altered, &long] {
            assert_eq!(tokens.read(&SecretString::from(text), at(0)), None, "{text}");
        }
    }
}
