//! The shape of what a file may say, as JSON Schema, for editors that complete and explain.
//!
//! A schema says less than the decoders do: what a pattern cannot tell is left to `firedrill check`. It never refuses
//! what they take; in particular every scalar may be a reference, `${…}`. Draft 7, which the editors' YAML language
//! servers know best.

use serde_json::{Map, Value, json};

/// Where a reference stands in a text.
const REFERENCE: &str = r"\$\{";

/// The definitions that a schema refers to.
#[derive(Debug, Default)]
pub struct Shapes {
    definitions: Map<String, Value>,
}

impl Shapes {
    /// The reference to a definition, which is made first if there is none of this name yet.
    pub fn define(&mut self, name: &str, make: impl FnOnce(&mut Shapes) -> Value) -> Value {
        // Without the crate, as a path: `probe.http.Http`.
        let name = name.split("::").skip(1).collect::<Vec<_>>().join(".");
        if !self.definitions.contains_key(&name) {
            // Known before it is made, for one that holds itself.
            self.definitions.insert(name.clone(), Value::Null);
            let made = make(self);
            self.definitions.insert(name.clone(), made);
        }
        json!({ "$ref": format!("#/definitions/{name}") })
    }

    /// The whole schema: `root` with the definitions.
    pub fn finish(self, id: &str, title: &str, root: Value) -> Value {
        let mut schema = Map::new();
        schema.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        schema.insert("$id".to_owned(), json!(id));
        schema.insert("title".to_owned(), json!(title));
        if let Value::Object(root) = root {
            schema.extend(root);
        }
        let mut definitions: Vec<(String, Value)> = self.definitions.into_iter().collect();
        definitions.sort_by(|one, other| one.0.cmp(&other.0));
        schema.insert("definitions".to_owned(), Value::Object(definitions.into_iter().collect()));
        Value::Object(schema)
    }
}

/// Any single value: a text, or what YAML reads as a number or a truth value.
pub fn scalar(about: &str) -> Value {
    json!({ "type": ["string", "number", "boolean"], "description": about })
}

/// A text of this form, or one with a reference. `numbers`: YAML reads some of them as numbers.
pub fn pattern(pattern: &str, numbers: bool) -> Value {
    let text = json!({ "type": "string", "pattern": format!("{pattern}|{REFERENCE}") });
    match numbers {
        true => json!({ "anyOf": [{ "type": "number" }, text] }),
        false => text,
    }
}

/// A whole number within bounds.
pub fn whole(least: i64, most: u64) -> Value {
    json!({ "anyOf": [
        { "type": "integer", "minimum": least, "maximum": most },
        { "type": "string", "pattern": format!("^[+-]?[0-9]+$|{REFERENCE}") },
    ] })
}

/// True or false.
pub fn truth() -> Value {
    json!({ "anyOf": [
        { "type": "boolean" },
        { "type": "string", "pattern": format!("^(true|false)$|{REFERENCE}") },
    ] })
}

/// One of these words, each with what it means.
pub fn words(words: &[(&str, &str)]) -> Value {
    let mut any: Vec<Value> =
        words.iter().map(|(word, about)| described(json!({ "const": word }), about)).collect();
    any.push(json!({ "type": "string", "pattern": REFERENCE }));
    json!({ "anyOf": any })
}

/// A list of these.
pub fn list(item: Value) -> Value {
    json!({ "type": "array", "items": item })
}

/// A mapping of names to these.
pub fn mapping(value: Value) -> Value {
    json!({ "type": "object", "additionalProperties": value })
}

/// Any of these.
pub fn any_of(alternatives: Vec<Value>) -> Value {
    json!({ "anyOf": alternatives })
}

/// A mapping with these keys alone, those that are `required` among them.
pub fn object(about: &str, properties: Vec<(&str, Value)>, required: &[&str]) -> Value {
    let properties: Map<String, Value> =
        properties.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect();
    let mut shape = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    if !required.is_empty() {
        shape["required"] = json!(required);
    }
    described(shape, about)
}

/// A mapping with exactly one of these keys.
pub fn one_of(about: &str, alternatives: Vec<(&str, Value)>) -> Value {
    let mut shape = object(about, alternatives, &[]);
    shape["minProperties"] = json!(1);
    shape["maxProperties"] = json!(1);
    shape
}

/// The shape with a description; that of what it refers to stays where it is.
pub fn described(shape: Value, about: &str) -> Value {
    if about.is_empty() {
        return shape;
    }
    let mut shape = match shape {
        // What stands beside a `$ref` does not count in draft 7.
        Value::Object(shape) if shape.contains_key("$ref") => json!({ "allOf": [shape] }),
        shape => shape,
    };
    shape["description"] = json!(about);
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_made_once_and_may_hold_itself() {
        let mut shapes = Shapes::default();
        let mut made = 0;
        for _ in 0..2 {
            let shape = shapes.define("firedrill::probe::Node", |shapes| {
                made += 1;
                let inner = shapes.define("firedrill::probe::Node", |_| json!("never"));
                object("a node", vec![("inner", inner)], &[])
            });
            assert_eq!(shape, json!({ "$ref": "#/definitions/probe.Node" }));
        }
        assert_eq!(made, 1);
        let schema = shapes.finish("x", "y", json!({ "type": "object" }));
        let inner = &schema["definitions"]["probe.Node"]["properties"]["inner"];
        assert_eq!(inner["$ref"], "#/definitions/probe.Node");
    }

    #[test]
    fn a_description_beside_a_reference_counts() {
        let shape = described(json!({ "$ref": "#/definitions/a" }), "what it is for");
        assert_eq!(
            shape,
            json!({ "allOf": [{ "$ref": "#/definitions/a" }], "description": "what it is for" })
        );
    }
}
