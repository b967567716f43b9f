//! The probes of a hypothesis, and what of them firedrill can ask.

use super::super::document::At;
use super::super::terms::{line, literal, seconds};
use super::super::write::Out;
use super::{Carried, actions, kind};

/// A probe of the hypothesis: it watches from before the fault until after recovery.
pub(super) fn watch(carried: &mut Carried, at: &At<'_>) {
    if let Some(name) = at.text_of("ref") {
        carried.sketch.left(at, &format!("the reference to `{name}`"), "it says nothing of its own", "");
        return;
    }
    let name = at.text_of("name").unwrap_or("probe").to_owned();
    match kind(at) {
        Some("http") => http(carried, at, &name),
        Some("process") => process(carried, at, &name),
        _ => python(carried, at, &name),
    }
    for (key, extra) in at.entries() {
        match key {
            "type" | "name" | "tolerance" | "provider" => {}
            "pauses" | "background" => {
                carried.sketch.left(
                    &extra,
                    &format!("`{key}` of `{}`", line(&name)),
                    "a probe asks on its own schedule",
                    "`every:` of the probe",
                );
            }
            _ => super::unknown(&mut carried.sketch, key, &extra),
        }
    }
}

/// A probe in the method, whose answer Chaos Toolkit writes down and does not judge.
pub(super) fn asked_once(carried: &mut Carried, at: &At<'_>) {
    let name = line(at.text_of("name").unwrap_or("probe"));
    let proposal = match kind(at) {
        Some("http") => {
            let url = at.get("provider").and_then(|provider| provider.text_of("url")).unwrap_or("…");
            format!(
                "as a condition of the step before: `verify: [{{ http: {{ url: {:?} }} }}]`",
                literal(url)
            )
        }
        Some("process") => {
            "as a condition of the step before: `verify: [{ command: { run: […] } }]`".to_owned()
        }
        _ => closest(at.get("provider").and_then(|p| p.text_of("func")).unwrap_or_default()).to_owned(),
    };
    let why = "in the method, its answer is recorded and not judged; firedrill's probes watch all the time";
    carried.sketch.left(at, &format!("the probe `{name}`"), why, &proposal);
}

fn http(carried: &mut Carried, at: &At<'_>, name: &str) {
    let Some(provider) = at.get("provider") else { return };
    let Some(url) = provider.text_of("url") else {
        carried.sketch.left(at, &format!("the probe `{}`", line(name)), "it has no URL", "");
        return;
    };
    let mut url = carried.values.text(url, &mut carried.sketch);
    let mut entries: Vec<(String, Out)> = Vec::new();
    let method = provider.text_of("method").unwrap_or("GET").to_ascii_uppercase();
    let mut headers = pairs(carried, provider.get("headers"));
    if let Some(arguments) = provider.get("arguments") {
        let given = pairs(carried, Some(arguments.clone()));
        let json = headers
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("content-type") && value.contains("json"));
        match method.as_str() {
            "GET" | "HEAD" | "DELETE" | "OPTIONS" => {
                let between = if url.contains('?') { '&' } else { '?' };
                url = format!("{url}{between}{}", form(&given));
            }
            _ if json => {
                let object: serde_json::Map<String, serde_json::Value> =
                    given.into_iter().map(|(name, value)| (name, value.into())).collect();
                entries.push(("body".to_owned(), Out::text(serde_json::Value::Object(object).to_string())));
            }
            _ => {
                headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
                entries.push(("body".to_owned(), Out::text(form(&given))));
            }
        }
    }
    entries.insert(0, ("url".to_owned(), Out::text(url)));
    if method != "GET" {
        entries.insert(1, ("method".to_owned(), Out::text(method)));
    }
    if !headers.is_empty() {
        let headers = headers.into_iter().map(|(name, value)| (name, Out::text(value))).collect();
        entries.push(("headers".to_owned(), Out::Map(headers)));
    }
    if let Some(expect) = expect(carried, at, name) {
        entries.push(("expect".to_owned(), expect));
    }
    timeout(carried, &provider, name, &mut entries);
    if provider.text_of("verify_tls").is_some_and(|text| text.eq_ignore_ascii_case("false")) {
        entries.push(("tls".to_owned(), Out::map([("insecure", Out::bare(true))])));
    }
    for (key, extra) in provider.entries() {
        match key {
            "type" | "url" | "method" | "headers" | "arguments" | "timeout" | "verify_tls"
            | "expected_status" => {}
            "max_retries" => {
                carried.sketch.left(
                    &extra,
                    "`max_retries`",
                    "a probe that asks again hides what a client would see",
                    "",
                );
            }
            "secrets" => {}
            _ => super::unknown(&mut carried.sketch, key, &extra),
        }
    }
    carried.sketch.probe(name, Out::map([("http", Out::Map(entries))]));
}

fn timeout(carried: &mut Carried, provider: &At<'_>, name: &str, entries: &mut Vec<(String, Out)>) {
    let Some(at) = provider.get("timeout") else { return };
    let numbers: Option<Vec<f64>> = at.items().iter().map(At::number).collect();
    let total = numbers.map(|numbers| numbers.iter().sum::<f64>());
    match total.and_then(seconds).filter(|timeout| !timeout.is_zero()) {
        Some(timeout) => entries.push(("timeout".to_owned(), Out::time(timeout))),
        None => carried.sketch.left(
            &at,
            &format!("the timeout of `{}`", line(name)),
            "it is no number of seconds",
            "`timeout: 2s`",
        ),
    }
}

/// What a good answer is, from the tolerance.
fn expect(carried: &mut Carried, at: &At<'_>, name: &str) -> Option<Out> {
    let status = |statuses: Vec<String>| match statuses.as_slice() {
        [one] => Out::map([("status", Out::bare(one))]),
        several => Out::map([("status", Out::List(several.iter().map(Out::bare).collect()))]),
    };
    let older = at.get("provider").and_then(|provider| provider.get("expected_status"));
    let Some(tolerance) = at.get("tolerance").or(older) else {
        carried.sketch.left(
            at,
            &format!("the tolerance of `{}`", line(name)),
            "there is none",
            "any status from 200 to 299 is good",
        );
        return None;
    };
    if !tolerance.is_map() {
        let codes: Option<Vec<String>> = tolerance.items().iter().map(code).collect();
        if let Some(codes) = codes.filter(|codes| !codes.is_empty()) {
            return Some(status(codes));
        }
    }
    let target = tolerance.text_of("target").unwrap_or("status");
    let pattern = tolerance.text_of("pattern").unwrap_or_default();
    let found = match (tolerance.text_of("type"), target) {
        (Some("range"), "status") => tolerance.get("range").and_then(|range| within(&range)).map(status),
        (Some("regex"), "status") => of_hundred(pattern).map(|hundred| status(vec![hundred])),
        (Some("regex"), "body") => text_in(pattern).map(|text| {
            let text = carried.values.text(&text, &mut carried.sketch);
            Out::map([("body_contains", Out::text(text))])
        }),
        _ => None,
    };
    if found.is_none() {
        let kind = tolerance.text_of("type").or(tolerance.text()).unwrap_or("a list");
        let proposal = match kind {
            "jsonpath" => {
                let path = tolerance.text_of("path").unwrap_or("…");
                let expected = tolerance
                    .get("expect")
                    .and_then(|at| at.items().first().and_then(At::text))
                    .unwrap_or("…");
                format!(
                    "`body_contains` with the text as the body has it, for {path} = {expected}; or a `command` probe"
                )
            }
            "probe" => "a `command` probe: its exit status decides".to_owned(),
            _ => "`expect:` knows status, headers and body_contains; a `command` probe decides anything"
                .to_owned(),
        };
        let why = "firedrill's http probe cannot judge by it; until then any status from 200 to 299 is good";
        carried.sketch.left(
            &tolerance,
            &format!("the tolerance `{}` of `{}`", line(kind), line(name)),
            why,
            &proposal,
        );
    }
    found
}

fn code(at: &At<'_>) -> Option<String> {
    let number: u16 = at.text()?.parse().ok()?;
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

/// `^2\d{2}$` and its like.
fn of_hundred(pattern: &str) -> Option<String> {
    let bare = pattern.trim_start_matches('^').trim_end_matches('$');
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

fn pairs(carried: &mut Carried, at: Option<At<'_>>) -> Vec<(String, String)> {
    let Some(at) = at else { return Vec::new() };
    let mut pairs = Vec::new();
    for (key, value) in at.entries() {
        match value.text() {
            Some(text) => pairs.push((key.to_owned(), carried.values.text(text, &mut carried.sketch))),
            None => carried.sketch.left(&value, &format!("`{}`", line(key)), "it is no single value", ""),
        }
    }
    pairs
}

fn form(pairs: &[(String, String)]) -> String {
    let each = |text: &str| {
        // References stay as they are: they are filled in later.
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, inside)) = rest.split_once("${") {
            let Some((name, after)) = inside.split_once('}') else { break };
            out.extend(form_urlencoded::byte_serialize(before.as_bytes()));
            out.push_str(&format!("${{{name}}}"));
            rest = after;
        }
        out.extend(form_urlencoded::byte_serialize(rest.as_bytes()));
        out
    };
    pairs.iter().map(|(name, value)| format!("{}={}", each(name), each(value))).collect::<Vec<_>>().join("&")
}

fn process(carried: &mut Carried, at: &At<'_>, name: &str) {
    let what = format!("the probe `{}`", line(name));
    let Some(argv) = actions::argv(carried, at) else {
        carried.sketch.left(at, &what, "it names no program", "");
        return;
    };
    let mut entries = vec![("run".to_owned(), Out::texts(argv))];
    if let Some(tolerance) = at.get("tolerance") {
        let zero = tolerance.items().iter().all(|at| at.text() == Some("0"));
        let text = match (tolerance.text_of("type"), tolerance.text_of("target")) {
            (Some("regex"), Some("stdout")) => tolerance.text_of("pattern").and_then(text_in),
            _ => None,
        };
        match text {
            Some(text) => {
                let text = carried.values.text(&text, &mut carried.sketch);
                entries.push(("expect".to_owned(), Out::map([("stdout_contains", Out::text(text))])));
            }
            None if zero => {}
            None => {
                let why = "a program's exit status decides: 0 is good; until then that is what counts";
                let proposal = "let the program decide, or `expect: { stdout_contains: … }`";
                carried.sketch.left(&tolerance, &format!("the tolerance of `{}`", line(name)), why, proposal);
            }
        }
    }
    if let Some(provider) = at.get("provider") {
        timeout(carried, &provider, name, &mut entries);
    }
    carried.sketch.probe(name, Out::map([("command", Out::Map(entries))]));
}

fn python(carried: &mut Carried, at: &At<'_>, name: &str) {
    let provider = at.get("provider");
    let module = provider.as_ref().and_then(|provider| provider.text_of("module")).unwrap_or_default();
    let function = provider.as_ref().and_then(|provider| provider.text_of("func")).unwrap_or_default();
    let arguments = provider.as_ref().and_then(|provider| provider.get("arguments"));
    let text = |carried: &mut Carried, name: &str| {
        let text = arguments.as_ref()?.text_of(name)?;
        Some(carried.values.text(text, &mut carried.sketch))
    };
    let done = match (module, function) {
        ("chaosaws.cloudwatch.probes", "get_alarm_state_value") if at.text_of("tolerance") == Some("OK") => {
            text(carried, "alarm_name").map(|alarm| {
                carried.sketch.rails.push(Out::map([("alarm", Out::text(alarm))]));
                carried.sketch.remarks.push(format!(
                    "The probe `{}` became a guardrail: the run does not start while the alarm is in ALARM, and stops when it comes.",
                    line(name)
                ));
            })
        }
        ("chaosaws.route53.probes", "get_dns_answer") => text(carried, "record_name").map(|record| {
            let kind = text(carried, "record_type").unwrap_or_else(|| "A".to_owned());
            let dns = Out::map([("name", Out::text(record.trim_end_matches('.'))), ("type", Out::text(kind))]);
            carried.sketch.probe(name, Out::map([("dns", dns)]));
            if let Some(tolerance) = at.get("tolerance") {
                let why = "any value is good until `expect` names the good ones";
                carried.sketch.left(&tolerance, &format!("the tolerance of `{}`", line(name)), why, "`expect: [10.0.0.1]`");
            }
        }),
        ("chaosaws.cloudwatch.probes", "get_metric_statistics") => metric(carried, at, name, arguments.as_ref()),
        _ => None,
    };
    if done.is_none() {
        let why = format!("`{module}.{function}` is a Python function");
        carried.sketch.left(at, &format!("the probe `{}`", line(name)), &why, closest(function));
    }
}

fn metric(carried: &mut Carried, at: &At<'_>, name: &str, arguments: Option<&At<'_>>) -> Option<()> {
    let arguments = arguments?;
    let mut text = |name: &str| Some(carried.values.text(arguments.text_of(name)?, &mut carried.sketch));
    let (namespace, metric, statistic) = (text("namespace")?, text("metric_name")?, text("statistic")?);
    let mut entries =
        vec![("namespace".to_owned(), Out::text(namespace)), ("metric".to_owned(), Out::text(metric))];
    if let (Some(name), Some(value)) = (text("dimension_name"), text("dimension_value")) {
        entries.push(("dimensions".to_owned(), Out::Map(vec![(name, Out::text(value))])));
    }
    if let Some(dimensions) = arguments.get("dimensions") {
        let each = dimensions.items().into_iter().filter_map(|at| {
            Some((at.loose("name")?.text()?.to_owned(), Out::text(literal(at.loose("value")?.text()?))))
        });
        entries.push(("dimensions".to_owned(), Out::Map(each.collect())));
    }
    entries.push(("statistic".to_owned(), Out::text(statistic)));
    if let Some(period) = arguments.get("duration").and_then(|at| at.number()).and_then(seconds) {
        entries.push(("period".to_owned(), Out::time(period)));
    }
    let tolerance = at.get("tolerance")?;
    let range = tolerance.get("range").unwrap_or_else(|| tolerance.clone());
    let ends: Vec<f64> = range.items().iter().filter_map(|at| at.text()?.parse().ok()).collect();
    let [low, high] = ends.as_slice() else { return None };
    let mut bounds = Vec::new();
    if *low > 0.0 {
        bounds.push(("above".to_owned(), Out::bare(low)));
    }
    bounds.push(("below".to_owned(), Out::bare(high)));
    entries.push(("expect".to_owned(), Out::Map(bounds)));
    let why = "firedrill's bounds are exclusive: a value that is exactly one of them is not good";
    carried.sketch.left(&tolerance, &format!("the ends of the range of `{}`", line(name)), why, "");
    carried.sketch.probe(name, Out::map([("cloudwatch", Out::Map(entries))]));
    Some(())
}

/// What firedrill has in place of a probe of chaosaws.
fn closest(function: &str) -> &'static str {
    match function {
        "instance_status" | "cluster_status" | "cluster_membership_count" => {
            "a `postgres` or `mysql` probe asks the database itself, with `role: writer`"
        }
        "all_targets_healthy"
        | "targets_health_count"
        | "desired_equals_healthy"
        | "instance_count_by_health"
        | "instance_state"
        | "count_instances"
        | "count_min_instances"
        | "are_all_desired_tasks_running"
        | "service_is_deploying"
        | "describe_tasks" => "an `http` probe through the load balancer says what customers see",
        name if name.starts_with("wait_") => {
            "`recovery: { within: … }`, and a probe that says when it is good again"
        }
        "get_health_check_status" => "an `http` probe of what the health check asks",
        _ => "a `command` probe: `command: { run: [python3, probe.py] }`, good when it exits with 0",
    }
}
