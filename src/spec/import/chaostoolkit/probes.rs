//! The probes of a hypothesis, and what of them firedrill can ask.

use super::super::document::At;
use super::super::terms::{line, literal, seconds};
use super::super::write::Out;
use super::{Carried, actions, kind, tolerance};

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
        Some("python") | None => python(carried, at, &name),
        Some(other) => {
            let why = format!("Chaos Toolkit has no provider of the type `{}`", line(other));
            carried.sketch.left(at, &format!("the probe `{}`", line(&name)), &why, "");
        }
    }
    super::typed(&mut carried.sketch, at, &["probe"]);
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
        let json = headers
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("content-type") && value == "application/json");
        if json && method != "GET" {
            let body = json_of(carried, &arguments).to_string();
            entries.push(("body".to_owned(), Out::text(body)));
        } else {
            let given = form(&pairs(carried, Some(arguments)));
            if method == "GET" {
                let between = if url.contains('?') { '&' } else { '?' };
                url = format!("{url}{between}{given}");
            } else {
                if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                    headers.push(("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
                }
                entries.push(("body".to_owned(), Out::text(given)));
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
    if let Some(expect) = tolerance::of_http(carried, at, name) {
        entries.push(("expect".to_owned(), expect));
    }
    timeout(carried, &provider, name, &mut entries);
    if provider.get("verify_tls").is_some_and(|at| !at.truth()) {
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
            "secrets" => {
                let why = "each reference to a secret is a variable here";
                carried.sketch.left(&extra, &format!("`secrets` of `{}`", line(name)), why, "");
            }
            _ => super::unknown(&mut carried.sketch, key, &extra),
        }
    }
    carried.sketch.probe(name, Out::map([("http", Out::Map(entries))]));
}

fn timeout(carried: &mut Carried, provider: &At<'_>, name: &str, entries: &mut Vec<(String, Out)>) {
    let Some(at) = provider.get("timeout") else { return };
    let numbers: Option<Vec<f64>> = at.items().iter().map(|at| carried.number(at)).collect();
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

/// What a mapping is as JSON, where Python's types go with it.
fn json_of(carried: &mut Carried, at: &At<'_>) -> serde_json::Value {
    if at.is_map() {
        let entries = at.entries().into_iter();
        return serde_json::Value::Object(
            entries.map(|(key, at)| (key.to_owned(), json_of(carried, &at))).collect(),
        );
    }
    if at.is_list() {
        return at.items().iter().map(|at| json_of(carried, at)).collect();
    }
    let text = at.text().unwrap_or_default();
    match at.is_plain().then(|| serde_json::from_str::<serde_json::Value>(text)) {
        Some(Ok(value)) if !value.is_object() && !value.is_array() => value,
        _ => carried.values.text(text, &mut carried.sketch).into(),
    }
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
    if let Some(expect) = tolerance::of_process(carried, at, name) {
        entries.push(("expect".to_owned(), expect));
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
            if let Some(zone) = arguments.as_ref().and_then(|at| at.get("zone_id")) {
                let why = "the name is asked for as a client would, of any server that knows it";
                carried.sketch.left(&zone, &format!("`zone_id` of `{}`", line(name)), why, "`servers:` of the probe");
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
