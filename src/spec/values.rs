//! `${…}` in a file: variables, environment variables and files, and which of their values are secret.
//!
//! A reference is replaced in the text of a scalar before its type is read, so that a variable can
//! stand for a duration as well as for a name. Every value that is secret goes to the [`Redactor`].

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use crate::notation::code::Code;
use crate::notation::decode::{Flaw, Resolve, SpannedName, clip, nearest};
use crate::record;
use crate::redact::Redactor;

/// A value longer than this is refused.
const LONGEST: usize = 64 * 1024;

record! {
    /// A value that the experiment is given by its environment.
    pub struct Variable {
        /// What it is, for whoever fills it in.
        pub about: Option<String>,
        /// Its value when none is given.
        pub default: Option<String>,
        /// Whether it is hidden wherever text leaves the program.
        pub secret: bool = false,
    }
}

/// A value, `None` when it is not known yet.
type Answer = Result<Option<String>, Flaw>;

/// A part of a text that may hold references.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text that stands for itself.
    Text(&'t str),
    /// The inside of a `${…}`.
    Reference(&'t str),
}

/// Splits a text at its references; `$${` stands for `${`.
pub fn pieces(text: &str) -> Result<Vec<Piece<'_>>, Flaw> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = opening(rest) {
        let before = rest.get(..at).unwrap_or_default();
        let inside = rest.get(at + 2..).unwrap_or_default();
        if let Some(kept) = before.strip_suffix('$') {
            found.push(Piece::Text(kept));
            found.push(Piece::Text("${"));
            rest = inside;
            continue;
        }
        let Some((name, after)) = inside.split_once('}') else {
            let message = format!("`{}` has no closing brace", clip(rest.get(at..).unwrap_or_default()));
            return Err(Flaw::new(Code::ReferenceLeftOpen, message).help("write `$${` for a literal `${`"));
        };
        found.push(Piece::Text(before));
        found.push(Piece::Reference(name));
        rest = after;
    }
    found.push(Piece::Text(rest));
    found.retain(|piece| *piece != Piece::Text(""));
    Ok(found)
}

/// Where the first `${` stands. Every text of a file is asked, and few have one: this is faster than `find("${")`.
fn opening(text: &str) -> Option<usize> {
    let follows = |at: &usize| text.as_bytes().get(at + 1) == Some(&b'{');
    text.match_indices('$').map(|(at, _)| at).find(follows)
}

/// The names of the variables that a text refers to.
pub fn variables_in(text: &str) -> Vec<&str> {
    if !text.contains('$') {
        return Vec::new();
    }
    let references = pieces(text).unwrap_or_default().into_iter();
    references
        .filter_map(|piece| match piece {
            Piece::Reference(name) if !name.contains(':') => Some(name.trim()),
            _ => None,
        })
        .collect()
}

/// Leaves every text as it stands: how the variables themselves are read.
pub struct Verbatim;

impl Resolve for Verbatim {
    fn resolve(&self, text: &str) -> Result<Option<String>, Flaw> {
        Ok(Some(text.to_owned()))
    }
}

/// Answers references from the variables of a file and the values given for them.
pub struct Bindings {
    declared: IndexMap<String, Variable>,
    given: IndexMap<String, String>,
    /// What `${file:…}` is relative to.
    base: PathBuf,
    /// Whether the world outside the file is looked at: environment variables and files.
    complete: bool,
    redactor: RefCell<Redactor>,
    /// The values found so far, by name and by whether they stand in a secret, so that variables that
    /// refer to each other cost nothing.
    found: RefCell<HashMap<(String, bool), Answer>>,
}

impl Bindings {
    /// Bindings for the variables that a file declares. Without `complete`, what the file does not say
    /// itself stays unknown.
    pub fn new(
        declared: &IndexMap<SpannedName, Variable>,
        given: &IndexMap<String, String>,
        base: &Path,
        complete: bool,
    ) -> Bindings {
        Bindings {
            declared: declared.iter().map(|(name, variable)| (name.text.clone(), variable.clone())).collect(),
            given: given.clone(),
            base: base.to_owned(),
            complete,
            redactor: RefCell::new(Redactor::new()),
            found: RefCell::new(HashMap::new()),
        }
    }

    /// Whether the variable has a value, or a default.
    pub fn has_value(&self, name: &str) -> bool {
        self.given.contains_key(name) || self.declared.get(name).is_some_and(|v| v.default.is_some())
    }

    /// The secrets met so far.
    pub fn redactor(&self) -> Redactor {
        self.redactor.borrow().clone()
    }

    /// The values of the declared variables, as they may be shown.
    pub fn values(&self) -> BTreeMap<String, String> {
        let known = self.bare_values().into_iter();
        let redactor = self.redactor.borrow();
        known.map(|(name, value)| (name, redactor.clean(&value))).collect()
    }

    /// The values of the declared variables as they are: what is shown of them goes through the redactor.
    pub(super) fn bare_values(&self) -> BTreeMap<String, String> {
        let known = self.declared.keys();
        known
            .filter_map(|name| Some((name.clone(), self.variable(name, false, &mut Vec::new()).ok()??)))
            .collect()
    }

    /// The text with its references replaced. `trail` holds the variables being read, outermost first.
    fn expand(&self, text: &str, secret: bool, trail: &mut Vec<String>) -> Result<Option<String>, Flaw> {
        if opening(text).is_none() && text.len() <= LONGEST {
            self.redactor.borrow_mut().add_passwords(text);
            return Ok(Some(text.to_owned()));
        }
        let mut out = String::new();
        let mut known = true;
        for piece in pieces(text)? {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Reference(reference) => match self.look_up(reference, secret, trail)? {
                    Some(value) => out.push_str(&value),
                    None => known = false,
                },
            }
            if out.len() > LONGEST {
                let message = format!("the value is longer than {} KiB", LONGEST / 1024);
                return Err(Flaw::new(Code::TooMuch, message));
            }
        }
        self.redactor.borrow_mut().add_passwords(&out);
        Ok(known.then_some(out))
    }

    fn look_up(
        &self,
        reference: &str,
        secret: bool,
        trail: &mut Vec<String>,
    ) -> Result<Option<String>, Flaw> {
        let Some((source, name)) = reference.split_once(':') else {
            return self.variable(reference.trim(), secret, trail);
        };
        match source.trim() {
            "env" => self.env(name.trim(), secret),
            "file" => self.file(name.trim()),
            // Its value is not known before the run: it stays as it is written.
            "output" if trail.is_empty() => Ok(Some(format!("${{output:{}}}", name.trim()))),
            "output" => {
                let message = format!("`${{{reference}}}`: what a step prints is no variable's value");
                let help = "use it where it is needed, in a later `run`, `manual` or `approve` step";
                Err(Flaw::new(Code::OutputHere, message).help(help))
            }
            "ssm" | "secretsmanager" => {
                let message =
                    format!("`${{{reference}}}`: values from AWS are not supported by this version");
                let help = "use ${env:NAME} or ${file:path}, and fill it before the run";
                Err(Flaw::new(Code::NotYet, message).help(help))
            }
            other => {
                let message = format!("`${{{reference}}}` asks an unknown source, `{}`", clip(other));
                let help = "known: ${variable}, ${env:NAME}, ${file:path}, ${output:name}";
                Err(Flaw::new(Code::UnknownSource, message).help(help))
            }
        }
    }

    fn variable(&self, name: &str, secret: bool, trail: &mut Vec<String>) -> Result<Option<String>, Flaw> {
        let Some(variable) = self.declared.get(name) else {
            let known: Vec<&str> = self.declared.keys().map(String::as_str).collect();
            let help = match nearest(name, &known) {
                Some(near) => format!("did you mean ${{{near}}}?"),
                None => format!("declare it: `variables: {{ {name}: {{ about: … }} }}`"),
            };
            let message = format!("no variable is called `{}`", clip(name));
            return Err(Flaw::new(Code::UnknownVariable, message).help(help));
        };
        if trail.iter().any(|outer| outer == name) {
            let message = format!("the variable `{name}` refers to itself: {} → {name}", trail.join(" → "));
            return Err(Flaw::new(Code::VariableInItself, message));
        }
        // What stands in a secret is secret, whatever it is called itself.
        let secret = secret || variable.secret;
        let key = (name.to_owned(), secret);
        if let Some(found) = self.found.borrow().get(&key) {
            return found.clone();
        }
        let Some(template) = self.given.get(name).or(variable.default.as_ref()) else { return Ok(None) };
        trail.push(name.to_owned());
        let value = self.expand(template, secret, trail);
        trail.pop();
        if let (true, Ok(Some(value))) = (secret, &value) {
            self.redactor.borrow_mut().add(value);
        }
        let value =
            value.map_err(|flaw| Flaw { message: format!("variable `{name}`: {}", flaw.message), ..flaw });
        self.found.borrow_mut().insert(key, value.clone());
        value
    }

    fn env(&self, name: &str, secret: bool) -> Result<Option<String>, Flaw> {
        if !self.complete {
            return Ok(None);
        }
        match std::env::var(name) {
            Ok(value) => {
                if secret || sounds_secret(name) {
                    self.redactor.borrow_mut().add(&value);
                }
                Ok(Some(value))
            }
            Err(std::env::VarError::NotPresent) => {
                let help = format!("set it: export {name}=…");
                let message = format!("the environment variable `{}` is not set", clip(name));
                Err(Flaw::new(Code::EnvironmentVariable, message).help(help))
            }
            Err(std::env::VarError::NotUnicode(_)) => {
                let message = format!("the environment variable `{}` is not UTF-8", clip(name));
                Err(Flaw::new(Code::EnvironmentVariable, message))
            }
        }
    }

    /// A file's text without its last line break. Always secret: that is what files are used for.
    fn file(&self, path: &str) -> Result<Option<String>, Flaw> {
        if !self.complete {
            return Ok(None);
        }
        let path = self.base.join(path);
        let flaw = |what: String| Flaw::new(Code::FileReference, format!("`{}` {what}", path.display()));
        let bytes = read_at_most(&path, LONGEST).map_err(|error| flaw(format!("cannot be read: {error}")))?;
        let text = String::from_utf8(bytes).map_err(|_| flaw("is not UTF-8 text".to_owned()))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        self.redactor.borrow_mut().add(text);
        Ok(Some(text.to_owned()))
    }
}

impl Resolve for Bindings {
    fn resolve(&self, text: &str) -> Result<Option<String>, Flaw> {
        self.expand(text, false, &mut Vec::new())
    }

    fn shown(&self, text: &str) -> Option<String> {
        let value = self.resolve(text).ok()??;
        (value != text).then(|| self.redactor.borrow().clean(&value))
    }
}

/// Whether an environment variable's name says that its value is secret.
fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "DSN", "DATABASE_URL"]
        .iter()
        .any(|word| name.contains(word))
}

/// A regular file's bytes, one more than `most` at most.
pub(super) fn read_at_most(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    // As much as most files are.
    let mut bytes = Vec::with_capacity(8 * 1024);
    std::fs::File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notation::yaml::Span;

    fn bindings(declared: &[(&str, Option<&str>, bool)], given: &[(&str, &str)], complete: bool) -> Bindings {
        let declared = declared
            .iter()
            .map(|(name, default, secret)| {
                let name = SpannedName { text: (*name).to_owned(), span: Span::default() };
                (name, Variable { about: None, default: default.map(str::to_owned), secret: *secret })
            })
            .collect();
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Bindings::new(&declared, &given, Path::new("/nowhere"), complete)
    }

    fn value(bindings: &Bindings, text: &str) -> String {
        bindings.resolve(text).expect("no flaw").expect("known")
    }

    #[test]
    fn references_are_replaced_and_escapes_are_kept() {
        let given = bindings(&[("host", Some("h"), false), ("port", None, false)], &[("port", "81")], true);
        assert_eq!(value(&given, "http://${host}:${port}/$${x}/$5"), "http://h:81/${x}/$5");
        assert_eq!(value(&given, "${host}${host}"), "hh");
        assert_eq!(value(&given, ""), "");
    }

    #[test]
    fn what_is_not_known_stays_unknown() {
        let unknown = bindings(&[("a", None, false), ("b", Some("${a}!"), false)], &[], false);
        assert_eq!(unknown.resolve("x ${b}"), Ok(None));
        assert_eq!(unknown.resolve("${env:PATH}"), Ok(None));
        assert_eq!(unknown.resolve("${file:nothing}"), Ok(None));
    }

    #[test]
    fn flaws_say_what_to_do() {
        let given = bindings(
            &[("db_instance", None, false), ("x", Some("${y}"), false), ("y", Some("${x}"), false)],
            &[],
            true,
        );
        let flaw = |text: &str| {
            let flaw = given.resolve(text).expect_err("a flaw");
            format!("{} | {}", flaw.message, flaw.help.unwrap_or_default())
        };
        assert_eq!(
            flaw("${db_instanse}"),
            "no variable is called `db_instanse` | did you mean ${db_instance}?"
        );
        assert_eq!(flaw("${db"), "`${db` has no closing brace | write `$${` for a literal `${`");
        assert!(flaw("${x}").contains("the variable `x` refers to itself: x → y → x"), "{}", flaw("${x}"));
        assert!(flaw("${ssm:/a}").contains("not supported by this version"));
        assert!(flaw("${vault:a}").contains("unknown source, `vault`"));
        assert!(flaw("${env:FIREDRILL_NO_SUCH_VARIABLE}").contains("is not set"));
        assert!(flaw("${file:no-such-file}").contains("`/nowhere/no-such-file` cannot be read"));
    }

    #[test]
    fn secrets_reach_the_redactor_by_value() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("pw"), "hunter22\n").expect("written");
        let declared = [("dsn", None, true), ("open", Some("visible"), false)];
        let mut given = bindings(&declared, &[("dsn", "postgres://u:${file:pw}@h/d")], true);
        given.base = folder.path().to_owned();
        assert_eq!(value(&given, "${dsn} ${open}"), "postgres://u:hunter22@h/d visible");
        assert_eq!(
            given.redactor().clean("wrong password hunter22 for visible"),
            "wrong password *** for visible"
        );
        assert_eq!(given.values()["dsn"], "***");
        assert_eq!(given.values()["open"], "visible");
        assert_eq!(given.shown("${dsn}").as_deref(), Some("***"));
    }

    #[test]
    fn what_stands_in_a_secret_is_secret() {
        let path = std::env::var("PATH").expect("a PATH");
        let nested = [("outer", Some("<${inner}>"), true), ("inner", Some("(${env:PATH})"), false)];
        let given = bindings(&nested, &[], true);
        value(&given, "${inner}");
        assert_eq!(given.redactor().clean(&path), path);
        value(&given, "${outer}");
        assert_eq!(given.redactor().clean(&path), "***");
        assert_eq!(given.redactor().clean(&format!("({path})")), "***");
        assert!(sounds_secret("ORDERS_PASSWORD") && sounds_secret("api_key") && !sounds_secret("AWS_REGION"));
    }

    #[test]
    fn a_password_in_a_url_is_hidden_even_when_nobody_called_it_secret() {
        let given = bindings(&[("dsn", None, false)], &[("dsn", "postgres://u:hunter22@h/d")], true);
        value(&given, "${dsn}");
        assert_eq!(given.values()["dsn"], "postgres://u:***@h/d");
    }

    #[test]
    fn variables_that_double_cost_nothing() {
        let names: Vec<String> = (0..60).map(|i| format!("v{i}")).collect();
        let mut declared: IndexMap<SpannedName, Variable> = IndexMap::new();
        for (i, name) in names.iter().enumerate() {
            let default = if i == 0 { "x".to_owned() } else { format!("${{v{0}}}${{v{0}}}", i - 1) };
            let name = SpannedName { text: name.clone(), span: Span::default() };
            declared.insert(name, Variable { about: None, default: Some(default), secret: false });
        }
        let doubling = Bindings::new(&declared, &IndexMap::new(), Path::new("."), true);
        assert!(doubling.resolve("${v59}").expect_err("a flaw").message.contains("longer than 64 KiB"));
    }
}
