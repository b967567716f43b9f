use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::parse;
use super::*;

/// The tree in words, without places: what of a file has a meaning.
fn meaning(node: &Node) -> String {
    match &node.value {
        Value::Null => "-".to_owned(),
        Value::Scalar { text, plain } => format!("{plain}{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(meaning).collect::<Vec<_>>().join(",")),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, node)| format!("{:?}:{}", key.text, meaning(node)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
    }
}

/// Whether the text is in the everyday form. If so, the parser must find the same, and nothing wrong.
fn agrees(text: &str) -> Result<bool, String> {
    let Some((_, tree)) = everyday(text.as_bytes()) else { return Ok(false) };
    let parsed = parse(text.as_bytes());
    let found = (parsed.problems.is_empty(), parsed.root.as_ref().map(meaning));
    match found == (true, Some(meaning(&tree))) {
        true => Ok(true),
        false => Err(format!("{text}\n  here: {}\nparser: {found:?} {:?}", meaning(&tree), parsed.problems)),
    }
}

/// Every YAML file of the folders, with its path.
fn texts(folders: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut left: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut found = Vec::new();
    while let Some(folder) = left.pop() {
        for entry in folder.read_dir().expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                let text = std::fs::read(&path).expect("read");
                found.extend(String::from_utf8(text).ok().map(|text| (path, text)));
            }
        }
    }
    found
}

#[test]
fn every_bundled_file_is_in_the_everyday_form() {
    for (path, text) in texts(&["experiments", "runbooks"]) {
        assert_eq!(agrees(&text), Ok(true), "{}", path.display());
    }
}

#[test]
fn the_parser_agrees_about_every_file_of_the_tests() {
    let all = texts(&["tests", "benches"]);
    let everyday = all.iter().filter(|(_, text)| agrees(text).expect("they agree")).count();
    assert!(everyday > 150, "{everyday} of {}", all.len());
}

#[test]
fn every_form_is_read() {
    for text in [
        "a: 1\n",
        "a:\n  b: x y  # c\n  'c d': \"e: f\"\n\ng:\n",
        "a:\n- b\n-   c: 1\n    d: -2\n- \"e\"\n",
        "a:\n  - {b: [c, -d], \"e\": 'f'}\n  -\n  - []\nh: {}\n",
        "a: >-\n  b c\n  d # e\n\n# f\ng: |  # h\n    - i\n      m\n    j: k\nl: ~\n",
        "a: http://b:80/c#d\ne: ${f}\ng: h, [i]\n",
        "ключ: é # 🔥\n",
    ] {
        assert_eq!(agrees(text), Ok(true), "{text}");
    }
}

#[test]
fn what_has_rules_of_its_own_is_left() {
    let lines = [
        "",
        "a",
        "- a",
        "a: 1\na: 2",
        "a:\t1",
        "a: 1\r",
        "--- \na: 1",
        "a: &b c",
        "a: *b",
        "a: !!str b",
        "? a",
        "<<: {}",
        "a: b: c",
        "a: b\n  c",
        "a: \"b\n  c\"",
        "a: \"\\n\"",
        "a: 'b''c'",
        "a: {b: ${c}}",
        "a: {b}",
        "a: [b: c]",
        "a: [b,\n  c]",
        "a: [b, ]",
        "a: {\"b\":c}",
        "a: |2\n   b",
        "a: >\n  b\n\n  c",
        "a: >\n  b\n   c",
        "a: |+\n  b",
        "a: \"b\"#c",
        "a: [b]#c",
        "a : b",
        "a: b\n c: d",
        "a:\n - b\n- c",
        "%YAML 1.2",
        "a: @b",
        "a: - b",
        "a: |\n  b\n c",
        "a: \u{2028}b",
        "a: \u{7}",
    ];
    for text in lines.map(|text| format!("{text}\n")).iter().map(String::as_str).chain(["a: 1", ""]) {
        assert_eq!(everyday(text.as_bytes()), None, "{text}");
    }
}

/// A bundled file with some of its characters changed, taken out or doubled.
fn damaged() -> impl Strategy<Value = String> {
    let files: Vec<String> = texts(&["experiments", "runbooks"]).into_iter().map(|(_, text)| text).collect();
    let with = "[-:#{}\\[\\],'\"|>&*!%@`?~ \n\tax0]|: |- | #|\n  |\n- |'''|null";
    let change = (any::<prop::sample::Index>(), 0..4_u8, with);
    (prop::sample::select(files), prop::collection::vec(change, 1..4)).prop_map(|(text, changes)| {
        let mut chars: Vec<String> = text.chars().map(String::from).collect();
        for (index, how, with) in changes {
            let at = index.index(chars.len());
            match how {
                0 => chars[at] = with,
                1 => chars.insert(at, with),
                2 => drop(chars.remove(at)),
                _ => {
                    let to = (at + 12).min(chars.len());
                    let again = chars[at..to].to_vec();
                    chars.splice(at..at, again);
                }
            }
        }
        chars.concat()
    })
}

/// Pieces of YAML in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = "(a|b: |c:|- |-|\n|\n  |\n    |: |, | #|[\\[\\]{}'\"|>&*!%@`?~,:#é\u{2028}\t\r -]|\\{d: |\\[e, |\\}|\\]|'f'\
                 |\"g\"|\\\\|\n   |>-\n  |\\|\n  |null|--|\\$\\{h\\})";
    prop::collection::vec(piece, 0..40).prop_map(|pieces| format!("a: {}\n", pieces.concat()))
}

fn cases() -> u32 {
    std::env::var("FIREDRILL_YAML_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1000)
}

proptest! {
    // `FIREDRILL_YAML_CASES` asks for more of them.
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn the_parser_agrees_about_damaged_files(text in damaged()) {
        let agreed = agrees(&text);
        prop_assert!(agreed.is_ok(), "{}", agreed.unwrap_err());
    }

    #[test]
    fn the_parser_agrees_about_any_yaml_like_text(text in pieces()) {
        let agreed = agrees(&text);
        prop_assert!(agreed.is_ok(), "{}", agreed.unwrap_err());
    }
}
