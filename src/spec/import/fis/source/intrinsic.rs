//! Values of a template: what `Ref`, `Fn::Sub` and `Fn::GetAtt` of CloudFormation, or `${var.name}` of Terraform, stand
//! for becomes a variable.
//!
//! Whatever else the two compute becomes a variable too, and is told: nothing is guessed.

use indexmap::IndexMap;

use super::super::super::Left;
use super::super::super::document::At;
use super::super::super::sketch::Variable;
use super::super::super::terms::{line, literal};
use super::variable_for;

/// What values are written in.
#[derive(Clone)]
pub(super) enum Dialect<'d> {
    /// They are what they say.
    Plain,
    /// CloudFormation, with the whole stack.
    Stack(At<'d>),
    /// Terraform's JSON, with the whole configuration.
    Configuration(At<'d>),
}

/// Reads values, and collects the variables that they became.
pub(super) struct Reader<'d> {
    pub(super) dialect: Dialect<'d>,
    variables: IndexMap<String, Variable>,
    pub(super) left: Vec<Left>,
}

impl<'d> Reader<'d> {
    pub(super) fn new(dialect: Dialect<'d>) -> Reader<'d> {
        Reader { dialect, variables: IndexMap::new(), left: Vec::new() }
    }

    fn stack(&self) -> Option<&At<'d>> {
        match &self.dialect {
            Dialect::Stack(stack) => Some(stack),
            Dialect::Plain | Dialect::Configuration(_) => None,
        }
    }

    pub(super) fn finish(self) -> (IndexMap<String, Variable>, Vec<Left>) {
        (self.variables, self.left)
    }

    /// The text of a value, what it refers to as variables.
    pub(super) fn text(&mut self, at: &At<'d>) -> Option<String> {
        match &self.dialect {
            Dialect::Plain => return at.text().map(literal),
            Dialect::Configuration(top) => {
                let top = top.clone();
                return self.interpolated(at, &top);
            }
            Dialect::Stack(_) => {}
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
                let why = format!("what CloudFormation computes with `{}` is not read", line(&function));
                Some(self.computed(at, &why, &format!("what the template computes with {}", line(&function))))
            }
        }
    }

    /// A variable in place of what is computed.
    pub(super) fn computed(&mut self, at: &At<'d>, why: &str, about: &str) -> String {
        let named = at.called();
        let name = self.free(&variable_for(named.split('/').next().unwrap_or("value")));
        let proposal = format!("give it: --var {name}=…");
        self.left.push(Left::new(at, &format!("the value at {}", at.pointer), why, &proposal));
        self.variable(&name, about)
    }

    /// The name of an alarm, which a stop condition gives by ARN.
    pub(super) fn alarm(&mut self, at: &At<'d>) -> Option<String> {
        if let Dialect::Configuration(top) = &self.dialect {
            let top = top.clone();
            return self.alarm_of_configuration(at, &top);
        }
        let direct = at.text().filter(|_| at.tag().is_none());
        if let Some(text) = direct {
            return Some(literal(text));
        }
        let long = at.entries().into_iter().find(|(key, _)| matches!(*key, "Fn::GetAtt" | "Ref"));
        let known = long.is_some() || matches!(at.tag(), Some("!GetAtt" | "!Ref"));
        let argument = long.map_or_else(|| at.clone(), |(_, value)| value);
        let path: Vec<&str> = argument.items().iter().filter_map(At::text).collect();
        let path = path.join(".");
        let known = known && path.split_once('.').is_none_or(|(_, attribute)| attribute == "Arn");
        let resource = path.split('.').next().unwrap_or_default();
        let properties =
            self.stack().and_then(|stack| stack.get("Resources")?.get(resource)?.get("Properties"));
        if let Some(named) = properties.and_then(|properties| properties.get("AlarmName")).filter(|_| known) {
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
            return Some(self.unnamed_alarm(at));
        }
        let name = format!("{}_name", variable_for(resource));
        Some(self.variable(&name, about))
    }

    /// A variable for the name of an alarm that is given by a computed ARN.
    pub(super) fn unnamed_alarm(&mut self, at: &At<'d>) -> String {
        let name = self.free("alarm");
        let why = "firedrill stops by an alarm's name, and the template computes its ARN";
        let proposal = format!("give it: --var {name}=…");
        self.left.push(Left::new(at, "the alarm of a stop condition", why, &proposal));
        self.variable(&name, "the name of the alarm that stops the experiment")
    }

    /// The name, with a number when it stands for something else already.
    fn free(&self, name: &str) -> String {
        let numbered = (2..).map(|n| format!("{name}_{n}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        names.find(|name| !self.variables.contains_key(name)).unwrap_or_else(|| name.to_owned())
    }

    pub(super) fn variable(&mut self, name: &str, about: &str) -> String {
        let about = literal(&line(about));
        self.variables.entry(name.to_owned()).or_insert_with(|| Variable { about, ..Variable::default() });
        format!("${{{name}}}")
    }

    /// A parameter, a resource's id or attribute, or a pseudo parameter.
    fn refer(&mut self, path: &str) -> String {
        let name = variable_for(path);
        let parameter = self.stack().and_then(|stack| stack.get("Parameters")?.get(path));
        let Some(parameter) = parameter else {
            let about = match path.starts_with("AWS::") {
                true => format!("what CloudFormation calls {path}"),
                false => format!("{path} of the stack"),
            };
            return self.variable(&name, &about);
        };
        let about = parameter.text_of("Description").unwrap_or("a parameter of the stack").to_owned();
        let secret = parameter.get("NoEcho").is_some_and(|at| at.truth());
        self.declared(&name, &about, parameter.text_of("Default"), secret)
    }

    /// A variable that the file around the template declares.
    pub(super) fn declared(
        &mut self,
        name: &str,
        about: &str,
        default: Option<&str>,
        secret: bool,
    ) -> String {
        let text = self.variable(name, about);
        if let Some(variable) = self.variables.get_mut(name) {
            variable.default = default.map(literal);
            variable.secret |= secret;
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
