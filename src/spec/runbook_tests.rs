//! How a runbook's steps take their place in a file, and with which values.

use std::path::{Path, PathBuf};

use crate::spec::experiment::Does;
use crate::spec::fixture::folder;
use crate::spec::{Given, Loaded, load};

const HEAD: &str = "kind: Experiment\nname: x\nobjectives: { rto: 2m }\nprobes: { web: { tcp: { address: \"shop:80\", \
                    connect_timeout: 500ms } } }\n";

fn given(values: &[(&str, &str)]) -> Given {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Given { values, complete: true, ..Given::default() }
}

fn read(folder: &Path, values: &[(&str, &str)]) -> Loaded {
    load(&folder.join("experiments/x.yaml"), &given(values)).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn refused(folder: &Path, values: &[(&str, &str)]) -> String {
    load(&folder.join("experiments/x.yaml"), &given(values)).expect_err("refused").to_string()
}

const BOOK: &str = r#"
kind: Runbook
name: book
owner: sre
variables: { db: { about: "the instance" }, word: { default: hello }, pw: { secret: true, default: "" } }
targets: { db: { rds.instance: { id: "${db}" } } }
steps:
  - name: start
    action: { rds.reboot_db_instance: { target: db } }
  - name: left
    run: [echo, "${word}", "${pw}"]
    after: [start]
  - name: right
    manual: Look at ${db}
    after: [start]
    owner: dba
  - name: free
    wait: 1s
    after: []
"#;

#[test]
fn its_steps_stand_in_its_place_and_wait_as_they_say() {
    let text = format!(
        "{HEAD}variables: {{ inst: {{ about: it }}, s3cret: {{ secret: true }} }}\nsteps:\n  - {{ name: first, run: [\"true\"] }}\n  \
         - runbook: book\n    with: {{ db: \"${{inst}}-b\", pw: \"${{s3cret}}\" }}\n  - {{ name: then, run: [\"true\"] }}\n  \
         - {{ name: inside, wait: 1s, after: [\"book / right\"] }}\n"
    );
    let folder = folder(&[("experiments/x.yaml", &text), ("runbooks/any-name.yaml", BOOK)]);
    let loaded = read(folder.path(), &[("inst", "orders"), ("s3cret", "hunter22"), ("db", "not-this")]);
    let order: Vec<(String, Vec<String>)> =
        loaded.experiment.steps.iter().map(|step| (step.name.value.clone(), step.after.clone())).collect();
    let step = |name: &str, after: &[&str]| {
        (name.to_owned(), after.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>())
    };
    assert_eq!(
        order,
        [
            step("first", &[]),
            step("book / start", &["first"]),
            step("book / left", &["book / start"]),
            step("book / right", &["book / start"]),
            step("book / free", &["first"]),
            step("then", &["book / left", "book / right", "book / free"]),
            step("inside", &["book / right"]),
        ]
    );
    let owners: Vec<Option<&str>> =
        loaded.experiment.steps.iter().map(|step| step.owner.as_deref()).collect();
    assert_eq!(owners, [None, Some("sre"), Some("sre"), Some("dba"), Some("sre"), None, None]);
}

#[test]
fn it_has_the_values_that_it_is_given_and_its_secrets_stay_inside() {
    let text = format!(
        "{HEAD}variables: {{ inst: {{ about: it }}, s3cret: {{ secret: true }} }}\nsteps:\n  - runbook: ../runbooks/b.yaml\n    \
         name: mine\n    with: {{ db: \"${{inst}}\", pw: \"${{s3cret}}\" }}\n"
    );
    let folder = folder(&[("experiments/x.yaml", &text), ("runbooks/b.yaml", BOOK)]);
    let loaded = read(folder.path(), &[("inst", "a$${b}"), ("s3cret", "hunter22")]);
    let steps = &loaded.experiment.steps;
    assert_eq!(steps[0].name.value, "mine / start");
    let Does::Run(program) = &steps[1].does else { panic!("a program") };
    assert_eq!(program.argv, ["echo", "hello", "hunter22"]);
    // What a value holds is text: it is not looked up a second time.
    assert_eq!(steps[2].does, Does::Manual("Look at a${b}".to_owned()));
    let target = steps[0].targets.as_ref().and_then(|targets| targets.get("db")).expect("its own target");
    assert!(target.describe().contains("a${b}"), "{}", target.describe());
    assert_eq!(loaded.redactor.clean("hunter22"), "***");
    assert_eq!(loaded.values["mine / pw"], "***");
    assert!(!format!("{:?}", loaded.facts()).contains("hunter22"));
    assert_eq!(loaded.facts().runbooks[0].name, "mine");
}

#[test]
fn what_is_missing_is_said_where_the_runbook_is_named() {
    let text = format!("{HEAD}steps:\n  - runbook: book\n");
    let folder = folder(&[("experiments/x.yaml", &text), ("runbooks/b.yaml", BOOK)]);
    let said = refused(folder.path(), &[]);
    assert!(said.contains("the runbook `book` needs a value for `db` (the instance)"), "{said}");
    assert!(said.contains("with: { db: … }"), "{said}");
    // The environment may give it.
    read(folder.path(), &[("db", "orders")]);
    let broken = BOOK.replace("word: { default: hello }", "word: { defaul: hello }");
    std::fs::write(folder.path().join("runbooks/b.yaml"), broken).expect("written");
    let said = refused(folder.path(), &[("db", "orders")]);
    assert!(said.contains("is not right: line 5") && said.contains("firedrill check"), "{said}");
}

#[test]
fn a_runbook_in_a_runbook_keeps_both_names_and_runs_no_further_than_a_hundred() {
    let text = format!("{HEAD}steps:\n  - {{ name: go, run: [\"true\"] }}\n  - runbook: outer\n");
    let outer = "kind: Runbook\nname: outer\nsteps:\n  - runbook: book\n    with: { db: x }\n";
    let folder =
        folder(&[("experiments/x.yaml", &text), ("runbooks/a.yaml", outer), ("runbooks/b.yaml", BOOK)]);
    let loaded = read(folder.path(), &[]);
    let last = loaded.experiment.steps.last().expect("a step");
    assert_eq!((last.name.value.as_str(), &last.after[..]), ("outer / book / free", &["go".to_owned()][..]));
    assert_eq!(last.flow.scope, "outer / book / ");
    let many: String = (0..12).map(|n| format!("  - {{ name: n{n}, runbook: NEXT }}\n")).collect();
    let book = |name: &str, next: &str| {
        format!("kind: Runbook\nname: {name}\nsteps:\n{}", many.replace("NEXT", next))
    };
    let files: Vec<(PathBuf, String)> = vec![
        (folder.path().join("runbooks/a.yaml"), book("outer", "deeper")),
        (folder.path().join("runbooks/c.yaml"), book("deeper", "deepest")),
        (folder.path().join("runbooks/d.yaml"), book("deepest", "book")),
    ];
    for (path, text) in files {
        std::fs::write(path, text).expect("written");
    }
    assert!(refused(folder.path(), &[("db", "x")]).contains("more than 100 runbooks"));
}
