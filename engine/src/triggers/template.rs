//! Arguments made from what a trigger brought: JSON with places like `{/body/order/id}` in its texts, each a
//! JSON pointer into what there is. Pure.
//!
//! A text that is one place alone becomes the value that stands there, whatever its type; among other letters a
//! place must be a text, a number or a truth value. `{{` and `}}` are braces.

use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq)]
pub struct Template(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    /// Says nothing of what was brought.
    Fixed(Value),
    Text(Text),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// A text with places: a unique key, say.
#[derive(Debug, Clone, PartialEq)]
pub struct Text(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Letters(String),
    Place(String),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("is not JSON: {0}; write it like '{{\"path\": \"{{/path}}\"}}'")]
    NotJson(String),
    #[error("`{0}` has a brace without its partner; write {{{{ or }}}} for a brace itself")]
    Brace(String),
    #[error("`{{{0}}}` is no place; write {{/name}} or {{/name/within}}, a JSON pointer")]
    Place(String),
}

/// What was brought does not have what the template asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    #[error("there is no `{0}` in what came in")]
    Nothing(String),
    #[error("`{0}` in what came in is no text, number or truth value, and stands among other letters")]
    NoText(String),
}

impl Template {
    pub fn parse(json: &str) -> Result<Self, TemplateError> {
        let value: Value =
            serde_json::from_str(json).map_err(|problem| TemplateError::NotJson(problem.to_string()))?;
        Node::of(value).map(Self)
    }

    pub fn render(&self, from: &Value) -> Result<Value, Missing> {
        self.0.render(from)
    }

    /// Where it looks, as JSON pointers.
    pub fn places(&self) -> Vec<&str> {
        let mut places = Vec::new();
        self.0.collect_places(&mut places);
        places
    }

    /// The value, where it says nothing of what is brought.
    pub fn constant(&self) -> Option<Value> {
        self.places().is_empty().then(|| self.render(&Value::Null).ok()).flatten()
    }

    /// False where it is something else whatever is brought.
    pub fn may_be_an_object(&self) -> bool {
        match &self.0 {
            Node::Object(_) => true,
            Node::Text(Text(parts)) => matches!(parts.as_slice(), [Part::Place(_)]),
            Node::Fixed(_) | Node::List(_) => false,
        }
    }
}

impl Node {
    fn collect_places<'a>(&'a self, places: &mut Vec<&'a str>) {
        match self {
            Self::Fixed(_) => {}
            Self::Text(text) => places.extend(text.places()),
            Self::List(items) => items.iter().for_each(|item| item.collect_places(places)),
            Self::Object(fields) => fields.iter().for_each(|(_, node)| node.collect_places(places)),
        }
    }

    fn of(value: Value) -> Result<Self, TemplateError> {
        Ok(match value {
            Value::String(text) => Self::Text(Text::parse(&text)?),
            Value::Array(items) => {
                Self::List(items.into_iter().map(Self::of).collect::<Result<_, TemplateError>>()?)
            }
            Value::Object(fields) => {
                let fields = fields.into_iter().map(|(name, value)| Ok((name, Self::of(value)?)));
                Self::Object(fields.collect::<Result<_, TemplateError>>()?)
            }
            fixed => Self::Fixed(fixed),
        })
    }

    fn render(&self, from: &Value) -> Result<Value, Missing> {
        match self {
            Self::Fixed(value) => Ok(value.clone()),
            Self::Text(Text(parts)) if matches!(parts.as_slice(), [Part::Place(_)]) => {
                let [Part::Place(place)] = parts.as_slice() else { return Ok(Value::Null) };
                find(from, place).cloned()
            }
            Self::Text(text) => text.render(from).map(Value::String),
            Self::List(items) => items.iter().map(|item| item.render(from)).collect(),
            Self::Object(fields) => {
                let fields = fields.iter().map(|(name, node)| Ok((name.clone(), node.render(from)?)));
                fields.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }
}

impl Text {
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let unmatched = || TemplateError::Brace(text.into());
        let mut parts = Vec::new();
        let mut letters = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            letters.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                letters.push_str(brace);
                rest = after;
                continue;
            }
            let (place, after) = match brace {
                "{" => after.split_once('}').ok_or_else(unmatched)?,
                _ => return Err(unmatched()),
            };
            if !(place.is_empty() || place.starts_with('/')) || place.contains('{') {
                return Err(TemplateError::Place(place.into()));
            }
            if !letters.is_empty() {
                parts.push(Part::Letters(std::mem::take(&mut letters)));
            }
            parts.push(Part::Place(place.into()));
            rest = after;
        }
        letters.push_str(rest);
        if !letters.is_empty() {
            parts.push(Part::Letters(letters));
        }
        Ok(Self(parts))
    }

    pub fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Place(place) => Some(place.as_str()),
            Part::Letters(_) => None,
        })
    }

    pub fn render(&self, from: &Value) -> Result<String, Missing> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Letters(letters) => text.push_str(letters),
                Part::Place(place) => match find(from, place)? {
                    Value::String(value) => text.push_str(value),
                    value @ (Value::Number(_) | Value::Bool(_)) => text.push_str(&value.to_string()),
                    _ => return Err(Missing::NoText(place.clone())),
                },
            }
        }
        Ok(text)
    }
}

fn find<'a>(from: &'a Value, place: &str) -> Result<&'a Value, Missing> {
    from.pointer(place).ok_or_else(|| Missing::Nothing(place.into()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(template: &str) -> Result<Value, Missing> {
        let from =
            json!({ "body": { "id": 7, "name": "Ada", "tags": ["a", "b"], "a/b": true }, "none": null });
        Template::parse(template).unwrap().render(&from)
    }

    #[test]
    fn a_place_is_filled_with_what_stands_there() {
        for (template, expected) in [
            (r#"{"n": 1, "fixed": [true, null]}"#, json!({ "n": 1, "fixed": [true, null] })),
            (r#"{"id": "{/body/id}"}"#, json!({ "id": 7 })),
            (r#"{"text": "order {/body/id} of {/body/name}"}"#, json!({ "text": "order 7 of Ada" })),
            (r#""{/body/tags}""#, json!(["a", "b"])),
            (r#"["{/body/tags/1}", "{/none}"]"#, json!(["b", null])),
            (r#""{/body/a~1b}""#, json!(true)),
            (r#""{{/body}} {/body/id}}}""#, json!("{/body} 7}")),
            (r#"{"deep": [{"x": "{/body/name}"}]}"#, json!({ "deep": [{ "x": "Ada" }] })),
        ] {
            assert_eq!(rendered(template).unwrap(), expected, "{template}");
        }
        assert_eq!(rendered(r#""{}""#).unwrap()["body"]["id"], 7);
    }

    #[test]
    fn a_template_says_where_it_looks_and_what_it_can_become() {
        for (template, places, constant, object) in [
            (r#"{"a": "x", "b": [1]}"#, vec![], Some(json!({ "a": "x", "b": [1] })), true),
            (r#"{"a": "x{/b}{/c/d}", "e": ["{/f}"]}"#, vec!["/b", "/c/d", "/f"], None, true),
            (r#""{}""#, vec![""], None, true),
            (r#""x{/a}""#, vec!["/a"], None, false),
            (r#"["{/a}"]"#, vec!["/a"], None, false),
            ("7", vec![], Some(json!(7)), false),
        ] {
            let template = Template::parse(template).unwrap();
            assert_eq!(
                (template.places(), template.constant(), template.may_be_an_object()),
                (places, constant, object)
            );
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(rendered(r#""{/body/no}""#), Err(Missing::Nothing("/body/no".into())));
        assert_eq!(rendered(r#""x{/body/tags}""#), Err(Missing::NoText("/body/tags".into())));
        assert_eq!(rendered(r#""x{/none}""#), Err(Missing::NoText("/none".into())));
    }

    #[test]
    fn what_is_no_template_is_refused_with_its_remedy() {
        for (template, remedy) in [
            ("{path: 1}", "is not JSON"),
            (r#""{/body""#, "brace without its partner"),
            (r#""body}""#, "brace without its partner"),
            (r#""{body}""#, "write {/name}"),
            (r#""{/a{/b}""#, "write {/name}"),
        ] {
            let problem = Template::parse(template).unwrap_err().to_string();
            assert!(problem.contains(remedy), "{template}: {problem}");
        }
    }
}
