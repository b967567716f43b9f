//! `FD03xx`: steps and their order.

use super::{Lesson, error, warning};
use crate::notation::code::Code;

pub(super) const LESSONS: &[Lesson] = &[
    error(
        Code::NothingDone,
        "The step has a name and perhaps a timeout, and does not say what is done: `action`, `run`, `manual`, `approve`, \
         `wait`, `wait_until` or `runbook`.",
        "\nsteps:\n  - { name: stop it, timeout: 5m }\n",
        "\nsteps:\n  - { name: stop it, timeout: 5m, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::TwoThingsDone,
        "A step does one thing, so that its outcome, its duration and its undo are those of one thing. Steps run one after the \
         other unless `after` says otherwise.",
        "\nsteps:\n  - { name: stop it, action: { ec2.stop_instances: { target: web } }, wait: 10s }\n",
        "\nsteps:\n  - { name: settle, wait: 10s }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::StepTwice,
        "Two steps have the same name. `after`, `measure_from` and the report go by it, and could mean either.",
        "\nsteps:\n  - { name: stop it, wait: 10s }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: settle, wait: 10s }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::WaitsForItself,
        "The step's `after` names the step itself, so that it could never start.",
        "\nsteps:\n  - { name: stop it, after: [stop it], action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: stop it, after: [], action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::Cycle,
        "Each of these steps waits for another of them, so that none could start. A step without `after` waits for the one before \
         it; `after: []` starts at once.",
        "\nsteps:\n  - { name: settle, wait: 10s, after: [stop it] }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: settle, wait: 10s }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::NoFault,
        "No step breaks anything: there is no fault, and so nothing that an RTO could count from. A drill has at least one \
         `action` or `run`.",
        "\ntargets: {}\nsteps:\n  - { name: settle, wait: 10s }\n",
        "\nsteps:\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::MeasuredFromWait,
        "The RTO counts from the step that `measure_from` names, and this one only waits.",
        "\nmeasure_from: settle\nsteps:\n  - { name: settle, wait: 10s }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nmeasure_from: stop it\nsteps:\n  - { name: settle, wait: 10s }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::UndoOfUndo,
        "An undo is a program with its arguments and environment. It is never undone itself, and how long it may take is for \
         the run to say.",
        "\nsteps:\n  - { name: stop it, run: [\"true\"], undo: { program: [\"true\"], undo: [\"true\"] } }\n",
        "\nsteps:\n  - { name: stop it, run: [\"true\"], undo: { program: [\"true\"] } }\n",
    ),
    error(
        Code::LedgerVerifies,
        "A ledger writes during the whole run and is read back at its end. It cannot say of one step, while the run is on, \
         whether it took hold.",
        "\nsteps:\n  - name: stop it\n    action: { ec2.stop_instances: { target: web } }\n    verify: [{ http.ledger: { url: http://shop.test/entries } }]\n",
        "\nsteps:\n  - name: stop it\n    action: { ec2.stop_instances: { target: web } }\n    verify: [{ http: { url: http://shop.test/health } }]\n",
    ),
    error(
        Code::FlipToNowhere,
        "The record is to be flipped, and nothing says to what: `values`, `weights` or `swap_failover: true`.",
        "\ntargets: { web: { route53.record: { zone: shop.test, name: www.shop.test, type: A } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web } } }\n",
        "\ntargets: { web: { route53.record: { zone: shop.test, name: www.shop.test, type: A } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web, values: [192.0.2.10] } } }\n",
    ),
    error(
        Code::FlipTwoWays,
        "`values`, `weights` and `swap_failover` are three ways to move a record's traffic, and a step does one of them.",
        "\ntargets: { web: { route53.record: { zone: shop.test, name: www.shop.test, type: A } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web, values: [192.0.2.10], swap_failover: true } } }\n",
        "\ntargets: { web: { route53.record: { zone: shop.test, name: www.shop.test, type: A } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web, swap_failover: true } } }\n",
    ),
    error(
        Code::UpdateOfNothing,
        "The service is to be updated, and nothing of it is: neither its desired count, nor a new deployment. AWS would accept \
         the call, and the drill would have no fault.",
        "\ntargets: { web: { ecs.service: { cluster: shop, service: web } } }\nsteps:\n  - { name: stop it, action: { ecs.update_service: { target: web } } }\n",
        "\ntargets: { web: { ecs.service: { cluster: shop, service: web } } }\nsteps:\n  - { name: stop it, action: { ecs.update_service: { target: web, desired_count: 0 } } }\n",
    ),
    error(
        Code::BackupRetention,
        "RDS keeps automated backups for 0 to 35 days. AWS would refuse the promotion, in the middle of the drill.",
        "\ntargets: { web: { rds.instance: { id: orders-replica } } }\nsteps:\n  - name: promote\n    irreversible: true\n    action: { rds.promote_read_replica: { target: web, backup_retention_period: 90 } }\n",
        "\ntargets: { web: { rds.instance: { id: orders-replica } } }\nsteps:\n  - name: promote\n    irreversible: true\n    action: { rds.promote_read_replica: { target: web, backup_retention_period: 7 } }\n",
    ),
    warning(
        Code::ProgramNotFound,
        "The program is not on this machine's PATH, or not where its path says, seen from the folder that firedrill is run in. \
         A warning, since the drill may be run elsewhere; where it is run, the step would fail, or the undo would.",
        "\nsteps:\n  - { name: stop it, run: [no-such-program, stop] }\n",
        "\nsteps:\n  - { name: stop it, run: [sh, -c, \"exit 0\"] }\n",
    ),
    error(
        Code::RecordValue,
        "An A record holds IPv4 addresses, an AAAA record IPv6 addresses, and a CNAME exactly one name. Route 53 would refuse \
         the change, in the middle of the drill.",
        "\ntargets: { web: { route53.record: { zone: shop.test, name: www.shop.test, type: A } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web, values: [standby.shop.test] } } }\n",
        "\ntargets: { web: { route53.record: { zone: shop.test, name: www.shop.test, type: CNAME } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web, values: [standby.shop.test] } } }\n",
    ),
    error(
        Code::NotASentence,
        "A `manual` step says what a person is to carry out, an `approve` step what is to be decided: at least a word, and not more than can be read at night.",
        "\nsteps:\n  - { name: call, manual: \" \" }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: call, manual: Call the owner of the orders database }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::NotARole,
        "A role is one line of at most 80 characters, such as `incident commander`. It stands in the journal beside the name of who decided.",
        "\nsteps:\n  - { name: decide, approve: { question: Fail over?, by: \" \" } }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: decide, approve: { question: Fail over?, by: incident commander } }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::NobodyDecides,
        "The step waits for somebody's go, and nobody may or need give it. A step that needs nobody's go is no `approve` step.",
        "\nsteps:\n  - { name: decide, approve: { question: Fail over?, at_least: 0 } }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: decide, approve: { question: Fail over?, at_least: 1 } }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::RunbookInItself,
        "The runbook comes to run itself, at once or through others, so that it would never end. What two runbooks share belongs in a third.",
        "\nkind: Runbook\nname: example\nsteps:\n  - runbook: ./example.yaml\n",
        "\nkind: Runbook\nname: example\nsteps:\n  - runbook: ./runbooks/restore.yaml\n",
    ),
    error(
        Code::MisplacedKey,
        "The key belongs to another kind of step, and would do nothing here: `with` gives values to a `runbook`, `undo` takes back what an `action` or a `run` did.",
        "\nsteps:\n  - { name: settle, wait: 10s, with: { zone: a } }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: settle, wait: 10s }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::NoStep,
        "A runbook is what people follow, step by step, and this one has no step: there is nothing to carry out, to check or to time.",
        "\nkind: Runbook\nname: example\nsteps: []\n",
        "\nkind: Runbook\nname: example\nsteps:\n  - { name: call, manual: Call the owner of the orders database }\n",
    ),
    error(
        Code::CommandLine,
        "The program has no such subcommand, option or value, or lacks one that it needs: it would refuse the line when the step \
         runs. What `aws`, `kubectl` and `terraform` take is known without asking them.",
        "\nsteps:\n  - { name: look, run: [aws, ec2, describe-instance] }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: look, run: [aws, ec2, describe-instances] }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    warning(
        Code::ActionDoesThis,
        "The command is right, and an action of firedrill does the same: it waits until the fault has taken hold, knows its undo \
         where there is one, and is checked for its preconditions and permissions beforehand.",
        "\ntargets: {}\nsteps:\n  - { name: stop it, run: [aws, ec2, stop-instances, --instance-ids, i-0abc123def4567890] }\n",
        "\ntargets: { web: { ec2.instance: { id: i-0abc123def4567890 } } }\nsteps:\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::OutputHere,
        "A plan is made before anything runs: what a target, a probe or an action is looked up with must be known then. An output can stand in the program of a `run` step, and in the text of `manual` and `approve`.",
        "\nprobes: { shop: { http: { url: \"http://shop.test/${output:when}\" } } }\nsteps:\n  - { name: ask, run: [date], output: when }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: ask, run: [date], output: when }\n  - { name: tell, manual: \"It is ${output:when}\" }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::OutputTwice,
        "Two steps keep what they print under the same name, so that nobody could say which of them `${output:name}` means.",
        "\nsteps:\n  - { name: ask, run: [date], output: when }\n  - { name: ask again, run: [date], output: when }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: ask, run: [date], output: when }\n  - { name: ask again, run: [date], output: later }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::OutputTooEarly,
        "The step uses what another one prints, and does not wait for it: it may run first, and there is nothing yet.",
        "\nsteps:\n  - { name: ask, run: [date], output: when }\n  - { name: tell, after: [], manual: \"It is ${output:when}\" }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: ask, run: [date], output: when }\n  - { name: tell, after: [ask], manual: \"It is ${output:when}\" }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    Lesson {
        code: Code::ForPeople,
        about: "A ConfigMap with recovery procedures is accepted as it stands. What it says in prose only people can do: a \
                sentence that verifies something, a command that needs a shell, who is told and when it is exercised. The help \
                says what firedrill has for it; `firedrill import` makes a runbook of each procedure.",
        wrong: "verification: \"Verify DNS propagation\"",
        right: "verify: [{ dns: { name: www.example.com, expect: [192.0.2.1] } }]     (in a step of an experiment)",
        warns: true,
        yaml: false,
    },
    warning(
        Code::ShellWord,
        "`run` starts a program, and no shell in between: `|`, `&&` and `> file` reach the program as arguments, and it does \
         something else than was meant. A warning, since what a program makes of its arguments is its own affair.",
        "\nsteps:\n  - { name: stop it, run: [sort, names.txt, \"|\", head] }\n",
        "\nsteps:\n  - { name: stop it, run: [sh, -c, \"sort names.txt | head\"] }\n",
    ),
    Lesson {
        code: Code::OfAnSlo,
        about: "SLO definitions are accepted as they stand. What of them no drill is held against, or what a drill has to \
                decide that they do not say, such as how much of an error budget it may spend, is told; the help says what \
                firedrill has for it. `firedrill import` makes an experiment of each service.",
        wrong: "slos: [{ name: availability, target: 99.9, window: 30d }]",
        right: "objectives: { availability: { slo: 99.9%, over: 30d, spend_at_most: 10% } }     (in an experiment)",
        warns: true,
        yaml: false,
    },
];
