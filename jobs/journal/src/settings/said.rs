//! What settings say beside the defaults, as arguments of a command.

use serde_json::{Map, Value};

use super::Settings;

impl Settings {
    /// Each part that differs from the defaults, but for the seed, with what differs as JSON: `risk={"high":0.6}`.
    pub fn said(&self) -> Vec<String> {
        // These are our own types, which have names for their fields.
        let (usual, own) = (serde_json::to_value(Self::default()), serde_json::to_value(self));
        let said = match (usual, own) {
            (Ok(usual), Ok(own)) => beside(&usual, &own),
            _ => None,
        };
        let Some(Value::Object(mut parts)) = said else { return Vec::new() };
        parts.remove("seed");
        let mut said: Vec<String> = parts.iter().map(|(name, value)| format!("{name}={value}")).collect();
        said.sort_unstable();
        said
    }
}

/// What has to be laid over the one to get the other.
fn beside(usual: &Value, own: &Value) -> Option<Value> {
    let (Value::Object(usual), Value::Object(own)) = (usual, own) else {
        return (usual != own).then(|| own.clone());
    };
    let mut said = Map::new();
    for (key, own) in own {
        let differs = usual.get(key).map_or_else(|| Some(own.clone()), |usual| beside(usual, own));
        said.extend(differs.map(|value| (key.clone(), value)));
    }
    let taken_back = usual.keys().filter(|key| !own.contains_key(*key));
    said.extend(taken_back.map(|key| (key.clone(), Value::Null)));
    (!said.is_empty()).then_some(Value::Object(said))
}

/// For a shell, one word.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As the command line takes them.
    fn again(said: &[String]) -> Settings {
        said.iter().fold(Settings::default(), |settings, said| {
            let (name, value) = said.split_once('=').unwrap();
            settings.with(&json!({ name: serde_json::from_str::<Value>(value).unwrap() })).unwrap()
        })
    }

    #[test]
    fn what_is_said_makes_the_same_settings_again() {
        for more in [
            json!({}),
            json!({"risk": {"high": 0.6}, "forest": {"trees": 7}}),
            json!({"mapping": {"preset": null, "columns": {"entry": {"join": ["A", "B"]}, "account": "Konto"}}}),
            json!({"controls": {"weights": {"round": 0}, "watched_user": {"departed": {"j.doe": "2025-01-31"}}}}),
            json!({"selections": {"strata": [], "monetary_unit": {"materiality": "1000"}}}),
            json!({"controls": {"keyword": {"words": {"fr": [], "es": ["l'ajuste"]}}}}),
        ] {
            let settings = Settings::default().with(&more).unwrap();

            assert_eq!(again(&settings.said()), settings, "{more}");
        }
        let seeded = Settings { seed: 7, ..Settings::default() };
        assert_eq!(seeded.said(), [""; 0]);
    }

    #[test]
    fn only_what_differs_is_said() {
        let settings = Settings::default().with(&json!({"risk": {"high": 0.6, "medium": 0.3}})).unwrap();

        assert_eq!(settings.said(), [r#"risk={"high":0.6}"#]);
    }

    #[test]
    fn a_shell_reads_a_quoted_word_as_it_was() {
        for (word, shell) in [
            ("a/b-c.csv", "a/b-c.csv"),
            ("a b", "'a b'"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
            ("$(rm)", "'$(rm)'"),
        ] {
            assert_eq!(quoted(word), shell);
        }
    }
}
