use std::path::PathBuf;

use proptest::prelude::*;

use super::experiment::Undo;
use super::*;
use crate::probe::Variant;
use crate::run::event;

const TEXT: &str = r#"
kind: Experiment
name: everything
controls: [A, B]
variables:
  url: { about: base URL }
  pause: { default: 2s }
  password: { secret: true }
objectives: { rto: 2m, rpo: { writes: 3 }, availability: 99.9%, latency: { p99.9: 800ms } }
targets:
  web:
    ec2.instance: { tags: { app: web }, pick: { count: 1 } }
probes:
  shop:
    http: { url: "${url}/health" }
    every: 50ms
    must_stay_up: true
  orders:
    postgres.ledger: { dsn: "postgres://u:${password}@db/orders" }
stop_when:
  - elapsed: 15m
  - { probe: shop, down_for: 5m }
steps:
  - name: first
    run: { program: [sh, -c, "exit 0"], env: { PGPASSWORD: "${password}" }, undo: [echo, undone], timeout: 5s }
  - name: pause
    wait: "${pause}"
    on_failure: continue
  - name: stop
    action:
      ec2.stop_instances: { target: web }
    after: [first]
    timeout: 1m
    undo: [echo, started]
    verify:
      - tcp: { address: "db:5432" }
        within: 5s
measure_from: stop
recovery: { confirm: 20s, observe: 2m }
"#;

fn write(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.yaml");
    std::fs::write(&path, text).expect("written");
    (folder, path)
}

fn given(values: &[(&str, &str)]) -> Given {
    let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Given { values, complete: true, ..Given::default() }
}

#[test]
fn every_part_of_an_experiment_is_read() {
    let (_folder, path) = write(TEXT);
    let loaded =
        load(&path, &given(&[("url", "http://h"), ("password", "hunter22")])).expect("an experiment");
    assert_eq!(loaded.warnings, []);
    let experiment = &loaded.experiment;
    assert_eq!(experiment.fault_step().map(|step| step.name.value.as_str()), Some("stop"));
    let objectives = experiment.objectives.facts();
    assert_eq!(objectives.rto, Some(120.0));
    assert_eq!((objectives.rpo_seconds, objectives.rpo_writes), (None, Some(3)));
    assert_eq!(objectives.availability.map(|ratio| (ratio * 1e6).round()), Some(999_000.0));
    assert_eq!(objectives.latency, [event::LatencyObjective { percentile: 99.9, limit: 0.8 }]);
    assert_eq!(experiment.recovery_facts(), event::Recovery { confirm: 20.0, within: 600.0, observe: 120.0 });
    assert_eq!(experiment.steady_state.facts(), event::SteadyState { watch: 10.0, availability: 1.0 });
    let rails: Vec<String> = experiment.stop_when.iter().map(ToString::to_string).collect();
    assert_eq!(rails, ["elapsed: 15m", "probe: shop, down_for: 5m"]);
    let shop = experiment.probes[0].facts(&Variant::alone(experiment.probes[0].probe.clone()));
    assert_eq!(
        (shop.name.as_str(), shop.kind.as_str(), shop.every, shop.ledger),
        ("shop", "http", 0.05, false)
    );
    assert!(shop.must_stay_up && experiment.probes[1].probe.is_ledger());

    let [first, pause, stop] = &experiment.steps[..] else { panic!("three steps") };
    let Does::Run(program) = &first.does else { panic!("a program") };
    assert_eq!(
        (program.argv.join(" ").as_str(), program.env["PGPASSWORD"].as_str()),
        ("sh -c exit 0", "hunter22")
    );
    assert_eq!(undoing(&first.undo).as_deref(), Some("echo undone"));
    assert_eq!(first.timeout, Some(std::time::Duration::from_secs(5)));
    assert_eq!(pause.does, Does::Wait(std::time::Duration::from_secs(2)));
    assert_eq!((pause.on_failure, &pause.after[..]), (OnFailure::Continue, &["first".to_owned()][..]));
    assert_eq!((stop.does.kind(), &stop.after[..]), ("ec2.stop_instances", &["first".to_owned()][..]));
    assert_eq!((stop.verify.len(), stop.verify[0].within.as_secs()), (1, 5));
}

#[test]
fn secrets_stay_inside() {
    let (_folder, path) = write(TEXT);
    let loaded =
        load(&path, &given(&[("url", "http://h"), ("password", "hunter22")])).expect("an experiment");
    assert_eq!(loaded.values["password"], "***");
    assert_eq!(loaded.redactor.clean("FATAL: hunter22"), "FATAL: ***");
    assert!(!format!("{:?} {:?}", loaded.values, loaded.facts()).contains("hunter22"));
    let with_secret = Given {
        secrets: vec!["also-secret".to_owned()],
        ..given(&[("url", "http://also-secret"), ("password", "hunter22")])
    };
    let loaded = load(&path, &with_secret).expect("an experiment");
    assert_eq!(loaded.values["url"], "http://***");
}

#[test]
fn a_wrong_value_is_shown_with_what_it_stands_for_but_a_secret_is_not() {
    let text = TEXT
        .replace("every: 50ms", "every: \"${pause}0\"")
        .replace("confirm: 20s", "confirm: \"${password}\"");
    let (_folder, path) = write(&text);
    let error = load(&path, &given(&[("url", "http://h"), ("password", "hunter22")])).expect_err("wrong");
    let drawn = error.to_string();
    assert!(drawn.contains("found `${pause}0`, which is `2s0`"), "{drawn}");
    assert!(drawn.contains("found `${password}`, which is `***`"), "{drawn}");
    assert!(!drawn.contains("hunter22"), "{drawn}");
}

#[test]
fn what_depends_on_missing_values_is_checked_as_far_as_it_goes() {
    let text = TEXT.replace("pause: { default: 2s }", "pause: {}").replace("target: web", "target: wbe");
    let (_folder, path) = write(&text);
    let Ok(Checked::Experiment(diagnostics)) = check(&path) else { panic!("an experiment") };
    let messages: Vec<&str> = diagnostics.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages, ["no target is called `wbe`"]);
}

#[test]
fn a_default_within_follows_a_long_rto() {
    let text = TEXT
        .replace("rto: 2m", "rto: 1h")
        .replace("elapsed: 15m", "elapsed: 3h")
        .replace("down_for: 5m", "down_for: 2h");
    let (_folder, path) = write(&text);
    let loaded =
        load(&path, &given(&[("url", "http://h"), ("password", "hunter22")])).expect("an experiment");
    assert_eq!(loaded.experiment.within().as_secs(), 7200);
}

#[test]
fn a_checksum_is_that_of_the_file() {
    let (_folder, path) = write(
        "\u{feff}kind: Experiment\nname: x\nobjectives: { rto: 1m }\nprobes: { w: { http: { url: http://h/ } } }\nsteps: [{ name: s, run: [\"true\"] }]\n",
    );
    let loaded = load(&path, &Given::default()).expect("an experiment");
    let bytes = std::fs::read(&path).expect("read");
    assert_eq!(loaded.source.text.as_bytes(), bytes);
    assert_eq!(loaded.source.sha256().len(), 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A file that somebody is in the middle of writing never breaks the reader or the drawing.
    #[test]
    fn a_half_written_file_never_panics(from in 0usize..TEXT.len(), length in 0usize..40, junk in "[a-z${}:\\[\\]\n \"-]{0,6}") {
        let to = (from + length).min(TEXT.len());
        let text = format!("{}{junk}{}", &TEXT[..from], &TEXT[to..]);
        let (_folder, path) = write(&text);
        if let Ok(Checked::Experiment(diagnostics)) | Err(diagnostics) = check(&path) {
            prop_assert_eq!(diagnostics.render(false).is_empty(), diagnostics.problems.is_empty());
        }
        let _ = load(&path, &given(&[("url", "http://h"), ("password", "hunter22")]));
    }
}

fn undoing(undo: &Undo) -> Option<String> {
    match undo {
        Undo::Program(program) => Some(program.argv.join(" ")),
        Undo::Own | Undo::Nothing => None,
    }
}
