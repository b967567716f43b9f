//! Systems Manager: parameters, each with one value.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};

use super::wire::{Answer, Call, Fault, Protocol, Service, arn};
use super::world::lock;

/// The region's Systems Manager.
#[derive(Default)]
pub(crate) struct Ssm {
    parameters: Mutex<BTreeMap<String, Parameter>>,
}

#[derive(Clone)]
struct Parameter {
    kind: String,
    value: String,
    version: u64,
}

fn text<'a>(input: &'a Value, name: &str) -> Result<&'a str, Fault> {
    let text = input.get(name).and_then(Value::as_str);
    text.ok_or_else(|| Fault::new(400, "ValidationException", format!("`{name}` must not be null")))
}

fn missing() -> Fault {
    // As AWS has it: without a message.
    Fault::new(400, "ParameterNotFound", "")
}

impl Ssm {
    fn put(&self, input: &Value) -> Result<Value, Fault> {
        let (name, value) = (text(input, "Name")?, text(input, "Value")?);
        let overwrite = input.get("Overwrite").and_then(Value::as_bool).unwrap_or(false);
        let mut parameters = lock(&self.parameters);
        let before = parameters.get(name).cloned();
        let version = match &before {
            Some(_) if !overwrite => {
                let message = "The parameter already exists. To overwrite this value, set the overwrite \
                               option in the request to true.";
                return Err(Fault::new(400, "ParameterAlreadyExists", message));
            }
            Some(before) => before.version + 1,
            None => 1,
        };
        let kind = match (input.get("Type").and_then(Value::as_str), before) {
            (Some(kind), _) => kind.to_owned(),
            (None, Some(before)) => before.kind,
            (None, None) => {
                let message = "A parameter type is required when you create a parameter.";
                return Err(Fault::new(400, "ValidationException", message));
            }
        };
        parameters.insert(name.to_owned(), Parameter { kind, value: value.to_owned(), version });
        Ok(json!({ "Version": version, "Tier": "Standard" }))
    }

    fn get(&self, input: &Value) -> Result<Value, Fault> {
        let name = text(input, "Name")?;
        let parameters = lock(&self.parameters);
        let found = parameters.get(name).ok_or_else(missing)?;
        Ok(json!({ "Parameter": {
            "Name": name, "Type": found.kind, "Value": found.value, "Version": found.version,
            "ARN": arn("ssm", &format!("parameter/{}", name.trim_start_matches('/'))), "DataType": "text",
        } }))
    }

    fn delete(&self, input: &Value) -> Result<Value, Fault> {
        lock(&self.parameters).remove(text(input, "Name")?).ok_or_else(missing)?;
        Ok(json!({}))
    }
}

impl Service for Ssm {
    fn protocol(&self) -> Protocol {
        Protocol::Json
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        let answer = match call.operation.as_str() {
            "PutParameter" => self.put(&call.json)?,
            "GetParameter" => self.get(&call.json)?,
            "DeleteParameter" => self.delete(&call.json)?,
            _ => return Ok(None),
        };
        Ok(Some(Answer::Json(answer)))
    }
}
