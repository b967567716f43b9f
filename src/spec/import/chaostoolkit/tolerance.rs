//! Tolerances: what a good answer is, as far as firedrill's probes can judge by it.
//!
//! What is carried over judges as Chaos Toolkit does, or more strictly where that is said; anything else is left, with
//! what judges until somebody has decided.

use super::super::document::At;
use super::super::terms::{line, literal};
use super::super::write::Out;
use super::{Carried, actions};

/// A path and a value of JSON, as a tolerance says them.
struct Json {
    /// From the whole answer: `status`, `headers` or `body` stands first.
    path: Option<Vec<String>>,
    /// The only value that is expected.
    expect: Option<String>,
    /// Whether it asks for anything else, such as a number of values.
    more: bool,
}

/// What the `expect` of an http probe says, from the tolerance.
pub(super) fn of_http(carried: &mut Carried, at: &At<'_>, name: &str) -> Option<Out> {
    let older = at.get("provider").and_then(|provider| provider.get("expected_status"));
    let Some(tolerance) = at.get("tolerance").or(older) else {
        let named = at.get("name").unwrap_or_else(|| at.clone());
        let what = format!("the tolerance of `{}`", line(name));
        carried.sketch.left(&named, &what, "there is none", "any status from 200 to 299 is good");
        return None;
    };
    if !tolerance.is_map() {
        let codes: Option<Vec<String>> = tolerance.items().iter().map(code).collect();
        if let Some(codes) = codes.filter(|codes| !codes.is_empty()) {
            return Some(status(codes));
        }
    }
    let pattern = tolerance.text_of("pattern").unwrap_or_default();
    let target = tolerance.text_of("target").unwrap_or("status");
    let found = match (tolerance.text_of("type"), target) {
        (Some("range"), "status") => tolerance.get("range").and_then(|range| within(&range)).map(status),
        (Some("regex"), "status") => statuses_in(pattern).map(status),
        (Some("regex"), "body") => text_in(pattern).map(|text| {
            let text = carried.values.text(&text, &mut carried.sketch);
            Out::map([("body_contains", Out::text(text))])
        }),
        (Some("jsonpath"), _) => outside_of_the_body(carried, &tolerance),
        _ => None,
    };
    let judged = found
        .as_ref()
        .is_some_and(|found| matches!(found, Out::Map(keys) if keys.iter().all(|(key, _)| key != "status")));
    if judged {
        let name = line(name);
        carried.sketch.remarks.push(format!("`{name}`: the status, which Chaos Toolkit does not look at here, must be from 200 to 299 as well."));
    }
    if found.is_none() {
        let (why, proposal) = without_a_counterpart(carried, at, &tolerance);
        let kind = line(tolerance.text_of("type").or(tolerance.text()).unwrap_or("a list"));
        let what = format!("the tolerance `{kind}` of `{}`", line(name));
        let why = format!("{why}; until then any status from 200 to 299 is good");
        carried.sketch.left(&tolerance, &what, &why, &proposal);
    }
    found
}

fn status(statuses: Vec<String>) -> Out {
    match statuses.as_slice() {
        [one] => Out::map([("status", Out::bare(one))]),
        several => Out::map([("status", Out::List(several.iter().map(Out::bare).collect()))]),
    }
}

/// `{ type: jsonpath, path: $.status }` and its like: what an answer says beside its body.
fn outside_of_the_body(carried: &mut Carried, tolerance: &At<'_>) -> Option<Out> {
    let Json { path, expect, more: false } = json(tolerance) else { return None };
    let (path, expect) = (path?, expect?);
    match path.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["status"] => in_hundreds(&expect).map(|code| status(vec![code])),
        ["headers", header] => {
            let value = carried.values.text(&expect, &mut carried.sketch);
            let headers = Out::Map(vec![((*header).to_owned(), Out::text(value))]);
            Some(Out::map([("headers", headers)]))
        }
        _ => None,
    }
}

fn json(tolerance: &At<'_>) -> Json {
    let keys = tolerance.text_of("path").and_then(keys_of);
    let target = tolerance.text_of("target").map(str::to_owned);
    let expected = tolerance.get("expect").map(|at| at.items()).unwrap_or_default();
    let expect = match expected.as_slice() {
        [one] => one.text().map(str::to_owned),
        _ => None,
    };
    let count = tolerance.text_of("count").is_some_and(|count| count != "1");
    Json {
        path: keys.map(|keys| target.into_iter().chain(keys).collect()),
        more: count || tolerance.get("expect").is_some() && expect.is_none(),
        expect,
    }
}

/// The keys of a path that leads to one place: `$.a.b`, `$['a'].b`.
fn keys_of(path: &str) -> Option<Vec<String>> {
    let mut rest = path.trim().strip_prefix('$')?;
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let (key, after) = if let Some(dotted) = rest.strip_prefix('.') {
            dotted.split_at(dotted.find(['.', '[']).unwrap_or(dotted.len()))
        } else {
            let inside = rest.strip_prefix('[')?;
            let quote = inside.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            inside.get(1..)?.split_once(&format!("{quote}]"))?
        };
        let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ' ' | '/');
        if key.is_empty() || !key.chars().all(fits) {
            return None;
        }
        keys.push(key.to_owned());
        rest = after;
    }
    (!keys.is_empty()).then_some(keys)
}

/// Why a tolerance of an http probe is left, and what would judge as it does.
fn without_a_counterpart(carried: &mut Carried, at: &At<'_>, tolerance: &At<'_>) -> (String, String) {
    let provider = at.get("provider");
    let of = |key: &str| provider.as_ref().and_then(|provider| provider.get(key));
    let url = of("url").and_then(|at| at.text()).unwrap_or("URL").to_owned();
    let url = carried.values.text(&url, &mut carried.sketch);
    // A request that is more than its URL is for somebody to write.
    let plain = ["method", "headers", "arguments"].iter().all(|key| of(key).is_none());
    let curl = if plain { format!("curl -fsS '{url}'") } else { format!("curl -fsS … '{url}'") };
    let pattern = tolerance.text_of("pattern").unwrap_or("…");
    match tolerance.text_of("type") {
        Some("jsonpath") => {
            let path = line(tolerance.text_of("path").unwrap_or("…"));
            let Json { path: keys, expect, more } = json(tolerance);
            let why = format!("firedrill's http probe does not look into JSON for `{path}`");
            let ours = |key: &String| matches!(key.as_str(), "status" | "headers");
            let body = keys.as_deref().filter(|keys| !keys.first().is_some_and(ours));
            // Of an answer without a target, what is neither status nor headers can only be meant of the body.
            let body = body.map(|keys| keys.strip_prefix(&["body".to_owned()]).unwrap_or(keys));
            let Some(keys) = body.filter(|keys| !more && !keys.is_empty()) else {
                return (why, "a `command` probe decides anything".to_owned());
            };
            let filter: String = keys.iter().map(|key| format!("[{key:?}]")).collect();
            let plain = tolerance.get("expect").is_some_and(|at| at.items().iter().all(At::is_plain));
            let equal = match expect {
                // A word without quotes is text in YAML, and a function in jq.
                Some(expect) if plain && serde_json::from_str::<serde_json::Value>(&expect).is_ok() => {
                    format!(" == {expect}")
                }
                Some(expect) => format!(" == {expect:?}"),
                None => " != null".to_owned(),
            };
            let program = format!("{curl} | jq -e '.{filter}{equal}'");
            (why, format!("a `command` probe: `run: [sh, -c, {program:?}]`"))
        }
        Some("regex") => {
            let what = line(tolerance.text_of("target").unwrap_or("status"));
            let why =
                format!("the pattern `{}` of the {what} is more than a text to look for", line(pattern));
            let program = format!("{curl} | grep -Eq '{}'", literal(pattern));
            match what.as_str() {
                "body" if !pattern.contains('\'') => {
                    (why, format!("a `command` probe: `run: [sh, -c, {program:?}]`"))
                }
                _ => (why, "`expect:` knows status, headers and body_contains".to_owned()),
            }
        }
        Some("probe") => {
            let why = "it is a probe of its own that is given the answer";
            (why.to_owned(), "a `command` probe: its exit status decides".to_owned())
        }
        _ => {
            let why = "firedrill's http probe cannot judge by it";
            let proposal =
                "`expect:` knows status, headers and body_contains; a `command` probe decides anything";
            (why.to_owned(), proposal.to_owned())
        }
    }
}

/// What the `expect` of a command probe says, from the tolerance. Its exit status must be 0 in any case.
pub(super) fn of_process(carried: &mut Carried, at: &At<'_>, name: &str) -> Option<Out> {
    let tolerance = at.get("tolerance")?;
    let zero = |at: &At<'_>| at.text() == Some("0");
    let target = tolerance.text_of("target");
    let found = match tolerance.text_of("type") {
        None if tolerance.is_list() => {
            let items = tolerance.items();
            !items.is_empty() && items.iter().all(zero)
        }
        None => zero(&tolerance),
        Some("range") if target == Some("status") => tolerance
            .get("range")
            .is_some_and(|range| range.items().len() == 2 && range.items().iter().all(zero)),
        Some("jsonpath") => {
            let Json { path, expect, more } = json(&tolerance);
            !more && path.is_some_and(|path| path == ["status"]) && expect.as_deref() == Some("0")
        }
        _ => false,
    };
    if found {
        return None;
    }
    let text = match (tolerance.text_of("type"), target) {
        (Some("regex"), Some("stdout")) => tolerance.text_of("pattern").and_then(text_in),
        _ => None,
    };
    if let Some(text) = text {
        let text = carried.values.text(&text, &mut carried.sketch);
        carried.sketch.remarks.push(format!(
            "`{}`: Chaos Toolkit looks at its output alone; here it must exit with 0 as well.",
            line(name)
        ));
        return Some(Out::map([("stdout_contains", Out::text(text))]));
    }
    let why = "a program's exit status decides: 0 is good; until then that is what counts";
    let proposal =
        match (tolerance.text().and_then(|text| text.parse::<u8>().ok()), actions::argv(carried, at)) {
            (Some(code), Some(argv)) => {
                let program = format!("{}; [ $? -eq {code} ]", argv.join(" "));
                format!("let a shell decide: `run: [sh, -c, {program:?}]`")
            }
            _ => "let the program decide, or `expect: { stdout_contains: … }`".to_owned(),
        };
    carried.sketch.left(&tolerance, &format!("the tolerance of `{}`", line(name)), why, &proposal);
    None
}

fn code(at: &At<'_>) -> Option<String> {
    in_hundreds(at.text()?)
}

fn in_hundreds(text: &str) -> Option<String> {
    let number: u16 = text.parse().ok()?;
    (100..=599).contains(&number).then(|| number.to_string())
}

/// The statuses of a range, whole hundreds as `2xx`.
fn within(range: &At<'_>) -> Option<Vec<String>> {
    let ends: Vec<u16> = range.items().iter().filter_map(|at| at.text()?.parse().ok()).collect();
    let [first, last] = ends.as_slice() else { return None };
    let mut at = (*first).max(100);
    let last = (*last).min(599);
    let mut statuses = Vec::new();
    while at <= last {
        if at.is_multiple_of(100) && at + 99 <= last {
            statuses.push(format!("{}xx", at / 100));
            at += 100;
        } else {
            statuses.push(at.to_string());
            at += 1;
        }
    }
    (1..=40).contains(&statuses.len()).then_some(statuses)
}

/// `^2\d{2}$`, `200|204`, `^(2..|301)$` and their like.
fn statuses_in(pattern: &str) -> Option<Vec<String>> {
    let bare = pattern.trim_start_matches('^').trim_end_matches('$');
    let bare = bare.strip_prefix('(').and_then(|bare| bare.strip_suffix(')')).unwrap_or(bare);
    let one = |text: &str| of_hundred(text).or_else(|| in_hundreds(text));
    bare.split('|').map(one).collect()
}

fn of_hundred(bare: &str) -> Option<String> {
    let digit = bare.chars().next().filter(|c| ('1'..='5').contains(c))?;
    let rest = bare.get(1..)?;
    matches!(rest, r"\d\d" | r"\d{2}" | ".." | "[0-9][0-9]" | "[0-9]{2}").then(|| format!("{digit}xx"))
}

/// The text that a pattern looks for, when it looks for nothing else.
fn text_in(pattern: &str) -> Option<String> {
    let bare = pattern.trim_start_matches(".*").trim_end_matches(".*");
    let mut text = String::new();
    let mut chars = bare.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next().filter(|c| !c.is_ascii_alphanumeric())?),
            '.' | '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => return None,
            c => text.push(c),
        }
    }
    (!text.is_empty()).then_some(text)
}
