//! Other tools' files, imported by the program and run on the lab.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{firedrill, root};
use crate::support_lab::Outside;

/// Imports a file into a folder; gives what was written and what was said.
fn import(file: &Path, into: &Path) -> (Vec<PathBuf>, String) {
    let output = firedrill()
        .arg("import")
        .arg(file)
        .arg("-o")
        .arg(format!("{}/", into.display()))
        .output()
        .expect("started");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr).into_owned());
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    let files = out.lines().filter_map(|line| line.strip_prefix("wrote ")).map(PathBuf::from).collect();
    (files, err)
}

/// Runs an imported experiment on a lab of its own; gives the exit code, the report and what was said.
async fn drill(text: &str, name: &str, variables: &[(&str, &str)]) -> (Option<i32>, Value, String) {
    let outside = Outside::start(7, "");
    let (before, folder) = (outside.standing().await, outside.folder.path());
    std::fs::write(folder.join(name), text).expect("written");
    let (files, _) = import(&folder.join(name), &folder.join("imported"));
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let mut command = outside.firedrill("run");
    command.arg(file).args(["--yes", "--output", "json", "--seed", "7"]);
    for (name, value) in variables {
        let value = outside.lab.values().get(*value).cloned().unwrap_or_else(|| (*value).to_owned());
        command.args(["--var", &format!("{name}={value}")]);
    }
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("started");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    assert_eq!(
        outside.differs(&before, &["record"], std::time::Duration::from_secs(30)).await,
        None,
        "{said}"
    );
    (output.status.code(), report, said)
}

fn steps(report: &Value) -> Vec<(String, String)> {
    let text = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
    let steps = report["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().map(|step| (text(step, "name"), text(step, "outcome"))).collect()
}

/// The instances are stopped by tag, held, and started again by firedrill's undo.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_of_fis_stops_instances_by_tag_on_the_lab() {
    let template = r#"{
        "experimentTemplate": {
            "id": "EXT1a2b3c4d5e6f7",
            "description": "Stop one of the storefront's instances",
            "targets": {"web": {
                "resourceType": "aws:ec2:instance",
                "resourceTags": {"app": "www", "site": "a"},
                "filters": [{"path": "State.Name", "values": ["running"]}],
                "selectionMode": "COUNT(1)"
            }},
            "actions": {"stop": {
                "actionId": "aws:ec2:stop-instances",
                "parameters": {"startInstancesAfterDuration": "PT3S"},
                "targets": {"Instances": "web"}
            }},
            "stopConditions": [{"source": "none"}],
            "roleArn": "arn:aws:iam::111122223333:role/fis"
        }
    }"#;
    let (code, report, said) = drill(template, "template.json", &[("service_url", "www_url")]).await;
    let done = |name: &str| (name.to_owned(), "done".to_owned());
    assert_eq!(steps(&report), [done("stop"), done("hold stop")], "{said}");
    assert_eq!(report["undo"]["complete"], true, "{said}");
    assert!(matches!(code, Some(0 | 1 | 3)), "{code:?}: {said}");
}

/// A hypothesis over HTTP watches while a task is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chaos_toolkit_experiment_is_run_and_judged_on_the_lab() {
    let experiment = r#"
title: Checkout survives the loss of a task
configuration:
  checkout: { type: env, key: NOT_READ, default: http://checkout.example.com }
steady-state-hypothesis:
  title: Checkout answers
  probes:
    - type: probe
      name: checkout
      tolerance: [200, 204]
      provider: { type: http, url: "${checkout}/health", timeout: 2 }
method:
  - type: action
    name: say so
    provider: { type: process, path: echo, arguments: "the drill begins" }
  - type: action
    name: lose a task
    pauses: { after: 1 }
    provider:
      type: python
      module: chaosaws.ecs.actions
      func: stop_random_tasks
      arguments: { cluster: "${cluster}", service: "${service}", task_count: 1 }
rollbacks: []
"#;
    let variables = [("checkout", "checkout_url"), ("cluster", "ecs_cluster"), ("service", "ecs_service")];
    let (code, report, said) = drill(experiment, "experiment.yaml", &variables).await;
    let names: Vec<String> =
        steps(&report).into_iter().map(|(name, outcome)| format!("{name}: {outcome}")).collect();
    assert_eq!(names, ["say so: done", "lose a task: done", "pause after lose a task: done"], "{said}");
    assert_eq!(report["fault"]["step"], "lose a task", "{report}");
    assert_eq!(report["probes"][0]["name"], "checkout", "{report}");
    assert!(matches!(code, Some(0 | 1 | 3)), "{code:?}: {said}");
}

#[test]
fn every_shape_is_imported_and_what_is_written_passes_check() {
    let shapes = root().join("tests/imports");
    for entry in std::fs::read_dir(&shapes).expect("shapes").flatten() {
        let folder = tempfile::tempdir().expect("a folder");
        let (files, said) = import(&entry.path(), folder.path());
        assert!(said.contains("not carried over: line ") && said.contains("note: imported as "), "{said}");
        let check = firedrill().arg("check").args(&files).output().expect("started");
        let told = String::from_utf8_lossy(&check.stdout).into_owned();
        assert_eq!(check.status.code(), Some(0), "{}: {told}", entry.path().display());
        assert!(!told.contains("error"), "{told}");
        // A second time: nothing is overwritten.
        let again = firedrill()
            .arg("import")
            .arg(entry.path())
            .arg("-o")
            .arg(folder.path())
            .output()
            .expect("started");
        assert_eq!(again.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&again.stderr).contains("is there already; nothing was written"));
    }
}

#[test]
fn a_configmap_is_checked_as_it_stands_and_is_no_experiment() {
    let file = root().join("tests/imports/configmap.yaml");
    let check = firedrill().arg("check").arg(&file).output().expect("started");
    let told = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(0), "{told}");
    assert!(
        told.contains("warning") && told.contains("FD0316") && told.contains("dns") || told.contains("http"),
        "{told}"
    );
    let strict = firedrill().arg("check").arg(&file).args(["--deny", "warnings"]).output().expect("started");
    assert_eq!(strict.status.code(), Some(2));
    let run = firedrill()
        .arg("run")
        .arg(file.parent().expect("a folder"))
        .args(["--env", "lab"])
        .output()
        .expect("started");
    assert_eq!(run.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&run.stderr).contains("no experiment is in this folder"));
}

/// The exit code, what was found and what was noted.
fn check(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = firedrill().arg("check").args(arguments).current_dir(folder).output().expect("started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn slos_are_checked_as_they_stand_and_told_by_their_lines() {
    let file = root().join("tests/imports/slos.yaml");
    let text = std::fs::read_to_string(&file).expect("SLOs");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(&file, folder.path().join("slos.yaml")).expect("copied");
    // The same without a ConfigMap around, and behind another document of Kubernetes.
    let inner = text.split("slos.yaml: |\n").nth(1).expect("the SLOs").replace("\n    ", "\n");
    std::fs::write(folder.path().join("bare.yaml"), inner.trim_start()).expect("written");
    let service = "apiVersion: v1\nkind: Service\nmetadata: { name: a }\n---\n";
    std::fs::write(folder.path().join("stream.yaml"), format!("{service}{text}")).expect("written");
    for (name, shift) in [("slos.yaml", 0), ("bare.yaml", -5), ("stream.yaml", 4)] {
        let (code, out, err) = check(folder.path(), &[name, "--format", "github"]);
        assert_eq!(code, Some(0), "{out}{err}");
        let line =
            text.lines().position(|line| line.contains("target: 99.9")).expect("a target") as i64 + 1 + shift;
        let told = format!("::warning file={name},line={line},");
        let found =
            out.lines().find(|found| found.starts_with(&told)).unwrap_or_else(|| panic!("{told}: {out}"));
        assert!(found.contains("FD0329") && found.contains("10%25 of it is assumed"), "{found}");
        let (code, _, _) = check(folder.path(), &[name, "--deny", "warnings"]);
        assert_eq!(code, Some(2), "{name}");
    }
    let (code, out, err) = check(folder.path(), &["."]);
    assert!(code == Some(0) && err.contains("3 files checked: no errors"), "{out}{err}");
}

#[test]
fn another_tools_file_is_named_in_a_folder_and_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let imports = root().join("tests/imports");
    for name in ["chaostoolkit.yaml", "cloudformation.yaml", "fis.json"] {
        std::fs::copy(imports.join(name), folder.path().join(name)).expect("copied");
    }
    std::fs::write(folder.path().join("fis.yaml"), std::fs::read(imports.join("fis.json")).expect("read"))
        .expect("written");
    std::fs::write(folder.path().join("deployment.yaml"), "apiVersion: apps/v1\nkind: Deployment\n")
        .expect("written");
    std::fs::write(folder.path().join("values.yaml"), "replicas: 3\n").expect("written");
    let (code, out, err) = check(folder.path(), &["."]);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    for wanted in [
        "note: chaostoolkit.yaml: skipped, a Chaos Toolkit experiment: `firedrill import chaostoolkit.yaml` makes one of ours",
        "note: cloudformation.yaml: skipped, an AWS FIS experiment template: `firedrill import cloudformation.yaml`",
        "note: fis.yaml: skipped, an AWS FIS experiment template: ",
        "note: deployment.yaml: skipped, a Deployment of Kubernetes",
        "note: values.yaml: skipped, since it has no `kind:`",
    ] {
        assert!(err.contains(wanted), "{wanted}: {err}");
    }
    for name in ["chaostoolkit.yaml", "cloudformation.yaml", "fis.json"] {
        let (code, out, _) = check(folder.path(), &[name]);
        assert_eq!(code, Some(2), "{out}");
        assert!(
            out.contains("none of firedrill's files") && out.contains(&format!("`firedrill import {name}`")),
            "{out}"
        );
        // As `.json` it would be a plan.
        let run = firedrill()
            .args(["run", "--env", "lab"])
            .arg(folder.path().join(name.replace(".json", ".yaml")))
            .output()
            .expect("started");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert!(run.status.code() == Some(2) && said.contains("none of firedrill's files"), "{said}");
    }
    let (_, out, _) = check(folder.path(), &["deployment.yaml"]);
    assert!(out.contains("unknown kind `Deployment`"), "{out}");
}

#[test]
fn what_cannot_be_read_is_an_error_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str], file: &Path| {
        let output = firedrill()
            .arg("import")
            .arg(file)
            .args(arguments)
            .current_dir(&folder)
            .output()
            .expect("started");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let fis = root().join("tests/imports/fis.json");
    let (code, said) = run(&["--format", "chaostoolkit", "-o", "x.yaml"], &fis);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("this is no Chaos Toolkit experiment, but an AWS FIS experiment template"),
        "{said}"
    );
    let (code, said) = run(&[], &folder.path().join("none.yaml"));
    assert_eq!(code, Some(2));
    assert!(said.contains("the file cannot be read"), "{said}");
    let (code, said) = run(&["-o", "one.yaml"], &root().join("tests/imports/configmap.yaml"));
    assert_eq!(code, Some(2));
    assert!(said.contains("this makes 2 files: give a folder, such as -o one.yaml/"), "{said}");
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0);
}
