//! What is wrong with a file, before it is shown to anybody.

use super::code::Code;
use super::fix::Fix;
use super::yaml::Span;

/// Something wrong with the file, at a place in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// What kind of mistake it is.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// Where.
    pub span: Span,
    /// A word under the place: what was expected there.
    pub label: String,
    /// Other places that matter, each with its label.
    pub related: Vec<(Span, String)>,
    /// What to do about it.
    pub help: Option<String>,
    /// A warning does not make the file wrong.
    pub warning: bool,
    /// The change of the text that certainly mends it, where there is one.
    pub fix: Option<Fix>,
}

impl Problem {
    /// An error at `span`.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Problem {
        Problem {
            code,
            message: message.into(),
            span,
            label: String::new(),
            related: Vec::new(),
            help: None,
            warning: false,
            fix: None,
        }
    }

    /// The words under the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = label.into();
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }

    /// Another place that matters.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Problem {
        self.related.push((span, label.into()));
        self
    }

    /// The change of the text that certainly mends it.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Problem {
        self.fix = Some(fix);
        self
    }

    /// Makes it a warning.
    #[must_use]
    pub fn warning(mut self) -> Problem {
        self.warning = true;
        self
    }
}

/// What is wrong with a value, before its place is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Flaw {
    /// What kind of mistake it is.
    pub code: Code,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Flaw {
    /// A flaw without advice.
    pub fn new(code: Code, message: impl Into<String>) -> Flaw {
        Flaw { code, message: message.into(), help: None }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Flaw {
        self.help = Some(help.into());
        self
    }

    /// The problem that it is at a place.
    pub fn at(self, span: Span) -> Problem {
        Problem { help: self.help, ..Problem::new(self.code, span, self.message) }
    }
}
