//! Values of a CloudFormation template: what `Ref`, `Fn::Sub` and `Fn::GetAtt` stand for becomes a variable.
//!
//! Whatever else CloudFormation computes becomes a variable too, and is told: nothing is guessed.

use indexmap::IndexMap;

use super::super::super::Left;
use super::super::super::document::At;
use super::super::super::sketch::Variable;
use super::super::super::terms::{line, literal};
use super::variable_for;

/// Reads values, and collects the variables that they became.
pub(super) struct Reader<'d> {
    stack: Option<At<'d>>,
    variables: IndexMap<String, Variable>,
    left: Vec<Left>,
}

impl<'d> Reader<'d> {
    pub(super) fn new(stack: Option<At<'d>>) -> Reader<'d> {
        Reader { stack, variables: IndexMap::new(), left: Vec::new() }
    }

    pub(super) fn finish(self) -> (IndexMap<String, Variable>, Vec<Left>) {
        (self.variables, self.left)
    }

    /// The text of a value, what it refers to as variables.
    pub(super) fn text(&mut self, at: &At<'d>) -> Option<String> {
        if self.stack.is_none() {
            return at.text().map(literal);
        }
        let (function, argument) = match (at.tag(), at.entries().as_slice()) {
            (Some(tag), _) => (tag.trim_start_matches('!').to_owned(), at.clone()),
            (None, [(key, value)]) if *key == "Ref" || key.starts_with("Fn::") => {
                (key.trim_start_matches("Fn::").to_owned(), value.clone())
            }
            _ => return at.text().map(literal),
        };
        match (function.as_str(), argument.text()) {
            ("Ref", Some(name)) => Some(self.refer(name)),
            ("GetAtt", Some(path)) => Some(self.refer(path)),
            ("GetAtt", None) => {
                let path: Vec<&str> = argument.items().iter().filter_map(At::text).collect();
                Some(self.refer(&path.join(".")))
            }
            ("Sub", Some(text)) => Some(self.substitute(text, None)),
            ("Sub", None) => {
                let items = argument.items();
                let text = items.first()?.text()?;
                Some(self.substitute(text, items.get(1)))
            }
            _ => {
                let name = self.free(&variable_for(at.pointer.rsplit('/').next().unwrap_or("value")));
                let why = format!("what CloudFormation computes with `{}` is not read", line(&function));
                self.left.push(Left::new(
                    at,
                    &format!("the value at {}", at.pointer),
                    &why,
                    &format!("give it: --var {name}=…"),
                ));
                Some(self.variable(&name, &format!("what the template computes with {}", line(&function))))
            }
        }
    }

    /// The name of an alarm, which a stop condition gives by ARN.
    pub(super) fn alarm(&mut self, at: &At<'d>) -> Option<String> {
        let direct = at.text().filter(|_| at.tag().is_none());
        if let Some(text) = direct {
            return Some(literal(text));
        }
        let long = at.entries().into_iter().find(|(key, _)| matches!(*key, "Fn::GetAtt" | "Ref"));
        let known = long.is_some() || matches!(at.tag(), Some("!GetAtt" | "!Ref"));
        let argument = long.map_or_else(|| at.clone(), |(_, value)| value);
        let path = argument.items().first().and_then(At::text).unwrap_or_default().to_owned();
        let resource = path.split('.').next().unwrap_or_default();
        let properties =
            self.stack.as_ref().and_then(|stack| stack.get("Resources")?.get(resource)?.get("Properties"));
        if let Some(named) = properties.and_then(|properties| properties.get("AlarmName")) {
            return self.text(&named);
        }
        let about = "the name of the alarm that stops the experiment";
        if !known {
            // A text that is put together may show the name; what is computed otherwise is an ARN, of which the name is
            // asked for.
            let (variables, left) = (self.variables.clone(), self.left.len());
            let text = self.text(at)?;
            if text.contains(":alarm:") {
                return Some(text);
            }
            self.variables = variables;
            self.left.truncate(left);
            let name = self.free("alarm");
            let why = "firedrill stops by an alarm's name, and the template computes its ARN";
            self.left.push(Left::new(
                at,
                "the alarm of a stop condition",
                why,
                &format!("give it: --var {name}=…"),
            ));
            return Some(self.variable(&name, about));
        }
        let name = format!("{}_name", variable_for(resource));
        Some(self.variable(&name, about))
    }

    /// The name, with a number when it stands for something else already.
    fn free(&self, name: &str) -> String {
        let numbered = (2..).map(|n| format!("{name}_{n}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| !self.variables.contains_key(name)).unwrap_or_else(|| name.to_owned())
    }

    fn variable(&mut self, name: &str, about: &str) -> String {
        let about = literal(&line(about));
        self.variables.entry(name.to_owned()).or_insert_with(|| Variable { about, ..Variable::default() });
        format!("${{{name}}}")
    }

    /// A parameter, a resource's id or attribute, or a pseudo parameter.
    fn refer(&mut self, path: &str) -> String {
        let name = variable_for(path);
        let parameter = self.stack.as_ref().and_then(|stack| stack.get("Parameters")?.get(path));
        let Some(parameter) = parameter else {
            let about = match path.starts_with("AWS::") {
                true => format!("what CloudFormation calls {path}"),
                false => format!("{path} of the stack"),
            };
            return self.variable(&name, &about);
        };
        let about = parameter.text_of("Description").unwrap_or("a parameter of the stack").to_owned();
        let text = self.variable(&name, &about);
        if let (Some(variable), Some(default)) = (self.variables.get_mut(&name), parameter.text_of("Default"))
        {
            variable.default = Some(literal(default));
        }
        if parameter.text_of("NoEcho") == Some("true")
            && let Some(variable) = self.variables.get_mut(&name)
        {
            variable.secret = true;
        }
        text
    }

    /// `Fn::Sub`: `${Name}` within a text; `${!Name}` stands for itself.
    fn substitute(&mut self, text: &str, given: Option<&At<'d>>) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, after)) = inside.split_once('}') else {
                out.push_str("$${");
                rest = inside;
                continue;
            };
            rest = after;
            match (name.strip_prefix('!'), given.and_then(|given| given.get(name))) {
                (Some(own), _) => out.push_str(&format!("$${{{own}}}")),
                (None, Some(value)) => out.push_str(&self.text(&value).unwrap_or_default()),
                (None, None) => out.push_str(&self.refer(name.trim())),
            }
        }
        out.push_str(rest);
        out
    }
}
