use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn problems(text: &str) -> Vec<String> {
    let parsed = parse(text.as_bytes());
    parsed.problems.iter().map(|p| format!("{}..{} {}", p.span.start, p.span.end, p.message)).collect()
}

/// The tree with every place shown as the text that stands there.
fn shown(text: &str) -> String {
    fn show(node: &Node, text: &str, out: &mut String) {
        let at = |span: Span| text.get(span.start..span.end).unwrap_or("!").replace('\n', "⏎");
        match &node.value {
            Value::Null => out.push('-'),
            Value::Scalar { text: value, plain } => {
                out.push_str(&format!("{value}{}<{}>", if *plain { "" } else { "'" }, at(node.span)));
            }
            Value::List(items) => {
                out.push('[');
                items.iter().for_each(|item| {
                    show(item, text, out);
                    out.push(' ');
                });
                out.push_str(&format!("]<{}>", at(node.span)));
            }
            Value::Map(entries) => {
                out.push('{');
                for (key, node) in entries {
                    out.push_str(&format!("{}<{}>=", key.text, at(key.span)));
                    show(node, text, out);
                    out.push(' ');
                }
                out.push_str(&format!("}}<{}>", at(node.span)));
            }
        }
    }
    let parsed = parse(text.as_bytes());
    assert_eq!(parsed.problems, [], "{text}");
    let mut out = String::new();
    show(&parsed.root.expect("a tree"), text, &mut out);
    out
}

#[test]
fn every_place_is_the_text_that_stands_there() {
    assert_eq!(
        shown("a: 1\nb: 'x'\n\n# c\nd: [p, \"q\"]\n"),
        "{a<a>=1<1> b<b>=x'<'x'> d<d>=[p<p> q'<\"q\"> ]<[p, \"q\"]> }<a: 1⏎b: 'x'⏎⏎# c⏎d: [p, \"q\"]>"
    );
    assert_eq!(shown("ключ: ценность\n"), "{ключ<ключ>=ценность<ценность> }<ключ: ценность>");
    assert_eq!(shown("\u{feff}é: 🔥\r\nb: ü\r\n"), "{é<é>=🔥<🔥> b<b>=ü<ü> }<é: 🔥\r⏎b: ü>");
    assert_eq!(shown("a:\n  - x\n  -\nb: ~\n"), "{a<a>=[x<x> - ]<- x⏎  -> b<b>=- }<a:⏎  - x⏎  -⏎b: ~>");
}

#[test]
fn scalars_keep_their_text() {
    assert_eq!(
        shown("[no, 1.10, 010, '', !!str ~]"),
        "[no<no> 1.10<1.10> 010<010> '<''> ~'<~> ]<[no, 1.10, 010, '', !!str ~]>"
    );
}

#[test]
fn what_is_no_text_is_located() {
    let parsed = parse(b"a: 1\nb: \xff\n");
    assert_eq!(parsed.problems[0].message, "byte 8 (0xff) is not UTF-8");
    assert_eq!(parsed.problems[0].span.start, 8);
    assert_eq!(problems("a: \0"), ["3..4 a NUL byte (0x00) cannot stand in a YAML file"]);
    assert_eq!(problems("a: \x1b[1m"), ["3..4 a control character (0x1b) cannot stand in a YAML file"]);
    assert_eq!(
        parse(b"\xff\xfea\0").problems[0].help.as_deref(),
        Some("this looks like UTF-16: save the file as UTF-8")
    );
    assert_eq!(parse(&vec![b'#'; MAX_BYTES + 1]).problems[0].message, "the file is larger than 1 MiB");
    for empty in ["", "\n\n", "# only a comment\n", "---\n", "\u{feff}"] {
        assert_eq!(parse(empty.as_bytes()).problems[0].message, "the file is empty", "{empty:?}");
    }
}

#[test]
fn what_a_tree_may_not_hold_is_collected() {
    assert_eq!(
        problems("a: 1\na: 2\n<<: {b: 1}\n? [x]\n: y\nc: !mine 3\n"),
        [
            "5..6 `a` is given twice",
            "10..12 merge keys (`<<`) are not supported",
            "23..24 a key must be plain text",
            "40..41 the tag `!mine` has no meaning here",
        ]
    );
    let twice = &parse(b"a: 1\na: 2\n").problems[0];
    assert_eq!(twice.related[0].0, Span { start: 0, end: 1 });
}

#[test]
fn what_is_not_yaml_stops_the_reading() {
    assert_eq!(problems("a: 1\n---\nb: 2\n"), ["5..8 a second document in the same file"]);
    assert!(problems("a: [1, 2\n")[0].contains("this is not YAML"));
    assert_eq!(parse(b"a:\n\tb: 1\n").problems[0].help.as_deref(), Some("YAML is indented with spaces only"));
    let unquoted = parse(b"a: { url: ${base}/health, x: 1 }\n");
    assert!(unquoted.problems[0].help.as_deref().expect("help").contains("quotes"));
    assert_eq!(problems("a: *nobody\n"), ["3..10 no anchor `&nobody` stands before this"]);
    assert_eq!(problems("a: &a [*a]\n"), ["7..9 an alias inside what it refers to"]);
}

#[test]
fn an_alias_stands_for_its_anchor() {
    let parsed = parse(b"a: &x { k: v }\nb: *x\n");
    let Some(Node { value: Value::Map(entries), .. }) = parsed.root else { panic!("a map") };
    assert_eq!(entries[0].1, entries[1].1);
}

#[test]
fn a_bomb_is_refused_at_once() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for i in 1..=9 {
        let refs = vec![format!("*a{}", i - 1); 10].join(",");
        bomb.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
    }
    let begun = Instant::now();
    assert!(problems(&bomb)[0].contains("more than 20000 values"), "{:?}", problems(&bomb));
    let deep = problems(&"[".repeat(20_000));
    assert!(deep[0].contains("nested deeper than 32 levels"), "{deep:?}");
    assert!(problems(&format!("a: &a x\nb: [{}]", "*a,".repeat(65)))[0].contains("more than 64 aliases"));
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        inside(&parse(&bytes));
    }

    #[test]
    fn arbitrary_yaml_like_text_never_panics(text in "([a-z*&!<>|'\"#%@`\\[\\]{},:?\\- \t\n~é🔥]|: |- |\n  ){0,80}") {
        inside(&parse(text.as_bytes()));
    }
}

/// Every place lies on character boundaries within the text.
fn inside(parsed: &Parsed) {
    for problem in &parsed.problems {
        assert!(parsed.text.get(problem.span.start..problem.span.end).is_some(), "{problem:?}");
    }
    assert!(parsed.root.is_some() || !parsed.problems.is_empty());
}

#[test]
fn comments_are_told_from_what_looks_like_one() {
    let text = "# top\na: x#y # one\nb: \"# no\" # two\nc: |\n  # no\n  text\nd: [x, # three\n  y]\n# end\n";
    assert_eq!(comments(text), Some(vec![" top", " one", " two", " three", " end"]));
    assert_eq!(comments("\u{feff}a: b # c\n"), Some(vec![" c"]));
    assert_eq!(comments("a: [b\n"), None);
}
