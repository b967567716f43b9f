use super::*;
use crate::spec::fixture::folder;

const GOOD: &str = "kind: Experiment\nname: x\nobjectives: { rto: 1m }\nprobes: { web: { http: { url: http://h/ } } }\nsteps: [{ name: s, run: [\"true\"], undo: none }]\n";

fn run(paths: Vec<PathBuf>, format: Format) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = check(&CheckArgs { paths, format, ..CheckArgs::default() }, false, &mut out, &mut err)
        .expect("written");
    (code, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
}

fn with(args: &CheckArgs) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code = check(args, false, &mut out, &mut err).expect("written");
    (code, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
}

#[test]
fn a_folder_is_checked_file_by_file() {
    let here = folder(&[
        ("a.yaml", GOOD),
        ("b/c.yml", "kind: Experiment\nname: Bad Name\n"),
        ("b/d.yaml", "services: {}\n"),
        ("e.yaml", "kind: GameDay\nname: r\nparticipants: [{ name: Anna, role: scribe }]\n"),
        ("f.yaml", "kind: Runbook\nname: r\nsteps: [{ name: s, manual: Look }]\n"),
        (".hidden/f.yaml", "kind: Experiment\n"),
        ("firedrill.yaml", "environments: { staging: { region: eu-west-1 } }\n"),
        ("g.txt", "kind: Experiment\n"),
    ]);
    let (code, out, err) = run(vec![here.path().to_owned()], Format::Text);
    assert_eq!(code, 2);
    assert!(out.contains("c.yml") && out.contains("missing key `steps`"), "{out}");
    assert!(err.contains("d.yaml: skipped, since it has no `kind:`"), "{err}");
    assert!(out.contains("e.yaml") && out.contains("missing key `drills`"), "{out}");
    assert!(err.ends_with("5 files checked: 2 files with errors\n"), "{err}");
}

#[test]
fn a_good_folder_passes_silently_on_stdout() {
    let here = folder(&[("a.yaml", GOOD), ("e.yaml", "services: {}\n")]);
    let (code, out, err) = run(vec![here.path().to_owned()], Format::Text);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(err.ends_with("1 file checked: no errors\n"), "{err}");
    assert_eq!(
        run(vec![here.path().to_owned()], Format::Json),
        (0, "[]\n".to_owned(), err.lines().next().map(|note| format!("{note}\n")).expect("a note"))
    );
}

#[test]
fn a_file_that_was_named_must_be_an_experiment() {
    let here = folder(&[("d.yaml", "services: {}\n")]);
    let (code, out, _) = run(vec![here.path().join("d.yaml")], Format::Text);
    assert_eq!(code, 2);
    assert!(out.contains("missing key `kind`"), "{out}");
    let (code, out, _) = run(vec![here.path().join("none.yaml")], Format::Text);
    assert_eq!(code, 2);
    assert!(out.contains("the file cannot be read: No such file or directory"), "{out}");
}

#[test]
fn machines_get_lines_and_columns() {
    let here = folder(&[("c.yaml", "kind: Experiment\nname: x\nsteps:\n  - wait: 5\n")]);
    let (code, out, _) = run(vec![here.path().to_owned()], Format::Json);
    assert_eq!(code, 2);
    let all: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let wait = all.as_array().expect("an array").iter().find(|p| p["column"] == 11).expect("the duration");
    assert_eq!((&wait["line"], &wait["severity"]), (&serde_json::json!(4), &serde_json::json!("error")));
    assert_eq!(wait["help"], "give it a unit: 5s, 5ms or 5m");
    let (_, out, _) = run(vec![here.path().to_owned()], Format::Github);
    assert!(out.lines().all(|line| line.starts_with("::")), "{out}");
}

const WARNS: &str = "kind: Experiment\nname: x\nprobes: { web: { http: { url: http://h/ } } }\nsteps: [{ name: s, run: [\"true\"], undo: none }]\n";

#[test]
fn warnings_fail_a_check_only_when_they_are_denied() {
    let here = folder(&[("a.yaml", GOOD), ("b.yaml", WARNS)]);
    let paths = vec![here.path().to_owned()];
    let (code, out, err) = run(paths.clone(), Format::Text);
    assert_eq!(code, 0);
    assert!(out.contains("warning[FD0405]: the drill has no objective"), "{out}");
    assert!(err.ends_with("2 files checked: no errors\n"), "{err}");
    let denied = CheckArgs { paths: paths.clone(), deny: Some(Deny::Warnings), ..CheckArgs::default() };
    let (code, denying, err) = with(&denied);
    assert_eq!((code, denying), (2, out));
    assert!(err.ends_with("2 files checked: no errors\n1 warning: denied by --deny warnings\n"), "{err}");
    let (_, out, _) = with(&CheckArgs { format: Format::Junit, ..denied });
    assert!(out.contains("failures=\"1\"") && out.contains("1 warning, and warnings are denied"), "{out}");
    let (_, out, _) = run(paths, Format::Junit);
    assert!(out.contains("failures=\"0\"") && out.contains("<system-out>"), "{out}");
}

#[test]
fn junit_has_a_case_for_each_file() {
    let here = folder(&[("a.yaml", GOOD), ("b.yaml", "kind: Experiment\nname: x\nhypotesis: y\n")]);
    let (code, out, _) = run(vec![here.path().to_owned()], Format::Junit);
    assert_eq!(code, 2);
    assert!(out.contains("tests=\"2\"") && out.contains("failures=\"1\""), "{out}");
    assert!(out.contains("type=\"FD0101 FD0102 FD0306\""), "{out}");
    assert!(out.contains("error[FD0101]: unknown key `hypotesis`"), "{out}");
}

/// What is mended, what is left, and every byte of it.
#[test]
fn fix_mends_what_is_certain_and_nothing_else() {
    let wrong = "# The header stays.\r\nkind: Experiment\nname: x\nhypotesis: y  # and so does this\nownr: z\nobjectives: { rto: 90 }\n\
                 variables: { base: { default: http://h/ } }\nprobes: { web: { http: { url: ${base} , redirects: no } } }\n\
                 alarms:\n  - a\n  - a\nsteps: [{ name: s, run: \"true\", rollback: [\"true\"] }]";
    let here = folder(&[("a.yaml", wrong), ("good.yaml", GOOD)]);
    let args = CheckArgs { paths: vec![here.path().to_owned()], fix: true, ..CheckArgs::default() };
    let (code, out, err) = with(&args);
    assert_eq!(code, 2);
    let text = std::fs::read_to_string(here.path().join("a.yaml")).expect("read");
    insta::assert_snapshot!(text.replace('\r', "<CR>"), @r#"
    # The header stays.<CR>
    kind: Experiment
    name: x
    hypothesis: y  # and so does this
    owner: z
    objectives: { rto: 90 }
    variables: { base: { default: http://h/ } }
    probes: { web: { http: { url: "${base}" , redirects: false } } }
    alarms:
      - a
    steps: [{ name: s, run: ["true"], undo: ["true"] }]
    "#);
    let err = err.replace(&format!("{}/", here.path().display()), "");
    insta::assert_snapshot!(err, @r#"
    fixed a.yaml:4: `hypotesis` becomes `hypothesis`
    fixed a.yaml:5: `ownr` becomes `owner`
    fixed a.yaml:8: `${base}` becomes `"${base}"`
    fixed a.yaml:8: `no` becomes `false`
    fixed a.yaml:11: `a` is named once
    fixed a.yaml:12: `true` becomes `["true"]`
    fixed a.yaml:12: `rollback` becomes `undo`
    2 files checked: 1 file with errors
    "#);
    assert!(out.contains("error[FD0108]") && out.contains("1 error in"), "{out}");
    assert_eq!(std::fs::read_to_string(here.path().join("good.yaml")).expect("read"), GOOD);
    let (_, again, err) = with(&args);
    assert_eq!(again, out);
    assert!(!err.contains("fixed"), "{err}");
}

#[test]
fn what_cannot_be_written_is_said_and_checked_all_the_same() {
    use std::os::unix::fs::PermissionsExt as _;
    let here = folder(&[("a.yaml", "kind: Experiment\nname: x\nhypotesis: y\n")]);
    let file = here.path().join("a.yaml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).expect("set");
    let (code, out, err) =
        with(&CheckArgs { paths: vec![here.path().to_owned()], fix: true, ..CheckArgs::default() });
    assert_eq!(code, 2);
    assert!(err.contains("a.yaml is not changed: it is read-only") && !err.contains("fixed"), "{err}");
    assert!(
        out.contains("unknown key `hypotesis`") && out.contains("(fix with --fix)")
            || out.contains("fix with --fix"),
        "{out}"
    );
}

#[test]
fn sarif_names_rules_places_and_fixes() {
    let here = folder(&[("c.yaml", "kind: Experiment\nname: x\nhypotesis: y\nsteps: []\n")]);
    let (code, out, _) = run(vec![here.path().to_owned()], Format::Sarif);
    assert_eq!(code, 2);
    let log: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    for result in run["results"].as_array().expect("results") {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let results = run["results"].as_array().expect("results");
    let unknown = results.iter().find(|result| result["ruleId"] == "FD0101").expect("the unknown key");
    assert_eq!(unknown["level"], "error");
    let region = &unknown["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&region["startLine"], &region["endColumn"]), (&3.into(), &10.into()));
    let change = &unknown["fixes"][0]["artifactChanges"][0]["replacements"][0];
    assert_eq!(change["insertedContent"]["text"], "hypothesis");
    assert_eq!(change["deletedRegion"], *region);
}

#[test]
fn many_files_are_checked_at_once_and_told_in_their_order() {
    let texts: Vec<(String, String)> = (0..100)
        .map(|at| {
            let name = format!("{at:03}.yaml");
            match at % 3 {
                0 => (name, GOOD.to_owned()),
                1 => (name, GOOD.replace("rto: 1m", "rto: 1")),
                _ => (name, "services: {}\n".to_owned()),
            }
        })
        .collect();
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let here = folder(&files);
    let (code, out, err) = run(vec![here.path().to_owned()], Format::Text);
    assert_eq!(code, 2);
    let one_by_one: String = texts
        .iter()
        .filter(|(_, text)| text.starts_with("kind"))
        .map(|(name, _)| run(vec![here.path().join(name)], Format::Text).1)
        .collect();
    assert_eq!(out, one_by_one);
    assert!(out.contains("097.yaml:3:20"), "{out}");
    let skipped: Vec<&str> = err.lines().filter_map(|line| line.split('/').next_back()).take(33).collect();
    assert!(
        skipped.is_sorted() && skipped.first().is_some_and(|first| first.starts_with("002.yaml:")),
        "{err}"
    );
    assert!(err.ends_with("67 files checked: 33 files with errors\n"), "{err}");
}

#[test]
fn a_drill_whose_kind_is_misspelt_is_not_passed_over() {
    let here = folder(&[("a.yaml", &GOOD.replace("kind:", "knid:")), ("b.yaml", "steps: []\npool: x\n")]);
    let (code, out, err) = run(vec![here.path().to_owned()], Format::Text);
    assert_eq!(code, 2, "{out}");
    assert!(out.contains("FD0120") && err.contains("b.yaml: skipped"), "{out}{err}");
}
