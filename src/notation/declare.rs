//! The macros that declare what a file can say: one declaration gives the type, its decoding and its
//! reference text. They know nothing of what is declared with them.

/// Declares a struct that is read from a mapping with known keys.
///
/// ```ignore
/// record! {
///     /// Waits.
///     pub struct Wait {
///         /// For how long.
///         pub r#for: Duration,
///         /// Whether to say so.
///         pub loudly: bool = false,
///         /// An optional word.
///         pub word: Option<String>,
///     }
/// }
/// ```
///
/// A key with a default or of an `Option` type may be left out. Unknown keys are reported with
/// the nearest known one.
#[macro_export]
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident {
            $( $(#[doc = $fdoc:literal])* pub $field:ident : $ty:ty $(= $default:expr)? ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $( $(#[doc = $fdoc])* pub $field: $ty, )*
        }

        impl $crate::notation::decode::Decode for $name {
            fn expects() -> String {
                let known: &[&str] = &[$( $crate::notation::decode::bare(stringify!($field)) ),*];
                if known.is_empty() { "an empty mapping: {}".to_owned() } else { format!("a mapping with {}", known.join(", ")) }
            }

            fn schema(shapes: &mut $crate::notation::shape::Shapes) -> ::serde_json::Value {
                shapes.define(concat!(module_path!(), "::", stringify!($name)), |_shapes| {
                    let mut properties: Vec<(&str, ::serde_json::Value)> = Vec::new();
                    $(
                        let shape = <$ty as $crate::notation::decode::Decode>::schema(_shapes);
                        let about = $crate::notation::decode::join_docs(&[$($fdoc),*]);
                        properties.push((
                            $crate::notation::decode::bare(stringify!($field)),
                            $crate::notation::shape::described(shape, about),
                        ));
                    )*
                    let fields = <Self as $crate::notation::decode::Record>::fields();
                    let mut required: Vec<&str> = Vec::new();
                    for (field, (_, shape)) in fields.iter().zip(&mut properties) {
                        if field.required {
                            required.push(field.name);
                        }
                        if let Some(default) = &field.default {
                            shape["default"] = ::serde_json::json!(default);
                        }
                    }
                    let about = <Self as $crate::notation::decode::Record>::about();
                    $crate::notation::shape::object(about, properties, &required)
                })
            }

            fn decode(
                node: &$crate::notation::yaml::Node,
                cx: &mut $crate::notation::decode::Context<'_>,
            ) -> Option<Self> {
                let entries = $crate::notation::decode::entries_for::<Self>(node, cx)?;
                $crate::notation::decode::unknown_keys(
                    entries,
                    &[$( $crate::notation::decode::bare(stringify!($field)) ),*],
                    cx,
                );
                $(
                    let $field: Option<$ty> = {
                        #[allow(unused_mut, unused_assignments)]
                        let mut default: Option<$ty> = None;
                        $( default = Some($default); )?
                        $crate::notation::decode::field(
                            entries,
                            node.span,
                            $crate::notation::decode::bare(stringify!($field)),
                            default,
                            cx,
                        )
                    };
                )*
                Some($name { $( $field: $field?, )* })
            }
        }

        impl $crate::notation::decode::Record for $name {
            fn about() -> &'static str {
                $crate::notation::decode::join_docs(&[$($doc),*])
            }

            fn fields() -> Vec<$crate::notation::decode::Field> {
                vec![$(
                    {
                        #[allow(unused_mut, unused_assignments)]
                        let mut shown: Option<String> = None;
                        $(
                            let default: $ty = $default;
                            shown = <$ty as $crate::notation::decode::Decode>::written(&default)
                                .or_else(|| Some(stringify!($default).to_owned()));
                        )?
                        $crate::notation::decode::Field {
                            name: $crate::notation::decode::bare(stringify!($field)),
                            about: $crate::notation::decode::join_docs(&[$($fdoc),*]),
                            expects: <$ty as $crate::notation::decode::Decode>::expects(),
                            required: shown.is_none()
                                && <$ty as $crate::notation::decode::Decode>::absent().is_none(),
                            default: shown,
                        }
                    }
                ),*]
            }
        }
    };
}

/// Declares an enum that is read from a mapping with exactly one key: the alternative's name. After what the
/// alternatives are called stands the code of one that is not known.
///
/// ```ignore
/// choice! {
///     /// What a step does.
///     pub enum Action: "action", UnknownAction {
///         "ec2.terminate_instances" => TerminateInstances(ec2::TerminateInstances),
///     }
/// }
/// ```
#[macro_export]
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident : $what:literal, $unknown:ident {
            $( $key:literal => $variant:ident($ty:ty) ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[allow(clippy::large_enum_variant)]
        pub enum $name {
            $( #[doc = concat!("`", $key, "`")] $variant($ty), )*
        }

        impl $name {
            /// Every alternative's key, in the order of the reference.
            pub const NAMES: &'static [&'static str] = &[$($key),*];

            /// The key of this one.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $key, )* }
            }

            /// Every alternative with its documentation and its keys.
            pub fn reference() -> Vec<$crate::notation::decode::Alternative> {
                vec![$(
                    $crate::notation::decode::Alternative {
                        name: $key,
                        about: <$ty as $crate::notation::decode::Record>::about(),
                        fields: <$ty as $crate::notation::decode::Record>::fields(),
                    }
                ),*]
            }

            /// What stands under each alternative's key, for editors.
            pub fn alternatives(
                shapes: &mut $crate::notation::shape::Shapes,
            ) -> Vec<(&'static str, ::serde_json::Value)> {
                vec![$( {
                    let shape = <$ty as $crate::notation::decode::Decode>::schema(shapes);
                    let about = <$ty as $crate::notation::decode::Record>::about();
                    ($key, $crate::notation::shape::described(shape, about))
                } ),*]
            }

            /// Reads the value of the alternative called `key`; `None` after reporting, also for
            /// an unknown one.
            pub fn decode_as(
                key: &$crate::notation::yaml::Key,
                node: &$crate::notation::yaml::Node,
                cx: &mut $crate::notation::decode::Context<'_>,
            ) -> Option<Self> {
                match key.text.as_str() {
                    $( $key => <$ty as $crate::notation::decode::Decode>::decode(node, cx).map(Self::$variant), )*
                    other => {
                        cx.report($crate::notation::decode::unknown(
                            $crate::notation::code::Code::$unknown, $what, other, key.span, Self::NAMES,
                        ));
                        None
                    }
                }
            }
        }

        impl $crate::notation::decode::Decode for $name {
            fn expects() -> String {
                concat!("one ", $what, ", as a mapping with its name as the only key").to_owned()
            }

            fn schema(shapes: &mut $crate::notation::shape::Shapes) -> ::serde_json::Value {
                shapes.define(concat!(module_path!(), "::", stringify!($name)), |shapes| {
                    let about = $crate::notation::decode::join_docs(&[$($doc),*]);
                    $crate::notation::shape::one_of(about, Self::alternatives(shapes))
                })
            }

            fn decode(
                node: &$crate::notation::yaml::Node,
                cx: &mut $crate::notation::decode::Context<'_>,
            ) -> Option<Self> {
                let entries = $crate::notation::decode::entries_for::<Self>(node, cx)?;
                let [(key, value)] = entries else {
                    cx.report(
                        $crate::notation::decode::Problem::new(
                            $crate::notation::code::Code::NotExactlyOne,
                            node.span,
                            format!("expected exactly one {}, found {}", $what, entries.len()),
                        )
                        .label(format!("expected {}", <Self as $crate::notation::decode::Decode>::expects())),
                    );
                    return None;
                };
                Self::decode_as(key, value, cx)
            }
        }
    };
}

/// Declares an enum that is written as one of a few words.
///
/// ```ignore
/// words! {
///     /// Which client a probe stands for.
///     pub enum Connection { "fresh" => Fresh, "kept" => Kept }
/// }
/// ```
#[macro_export]
macro_rules! words {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident { $( $(#[doc = $vdoc:literal])* $word:literal => $variant:ident ),* $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $( $(#[doc = $vdoc])* #[doc = concat!(" (`", $word, "`)")] $variant, )* }

        impl $name {
            /// The word that stands for this one.
            pub fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl $crate::notation::decode::Decode for $name {
            fn expects() -> String {
                [$($word),*].join(" or ")
            }

            fn schema(_shapes: &mut $crate::notation::shape::Shapes) -> ::serde_json::Value {
                $crate::notation::shape::words(&[
                    $( ($word, $crate::notation::decode::join_docs(&[$($vdoc),*])) ),*
                ])
            }

            fn decode(
                node: &$crate::notation::yaml::Node,
                cx: &mut $crate::notation::decode::Context<'_>,
            ) -> Option<Self> {
                match cx.text_for::<Self>(node)?.as_str() {
                    $( $word => Some(Self::$variant), )*
                    other => {
                        let known: &[&str] = &[$($word),*];
                        cx.report($crate::notation::decode::unknown_word(other, node.span, known));
                        None
                    }
                }
            }

            fn written(&self) -> Option<String> {
                Some(self.word().to_owned())
            }
        }
    };
}

#[cfg(test)]
#[allow(dead_code, missing_docs)]
mod tests {
    use std::time::Duration;

    use crate::notation::decode::*;
    use crate::notation::yaml::{Key, Node, Span, Value};

    words! {
        /// A mood.
        pub enum Mood {
            /// Good.
            "good" => Good,
            "bad" => Bad,
        }
    }

    record! {
        /// Waits a while.
        pub struct Wait {
            /// For how long.
            pub r#for: Duration,
            /// Whether to say so.
            pub loudly: bool = false,
            /// In what mood.
            pub mood: Option<Mood>,
        }
    }

    choice! {
        /// What to do.
        pub enum Doing: "action", UnknownAction {
            "a.wait" => Wait(Wait),
        }
    }

    fn scalar(text: &str) -> Node {
        Node { span: Span::default(), value: Value::Scalar { text: text.to_owned(), plain: true } }
    }

    fn map(entries: &[(&str, Node)]) -> Node {
        let entries = entries
            .iter()
            .map(|(key, node)| (Key { text: (*key).to_owned(), span: Span::default() }, node.clone()))
            .collect();
        Node { span: Span::default(), value: Value::Map(entries) }
    }

    #[test]
    fn a_record_reads_its_keys_and_defaults() {
        let mut cx = Context::new(&Unresolved);
        let node = map(&[("a.wait", map(&[("for", scalar("1m30s")), ("mood", scalar("bad"))]))]);
        let doing = Doing::decode(&node, &mut cx);
        let expected = Wait { r#for: Duration::from_secs(90), loudly: false, mood: Some(Mood::Bad) };
        assert_eq!(doing, Some(Doing::Wait(expected)));
        assert_eq!(cx.problems, []);
    }

    #[test]
    fn every_problem_is_collected() {
        let mut cx = Context::new(&Unresolved);
        let node = map(&[("for", scalar("soon")), ("loudly", scalar("yes")), ("moood", scalar("bad"))]);
        assert_eq!(Wait::decode(&node, &mut cx), None);
        let messages: Vec<&str> = cx.problems.iter().map(|p| p.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "unknown key `moood`",
                "expected a duration such as 100ms, 5s, 2m or 1h30m, found `soon`",
                "expected true or false, found `yes`",
            ]
        );
        assert_eq!(cx.problems[0].label, "did you mean `mood`?");
    }
}
