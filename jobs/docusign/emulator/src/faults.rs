//! What goes wrong on purpose: which faults are asked for, and whether the next call has one. Pure: a draw depends on
//! the seed and on how many calls of that class there were, so a run can be repeated.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is done, and the connection cut before the answer.
    LostAnswer,
    /// The connection is cut, and it is done this much later.
    LateCommit(Duration),
    /// It is done, and answered by this status.
    ErrorAfter(u16),
    /// It is not done, and answered by this status.
    ErrorBefore(u16),
    /// It is not done, and the connection is cut.
    LostBefore,
    /// It is not done, and a proxy answers 502 in HTML.
    Html,
    /// It is done, and half of the answer's body comes, and then the connection is cut.
    Truncated,
    /// It is done, and the answer takes this much longer.
    Latency(Duration),
    /// The token that it comes with is worth nothing any more.
    TokenRevoked,
}

/// Which calls: a call is of all classes that fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Any,
    /// `POST /oauth/token`; no other class but `any` has it.
    Token,
    /// `POST …/envelopes`.
    Create,
    Post,
    Put,
    /// `GET …/documents/…`.
    Download,
    Get,
    Delete,
}

const CLASSES: &[(&str, Class)] = &[
    ("any", Class::Any),
    ("token", Class::Token),
    ("create", Class::Create),
    ("post", Class::Post),
    ("put", Class::Put),
    ("download", Class::Download),
    ("get", Class::Get),
    ("delete", Class::Delete),
];

impl Class {
    /// The narrowest that fits.
    pub fn of(method: &str, path: &str) -> Self {
        let mut ends = path.trim_end_matches('/').rsplit('/');
        let (last, before) = (ends.next(), ends.next());
        match method {
            "POST" if path == "/oauth/token" => Class::Token,
            "POST" if last == Some("envelopes") => Class::Create,
            "POST" => Class::Post,
            "PUT" => Class::Put,
            "GET" if before == Some("documents") => Class::Download,
            "DELETE" => Class::Delete,
            _ => Class::Get,
        }
    }

    fn has(self, narrow: Class) -> bool {
        match self {
            Class::Any => true,
            Class::Post => matches!(narrow, Class::Create | Class::Post),
            Class::Get => matches!(narrow, Class::Download | Class::Get),
            _ => self == narrow,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Chance {
    Of(f64),
    /// That many of the next calls, for sure.
    Next(u32),
}

/// One fault that was asked for: `KIND[@CLASS]=CHANCE[:VALUE]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    fault: Fault,
    class: Class,
    chance: Chance,
}

impl Rule {
    fn kind(&self) -> (&'static str, Option<u64>) {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).ok();
        match self.fault {
            Fault::LostAnswer => ("lost-answer", None),
            Fault::LateCommit(after) => ("late-commit", ms(after)),
            Fault::ErrorAfter(status) => ("error-after", Some(status.into())),
            Fault::ErrorBefore(status) => ("error-before", Some(status.into())),
            Fault::LostBefore => ("lost-before", None),
            Fault::Html => ("html", None),
            Fault::Truncated => ("truncated", None),
            Fault::Latency(more) => ("latency", ms(more)),
            Fault::TokenRevoked => ("token-revoked", None),
        }
    }
}

impl Fault {
    pub fn name(self) -> &'static str {
        Rule { fault: self, class: Class::Any, chance: Chance::Next(0) }.kind().0
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, value) = self.kind();
        let class = CLASSES.iter().find(|(_, class)| *class == self.class).map_or("any", |(name, _)| name);
        write!(to, "{kind}@{class}=")?;
        match self.chance {
            Chance::Of(share) => write!(to, "{share}")?,
            Chance::Next(calls) => write!(to, "{calls}x")?,
        }
        value.map_or(Ok(()), |value| write!(to, ":{value}"))
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || format!("`{text}` is not KIND[@CLASS]=CHANCE[:VALUE], such as lost-answer@create=0.15");
        let (what, chance) = text.split_once('=').ok_or_else(form)?;
        let (kind, class) = what.split_once('@').unwrap_or((what, "any"));
        let (chance, value) = match chance.split_once(':') {
            Some((chance, value)) => (chance, Some(value.parse::<u64>().map_err(|_| form())?)),
            None => (chance, None),
        };
        let ms = |usual: u64| Duration::from_millis(value.unwrap_or(usual));
        let status = |usual: u16| match value.map_or(Ok(usual), u16::try_from) {
            Ok(status @ 500..=599) => Ok(status),
            _ => Err(format!("`{text}`: the status is one from 500 to 599")),
        };
        let fault = match kind {
            "lost-answer" => Fault::LostAnswer,
            "late-commit" => Fault::LateCommit(ms(300)),
            "error-after" => Fault::ErrorAfter(status(504)?),
            "error-before" => Fault::ErrorBefore(status(503)?),
            "lost-before" => Fault::LostBefore,
            "html" => Fault::Html,
            "truncated" => Fault::Truncated,
            "latency" => Fault::Latency(ms(1000)),
            "token-revoked" => Fault::TokenRevoked,
            _ => return Err(format!("there is no fault `{kind}`; {KINDS}")),
        };
        let (_, class) = CLASSES.iter().find(|(name, _)| *name == class).ok_or_else(|| {
            let all: Vec<_> = CLASSES.iter().map(|(name, _)| *name).collect();
            format!("there is no class `{class}`; classes are {}", all.join(", "))
        })?;
        let chance = match chance.strip_suffix('x') {
            Some(calls) => Chance::Next(calls.parse().map_err(|_| form())?),
            None => Chance::Of(chance.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(
                || format!("`{text}`: the chance is a number from 0 to 1, or how many calls, such as 1x"),
            )?),
        };
        Ok(Rule { fault, class: *class, chance })
    }
}

/// For help and errors.
pub const KINDS: &str = "faults are lost-answer, late-commit[:MS], error-after[:STATUS], error-before[:STATUS], \
                         lost-before, html, truncated, latency[:MS], token-revoked";

/// All that were asked for, and how far the draws are.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    pub seed: u64,
    rules: Vec<Rule>,
    drawn: BTreeMap<Class, u64>,
}

impl Faults {
    /// A call has one fault at most, so the shares that fit one call may not come to more than one.
    pub fn new(seed: u64, rules: Vec<Rule>) -> Result<Self, String> {
        for (name, narrow) in CLASSES {
            let share: f64 = rules
                .iter()
                .filter(|rule| rule.class.has(*narrow))
                .map(|rule| if let Chance::Of(share) = rule.chance { share } else { 0.0 })
                .sum();
            if share > 1.0 + 1e-9 {
                return Err(format!("the chances of faults for `{name}` come to {share}, more than 1"));
            }
        }
        Ok(Self { seed, rules, drawn: BTreeMap::new() })
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What becomes of the next call of this class.
    pub fn draw(&mut self, narrow: Class) -> Option<Fault> {
        let fits = |rule: &Rule| rule.class.has(narrow);
        for rule in self.rules.iter_mut().filter(|rule| fits(rule)) {
            if let Chance::Next(calls @ 1..) = &mut rule.chance {
                *calls -= 1;
                return Some(rule.fault);
            }
        }
        if !self.rules.iter().any(|rule| fits(rule) && matches!(rule.chance, Chance::Of(_))) {
            return None;
        }
        let drawn = self.drawn.entry(narrow).or_default();
        *drawn += 1;
        let mut at = share(self.seed, narrow as u64, *drawn);
        for rule in self.rules.iter().filter(|rule| fits(rule)) {
            let Chance::Of(share) = rule.chance else { continue };
            if at < share {
                return Some(rule.fault);
            }
            at -= share;
        }
        None
    }
}

/// A number from 0 up to 1, by splitmix64.
fn share(seed: u64, class: u64, nth: u64) -> f64 {
    let mixed = mix(mix(seed ^ class.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(nth));
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

/// Spreads the bits of a number; also for shuffling.
pub fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(texts: &[&str]) -> Vec<Rule> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_call_is_of_the_narrowest_class() {
        for (method, path, class) in [
            ("POST", "/oauth/token", Class::Token),
            ("POST", "/restapi/v2.1/accounts/a/envelopes", Class::Create),
            ("POST", "/restapi/v2.1/accounts/a/envelopes/e/recipients", Class::Post),
            ("PUT", "/restapi/v2.1/accounts/a/envelopes/status", Class::Put),
            ("GET", "/restapi/v2.1/accounts/a/envelopes/e/documents/archive", Class::Download),
            ("GET", "/restapi/v2.1/accounts/a/envelopes/e/documents", Class::Get),
            ("GET", "/restapi/v2.1/accounts/a/envelopes", Class::Get),
            ("DELETE", "/restapi/v2.1/accounts/a/connect/secret/1", Class::Delete),
        ] {
            assert_eq!(Class::of(method, path), class, "{method} {path}");
        }
    }

    #[test]
    fn rules_are_written_as_they_are_read() {
        for (text, written) in [
            ("lost-answer@create=0.15", "lost-answer@create=0.15"),
            ("late-commit=0.1:2000", "late-commit@any=0.1:2000"),
            ("error-after@put=0.05", "error-after@put=0.05:504"),
            ("truncated@download=3x", "truncated@download=3x"),
        ] {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), written);
        }
        for (text, named) in [
            ("lost-answer", "KIND[@CLASS]=CHANCE"),
            ("fire=0.1", "`fire`"),
            ("html@patch=0.1", "`patch`"),
            ("html=1.5", "from 0 to 1"),
            ("error-after=0.1:404", "500 to 599"),
        ] {
            let refused = text.parse::<Rule>().unwrap_err();
            assert!(refused.contains(named), "{text}: {refused}");
        }
        let most = Faults::new(0, rules(&["html=0.6", "lost-answer@create=0.5"]));
        assert!(most.unwrap_err().contains("`create`"));
    }

    #[test]
    fn draws_keep_their_shares_and_can_be_repeated() {
        let texts = ["lost-answer@create=0.15", "late-commit@create=0.1:300", "lost-answer@get=0.1"];
        let draw = |seed| {
            let mut faults = Faults::new(seed, rules(&texts)).unwrap();
            (0..10_000).map(|_| faults.draw(Class::Create)).collect::<Vec<_>>()
        };
        let drawn = draw(7);
        assert_eq!(drawn, draw(7));
        assert_ne!(drawn, draw(8));
        let of = |fault| drawn.iter().filter(|drawn| **drawn == Some(fault)).count();
        assert!((1400..1600).contains(&of(Fault::LostAnswer)), "{}", of(Fault::LostAnswer));
        assert!((900..1100).contains(&of(Fault::LateCommit(Duration::from_millis(300)))));
        let mut faults = Faults::new(7, rules(&texts)).unwrap();
        assert!((0..1000).all(|_| faults.draw(Class::Put).is_none()));
    }

    #[test]
    fn the_next_calls_have_theirs_for_sure() {
        let mut faults = Faults::new(0, rules(&["html@post=2x", "lost-before@create=1"])).unwrap();
        let drawn: Vec<_> = (0..3).map(|_| faults.draw(Class::Create)).collect();
        assert_eq!(drawn, [Some(Fault::Html), Some(Fault::Html), Some(Fault::LostBefore)]);
    }
}
