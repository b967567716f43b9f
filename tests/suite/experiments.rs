//! The bundled experiments: right as they stand, and ready to be planned with the lab's values.

use std::path::{Path, PathBuf};
use std::time::Duration;

use firedrill::cli::check::{CheckArgs, Format, check};
use firedrill::spec::{self, Given, Loaded};

/// The values that the lab gives, as the experiments name them.
const LAB_VALUES: &[(&str, &str)] = &[
    ("storefront_url", "http://shop.lab.test:8080"),
    ("storefront_app", "storefront"),
    ("db_instance", "orders-db"),
    ("db_replica", "orders-db-replica"),
    ("orders_dsn", "postgres://firedrill:hunter22@db.lab.test:5432/orders"),
    ("orders_endpoint_dsn", "postgres://firedrill:hunter22@orders-db.abc.eu-west-1.rds.lab.test:5432/orders"),
    ("zone_id", "Z0LAB"),
    ("writer_record", "db.lab.test"),
    ("replica_endpoint", "orders-db-replica.abc.eu-west-1.rds.lab.test"),
    ("www_url", "http://www.lab.test:8080"),
    ("www_record", "www.lab.test"),
    ("www_app", "www"),
    ("standby_address", "127.1.2.3"),
    ("ecs_cluster", "shop"),
    ("ecs_service", "checkout"),
    ("checkout_url", "http://checkout.lab.test:8080"),
    ("steady", "4s"),
    ("confirm", "4s"),
    ("observe", "16s"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments")
}

fn load(name: &str) -> Loaded {
    let values = LAB_VALUES.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let given = Given { values, complete: true, ..Given::default() };
    spec::load(&folder().join(name).with_extension("yaml"), &given).expect("an experiment")
}

#[test]
fn the_five_drills_are_there_and_named_after_their_files() {
    let files = spec::find_experiments(&[folder()]).expect("experiments");
    let names: Vec<String> =
        files.iter().map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(
        names,
        ["flip-route53", "promote-replica", "reboot-rds-failover", "stop-ecs-task", "terminate-instance"]
    );
    for name in names {
        assert_eq!(load(&name).experiment.name.value, name);
    }
}

#[test]
fn check_finds_nothing_and_needs_no_values() {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = CheckArgs { paths: vec![folder()], format: Format::Text, ..CheckArgs::default() };
    let code = check(&args, false, &mut out, &mut err).expect("written");
    assert_eq!((code, String::from_utf8_lossy(&out).as_ref()), (0, ""));
    assert_eq!(String::from_utf8_lossy(&err), "6 files checked: no errors\n");
}

#[test]
fn each_drill_is_complete_with_the_values_of_the_lab() {
    for file in spec::find_experiments(&[folder()]).expect("experiments") {
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let Loaded { experiment, warnings, values, redactor, .. } = load(&stem);
        assert_eq!(warnings, [], "{stem}");
        assert!(experiment.title.is_some() && experiment.hypothesis.is_some() && experiment.owner.is_some());
        assert!(!experiment.controls.is_empty(), "{stem}");
        assert_eq!(experiment.steady_state.r#for, Duration::from_secs(4), "{stem}");
        assert_eq!(experiment.recovery.confirm, Duration::from_secs(4), "{stem}");
        assert!(experiment.fault_step().is_some_and(|step| step.does.injects()), "{stem}");
        assert!(!format!("{values:?}").contains("hunter22"), "{stem}");
        for watch in &experiment.probes {
            let summary = redactor.clean(&watch.probe.summary());
            assert!(!summary.contains("hunter22") && !summary.contains("${"), "{stem}: {summary}");
        }
    }
}

#[test]
fn the_promotion_does_not_wait_for_the_lost_primary() {
    let experiment = load("promote-replica").experiment;
    let order: Vec<(&str, Vec<String>)> =
        experiment.steps.iter().map(|step| (step.name.as_str(), step.after.clone())).collect();
    assert_eq!(
        order,
        [
            ("lose the primary", vec![]),
            ("decide to fail over", vec![]),
            ("promote the replica", vec!["decide to fail over".to_owned()]),
            ("move the writer's name", vec!["promote the replica".to_owned()]),
        ]
    );
}

#[test]
fn without_a_value_the_variable_is_named() {
    let given = Given { complete: true, ..Given::default() };
    let error = spec::load(&folder().join("flip-route53.yaml"), &given).expect_err("values are missing");
    let drawn = error.render(false);
    for name in ["www_url", "www_app", "zone_id", "www_record", "standby_address"] {
        assert!(drawn.contains(&format!("the variable `{name}` has no value")), "{drawn}");
    }
    assert!(drawn.contains("--var standby_address=VALUE"), "{drawn}");
}
