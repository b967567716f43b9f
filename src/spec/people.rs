//! Steps that wait: for a person to carry something out, for people to say go, for a condition.

use std::time::Duration;

use super::experiment::Check;
use super::step::check_within;
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, Spanned, clip};
use crate::notation::shape::{self, Shapes};
use crate::notation::yaml::{Node, Value};
use crate::record;

/// The longest text that a person is shown for a step, in characters.
const LONGEST: usize = 2000;
/// How long a condition is waited for when nothing else is said.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// What a person reads before they act: not empty, and no longer than fits a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence(pub String);

impl Decode for Sentence {
    fn expects() -> String {
        "a sentence for whoever carries it out".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        if !matches!(node.value, Value::Scalar { .. }) {
            cx.unexpected(Code::WrongShape, node, &Self::expects());
            return None;
        }
        let text = String::decode(node, cx)?;
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 || length > LONGEST {
            cx.report(
                Problem::new(
                    Code::NotASentence,
                    node.span,
                    format!("a text for people has 1 to {LONGEST} characters"),
                )
                .label(format!("this one has {length}")),
            );
            return None;
        }
        Some(Sentence(text.to_owned()))
    }
}

/// A go/no-go question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// What is decided.
    pub question: String,
    /// In which roles people may say go; anybody may when it is empty. No-go is anybody's right.
    pub by: Vec<String>,
    /// How many people must say go.
    pub at_least: u8,
}

record! {
    /// A go/no-go question, in its longer form.
    pub struct ApprovalOptions {
        /// What is decided.
        pub question: Sentence,
        /// In which roles people may say go; anybody may when it is left out.
        pub by: Option<Roles>,
        /// How many people, distinct ones, must say go.
        pub at_least: Spanned<u8> = Spanned { value: 1, span: Default::default() },
    }
}

/// One role, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(pub Vec<String>);

impl Decode for Roles {
    fn expects() -> String {
        "a role, or a list of roles".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![String::schema(shapes), Vec::<String>::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let roles = match &node.value {
            Value::Scalar { .. } => vec![String::decode(node, cx)?],
            Value::List(_) => Vec::decode(node, cx)?,
            _ => {
                cx.unexpected(Code::WrongShape, node, &Self::expects());
                return None;
            }
        };
        let wrong = |role: &&String| {
            role.trim().is_empty() || role.chars().count() > 80 || role.contains(char::is_control)
        };
        if let Some(role) = roles.iter().find(wrong) {
            cx.report(
                Problem::new(Code::NotARole, node.span, format!("`{}` is no role", clip(role.trim())))
                    .label("a role is one line of at most 80 characters"),
            );
            return None;
        }
        if roles.is_empty() {
            cx.report(
                Problem::new(Code::NobodyDecides, node.span, "nobody may say go")
                    .help("leave `by` out when anybody may decide"),
            );
            return None;
        }
        Some(Roles(roles.into_iter().map(|role| role.trim().to_owned()).collect()))
    }
}

impl Decode for Approval {
    fn expects() -> String {
        "a question, or { question: …, by: [role, …], at_least: 2 }".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![Sentence::schema(shapes), ApprovalOptions::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar { .. } => {
                let Sentence(question) = Sentence::decode(node, cx)?;
                Some(Approval { question, by: Vec::new(), at_least: 1 })
            }
            Value::Map(_) => {
                let options = ApprovalOptions::decode(node, cx)?;
                if options.at_least.value == 0 {
                    cx.report(
                        Problem::new(Code::NobodyDecides, options.at_least.span, "somebody must say go")
                            .label("at least 1")
                            .help("a step that needs nobody's go is no `approve` step"),
                    );
                    return None;
                }
                let by = options.by.map(|roles| roles.0).unwrap_or_default();
                Some(Approval { question: options.question.0, by, at_least: options.at_least.value })
            }
            _ => {
                cx.unexpected(Code::WrongShape, node, &Self::expects());
                None
            }
        }
    }
}

/// The conditions of a `wait_until`: one, or a list of which each must be met, one after the other.
pub(super) fn conditions(node: &Node, cx: &mut Context<'_>) -> Option<Vec<Check>> {
    match &node.value {
        Value::Map(_) => check_within(node, PATIENCE, cx).map(|check| vec![check]),
        Value::List(items) if !items.is_empty() => {
            let read: Vec<Option<Check>> =
                items.iter().map(|item| check_within(item, PATIENCE, cx)).collect();
            read.into_iter().collect()
        }
        _ => {
            let expects = "a condition, such as { http: { url: … }, within: 10m }, or a list of them";
            let problem = cx.mismatch(Code::WrongShape, node, expects);
            cx.report(match node.value {
                Value::Scalar { .. } => problem
                    .help("what a person looks at is a `manual` step; a time to let pass is a `wait` step"),
                _ => problem,
            });
            None
        }
    }
}
