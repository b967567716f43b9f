//! Service level objectives with Prometheus queries: each service becomes an experiment that is held against them.
//!
//! The objectives are what the drill may cost. The queries become probes, and a burn rate that pages somebody becomes a
//! guardrail. What breaks is not said by an SLO: the experiment asks for it.

use super::configmap;
use super::document::At;
use super::sketch::{Sketch, Variable};
use super::terms::{self, line, literal};
use super::write::Out;

/// How much of an error budget a drill may spend, as long as nobody says: a tenth, as in firedrill's own examples.
const SPEND: &str = "10%";

/// Converts SLOs of a ConfigMap, or those alone.
pub(super) fn sketches(top: &At<'_>, file: &str) -> Vec<Sketch> {
    configmap::each(top, "services", |top| {
        let services = top.get("services").map(|at| at.items()).unwrap_or_default();
        let mut sketches: Vec<Sketch> = services.iter().map(|at| service(at, file)).collect();
        if let Some(first) = sketches.first_mut() {
            for (key, at) in top.entries().into_iter().filter(|(key, _)| *key != "services") {
                first.left(&at, &format!("`{}`", line(key)), "firedrill does not know what it means", "");
            }
        }
        sketches
    })
}

fn service(at: &At<'_>, file: &str) -> Sketch {
    let name =
        at.text_of("name").map(line).filter(|name| !name.is_empty()).unwrap_or_else(|| "service".to_owned());
    let mut sketch = Sketch {
        kind: "Experiment",
        origin: format!("{file}, SLO definitions"),
        name: terms::slug(&format!("{name} slo"), "slo"),
        title: Some(literal(&format!("{name} keeps its service level objectives"))),
        ..Sketch::default()
    };
    let url = Variable {
        about: "base URL of Prometheus, such as http://prometheus.test:9090".to_owned(),
        ..Variable::default()
    };
    sketch.variables.insert("prometheus_url".to_owned(), url);
    let service = sketch
        .variable("service_url", "what customers use: a URL that answers 200 while the service is well");
    let http = Out::map([("url", Out::text(service)), ("expect", Out::map([("status", Out::bare(200))]))]);
    sketch.probe("service", Out::map([("http", http)]));
    for (key, value) in at.entries() {
        match key {
            "name" => {}
            "slos" => value.items().iter().for_each(|slo| objective(&mut sketch, slo)),
            _ => {
                sketch.left(&value, &format!("`{}`", line(key)), "firedrill does not know what it means", "")
            }
        }
    }
    sketch
}

/// What an SLO is about.
#[derive(Clone, Copy, PartialEq)]
enum About {
    /// The query's value is a share of good requests.
    Availability,
    /// The query's value is a share of bad requests.
    Errors,
    /// The query's value is a time in seconds.
    Latency,
}

fn about(slo: &At<'_>) -> Option<About> {
    let name = slo.text_of("name").unwrap_or_default().to_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let query = query(slo).unwrap_or_default();
    if any(&["latency", "duration", "response"]) || query.contains("histogram_quantile") {
        Some(About::Latency)
    } else if any(&["error", "failure"]) {
        Some(About::Errors)
    } else {
        any(&["availab", "uptime", "success"]).then_some(About::Availability)
    }
}

fn query(slo: &At<'_>) -> Option<String> {
    let sli = slo.get("sli")?;
    let text = sli.text().or(sli.text_of("metric")).or(sli.text_of("query"))?;
    Some(literal(&line(text))).filter(|query| !query.is_empty())
}

fn objective(sketch: &mut Sketch, slo: &At<'_>) {
    let name = line(slo.text_of("name").unwrap_or("slo"));
    let what = format!("the SLO `{name}`");
    let number =
        |at: At<'_>| at.text().and_then(|text| text.trim().trim_end_matches('%').trim().parse::<f64>().ok());
    let target = slo.get("target").or(slo.get("objective")).and_then(number);
    let (Some(about), Some(target)) = (about(slo), target.filter(|target| (0.0..=100.0).contains(target)))
    else {
        let why = "it is about neither availability, errors nor latency, or has no target in percent";
        sketch.left(slo, &what, why, "`firedrill probes prometheus`; `objectives:`");
        return;
    };
    let promised = if target <= 1.0 { target * 100.0 } else { target };
    match about {
        About::Latency => {
            latency(sketch, slo, &name, promised);
            unused_window(sketch, slo, &name);
        }
        _ => budget(sketch, slo, &name, promised),
    }
    let alerts = slo.get("alerts").map(|at| at.items()).unwrap_or_default();
    let burn = alerts.iter().find_map(|alert| burnt(alert, promised)).filter(|_| about != About::Latency);
    watch(sketch, slo, &name, about, burn.unwrap_or(rounded(1.0 - promised / 100.0)));
    for (key, value) in slo.entries() {
        match key {
            "name" | "target" | "objective" | "window" | "sli" => {}
            "alerts" => value.items().iter().for_each(|alert| guard(sketch, slo, alert, about, promised)),
            _ => sketch.left(
                &value,
                &format!("`{}` of {what}", line(key)),
                "firedrill does not know what it means",
                "",
            ),
        }
    }
}

fn budget(sketch: &mut Sketch, slo: &At<'_>, name: &str, promised: f64) {
    if sketch.objectives.iter().any(|(key, _)| key == "availability") {
        let why = "an experiment has one availability objective, and another SLO of this service gave it";
        sketch.left(
            &target(slo),
            &format!("the target of `{name}`"),
            why,
            "its query is a probe all the same",
        );
        unused_window(sketch, slo, name);
        return;
    }
    let window = slo.text_of("window").and_then(terms::duration);
    if let (Some(at), None) = (slo.get("window"), window) {
        sketch.left(&at, &format!("the window of `{name}`"), "it is no time", "`over: 30d`");
    }
    let over = window.unwrap_or(std::time::Duration::from_secs(30 * 86_400));
    let days = over.as_secs() / 86_400;
    let over = if over.as_secs().is_multiple_of(86_400) && days > 0 {
        Out::bare(format!("{days}d"))
    } else {
        Out::time(over)
    };
    let slo_is = Out::bare(format!("{}%", rounded(promised)));
    let objective = Out::map([("slo", slo_is), ("over", over), ("spend_at_most", Out::bare(SPEND))]);
    sketch.objectives.push(("availability".to_owned(), objective));
    let why =
        format!("how much of the error budget one drill may spend is not said: {SPEND} of it is assumed");
    sketch.left(&target(slo), &format!("the spending of `{name}`"), &why, "`spend_at_most:`");
}

/// Where the target stands.
fn target<'d>(slo: &At<'d>) -> At<'d> {
    slo.get("target").or(slo.get("objective")).unwrap_or_else(|| slo.clone())
}

fn unused_window(sketch: &mut Sketch, slo: &At<'_>, name: &str) {
    if let Some(window) = slo.text_of("window") {
        let window = line(window);
        sketch
            .remarks
            .push(format!("`{name}` is meant over {window}; a drill is judged by what it sees itself."));
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

const PERCENTILES: [(f64, &str); 5] =
    [(50.0, "p50"), (90.0, "p90"), (95.0, "p95"), (99.0, "p99"), (99.9, "p99.9")];

fn threshold(slo: &At<'_>) -> Option<f64> {
    let at = slo.get("sli").and_then(|sli| sli.get("threshold")).or(slo.get("threshold"))?;
    at.number().or_else(|| Some(terms::duration(at.text()?)?.as_secs_f64())).filter(|seconds| *seconds > 0.0)
}

fn latency(sketch: &mut Sketch, slo: &At<'_>, name: &str, promised: f64) {
    let limit = threshold(slo).and_then(terms::seconds).filter(|limit| !limit.is_zero());
    let percentile = PERCENTILES.iter().find(|(percentile, _)| (percentile - promised).abs() < 1e-9);
    let (Some(limit), Some((_, percentile))) = (limit, percentile) else {
        let why = "firedrill judges p50, p90, p95, p99 and p99.9 against a limit in seconds";
        sketch.left(
            &target(slo),
            &format!("the latency objective of `{name}`"),
            why,
            "`latency: { p95: 200ms }`",
        );
        return;
    };
    let entry = ((*percentile).to_owned(), Out::time(limit));
    match sketch.objectives.iter_mut().find(|(key, _)| key == "latency") {
        Some((_, Out::Map(entries))) => {
            if !entries.iter().any(|(key, _)| *key == entry.0) {
                entries.push(entry);
            }
        }
        _ => sketch.objectives.push(("latency".to_owned(), Out::Map(vec![entry]))),
    }
}

/// The query as a probe that is good while no more than the share `bad` of the requests is lost. What it says is held
/// apart from what clients see: a query that answers in time is no request that was served in time.
fn watch(sketch: &mut Sketch, slo: &At<'_>, name: &str, about: About, bad: f64) {
    let Some(query) = query(slo) else {
        let sli = slo.get("sli").or(slo.get("name")).unwrap_or_else(|| slo.clone());
        sketch.left(
            &sli,
            &format!("the query of `{name}`"),
            "there is none",
            "`prometheus: { url: …, query: … }`",
        );
        return;
    };
    let expect = match about {
        About::Availability => Some(Out::map([("above", Out::bare(rounded(1.0 - bad)))])),
        About::Errors => Some(Out::map([("below", Out::bare(bad))])),
        About::Latency => threshold(slo).map(|seconds| Out::map([("below", Out::bare(seconds))])),
    };
    let mut asked =
        vec![("url".to_owned(), Out::text("${prometheus_url}")), ("query".to_owned(), Out::text(query))];
    asked.extend(expect.map(|expect| ("expect".to_owned(), expect)));
    let probe =
        [("prometheus", Out::Map(asked)), ("every", Out::bare("5s")), ("must_stay_up", Out::bare(true))];
    sketch.probe(name, Out::map(probe));
}

/// The share of bad requests from which an alert on the burn rate fires: `burn_rate > 14.4`.
fn burnt(alert: &At<'_>, promised: f64) -> Option<f64> {
    let rest = alert.text_of("condition")?.trim().strip_prefix("burn_rate")?.trim().strip_prefix('>')?;
    let rate: f64 = rest.trim_start_matches('=').trim().parse().ok()?;
    let share = rounded(rate * (1.0 - promised / 100.0));
    (share > 0.0 && share < 1.0).then_some(share)
}

/// An alert on the burn rate as a guardrail: the same query, beyond what burns the budget so fast.
fn guard(sketch: &mut Sketch, slo: &At<'_>, alert: &At<'_>, about: About, promised: f64) {
    let name = line(alert.text_of("name").unwrap_or("alert"));
    let condition = line(alert.text_of("condition").unwrap_or("…"));
    let what = format!("the alert `{name}` ({condition})");
    let limit = burnt(alert, promised);
    let bound = match (about, limit) {
        (About::Availability, Some(share)) => ("below", rounded(1.0 - share)),
        (About::Errors, Some(share)) => ("above", share),
        (About::Latency, _) => {
            let why = "a quantile says nothing of how many requests were too slow, so that no burn rate follows from it";
            sketch.left(alert, &what, why, "`stop_when: [{ probe: service, latency_above: 1s, over: 1m }]`");
            return;
        }
        (_, None) => {
            let why = "only `burn_rate > N` is understood, for an N that leaves any request good";
            sketch.left(alert, &what, why, "`stop_when: [{ prometheus: { url: …, query: …, above: … } }]`");
            return;
        }
    };
    let Some(query) = query(slo) else {
        sketch.left(
            alert,
            &what,
            "its SLO has no query",
            "`stop_when: [{ prometheus: { url: …, query: …, above: … } }]`",
        );
        return;
    };
    let severity = alert.text_of("severity").map(|text| format!(", {}", line(text))).unwrap_or_default();
    sketch.remarks.push(format!("The alert `{name}` ({condition}{severity}) became a guardrail."));
    let url = Out::text("${prometheus_url}");
    let asked = Out::map([("url", url), ("query", Out::text(query)), (bound.0, Out::bare(bound.1))]);
    sketch.rails.push(Out::map([("prometheus", asked)]));
}
