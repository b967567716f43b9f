//! `FD03xx`: steps and their order.

use super::{Lesson, error, warning};
use crate::notation::code::Code;

pub(super) const LESSONS: &[Lesson] = &[
    error(
        Code::NothingDone,
        "The step has a name and perhaps a timeout, and does not say what is done: `action`, `run` or `wait`.",
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
];
