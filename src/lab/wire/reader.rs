//! Reads the XML bodies of REST-XML calls into a tree.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, Event};

use super::fault::Fault;

/// An element: its name without prefix, its text, and its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

/// Deeper than any call goes.
const DEEPEST: usize = 32;

impl Element {
    /// The root element of a document.
    pub(crate) fn read(text: &str) -> Result<Element, Fault> {
        let malformed = |what: String| {
            Fault::new(400, "MalformedInput", format!("The XML you provided was not well-formed: {what}"))
        };
        let mut reader = Reader::from_str(text);
        let mut open = vec![Element::default()];
        loop {
            let event = reader.read_event().map_err(|error| malformed(error.to_string()))?;
            if open.len() > DEEPEST {
                return Err(malformed("nested too deeply".to_owned()));
            }
            match event {
                Event::Start(start) => open.push(Element::named(start.local_name().as_ref())),
                Event::Empty(start) => attach(&mut open, Element::named(start.local_name().as_ref())),
                Event::End(_) => {
                    if let Some(done) = open.pop() {
                        attach(&mut open, done);
                    }
                }
                Event::Text(part) => append(&mut open, &String::from_utf8_lossy(&part)),
                Event::CData(part) => append(&mut open, &String::from_utf8_lossy(&part)),
                Event::GeneralRef(reference) => {
                    let said = resolve(&reference).ok_or_else(|| malformed("unknown entity".to_owned()))?;
                    append(&mut open, &said);
                }
                Event::Eof => break,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let mut top = open.pop().filter(|_| open.is_empty()).unwrap_or_default();
        if top.children.len() != 1 {
            return Err(malformed("expected one root element".to_owned()));
        }
        Ok(top.children.remove(0))
    }

    fn named(name: &[u8]) -> Element {
        Element { name: String::from_utf8_lossy(name).into_owned(), ..Element::default() }
    }

    /// The first child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The children of this name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the child of this name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

fn attach(open: &mut [Element], done: Element) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(done);
    }
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolve(reference: &BytesRef<'_>) -> Option<String> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Some(character.to_string());
    }
    resolve_predefined_entity(&String::from_utf8_lossy(reference)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_elements_text_and_entities() {
        let root =
            Element::read("<?xml version=\"1.0\"?><a xmlns=\"u\"><b>x &amp; &#65;&quot;y&quot;</b><b/></a>")
                .expect("well-formed");
        assert_eq!(root.name, "a");
        assert_eq!(root.text_of("b"), Some("x & A\"y\""));
        assert_eq!(root.all("b").count(), 2);
    }

    #[test]
    fn refuses_what_is_not_well_formed() {
        for text in ["", "<a>", "<a></b>", "<a/><b/>", "<a>&nope;</a>", &"<a>".repeat(100)] {
            assert!(Element::read(text).is_err(), "{text}");
        }
    }
}
