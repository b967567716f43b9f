use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::spec::{Checked, check_text};

const CHAOS_JSON: &str = include_str!("../../../tests/imports/chaostoolkit.json");
const CHAOS_YAML: &str = include_str!("../../../tests/imports/chaostoolkit.yaml");
const FIS: &str = include_str!("../../../tests/imports/fis.json");
const STACK: &str = include_str!("../../../tests/imports/cloudformation.yaml");
const TERRAFORM: &str = include_str!("../../../tests/imports/terraform.json");
const CONFIGMAP: &str = include_str!("../../../tests/imports/configmap.yaml");
const SLOS: &str = include_str!("../../../tests/imports/slos.yaml");

const WIDE: &str = include_str!("../../../tests/imports/chaostoolkit-wide.yaml");
const FIS_WIDE: &str = include_str!("../../../tests/imports/fis-wide.json");
const CHANGES: &str = include_str!("../../../tests/imports/plan-changes.json");
const CONFIGURATION: &str = include_str!("../../../tests/imports/configuration.tf.json");

const ALL: [(&str, &str, Format); 11] = [
    ("chaostoolkit.json", CHAOS_JSON, Format::ChaosToolkit),
    ("chaostoolkit.yaml", CHAOS_YAML, Format::ChaosToolkit),
    ("fis.json", FIS, Format::Fis),
    ("cloudformation.yaml", STACK, Format::Fis),
    ("terraform.json", TERRAFORM, Format::Fis),
    ("configmap.yaml", CONFIGMAP, Format::ConfigMap),
    ("slos.yaml", SLOS, Format::Slo),
    ("chaostoolkit-wide.yaml", WIDE, Format::ChaosToolkit),
    ("fis-wide.json", FIS_WIDE, Format::Fis),
    ("plan-changes.json", CHANGES, Format::Fis),
    ("configuration.tf.json", CONFIGURATION, Format::Fis),
];

fn imported(name: &str, text: &str) -> Imported {
    match import(Path::new(name), text.as_bytes(), None) {
        Ok(imported) => imported,
        Err(diagnostics) => panic!("{name}: {diagnostics}"),
    }
}

/// What is wrong with a file that was written.
fn wrong(file: &Written) -> Vec<Problem> {
    match check_text(Path::new(&file.name), file.text.as_bytes()) {
        Ok(checked @ (Checked::Experiment(_) | Checked::Runbook(_) | Checked::GameDay(_))) => {
            checked.problems().into_iter().filter(|problem| !problem.warning).collect()
        }
        Ok(other) => panic!("{} is {other:?}", file.name),
        Err(diagnostics) => diagnostics.problems,
    }
}

/// All that was written, and all that was not.
fn shown(imported: &Imported) -> String {
    let files = imported.files.iter().map(|file| format!("==> {}\n{}", file.name, file.text));
    let left = imported.left.iter().map(|left| format!("left: {left}\n"));
    files.chain(left).collect()
}

#[test]
fn every_shape_is_recognised_and_what_is_written_is_right() {
    for (name, text, format) in ALL {
        let imported = imported(name, text);
        assert_eq!(imported.format, format, "{name}");
        for file in &imported.files {
            assert_eq!(wrong(file), [], "{name}: {}", file.text);
        }
        for left in &imported.left {
            assert!(left.line.is_some() && !left.why.is_empty(), "{name}: {left}");
            // Each stands at the top of one of the files, folded.
            let flat = |text: &str| text.replace('#', " ").split_whitespace().collect::<Vec<_>>().join(" ");
            let told = flat(&crate::notation::diagnostic::printable(&left.to_string()));
            assert!(imported.files.iter().any(|file| flat(&file.text).contains(&told)), "{name}: {told}");
        }
    }
}

#[test]
fn what_is_written_stays_as_it_is() {
    for (name, text, _) in ALL {
        insta::assert_snapshot!(name.replace('.', "-"), shown(&imported(name, text)));
    }
}

/// The text of the only file.
fn only(text: &str) -> (String, Vec<Left>) {
    let imported = imported("x.json", text);
    let [file] = imported.files.as_slice() else { panic!("{imported:?}") };
    assert_eq!(wrong(file), [], "{}", file.text);
    (file.text.clone(), imported.left)
}

fn chaos(method: &str) -> (String, Vec<Left>) {
    only(&format!("{{\"title\": \"t\", \"method\": [{method}]}}"))
}

fn python(module: &str, function: &str, arguments: &str) -> String {
    format!(
        "{{\"type\": \"action\", \"name\": \"act\", \"provider\": {{\"type\": \"python\", \"module\": \"chaosaws.{module}.actions\", \
         \"func\": \"{function}\", \"arguments\": {arguments}}}}}"
    )
}

#[test]
fn each_known_action_of_chaos_toolkit_has_its_own() {
    let id = r#"{"instance_ids": ["i-0abc123def4567890"]}"#;
    for (module, function, arguments, wanted) in [
        ("ec2", "stop_instances", id, "action: { ec2.stop_instances: { target: act } }"),
        ("ec2", "start_instances", id, "ec2.instance: { id: i-0abc123def4567890, state: stopped }"),
        ("ec2", "restart_instances", id, "ec2.reboot_instances: { target: act }"),
        ("ec2", "terminate_instances", id, "irreversible: true"),
        (
            "ec2",
            "terminate_instance",
            r#"{"az": "eu-west-1b"}"#,
            "{ availability_zone: eu-west-1b, pick: { count: 1 } }",
        ),
        (
            "asg",
            "terminate_random_instances",
            r#"{"asg_names": ["web"], "instance_percent": 30}"#,
            "{ auto_scaling_group: web, pick: { percent: 30 } }",
        ),
        (
            "rds",
            "reboot_db_instance",
            r#"{"db_instance_identifier": "a"}"#,
            "rds.reboot_db_instance: { target: act } }",
        ),
        (
            "rds",
            "stop_db_instance",
            r#"{"db_instance_identifier": "a"}"#,
            "rds.stop_db_instance: { target: act } }",
        ),
        ("rds", "promote_read_replica", r#"{"db_instance_identifier": "a"}"#, "irreversible: true"),
        (
            "rds",
            "failover_db_cluster",
            r#"{"db_cluster_identifier": "c", "target_db_instance_identifier": "d"}"#,
            "target_db_instance_identifier: d",
        ),
        (
            "ecs",
            "stop_task",
            r#"{"cluster": "c", "service": "s"}"#,
            "ecs.task: { cluster: c, service: s, pick: { count: 1 } }",
        ),
        (
            "ecs",
            "update_desired_count",
            r#"{"cluster": "c", "service": "s", "desired_count": 0}"#,
            "desired_count: 0",
        ),
    ] {
        let (text, left) = chaos(&python(module, function, arguments));
        assert!(text.contains(wanted), "{function}: {text}");
        assert_eq!(left, [], "{function}");
    }
}

/// Without this, a drill would hit what its author never meant.
#[test]
fn what_would_choose_more_is_left() {
    for (module, function, arguments) in [
        ("ec2", "stop_instances", "{}"),
        ("ec2", "stop_instances", r#"{"filters": [{"Name": "tag:app", "Values": ["a", "b"]}]}"#),
        ("ec2", "stop_instances", r#"{"filters": [{"Name": "tag:app", "Values": ["shop*"]}]}"#),
        (
            "ec2",
            "stop_instances",
            r#"{"filters": [{"Name": "vpc-id", "Values": ["v"]}, {"Name": "tag:app", "Values": ["a"]}]}"#,
        ),
        ("ec2", "stop_instances", r#"{"instance_ids": {"a": 1}, "az": "eu-west-1a"}"#),
        ("ec2", "stop_instances", r#"{"az": "eu-west-1a", "spot_only": true}"#),
        ("asg", "stop_random_instances", r#"{"asg_names": ["a", "b"], "instance_count": 1}"#),
        ("asg", "stop_random_instances", r#"{"asg_names": ["a"]}"#),
        ("rds", "stop_db_instance", r#"{"db_instance_identifier": "a", "db_snapshot_identifier": "s"}"#),
        ("rds", "stop_db_cluster", r#"{"db_cluster_identifier": "a"}"#),
        ("ecs", "stop_task", "{}"),
    ] {
        let (text, left) = chaos(&python(module, function, arguments));
        assert!(!text.contains("action:") && text.contains("${fault_program}"), "{arguments}: {text}");
        assert_eq!(left.len(), 1, "{arguments}: {left:?}");
    }
    let target = |target: &str| {
        let action = r#""stop": {"actionId": "aws:ec2:stop-instances", "targets": {"Instances": "web"}}"#;
        only(&format!(
            r#"{{"targets": {{"web": {target}}}, "actions": {{{action}}}, "stopConditions": [{{"source": "none"}}]}}"#
        ))
    };
    for of in [
        r#"{"resourceType": "aws:ec2:instance", "selectionMode": "ALL"}"#,
        r#"{"resourceType": "aws:ec2:instance", "resourceTags": {"a": "b"}, "selectionMode": "COUNT(x)"}"#,
        r#"{"resourceType": "aws:ec2:instance", "resourceTags": {"a": "b"}, "filters": [{"path": "SubnetId", "values": ["s"]}], "selectionMode": "ALL"}"#,
        r#"{"resourceType": "aws:ec2:instance", "resourceArns": ["i-0abc123def4567890"], "selectionMode": "ALL"}"#,
        r#"{"resourceType": "aws:ec2:spot-instance", "resourceTags": {"a": "b"}, "selectionMode": "ALL"}"#,
    ] {
        let (text, left) = target(of);
        assert!(!text.contains("action:"), "{of}: {text}");
        assert!(left.len() >= 2, "{of}: {left:?}");
    }
    let (text, left) = target(
        r#"{"resourceType": "aws:ec2:instance", "resourceTags": {"a": "b"}, "selectionMode": "COUNT(2)"}"#,
    );
    assert!(
        text.contains("ec2.instance: { tags: { a: b }, pick: { count: 2 } }") && left.is_empty(),
        "{text}"
    );
}

/// A plan may not know a tag yet, and a stack may compute all of them.
#[test]
fn a_tag_without_a_value_is_no_tag_less() {
    let known = r#""resource_tag": [{"key": "app", "value": "shop"}]"#;
    let unknown = r#""resource_tag": [{"key": "app", "value": "shop"}, {"key": "tier", "value": null}]"#;
    assert!(only(CHANGES).0.contains("ec2.stop_instances"));
    let (text, left) = only(&CHANGES.replace(known, unknown));
    assert!(!text.contains("action:"), "{text}");
    assert!(left.iter().any(|left| left.why.contains("has no value that can be read")), "{left:?}");
    let computed = STACK.replace("{ app: !Ref AppTag }", "!If [Small, { app: a }, { app: b }]");
    assert_ne!(computed, STACK);
    let imported = imported("x.yaml", &computed);
    assert!(!shown(&imported).contains("ec2.reboot_instances: {"), "{}", shown(&imported));
}

#[test]
fn blocks_of_terraform_stand_alone_or_in_lists() {
    let body = |list: fn(&str) -> String| -> (String, Vec<Left>) {
        let action = list(
            r#"{"name": "reboot", "action_id": "aws:ec2:reboot-instances", "target": {"key": "Instances", "value": "web"}}"#,
        );
        let tag = list(r#"{"key": "app", "value": "shop"}"#);
        let target = list(&format!(
            r#"{{"name": "web", "resource_type": "aws:ec2:instance", "selection_mode": "COUNT(1)", "resource_tag": {tag}}}"#
        ));
        let stop = list(r#"{"source": "none"}"#);
        let template =
            list(&format!(r#"{{"action": {action}, "target": {target}, "stop_condition": {stop}}}"#));
        let named = list(&format!(r#"{{"x": {template}}}"#));
        let resource = list(&format!(r#"{{"aws_fis_experiment_template": {named}}}"#));
        only(&format!(r#"{{"resource": {resource}}}"#))
    };
    let (alone, left) = body(str::to_owned);
    assert_eq!(left, []);
    assert!(alone.contains("ec2.instance: { tags: { app: shop }, pick: { count: 1 } }"), "{alone}");
    assert_eq!(body(|block| format!("[{block}]")), (alone, left));
}

#[test]
fn an_id_that_nothing_can_have_is_taken_out_and_told() {
    let (text, left) = chaos(&python("ec2", "stop_instances", r#"{"instance_ids": ["web-1"]}"#));
    assert!(!text.contains("ec2.instance"), "{text}");
    let told: Vec<String> = left.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|line| line.contains("`web-1` is not the id of an EC2 instance")), "{told:?}");
}

#[test]
fn a_command_that_its_program_does_not_take_is_for_people() {
    let step = "{ action: Fail over, command: \"aws rds failover-db-clustre --db-cluster-identifier a\" }";
    let (text, left) = only(&format!("recovery_procedures: [{{ name: a, rto: 1m, steps: [{step}] }}]"));
    assert!(text.contains("manual: \"Fail over. Run, corrected: aws rds failover-db-clustre"), "{text}");
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn background_actions_run_beside_what_follows() {
    let run = |name: &str, more: &str| {
        format!(
            r#"{{"type": "action", "name": "{name}", {more} "provider": {{"type": "process", "path": "true"}}}}"#
        )
    };
    let (text, _) =
        chaos(&[run("a", ""), run("b", "\"background\": true,"), run("c", ""), run("d", "")].join(","));
    let steps = text.split("steps:\n").nth(1).expect("steps");
    let wanted = "  - name: a\n    run: [\"true\"]\n  - name: b\n    run: [\"true\"]\n  - name: c\n    after: [a]\n    run: [\"true\"]\n  - name: d\n    run: [\"true\"]\n";
    assert_eq!(steps, wanted);
}

#[test]
fn a_command_that_needs_a_shell_gets_one_and_keeps_its_variables() {
    let process = |arguments: &str| {
        format!(
            r#"{{"type": "action", "name": "a", "provider": {{"type": "process", "path": "tool", "arguments": {arguments}}}}}"#
        )
    };
    for (arguments, wanted) in [
        (r#""--now 'two words'""#, r#"run: [tool, "--now", two words]"#),
        (r#"["--now", 3]"#, r#"run: [tool, "--now", "3"]"#),
        (r#"{"--rate": 5, "-f": ""}"#, r#"run: [tool, "--rate", "5", "-f"]"#),
        (r#""a | b ${HOME}""#, r#"run: [sh, "-c", "tool a | b $${HOME}"]"#),
    ] {
        let (text, _) = chaos(&process(arguments));
        assert!(text.contains(wanted), "{arguments}: {text}");
    }
}

/// What a good answer is, as the probe says it, and how many things of it are left.
fn judged_by(tolerance: &str, provider: &str) -> (String, usize) {
    let (text, left) = only(&format!(
        r#"{{"title": "t", "steady-state-hypothesis": {{"title": "h", "probes": [{{"type": "probe", "name": "p",
            "tolerance": {tolerance}, "provider": {provider}}}]}}, "method": []}}"#
    ));
    let probe = text.split("  p:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("the probe");
    let expect = probe.split("expect: ").nth(1).map_or("", |rest| rest.trim_end().trim_end_matches(" }"));
    (expect.to_owned(), left.len())
}

#[test]
fn tolerances_judge_as_chaos_toolkit_does_or_are_left() {
    let http = r#"{"type": "http", "url": "http://h/"}"#;
    let process = r#"{"type": "process", "path": "true"}"#;
    for (tolerance, provider, wanted, left) in [
        ("204", http, "{ status: 204", 0),
        ("[200, 204]", http, "{ status: [200, 204]", 0),
        (
            r#"{"type": "range", "target": "status", "range": [200, 301]}"#,
            http,
            "{ status: [2xx, 300, 301]",
            0,
        ),
        (
            r#"{"type": "regex", "target": "status", "pattern": "^(2\\d{2}|304)$"}"#,
            http,
            "{ status: [2xx, 304]",
            0,
        ),
        (
            r#"{"type": "regex", "target": "body", "pattern": ".*all is well.*"}"#,
            http,
            "{ body_contains: all is well",
            0,
        ),
        (r#"{"type": "jsonpath", "path": "$.status", "expect": [204]}"#, http, "{ status: 204", 0),
        (
            r#"{"type": "jsonpath", "path": "$.headers['X-A']", "expect": "b"}"#,
            http,
            "{ headers: { X-A: b",
            0,
        ),
        (
            r#"{"type": "jsonpath", "path": "$['X-A']", "target": "headers", "expect": ["b"], "count": 1}"#,
            http,
            "{ headers: { X-A: b",
            0,
        ),
        (r#"{"type": "jsonpath", "path": "$.status", "expect": [200, 204]}"#, http, "", 1),
        (r#"{"type": "jsonpath", "path": "$.status", "expect": [204], "count": 2}"#, http, "", 1),
        (r#"{"type": "jsonpath", "path": "$.headers", "expect": "b"}"#, http, "", 1),
        (r#"{"type": "jsonpath", "path": "$.a.b", "target": "body", "expect": "c"}"#, http, "", 1),
        (r#"{"type": "regex", "target": "body", "pattern": "v[0-9]"}"#, http, "", 1),
        (r#"{"type": "range", "target": "body", "range": [1, 2]}"#, http, "", 1),
        ("true", http, "", 1),
        ("[true]", http, "", 1),
        ("0", process, "", 0),
        (r#"{"type": "range", "target": "status", "range": [0, 0]}"#, process, "", 0),
        (r#"{"type": "jsonpath", "path": "$.status", "expect": [0]}"#, process, "", 0),
        (r#"{"type": "regex", "target": "stdout", "pattern": "ok"}"#, process, "{ stdout_contains: ok", 0),
        ("1", process, "", 1),
        ("[0, 1]", process, "", 1),
        (r#"{"type": "range", "target": "status", "range": [0, 3]}"#, process, "", 1),
        (r#"{"type": "jsonpath", "path": "$.stdout", "expect": ["0"]}"#, process, "", 1),
        ("true", process, "", 1),
    ] {
        let (expect, told) = judged_by(tolerance, provider);
        assert_eq!((expect.as_str(), told), (wanted, left), "{tolerance}");
    }
}

#[test]
fn what_looks_into_json_is_proposed_as_a_program() {
    let method = r#"{"type": "jsonpath", "path": "$.a['b-c']", "target": "body", "expect": "d"}"#;
    let (_, left) = only(&format!(
        r#"{{"title": "t", "steady-state-hypothesis": {{"title": "h", "probes": [{{"type": "probe", "name": "p",
            "tolerance": {method}, "provider": {{"type": "http", "url": "http://h/"}}}}]}}, "method": []}}"#
    ));
    let told = left.first().map(ToString::to_string).unwrap_or_default();
    let wanted = r#"run: [sh, -c, "curl -fsS 'http://h/' | jq -e '.[\"a\"][\"b-c\"] == \"d\"'"]"#;
    assert!(told.contains("does not look into JSON for `$.a['b-c']`") && told.contains(wanted), "{told}");
}

/// As Python's `Template` reads them, with which Chaos Toolkit fills its values in.
#[test]
fn references_without_braces_are_references() {
    let configuration = r#""configuration": {"host": "h", "n": "5"}"#;
    let run = r#"{"type": "action", "name": "a", "provider": {"type": "process", "path": "tool", "arguments": ["$host-$n", "$other", "$$host"]}}"#;
    let (text, _) = only(&format!("{{\"title\": \"t\", {configuration}, \"method\": [{run}]}}"));
    assert!(text.contains(r#"run: [tool, "${host}-${n}", "$other", "$host"]"#), "{text}");
}

#[test]
fn an_action_that_is_referred_to_is_done_again() {
    let (text, left) = chaos(
        r#"{"type": "action", "name": "a", "provider": {"type": "process", "path": "true"}, "pauses": {"after": 1}}, {"ref": "a"}"#,
    );
    let names: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  - name: ")).collect();
    assert_eq!(names, ["a", "pause after a", "a 2", "pause after a 2"]);
    assert_eq!(left, []);
    let (_, left) = chaos(r#"{"ref": "nothing"}"#);
    let told: Vec<&str> = left.iter().map(|left| left.why.as_str()).collect();
    assert_eq!(told, ["the experiment has no activity of this name"]);
}

#[test]
fn secrets_are_never_copied() {
    let imported = imported("chaostoolkit.json", CHAOS_JSON);
    assert!(!shown(&imported).contains("hunter22"));
    assert!(shown(&imported).contains("secret: true"));
}

#[test]
fn what_is_no_such_file_is_refused() {
    let refused = |text: &str, format: Option<Format>| {
        import(Path::new("x"), text.as_bytes(), format).expect_err(text).to_string()
    };
    assert!(refused("kind: Experiment\n", None).contains("whose file this is cannot be told"));
    assert!(refused("", None).contains("the file is empty"));
    assert!(refused("a: [", None).contains("this is not YAML"));
    assert!(refused(FIS, Some(Format::ChaosToolkit)).contains("but an AWS FIS experiment template"));
    assert!(refused("a: b\n", Some(Format::Fis)).contains("this is no AWS FIS experiment template"));
    assert!(refused("recovery_procedures: []\n", None).contains("there is nothing to import"));
    assert!(refused("{\"method\": [], \"method\": []}", None).contains("`method` is given twice"));
    assert!(refused("method: []\n<<: {}\n", None).contains("merge keys"));
}

#[test]
fn a_stream_of_documents_is_read_one_by_one() {
    let text = format!("kind: Service\nmetadata: {{ name: a }}\n---\n# first\n{CONFIGMAP}---\n");
    let imported = imported("stream.yaml", &text);
    assert_eq!(imported.files.len(), 2);
    let told: Vec<String> = imported.left.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|line| line.starts_with("line 1: a document, Service")), "{told:?}");
    let line = text.lines().position(|line| line.contains("Verify replication lag")).expect("a line") + 1;
    assert!(told.iter().any(|told| told.starts_with(&format!("line {line},"))), "{line}: {told:?}");
}

#[test]
fn large_plans_are_read_without_their_lines() {
    let resource = r#"{"type": "aws_instance", "name": "x", "values": {"a": "b"}}"#;
    let many = vec![resource; 12_000].join(",");
    let text = TERRAFORM.replacen("\"resources\": [", &format!("\"resources\": [{many},"), 1);
    let imported = imported("plan.json", &text);
    assert_eq!(imported.files.len(), 1);
    for left in &imported.left {
        assert!(
            left.line.is_none() && left.pointer.is_empty() == left.what.contains("beside the templates"),
            "{left}"
        );
    }
    assert!(imported.left.iter().any(|left| left.what.contains(" and 11996 more")), "{:?}", imported.left);
}

#[test]
fn a_configmap_is_accepted_as_it_stands_with_places() {
    let Some(Foreign::Accepted(Format::ConfigMap, found)) = foreign(CONFIGMAP) else { panic!("a ConfigMap") };
    let at = |span: Span| CONFIGMAP.get(span.start..span.end).unwrap_or("?");
    let of = |text: &str| found.iter().find(|(_, message, _)| message.contains(text)).expect(text);
    let (span, message, help) = of("Check that the search endpoint answers");
    assert!(at(*span).starts_with("verification"), "{}", at(*span));
    assert!(message.contains("only a person can verify") && help.contains("http"), "{message} {help}");
    assert!(at(of("only a shell could run it").0).starts_with("command"));
    assert!(of("telling `Support`").2.contains("channel: slack"));
    assert!(of("`Tabletop Exercise`").2.contains("every: quarter"));
    assert_eq!(foreign("kind: ConfigMap\ndata: { a: b }\n"), None);
    let checked = check_text(Path::new("c.yaml"), CONFIGMAP.as_bytes()).expect("YAML");
    let Checked::Accepted(diagnostics) = checked else { panic!("a ConfigMap") };
    assert!(!diagnostics.failed() && diagnostics.problems.len() == found.len());
}

/// Words that mean something somewhere, to be put anywhere.
const WORDS: [&str; 24] = [
    "",
    "null",
    "-1",
    "1e308",
    "${",
    "${x}",
    "}",
    "\\\"",
    "a: b",
    "# x",
    "- y",
    "ALL",
    "COUNT(0)",
    "PERCENT(900)",
    "PT99999H",
    "arn:aws:",
    "tag:",
    "aws:fis:wait",
    "http",
    "python",
    "true",
    "[]",
    "{}",
    "🦀\u{202e}",
];

/// A shape with a part of it replaced, taken out or doubled.
fn mutated() -> impl Strategy<Value = String> {
    let change = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..5u8, 0..WORDS.len());
    (0..ALL.len(), prop::collection::vec(change, 1..6)).prop_map(|(shape, changes)| {
        let mut text = ALL.get(shape).map(|(_, text, _)| (*text).to_owned()).unwrap_or_default();
        for (from, length, how, word) in changes {
            let chars: Vec<char> = text.chars().collect();
            if chars.is_empty() {
                break;
            }
            let start = from.index(chars.len());
            let word = WORDS.get(word).copied().unwrap_or_default();
            // Within a line mostly: so that what comes out is still a document.
            let end = (start + 1 + length.index(if how == 0 { 200 } else { 12 })).min(chars.len());
            let (head, part, tail) = (&chars[..start], &chars[start..end], &chars[end..]);
            let middle: String = match how {
                0 | 1 => String::new(),
                2 => word.to_owned(),
                3 => part.iter().chain(part).collect(),
                _ => format!("{}{word}", part.iter().collect::<String>()),
            };
            text = head.iter().collect::<String>() + &middle + &tail.iter().collect::<String>();
        }
        text
    })
}

fn holds(text: &str) -> Result<(), TestCaseError> {
    let _ = foreign(text);
    for format in [None, Some(Format::Fis)] {
        let Ok(imported) = import(Path::new("x"), text.as_bytes(), format) else { continue };
        for file in &imported.files {
            prop_assert_eq!(wrong(file), [], "{}", file.text);
            prop_assert!(!file.name.contains('/') && file.name.ends_with(".yaml"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_input_panics_and_what_is_written_is_always_right(text in mutated()) {
        holds(&text)?;
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,80}|(method|targets|actions|recovery_procedures|services|slos)?(: |:\n  - |\n){0,3}.{0,60}") {
        holds(&text)?;
    }
}
