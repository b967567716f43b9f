//! `FD05xx`: guardrails and safety.

use super::{Lesson, error, warning};
use crate::notation::code::Code;

pub(super) const LESSONS: &[Lesson] = &[
    error(
        Code::NoCondition,
        "The guardrail names a probe, and does not say when to stop. It would never stop anything.",
        "\nstop_when:\n  - { probe: shop }\n",
        "\nstop_when:\n  - { probe: shop, down_for: 5m }\n",
    ),
    error(
        Code::TwoGuardrails,
        "One entry holds two conditions. Whether both or either of them would stop the run is left open; two entries say: either.",
        "\nstop_when:\n  - { elapsed: 15m, alarm: checkout-error-budget }\n",
        "\nstop_when:\n  - { elapsed: 15m }\n  - { alarm: checkout-error-budget }\n",
    ),
    warning(
        Code::StopsTooEarly,
        "The guardrail stops the run before the RTO is over. A recovery in between would be in time, and is never seen: the drill \
         ends as aborted.",
        "\nobjectives: { rto: 10m }\nstop_when:\n  - { probe: shop, down_for: 5m }\n",
        "\nobjectives: { rto: 10m }\nstop_when:\n  - { probe: shop, down_for: 15m }\n",
    ),
    error(
        Code::UndoTooLong,
        "The run is stopped early enough for its undo to fit before `elapsed`, and this undo needs all of that time: the run would \
         be stopped as soon as there is something to undo.",
        "\nstop_when:\n  - { elapsed: 10m, undo_within: 10m }\n",
        "\nstop_when:\n  - { elapsed: 30m, undo_within: 10m }\n",
    ),
    error(
        Code::NeverTrips,
        "The guardrail's condition can never hold: an availability is never below 0%, and a probe never waits longer for an answer \
         than its timeout. Whoever reads the file believes in a guard that is not there.",
        "\nstop_when:\n  - { probe: shop, availability_below: 0%, over: 5m }\n",
        "\nstop_when:\n  - { probe: shop, availability_below: 50%, over: 5m }\n",
    ),
    error(
        Code::WindowTooShort,
        "A window is judged from ten samples on, and a percentile from as many as it takes to be told from the largest. With fewer, \
         a single late answer would stop the run.",
        "\nstop_when:\n  - { probe: shop, latency_above: 1s, percentile: 99, over: 5s }\nprobes: { shop: { http: { url: http://shop.test/health }, every: 1s } }\n",
        "\nstop_when:\n  - { probe: shop, latency_above: 1s, percentile: 99, over: 5m }\nprobes: { shop: { http: { url: http://shop.test/health }, every: 1s } }\n",
    ),
    error(
        Code::NoBound,
        "The guardrail asks Prometheus for a value, and does not say which value stops the run: `above`, `below`, or both.",
        "\nstop_when:\n  - prometheus: { url: http://prometheus.test:9090, query: error_ratio }\n",
        "\nstop_when:\n  - prometheus: { url: http://prometheus.test:9090, query: error_ratio, above: 5% }\n",
    ),
    error(
        Code::AlarmStopsAndExpected,
        "The drill is to make the alarm fire, and the alarm is to stop the drill. It would be aborted by its own success.",
        "\nobjectives: { rto: 2m, detection: 90s }\nalarms: [checkout-5xx]\nstop_when:\n  - { alarm: checkout-5xx }\n",
        "\nobjectives: { rto: 2m, detection: 90s }\nalarms: [checkout-5xx]\nstop_when:\n  - { alarm: checkout-error-budget }\n",
    ),
    error(
        Code::Irreversible,
        "What this action changes stays changed, also when the run is aborted: a terminated instance does not come back, and a \
         promoted replica is one no more. The step says that its author knows: `irreversible: true`.",
        "\nsteps:\n  - { name: end it, action: { ec2.terminate_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: end it, irreversible: true, action: { ec2.terminate_instances: { target: web } } }\n",
    ),
    warning(
        Code::Password,
        "A password stands in the file, for whoever reads the repository or a report of the run. A variable with `secret: true` takes \
         it from the environment, and is hidden wherever text leaves the program.",
        "\nobjectives: { rpo: 0s }\nprobes: { orders: { postgres.ledger: { dsn: \"postgres://app:hunter22@db.test/orders\" } } }\n",
        "\nobjectives: { rpo: 0s }\nvariables: { password: { secret: true, default: \"${env:PATH}\" } }\nprobes: { orders: { postgres.ledger: { dsn: \"postgres://app:${password}@db.test/orders\" } } }\n",
    ),
    error(
        Code::SelectsAll,
        "The target names neither an id nor tags nor a zone, so that every such resource of the region is meant. If that is the \
         drill, say it with a tag that they all carry.",
        "\ntargets: { web: { ec2.instance: { pick: { count: 1 } } } }\n",
        "\ntargets: { web: { ec2.instance: { tags: { app: web }, pick: { count: 1 } } } }\n",
    ),
    error(
        Code::RoleWithoutCluster,
        "A DB instance is a writer or a reader of a cluster, and the cluster is not named.",
        "\ntargets: { web: { rds.instance: { id: orders-1, role: writer } } }\nsteps:\n  - { name: reboot it, action: { rds.reboot_db_instance: { target: web } } }\n",
        "\ntargets: { web: { rds.instance: { cluster: orders, role: writer } } }\nsteps:\n  - { name: reboot it, action: { rds.reboot_db_instance: { target: web } } }\n",
    ),
    warning(
        Code::RunTooShort,
        "The step may take longer than the whole run: `elapsed` stops the run, and undoes it, before the step's timeout could ever \
         be reached. Either of the two is not what was meant.",
        "\nobjectives: { rto: 2m }\nstop_when:\n  - { elapsed: 5m }\nsteps:\n  - { name: stop it, timeout: 20m, action: { ec2.stop_instances: { target: web } } }\n",
        "\nobjectives: { rto: 2m }\nstop_when:\n  - { elapsed: 30m }\nsteps:\n  - { name: stop it, timeout: 20m, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    warning(
        Code::RunCannotEnd,
        "The steady state, a wait and the time that is measured after the fault together take as long as `elapsed` lets the run \
         take: each run would be stopped before its end, whatever the service does.",
        "\nobjectives: { rto: 2m }\nrecovery: { observe: 20m }\nstop_when:\n  - { elapsed: 15m }\n",
        "\nobjectives: { rto: 2m }\nrecovery: { observe: 5m }\nstop_when:\n  - { elapsed: 15m }\n",
    ),
    warning(
        Code::AccessKey,
        "The id of an AWS access key stands in the file, and its secret is seldom far. Who reads the repository may use it until \
         somebody deactivates it. Credentials come from the environment, a profile or a role.",
        "\nsteps:\n  - name: look\n    run: { program: [sh, -c, \"exit 0\"], env: { AWS_ACCESS_KEY_ID: AKIAIOSFODNN7EXAMPLE } }\n",
        "\nsteps:\n  - name: look\n    run: { program: [sh, -c, \"exit 0\"], env: { AWS_ACCESS_KEY_ID: \"${env:DRILL_KEY_ID}\" } }\n",
    ),
    warning(
        Code::NoUndo,
        "firedrill knows how to undo its own actions, and nothing of a program: what it changes stays changed when the run ends or is \
         aborted. Either another program takes it back, or the file says that nothing is to be taken back.",
        "\nsteps:\n  - { name: cut it off, run: [\"true\"] }\n",
        "\nsteps:\n  - { name: cut it off, run: [\"true\"], undo: [\"true\"] }\n",
    ),
];
