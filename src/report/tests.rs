//! The formats against the scenes of the fixture.

use std::path::PathBuf;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::report::fixture::{self, Scene};
use crate::sample::{Class, Sample};

fn shown(scene: &Scene, format: Format) -> String {
    render(&scene.report, &scene.record, format, Style::PLAIN).expect("every scene can be shown")
}

/// Writes every scene in every format into the folder `FIREDRILL_PAGES`, to be looked at.
#[test]
#[ignore = "for people: FIREDRILL_PAGES=DIR cargo nextest run --run-ignored only pages_to_look_at"]
fn pages_to_look_at() {
    let folder = PathBuf::from(std::env::var_os("FIREDRILL_PAGES").expect("FIREDRILL_PAGES names a folder"));
    for (name, scene) in fixture::all() {
        for format in [Format::Text, Format::Json, Format::Markdown, Format::Html, Format::Junit] {
            std::fs::write(folder.join(format!("{name}.{}", format.file_name())), shown(&scene, format))
                .expect("the folder can be written to");
        }
    }
}

/// The tags of a page in order, each with its attributes as written; fails on what is no markup.
fn tags(page: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("every tag ends");
        tags.push(&rest[start + 1..end]);
        rest = &rest[end + 1..];
    }
    tags
}

/// Fails unless every element that is opened is closed in order.
pub(super) fn assert_well_formed(page: &str) {
    let empty = ["!DOCTYPE", "?xml", "meta", "br"];
    let mut open: Vec<&str> = Vec::new();
    for tag in tags(page) {
        let name = tag.split_whitespace().next().expect("a tag has a name");
        if let Some(name) = name.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of order");
        } else if !empty.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "left open");
}

#[test]
fn every_page_is_well_formed_and_needs_nothing_else() {
    for (name, scene) in fixture::all() {
        let page = shown(&scene, Format::Html);
        assert_well_formed(&page);
        for tag in tags(&page) {
            let element = tag.split_whitespace().next().expect("a name").trim_start_matches('/');
            let foreign = ["script", "link", "img", "iframe", "object", "a", "image", "use", "foreignObject"];
            assert!(!foreign.contains(&element), "{name}: <{tag}>");
            assert!(
                !tag.contains("://") && !tag.contains("src=") && !tag.contains("href="),
                "{name}: <{tag}>"
            );
        }
        assert!(!page.contains("@import") && !page.contains("url(http"), "{name}");
        assert!(page.chars().all(|c| c == '\n' || !facts::hidden(c)), "{name}: a hidden character");
        assert!(page.contains(facts::headline(&scene.report)), "{name}");
    }
}

#[test]
fn ids_are_unique_on_a_page() {
    let page = shown(&fixture::pass(), Format::Html);
    let mut ids: Vec<&str> =
        page.split(" id=\"").skip(1).map(|rest| &rest[..rest.find('"').expect("a quote")]).collect();
    assert_eq!(ids.len(), 6, "two drawings with a title, a text and a pattern each");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

#[test]
fn a_long_run_with_many_samples_stays_small() {
    let scene = fixture::large();
    assert!(scene.record.samples.len() > 100_000);
    assert!(shown(&scene, Format::Html).len() < 1_000_000);
}

#[test]
fn a_run_without_samples_or_events_has_a_page() {
    let mut scene = fixture::pass();
    scene.record.samples.clear();
    scene.record.events.clear();
    scene.report.duration = 0.0;
    for format in [Format::Text, Format::Markdown, Format::Html, Format::Junit] {
        assert!(!shown(&scene, format).is_empty());
    }
    assert_well_formed(&shown(&scene, Format::Html));
}

/// Whether two values are the same but for the last digit of a number, which reading may change.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().expect("finite"), b.as_f64().expect("finite"));
            (a - b).abs() <= a.abs() * 1e-15
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && alike(a, b))
        }
        (a, b) => a == b,
    }
}

#[test]
fn csv_has_a_row_for_every_sample() {
    let mut scene = fixture::inconclusive();
    scene.record.header.probes[0].name = "a,\"b\"".to_owned();
    let csv = shown(&scene, Format::Csv);
    assert_eq!(csv.lines().count(), scene.record.samples.len() + 1);
    assert!(csv.starts_with("probe,seq,scheduled_s,sent_s,done_s,class,cause,code,mark,identity,dns_us,"));
    assert!(csv.contains("\n\"a,\"\"b\"\"\",104,10.400000,"));
    assert!(
        csv.contains("\norders,207,10.350000,10.350369,10.351169,fail_fast,unavailable,0,base,,0,0,0,0\n")
    );
}

#[test]
fn openmetrics_has_its_bounds_and_its_end() {
    let text = shown(&fixture::aborted(), Format::OpenMetrics);
    let rto: Vec<&str> =
        text.lines().filter(|l| l.starts_with("firedrill_observed") && l.contains("\"rto\"")).collect();
    assert_eq!(rto.len(), 2, "two observers, neither with an upper bound: {rto:?}");
    assert!(rto.iter().all(|line| line.contains("bound=\"lo\"")));
    assert!(text.contains("firedrill_verdict=\"aborted\"} 1\n") && text.ends_with("# EOF\n"));
    for (name, scene) in fixture::all() {
        for line in shown(&scene, Format::OpenMetrics).lines().filter(|line| !line.starts_with('#')) {
            let value = line.rsplit(' ').next().expect("a value");
            assert!(value.parse::<f64>().is_ok(), "{name}: {line}");
        }
    }
}

#[test]
fn steps_that_were_never_begun_are_on_the_page() {
    let mut scene = fixture::untouched();
    scene.report.steps.clear();
    let page = shown(&scene, Format::Html);
    assert!(page.contains("not begun") && page.contains("orders-db is Multi-AZ"));
}

#[test]
fn what_guarded_the_run_is_told() {
    let scene = fixture::aborted();
    let page = shown(&scene, Format::Html);
    assert!(page.contains("Stopped the run at") && page.contains("storefront down for 10 s"), "{page}");
    assert!(page.contains("elapsed: 15m") && page.contains("did not stop the run"));
    assert!(page.contains("1 of 2 that the drill needs were found to be granted"));
    assert!(page.contains("rds:DescribeEvents") && page.contains("cannot tell (can be done without)"));
    assert!(page.contains("&lt;b&gt;not&lt;/b&gt; allowed to ask") && !page.contains("<b>not"));
    let text = shown(&scene, Format::Markdown);
    assert!(text.contains("**Stopped by a guardrail**: storefront down for 10 s"), "{text}");
    assert!(text.contains("- `rds:DescribeEvents`: cannot tell"), "{text}");
    assert!(!text.contains("RebootDBInstance`: "), "{text}");
}

#[test]
fn json_reads_back_as_the_same_report() {
    for (name, scene) in fixture::all() {
        let read: Report = serde_json::from_str(&shown(&scene, Format::Json)).expect("JSON");
        let [read, written] = [&read, &scene.report].map(|r| serde_json::to_value(r).expect("a value"));
        assert!(alike(&read, &written), "{name}");
    }
}

#[test]
fn text_fits_its_width_and_cannot_steer_the_terminal() {
    for (name, scene) in fixture::all() {
        let text = shown(&scene, Format::Text);
        for line in text.lines() {
            assert!(line.width() <= 100, "{name}: {} columns: {line}", line.width());
        }
        assert!(text.chars().all(|c| c == '\n' || !facts::hidden(c)), "{name}");
        let coloured = text::render(&scene.report, &scene.record, Style::COLOUR, &[]);
        let ours = coloured.split("\u{1b}[").skip(1);
        assert!(ours.into_iter().all(|rest| rest.starts_with(|c: char| c.is_ascii_digit())), "{name}");
        assert!(!coloured.contains("\u{1b}[31m |"), "{name}: an escape from outside");
    }
}

#[test]
fn markdown_keeps_its_tables_and_opens_no_tag() {
    for (name, scene) in fixture::all() {
        let text = shown(&scene, Format::Markdown);
        let outside_code: String = text.split('`').step_by(2).collect();
        assert!(!text.contains("<script") && !outside_code.contains("@all"), "{name}");
        let bars = |line: &str| line.replace("\\|", "").matches('|').count();
        for block in text.split("\n\n").filter(|block| block.starts_with('|')) {
            let counts: Vec<usize> = block.lines().map(bars).collect();
            assert!(counts.iter().all(|n| *n == counts[0]), "{name}: {block}");
        }
    }
}

#[test]
fn junit_is_never_green_without_a_pass() {
    for (name, scene) in fixture::all() {
        let xml = shown(&scene, Format::Junit);
        assert_well_formed(&xml.replace("<![CDATA[", "").replace("]]>", ""));
        let green = !xml.contains("<failure") && !xml.contains("<error") && !xml.contains("<skipped");
        let passed = scene.report.verdict == Outcome::Pass && scene.report.undo.complete;
        assert_eq!(green, passed, "{name}");
        assert!(xml.contains("<testcase"), "{name}");
    }
    let mut scene = fixture::pass();
    scene.report.objectives.clear();
    scene.report.verdict = Outcome::Inconclusive;
    assert!(shown(&scene, Format::Junit).contains(r#"<error message="every objective"#));
}

#[test]
fn text_of_a_pass() {
    insta::assert_snapshot!(shown(&fixture::pass(), Format::Text), @r#"
    PASS  reboot-rds-failover: The orders database survives the loss of its primary
          every objective was met: storefront answered again 4.19–4.32 s after the call; target 2 min

      Objective     Observer    Target     Observed                 Verdict
      RTO           storefront  ≤ 2 min    4.19–4.32 s              pass
      RTO           orders      ≤ 2 min    4.19–4.26 s              pass
      RPO           orders      0 s        0 s (resolution 50 ms)   pass
      Availability  storefront  ≥ 80 %     86.95 %                  pass
      Must stay up  catalogue   no outage  0 s (resolution 455 ms)  pass

    Outages
      Probe       Lasted       Began, since the fault  Depth  Errors
      storefront  3.80–4.03 s  0.29–0.40 s             full   refused 39
      orders      3.85–3.97 s  0.29–0.35 s             full   unavailable 78

    Recovery
      Probe       from the call  from the first failure  down in all  to full service
      storefront  4.19–4.32 s    3.79–4.03 s             3.79–4.03 s  6.89–7.02 s
      orders      4.19–4.26 s    3.84–3.97 s             3.84–3.97 s  5.64–5.71 s

    Error budget
      storefront: spent 0.15 % of the error budget of 99.9 % over 30 d; no page would have fired: 14.4×
      over 1 h and 5 min takes 51.8 s of full outage
      orders: spent 0.15 % of the error budget of 99.9 % over 30 d; no page would have fired: 14.4× over
      1 h and 5 min takes 51.8 s of full outage
      catalogue: spent 0 % of the error budget of 99.9 % over 30 d; no page would have fired: 14.4× over
      1 h and 5 min takes 51.8 s of full outage

    Ledger
      orders: 0 of 715 acknowledged writes lost, 2 indeterminate, 1 recovered

    Steps
      ✓ done  fail over the primary  0.0 s  3.2 s  orders-db: standby became primary (eu-west-1b)

    run 20261121T100000Z-reboot-rds-failover-7f3a, 21 Nov 2026, 10:00 UTC, 40.3 s in staging, seed 7
    "#);
}

#[test]
fn text_of_an_incomplete_undo() {
    let scene = fixture::fail();
    let text =
        text::render(&scene.report, &scene.record, Style::PLAIN, &["runs/7f3a/report.html".to_owned()]);
    let end = text.find("Put back").expect("a section");
    insta::assert_snapshot!(&text[end..], @r#"
    Put back
      ✓ route53: www.shop.example.com points to eu-west-1 again
      ✗ NOT BACK orders-db: modify was refused: InvalidDBInstanceState: the instance is rebooting
      Put it back with `firedrill recover 20261121T100000Z-reboot-rds-failover-7f3a`, or by hand

    Notes
      • rds:DescribeDBInstances was throttled 3 times; the longest wait was 1.2 s

    run 20261121T100000Z-reboot-rds-failover-7f3a, 21 Nov 2026, 10:00 UTC, 62.3 s in staging, seed 7
    report runs/7f3a/report.html
    "#);
}

#[test]
fn summary_of_several_runs() {
    let reports: Vec<Report> = fixture::all().into_iter().take(6).map(|(_, scene)| scene.report).collect();
    insta::assert_snapshot!(text::summary_table(&reports, Style::PLAIN), @r#"
    Experiment           Verdict       RTO (target)            RPO (target)       Availability (target)
    reboot-rds-failover  Pass          4.19–4.32 s (≤ 2 min)   0 s (0 s)          86.95 % (≥ 80 %)
    reboot-rds-failover  Fail          25.79–25.91 s (≤ 20 s)  0.70–0.80 s (0 s)  55.31 % (≥ 80 %)
    reboot-rds-failover  Inconclusive  3.2–5.0 s (≤ 4 s)       0 s (0 s)          89.43 % (≥ 80 %)
    reboot-rds-failover  Aborted       ≥ 11.89 s (≤ 2 min)     0 s (0 s)          2.52 % (≥ 80 %)
    reboot-rds-failover  Inconclusive  not measured (≤ 2 min)  –                  –
    reboot-rds-failover  Dry run       not measured (≤ 2 min)  –                  –
    "#);
}

#[test]
fn markdown_of_a_fail() {
    insta::assert_snapshot!(shown(&fixture::fail(), Format::Markdown), @r#"
    ## ❌ Fail: The orders database survives the loss of its primary

    storefront answered again 25.79–25.91 s after the call; target 20 s; and 15 acknowledged writes were lost

    `reboot-rds-failover` in staging on 21 Nov 2026, 10:00 UTC, 62.3 s long, owned by payments-sre.

    | Objective | Observer | Target | Observed | Verdict | Because |
    |---|---|---|---|---|---|
    | RTO | storefront | ≤ 20 s | 25.79–25.91 s | ❌ fail | storefront answered again that long after the call was sent |
    | RTO | orders | ≤ 20 s | 20.14–20.21 s | ❌ fail | orders answered again that long after the call was sent |
    | RPO | orders | 0 s | 0.70–0.80 s | ❌ fail | orders was read back from the writer, twice, with the same result |
    | Availability | storefront | ≥ 80 % | 55.31 % | ❌ fail | share of storefront's samples that were served |
    | Must stay up | catalogue | no outage | 0 s (resolution 455 ms) | ✅ pass | catalogue saw no outage |

    | Outage of | Began | Lasted | Depth | Errors |
    |---|---|---|---|---|
    | storefront | 0.2–1.3 s after the fault | 21.10–21.32 s | full | connect timeout 212 |
    | storefront | 23.99–24.10 s after the fault | 1.69–1.91 s | partial, 61 % failed | server error 11 |
    | orders | 0.2–1.3 s after the fault | 19.79–19.91 s | full | connect timeout 397 |

    | Recovery of | from the call | from the first failure | down in all | to full service | Seconds |
    |---|---|---|---|---|---|
    | storefront | 25.7–27.3 s | 24.5–27.3 s | 24.5–27.3 s | 27.59–27.72 s | 31 s up, 5 s slow, 24 s down |
    | orders | 20.14–20.21 s | 19.78–19.91 s | 19.78–19.91 s | 21.79–21.86 s | 39 s up, 1 s degraded, 20 s down |

    - **storefront** spent 0.86 % of the error budget of 99.9 % over 30 d; no page would have fired: 14.4× over 1 h and 5 min takes 51.8 s of full outage
    - **orders** spent 0.76 % of the error budget of 99.9 % over 30 d; no page would have fired: 14.4× over 1 h and 5 min takes 51.8 s of full outage
    - **catalogue** spent 0 % of the error budget of 99.9 % over 30 d; no page would have fired: 14.4× over 1 h and 5 min takes 51.8 s of full outage

    - Ledger **orders**: 15 of 715 acknowledged writes lost, 2 indeterminate, 1 recovered
      - lost numbers: 187–200, 203

    | Step | Outcome | Started | Finished | What was seen |
    |---|---|---|---|---|
    | fail over the primary | done | 0.0 s | +3.2 s | orders-db: standby became primary (eu-west-1b) |

    **Not put back**; `firedrill recover 20261121T100000Z-reboot-rds-failover-7f3a`, or by hand:

    - orders-db: modify was refused: InvalidDBInstanceState: the instance is rebooting

    Notes:

    - rds:DescribeDBInstances was throttled 3 times; the longest wait was 1.2 s

    <sub>run `20261121T100000Z-reboot-rds-failover-7f3a` · firedrill 0.1.0 · seed 7 · 2 100 samples · experiment `3c3c3c3c3c3c` · journal `b7b7b7b7b7b7`</sub>
    "#);
}

#[test]
fn junit_of_an_inconclusive_run() {
    insta::assert_snapshot!(shown(&fixture::inconclusive(), Format::Junit), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="firedrill" tests="5" skipped="0" failures="0" errors="2">
        <testsuite name="reboot-rds-failover" tests="5" skipped="0" errors="2" failures="0" time="40.300">
            <properties>
                <property name="run" value="20261121T100000Z-reboot-rds-failover-7f3a"/>
                <property name="environment" value="staging"/>
                <property name="seed" value="7"/>
                <property name="started_at" value="2026-11-21T10:00:00Z"/>
                <property name="ended_at" value="2026-11-21T10:00:40.3Z"/>
                <property name="verdict" value="inconclusive"/>
                <property name="firedrill" value="0.1.0"/>
                <property name="experiment_sha256" value="3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c"/>
                <property name="journal_sha256" value="b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7b7"/>
                <property name="account" value="123456789012"/>
                <property name="region" value="eu-west-1"/>
                <property name="owner" value="payments-sre"/>
                <property name="error_budget [storefront]" value="spent 0.11–0.18 % of the error budget of 99.9 % over 30 d"/>
                <property name="page 14.4× over 1 h and 5 min [storefront]" value="no"/>
                <property name="page 6× over 6 h and 30 min [storefront]" value="no"/>
                <property name="page 1× over 3 d and 6 h [storefront]" value="no"/>
                <property name="error_budget [orders]" value="spent 0.11–0.18 % of the error budget of 99.9 % over 30 d"/>
                <property name="page 14.4× over 1 h and 5 min [orders]" value="no"/>
                <property name="page 6× over 6 h and 30 min [orders]" value="no"/>
                <property name="page 1× over 3 d and 6 h [orders]" value="no"/>
                <property name="error_budget [catalogue]" value="spent 0.00–0.07 % of the error budget of 99.9 % over 30 d"/>
                <property name="page 14.4× over 1 h and 5 min [catalogue]" value="no"/>
                <property name="page 6× over 6 h and 30 min [catalogue]" value="no"/>
                <property name="page 1× over 3 d and 6 h [catalogue]" value="no"/>
            </properties>
            <testcase name="rto [storefront]" classname="reboot-rds-failover" time="4.912">
                <error message="storefront cannot decide it: the target lies within the interval (observed 3.2–5.0 s; target ≤ 4 s)" type="inconclusive"/>
                <system-out>storefront cannot decide it: the target lies within the interval (observed 3.2–5.0 s; target ≤ 4 s)</system-out>
            </testcase>
            <testcase name="rto [orders]" classname="reboot-rds-failover" time="4.903">
                <error message="orders cannot decide it: the target lies within the interval (observed 3.3–5.0 s; target ≤ 4 s)" type="inconclusive"/>
                <system-out>orders cannot decide it: the target lies within the interval (observed 3.3–5.0 s; target ≤ 4 s)</system-out>
            </testcase>
            <testcase name="rpo s [orders]" classname="reboot-rds-failover">
                <system-out>orders was read back from the writer, twice, with the same result (observed 0 s (resolution 50 ms); target 0 s)</system-out>
            </testcase>
            <testcase name="availability [storefront]" classname="reboot-rds-failover">
                <system-out>share of storefront&apos;s samples that were served (observed 89.43 %; target ≥ 80 %)</system-out>
            </testcase>
            <testcase name="must_stay_up [catalogue]" classname="reboot-rds-failover">
                <system-out>catalogue saw no outage (observed 0 s (resolution 455 ms); target no outage)</system-out>
            </testcase>
        </testsuite>
    </testsuites>
    "#);
}

#[test]
fn every_format_says_what_was_spent_and_whether_a_page_would_have_fired() {
    let scene = fixture::fail();
    let budget = scene.report.probes[0].error_budget.clone().expect("a budget was declared");
    // 21 s of full outage and 1 s of a partial one, of the 2592 s that 99.9 % of 30 days allow.
    assert!(budget.spent.lo > 0.008 && budget.spent.hi < Some(0.0095), "{budget:?}");
    assert!(budget.pages.iter().all(|page| page.fired_at.is_none()), "{budget:?}");
    let expected = [
        (Format::Text, "spent 0.8", "no page would have fired: 14.4× over 1 h and 5 min takes 51.8 s"),
        (Format::Markdown, "spent 0.8", "14.4× over 1 h and 5 min takes 51.8 s of full outage"),
        (Format::Html, "spent 0.8", "would not have fired: it takes 51.8 s of full outage"),
        (Format::Junit, "spent 0.8", "name=\"page 14.4× over 1 h and 5 min [storefront]\" value=\"no\""),
        (
            Format::OpenMetrics,
            "firedrill_error_budget_spent_ratio{",
            "burn_rate=\"14.4\",window_seconds=\"3600\"} 0",
        ),
        (Format::Json, "\"error_budget\": {", "\"fired_at\": null"),
    ];
    for (format, spent, page) in expected {
        let text = shown(&scene, format).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(spent), "{format:?}: {spent}");
        assert!(text.contains(page), "{format:?}: {page}");
    }
}

#[test]
fn every_definition_of_the_recovery_time_is_told() {
    let scene = fixture::pass();
    let found = scene.report.probes[0].recovery.clone().expect("a fault was injected");
    assert_eq!(scene.report.rto.as_ref().and_then(|rto| rto.worst_observer.as_deref()), Some("storefront"));
    // The service is four times slower for 3 s after its outage.
    assert!(found.full_recovery.expect("a baseline").lo > found.from_injection.hi.expect("recovered"));
    let json: Value = serde_json::from_str(&shown(&scene, Format::Json)).expect("JSON");
    assert_eq!(json["probes"][0]["recovery"]["total_down"]["lo"], found.total_down.lo);
    assert_eq!(json["probes"][0]["outages"][0]["least"]["used"], "issue");
    assert_eq!(json["probes"][0]["states"]["seconds"]["down"], 4);
    for format in [Format::Text, Format::Markdown, Format::Html] {
        let said = words::span(found.full_recovery.expect("a baseline"));
        assert!(shown(&scene, format).contains(&said), "{format:?}: {said}");
    }
}

/// The most memory that this process has held, in bytes.
fn most_held() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a high-water mark");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}

/// A report holds its samples once more at most, and an index beside them: less than three times their size.
/// Only where a test has a process of its own, as under nextest, does the high-water mark say something.
#[test]
fn a_report_of_many_samples_holds_less_than_three_times_their_size() {
    if std::env::var_os("NEXTEST").is_none() {
        return;
    }
    let mut record = fixture::pass().record;
    let count = 1_000_000_u32;
    let size = u64::from(count) * std::mem::size_of::<crate::sample::Sample>() as u64;
    let before = most_held();
    record.samples = Vec::with_capacity(count as usize);
    record.samples.extend((0..count).map(|seq| {
        let at = crate::clock::Moment(u64::from(seq) * 1_000_000);
        let class = if (20_000..22_000).contains(&seq) { Class::FailFast } else { Class::Ok };
        let done = at.plus(std::time::Duration::from_micros(700));
        Sample { seq, scheduled: at, sent: at, done, class, ..Sample::default() }
    }));
    record.header.probes[0].every = 0.001;
    let report = super::build::build(&record);
    assert_eq!((report.probes[0].ok, report.probes[0].bad), (998_000, 2000));
    let held = most_held() - before;
    assert!(held < 3 * size, "{:.2} times the samples' size", held as f64 / size as f64);
    eprintln!("{:.2} times the samples' size", held as f64 / size as f64);
}
