//! The one XML writer: elements in order, text escaped.

use std::fmt::Display;

/// An XML fragment that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Xml(String);

impl Xml {
    pub(crate) fn new() -> Xml {
        Xml::default()
    }

    /// `<name>value</name>`.
    pub(crate) fn leaf(&mut self, name: &str, value: impl Display) -> &mut Xml {
        self.open(name);
        self.text(&value.to_string());
        self.close(name)
    }

    /// `<name>value</name>`, or nothing.
    pub(crate) fn leaf_if(&mut self, name: &str, value: Option<impl Display>) -> &mut Xml {
        if let Some(value) = value {
            self.leaf(name, value);
        }
        self
    }

    /// An element with what `inside` writes.
    pub(crate) fn node(&mut self, name: &str, inside: impl FnOnce(&mut Xml)) -> &mut Xml {
        self.open(name);
        inside(self);
        self.close(name)
    }

    /// An element that holds one `item` element per thing.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        item: &str,
        things: impl IntoIterator<Item = T>,
        mut inside: impl FnMut(&mut Xml, T),
    ) -> &mut Xml {
        self.open(name);
        for thing in things {
            self.node(item, |xml| inside(xml, thing));
        }
        self.close(name)
    }

    /// A document: the declaration and one root element in a namespace.
    pub(crate) fn document(root: &str, namespace: &str, inside: &Xml) -> String {
        let head = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
        format!("{head}\n<{root} xmlns=\"{namespace}\">{}</{root}>", inside.0)
    }

    /// What has been written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Writes another fragment as it is.
    pub(crate) fn append(&mut self, other: &Xml) -> &mut Xml {
        self.0.push_str(&other.0);
        self
    }

    fn open(&mut self, name: &str) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Xml {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
        self
    }

    fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&apos;"),
                '\t' | '\n' => self.0.push(character),
                '\r' => self.0.push_str("&#xD;"),
                // What XML 1.0 cannot say at all.
                other if other < ' ' => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut xml = Xml::new();
        xml.node("tag", |xml| {
            xml.leaf("value", "a<b & \"c\" \u{1}");
            xml.leaf_if("none", None::<u8>);
        });
        let expected = "<tag><value>a&lt;b &amp; &quot;c&quot; \u{fffd}</value></tag>";
        assert_eq!(xml, Xml(expected.to_owned()));
    }
}
