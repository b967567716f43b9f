use proptest::prelude::*;

use super::*;

fn found(argv: &[&str]) -> Vec<String> {
    judge(argv).into_iter().map(|finding| format!("{}: {}", finding.place.word, finding.message)).collect()
}

/// The findings of a script that a shell gets, each with the part of the script that it is about.
fn in_script(script: &str) -> Vec<(String, String)> {
    let about = |finding: Finding| {
        assert_eq!(finding.place.word, 2);
        let part = finding.place.within.and_then(|within| script.get(within)).unwrap_or("?");
        (part.to_owned(), finding.message)
    };
    judge(&["sh", "-c", script]).into_iter().map(about).collect()
}

#[test]
fn a_program_that_is_not_known_is_not_judged() {
    assert_eq!(found(&["./failover.sh", "--frobnicate"]), [""; 0]);
    assert_eq!(found(&[]), [""; 0]);
    assert_eq!(found(&["sudo"]), [""; 0]);
    assert_eq!(found(&["echo", "aws", "rdss"]), [""; 0]);
}

#[test]
fn what_starts_a_program_is_looked_through() {
    let word = |argv: &[&str]| judge(argv).first().map(|finding| finding.place.word);
    assert_eq!(word(&["/usr/local/bin/aws", "rdss"]), Some(1));
    assert_eq!(word(&["env", "AWS_PROFILE=drill", "aws", "rdss"]), Some(3));
    assert_eq!(word(&["timeout", "60", "aws", "rdss"]), Some(3));
    assert_eq!(word(&["sudo", "kubectl", "drian", "n"]), Some(2));
    // What its own options take is not known here.
    assert_eq!(word(&["sudo", "-u", "aws", "aws", "rdss"]), None);
}

#[test]
fn a_script_is_judged_command_by_command() {
    let message = |text: &str| text.to_owned();
    assert_eq!(
        in_script(
            "set -e; aws rds promote-replica --db-instance-identifier x | tee out && kubectl drian \"$NODE\""
        ),
        [
            (message("promote-replica"), message("`aws rds` has no operation `promote-replica`")),
            (message("drian"), message("`kubectl` has no command `drian`")),
        ]
    );
    assert_eq!(
        in_script("if ! A=b aws sts get-caller-identity --'outputt' text; then exit 1; fi"),
        [(message("--'outputt'"), message("`aws sts get-caller-identity` has no option `--outputt`"))]
    );
    assert_eq!(
        in_script("aws rds promote-read-replica --db-instance-identifier \"$(cat id)\" >/dev/null").len(),
        1
    );
    assert_eq!(in_script("(aws rdss x)"), []);
    assert_eq!(found(&["bash", "-o", "pipefail", "-c", "aws rdss"]), [""; 0]);
    assert_eq!(found(&["bash", "-ec", "aws rdss"]).len(), 1);
    assert_eq!(found(&["sh", "script.sh", "aws", "rdss"]), [""; 0]);
}

/// The message, and the lines of YAML, that an action is offered with.
fn offer(line: &str) -> Option<String> {
    let words = split_command(line).expect("a command");
    let words: Vec<&str> = words.iter().map(|(_, word)| word.as_str()).collect();
    let finding = judge(&words).into_iter().find(|finding| finding.offer)?;
    assert!(finding.warning);
    assert_eq!(finding.place.word, 2);
    finding.help
}

#[test]
fn what_an_action_can_do_is_offered_with_its_arguments() {
    assert_eq!(
        offer("aws rds promote-read-replica --db-instance-identifier orders-replica --region eu-west-1")
            .expect("an offer"),
        "write it as an action:\n\
         targets:\n  instance: { rds.instance: { id: orders-replica } }\n\
         steps:\n  - name: promote read replica\n    action: { rds.promote_read_replica: { target: instance } }\n    irreversible: true"
    );
    assert_eq!(
        offer("aws ec2 stop-instances --instance-ids i-1 i-2 --force").expect("an offer"),
        "write it as an action:\n\
         targets:\n  instance: { ec2.instance: { ids: [i-1, i-2] } }\n\
         steps:\n  - name: stop instances\n    action: { ec2.stop_instances: { target: instance, force: true } }"
    );
    let batch = r#"'{"Changes":[{"Action":"UPSERT","ResourceRecordSet":{"Name":"www.example.com","Type":"A","TTL":60,"ResourceRecords":[{"Value":"192.0.2.1"}]}}]}'"#;
    let flip =
        offer(&format!("aws route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch {batch}"));
    let flip = flip.expect("an offer");
    assert!(flip.contains("route53.record: { zone: Z1, name: www.example.com, type: A }"), "{flip}");
    assert!(flip.contains("route53.flip_record: { target: record, values: [192.0.2.1], ttl: 60 }"), "{flip}");
    let scale = offer("aws ecs update-service --cluster '${cluster}' --service checkout --desired-count 0");
    let scale = scale.expect("an offer");
    assert!(scale.contains("{ cluster: \"${cluster}\", service: checkout }"), "{scale}");
    assert!(scale.contains("ecs.update_service: { target: service, desired_count: 0 }"), "{scale}");
}

/// Each offer is one that the action's own reading takes: its name, its target and its keys are those that exist.
#[test]
fn every_offer_can_be_read_as_an_experiment() {
    for line in [
        "aws ec2 terminate-instances --instance-ids i-0abc123def4567890",
        "aws ec2 stop-instances --instance-ids i-0abc123def4567890",
        "aws ec2 start-instances --instance-ids i-0abc123def4567890 i-0abc123def4567891",
        "aws ec2 reboot-instances --instance-ids i-0abc123def4567890",
        "aws rds reboot-db-instance --db-instance-identifier x --force-failover",
        "aws rds stop-db-instance --db-instance-identifier true",
        "aws rds start-db-instance --db-instance-identifier x",
        "aws rds failover-db-cluster --db-cluster-identifier x --target-db-instance-identifier y",
        "aws rds promote-read-replica --db-instance-identifier x --backup-retention-period 7",
        "aws ecs stop-task --cluster a --task 0123456789abcdef --reason 'it is \"one\"'",
        "aws ecs update-service --cluster a --service b --force-new-deployment",
        "aws route53 change-resource-record-sets --hosted-zone-id Z0123456789ABC --change-batch file://x.json",
    ] {
        let help = offer(line).unwrap_or_else(|| panic!("no offer for {line}"));
        let yaml = help.split_once('\n').expect("lines").1;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.yaml");
        let around = "kind: Experiment\nname: x\nobjectives: { rto: 1m }\nprobes: { web: { http: { url: http://h/ } } }\n";
        std::fs::write(&path, format!("{around}{yaml}\n")).expect("written");
        let read = crate::spec::load(&path, &crate::spec::Given { complete: true, ..Default::default() });
        assert!(
            read.is_ok(),
            "{line}\n{yaml}\n{}",
            read.err().map(|wrong| wrong.render(false)).unwrap_or_default()
        );
    }
}

#[test]
fn what_an_action_cannot_do_is_left_to_the_program() {
    for line in [
        "aws ec2 stop-instances --instance-ids i-1 --hibernate",
        "aws ec2 terminate-instances --instance-ids i-1 --dry-run",
        "aws rds promote-read-replica --db-instance-identifier x --preferred-backup-window 01:00-02:00",
        "aws ecs update-service --service a --task-definition b:2",
        "aws rds describe-db-instances",
        "aws rds promote-read-replica --db-instance-identifer x",
        r#"aws route53 change-resource-record-sets --hosted-zone-id Z1 --change-batch '{"Changes":[{"Action":"DELETE","ResourceRecordSet":{}}]}'"#,
    ] {
        assert_eq!(offer(line), None, "{line}");
    }
}

#[test]
fn a_word_for_a_shell_is_found_where_there_is_none() {
    assert_eq!(
        found(&["sort", "names", "|", "head", ">", "first"]),
        ["2: `|` means something to a shell only, and there is none here"]
    );
    assert_eq!(found(&["sudo", "sync", "&&", "ls"]).len(), 1);
    for right in [
        &["sh", "-c", "sort names | head"][..],
        &["ssh", "web-1", "ls", "|", "wc"],
        &["expr", "1", "|", "0"],
        &["echo", "a|b", ";"],
    ] {
        assert_eq!(found(right), [""; 0], "{right:?}");
    }
}

#[test]
fn the_nearest_name_is_near() {
    let known = ["promote-read-replica", "reboot-db-instance", "rds"];
    assert_eq!(nearest("promote-read-replicas", known.into_iter()), Some("promote-read-replica"));
    assert_eq!(nearest("rsd", known.into_iter()), Some("rds"));
    assert_eq!(nearest("frobnicate", known.into_iter()), None);
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "aws",
            "kubectl",
            "terraform",
            "sh",
            "-c",
            "env",
            "rds",
            "ec2",
            "s3",
            "cp",
            "wait",
            "configure",
            "set",
            "promote-read-replica",
            "describe-instances",
            "--db-instance-identifier",
            "--filters",
            "--max-items",
            "--region",
            "--no",
            "--",
            "-",
            "--=",
            "help",
            "x",
            "{",
            "[1",
            "Name=a",
            "-1",
            "rollout",
            "scale",
            "apply",
            "--replicas=",
            "-n",
            "-it",
            "-var",
            "-chdir",
            "-target=é",
            "${x}",
            "--${x}",
            "deploy,é/",
            "-é",
            "--é=é",
        ])
        .prop_map(str::to_owned),
        "[-a-z=é${}'\" ]{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_words_panic_and_every_place_is_there(words in prop::collection::vec(word(), 0..9)) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        for program in ["aws", "kubectl", "terraform"] {
            let argv: Vec<&str> = std::iter::once(program).chain(words.iter().copied()).collect();
            for finding in judge(&argv) {
                prop_assert!(finding.place.word < argv.len());
                prop_assert!(!finding.message.is_empty());
            }
        }
        for finding in judge(&words) {
            let text = words.get(finding.place.word);
            prop_assert!(text.is_some());
            if let Some(within) = finding.place.within {
                prop_assert!(text.and_then(|text| text.get(within)).is_some());
            }
        }
    }
}
