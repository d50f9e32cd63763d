//! Who may call how often: what people configure, and what follows from it for one request. Pure.
//!
//! A stranger is counted by address, somebody who is known by name. A person is counted by address too, with a higher
//! bound, so that a thousand stolen accounts on one machine are still one machine. The word on a route goes before what
//! its callers may do elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use store::rule::{Pace, Unit};
use store::{Allowance, RateBucket};

use crate::identity::networks::Network;

/// `120/m`, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    Off,
    At(Pace),
}

impl Bound {
    fn a_minute(count: u32) -> Self {
        Self::At(Pace { count, per: Unit::Minute })
    }
}

impl FromStr for Bound {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "off" => Ok(Self::Off),
            text => text.parse().map(Self::At).map_err(|problem| format!("{problem}, or \"off\"")),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(pace) => pace.fmt(f),
        }
    }
}

impl Serialize for Bound {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bound {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallerRules {
    pub enabled: bool,
    /// Whoever shows nothing that is known, by address.
    pub strangers: Bound,
    /// Each person, by name.
    pub users: Bound,
    /// All people of an address together.
    pub addresses: Bound,
    /// Each program that shows a token.
    pub services: Bound,
    /// Whatever a password or a code is shown to, by address.
    pub sign_in: Bound,
    /// The other routes of sessions, by address.
    pub sessions: Bound,
    /// From here everything may be called as often as anybody likes.
    pub exempt: Vec<Network>,
    /// `POST /v1/jobs`: in the place of what stands above, for each caller.
    pub routes: BTreeMap<String, Bound>,
}

impl Default for CallerRules {
    fn default() -> Self {
        Self {
            enabled: true,
            strangers: Bound::a_minute(120),
            users: Bound::a_minute(120),
            addresses: Bound::a_minute(3_000),
            services: Bound::a_minute(600_000),
            sign_in: Bound::a_minute(5),
            sessions: Bound::a_minute(120),
            exempt: Vec::new(),
            routes: BTreeMap::new(),
        }
    }
}

impl CallerRules {
    /// For where nobody is counted.
    pub fn off() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    pub fn spares(&self, address: IpAddr) -> bool {
        !self.enabled || self.exempt.iter().any(|network| network.holds(address))
    }

    /// What a request of somebody who is known is counted by.
    pub fn known(&self, name: &str, address: IpAddr, route: &Route<'_>) -> Vec<Counted> {
        if self.spares(address) {
            return Vec::new();
        }
        if let Some(own) = self.routes.get(&route.key()) {
            return counted(&["route", &route.key(), name], *own, "this caller on this route")
                .into_iter()
                .collect();
        }
        match name.starts_with("user:") {
            true => {
                let user = counted(&["user", name], self.users, "this user");
                let place = place(address);
                let address =
                    counted(&["address", &place], self.addresses, "all users of this address together");
                user.into_iter().chain(address).collect()
            }
            false => counted(&["service", name], self.services, "this token").into_iter().collect(),
        }
    }

    /// What a request is counted by of which only the address is known.
    pub fn unknown(&self, address: IpAddr, route: &Route<'_>) -> Option<Counted> {
        if self.spares(address) {
            return None;
        }
        let place = place(address);
        let group = route.group();
        let strictly = |counted: Counted| Counted { strict: group == Group::SignIn, ..counted };
        if let Some(own) = self.routes.get(&route.key()) {
            let own = counted(&["route", &route.key(), &place], *own, "this address on this route");
            return own.map(strictly);
        }
        match group {
            Group::Never => None,
            Group::SignIn => {
                counted(&["sign-in", &place], self.sign_in, "this address, to sign in").map(strictly)
            }
            Group::Sessions => {
                counted(&["sessions", &place], self.sessions, "this address on routes of sessions")
            }
            Group::Delivery | Group::Other => {
                counted(&["stranger", &place], self.strangers, "this address without a token")
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    pub bucket: RateBucket,
    pub of: Allowance,
    /// Who may call so often, for people.
    pub whom: &'static str,
    /// Where it cannot be counted for all processes together, nobody is let in.
    pub strict: bool,
}

fn counted(of: &[&str], bound: Bound, whom: &'static str) -> Option<Counted> {
    let Bound::At(pace) = bound else { return None };
    let mut hash = Sha256::new();
    for part in of {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    Some(Counted { bucket: hash.finalize().into(), of: Allowance::of(pace), whom, strict: false })
}

/// One machine, or as good as one: whoever has an address of IPv6 has a whole network of them.
fn place(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

/// As the router has it: the method and the path with its names, none where there is no such route.
#[derive(Debug, Clone, Copy)]
pub struct Route<'a> {
    pub method: &'a str,
    pub path: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Whoever watches over the process must always hear of it.
    Never,
    SignIn,
    Sessions,
    /// Signed by somebody who is known, or refused.
    Delivery,
    Other,
}

impl Route<'_> {
    pub fn group(&self) -> Group {
        match self.path.unwrap_or_default() {
            "/livez" | "/readyz" => Group::Never,
            "/auth/sign-in" | "/auth/password" | "/auth/totp" => Group::SignIn,
            path if path.starts_with("/auth/") => Group::Sessions,
            path if path.starts_with("/v1/hooks/") || path.starts_with("/v1/webhooks/") => Group::Delivery,
            _ => Group::Other,
        }
    }

    fn key(&self) -> String {
        // Where a head can be had, the whole can.
        let method = if self.method == "HEAD" { "GET" } else { self.method };
        format!("{method} {}", self.path.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "192.0.2.7";

    fn rules() -> CallerRules {
        let routes = [("POST /v1/jobs", "7/m"), ("GET /v1/jobs", "off"), ("POST /auth/sign-in", "9/h")];
        CallerRules {
            exempt: vec!["10.0.0.0/8".parse().unwrap()],
            routes: routes.map(|(route, bound)| (route.to_owned(), bound.parse().unwrap())).into(),
            ..CallerRules::default()
        }
    }

    fn route(route: &str) -> Route<'_> {
        let (method, path) = route.split_once(' ').unwrap();
        Route { method, path: (!path.is_empty()).then_some(path) }
    }

    #[test]
    fn whoever_is_known_is_counted_by_name_and_people_by_address_too() {
        for (name, from, called, most) in [
            ("user:ada", HOME, "GET /v1/queues", &[120, 3_000][..]),
            ("token:api", HOME, "GET /v1/queues", &[600_000]),
            ("token:api", HOME, "POST /v1/jobs", &[7]),
            ("user:ada", HOME, "POST /v1/jobs", &[7]),
            ("user:ada", HOME, "GET /v1/jobs", &[]),
            ("user:ada", HOME, "HEAD /v1/jobs", &[]),
            ("user:ada", "10.1.2.3", "POST /v1/jobs", &[]),
        ] {
            let counted = rules().known(name, from.parse().unwrap(), &route(called));
            assert_eq!(
                counted.iter().map(|one| one.of.most).collect::<Vec<_>>(),
                most,
                "{name} {from} {called}"
            );
            assert!(counted.iter().all(|one| !one.strict));
        }
        let off = CallerRules { enabled: false, ..rules() };
        assert_eq!(off.known("user:ada", HOME.parse().unwrap(), &route("GET /v1/queues")), []);
    }

    #[test]
    fn a_stranger_is_counted_by_address_and_whoever_signs_in_strictly() {
        for (from, called, most) in [
            (HOME, "GET /v1/queues", Some((120, false))),
            (HOME, "GET ", Some((120, false))),
            (HOME, "GET /docs", Some((120, false))),
            (HOME, "POST /v1/hooks/{name}", Some((120, false))),
            (HOME, "POST /v1/webhooks/{name}", Some((120, false))),
            (HOME, "POST /auth/sign-in", Some((9, true))),
            (HOME, "POST /auth/password", Some((5, true))),
            (HOME, "POST /auth/refresh", Some((120, false))),
            (HOME, "GET /livez", None),
            (HOME, "GET /readyz", None),
            ("10.1.2.3", "POST /auth/sign-in", None),
        ] {
            let counted = rules().unknown(from.parse().unwrap(), &route(called));
            assert_eq!(counted.map(|one| (one.of.most, one.strict)), most, "{from} {called}");
        }
    }

    #[test]
    fn callers_are_told_apart_by_name_by_route_and_by_network() {
        let bucket = |name: &str, from: &str, called: &str| {
            rules().known(name, from.parse().unwrap(), &route(called))[0].bucket
        };
        let ada = bucket("user:ada", HOME, "GET /v1/queues");
        assert_eq!(bucket("user:ada", "192.0.2.8", "GET /v1/kinds"), ada);
        assert_ne!(bucket("user:eve", HOME, "GET /v1/queues"), ada);
        assert_ne!(bucket("user:ada", HOME, "POST /v1/jobs"), ada);

        let address =
            |from: &str| rules().unknown(from.parse().unwrap(), &route("GET /docs")).unwrap().bucket;
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:192.0.2.7"), address(HOME));
        assert_ne!(address("192.0.2.8"), address(HOME));
    }

    #[test]
    fn a_bound_is_a_rate_or_off() {
        for (text, written) in
            [("120/m", Some("120/m")), (" off ", Some("off")), ("0/m", None), ("many", None)]
        {
            let bound = text.parse::<Bound>().ok().map(|bound| bound.to_string());
            assert_eq!(bound.as_deref(), written, "{text}");
        }
    }
}
