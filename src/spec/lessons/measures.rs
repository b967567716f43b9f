//! `FD04xx`: objectives and measuring.

use super::{Lesson, error, warning};
use crate::notation::code::Code;

pub(super) const LESSONS: &[Lesson] = &[
    error(
        Code::Undecided,
        "The file promises something that nothing in it measures. A drill without a probe would end as it began: with nobody \
         knowing.",
        "\nobjectives: { availability: 95% }\nprobes: {}\n",
        "\nobjectives: { availability: 95% }\nprobes: { shop: { http: { url: http://shop.test/health } } }\n",
    ),
    error(
        Code::RtoNobodyHit,
        "Every probe says `must_stay_up: true`: an outage of it is a failure of its own. Then none is left whose outage the RTO \
         could measure. Take it away from the probes that the fault hits.",
        "\nprobes: { shop: { http: { url: http://shop.test/health }, must_stay_up: true } }\n",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health } }\n  status: { http: { url: http://status.test/ }, must_stay_up: true }\n",
    ),
    error(
        Code::RpoUndecided,
        "Lost data are found by writing numbered entries before and during the fault, and reading them back afterwards. That is a \
         ledger's work: a probe whose kind ends with `.ledger`.",
        "\nobjectives: { rpo: 0s }\n",
        "\nobjectives: { rpo: 0s }\nprobes: { orders: { postgres.ledger: { dsn: \"postgres://app@db.test/orders\" } } }\n",
    ),
    error(
        Code::DetectionUndecided,
        "Detection is the time until an alarm fired, and the file names no alarm.",
        "\nobjectives: { detection: 90s }\n",
        "\nobjectives: { detection: 90s }\nalarms: [checkout-5xx]\n",
    ),
    warning(
        Code::NoObjective,
        "The drill measures, and has nothing that the measures are held against: it can neither pass nor fail.",
        "\nobjectives: {}\n",
        "\nobjectives: { rto: 2m }\n",
    ),
    warning(
        Code::MissedBefore,
        "The steady state may be worse than the objective asks: the drill could miss it before anything is broken, and the fault \
         would be blamed.",
        "\nobjectives: { availability: 99% }\nsteady_state: { availability: 95% }\n",
        "\nobjectives: { availability: 99% }\nsteady_state: { availability: 100% }\n",
    ),
    error(
        Code::NoBudget,
        "An SLO of 100% has an error budget of nothing: a single bad answer spends more than all of it, however it is shared out.",
        "\nobjectives: { availability: { slo: 100%, over: 30d, spend_at_most: 10% } }\n",
        "\nobjectives: { availability: { slo: 99.9%, over: 30d, spend_at_most: 10% } }\n",
    ),
    error(
        Code::SliceTooShort,
        "A time slice counts as good or bad as a whole, by the answers in it. Within less than a second there are too few.",
        "\nobjectives: { availability: { slo: 99.9%, time_slice: { window: 100ms } } }\n",
        "\nobjectives: { availability: { slo: 99.9%, time_slice: { window: 1m } } }\n",
    ),
    warning(
        Code::HangUnseen,
        "An answer that comes within the timeout is good, however late it is. A server that hangs for less than that has no outage, \
         and with an RTO of less than three timeouts that matters.",
        "\nobjectives: { rto: 20s }\nprobes: { shop: { http: { url: http://shop.test/health, timeout: 8s } } }\n",
        "\nobjectives: { rto: 20s }\nprobes: { shop: { http: { url: http://shop.test/health, timeout: 8s, slower_than: 500ms } } }\n",
    ),
    error(
        Code::RtoTooFine,
        "An outage is measured to within two spacings of the probe's samples, and what a lost SYN can hide. An RTO finer than \
         three times that could never be passed or failed for certain.",
        "\nobjectives: { rto: 10s }\nprobes: { shop: { http: { url: http://shop.test/health, slower_than: 1s }, every: 5s } }\n",
        "\nobjectives: { rto: 10s }\nprobes: { shop: { http: { url: http://shop.test/health, slower_than: 1s }, every: 200ms } }\n",
    ),
    warning(
        Code::RpoTooFine,
        "The spacing of a ledger's writes is how finely it can date the last one that survived. An RPO shorter than that cannot \
         be told from zero.",
        "\nobjectives: { rpo: 1s }\nprobes: { orders: { postgres.ledger: { dsn: \"postgres://app@db.test/orders\" }, every: 5s } }\n",
        "\nobjectives: { rpo: 1s }\nprobes: { orders: { postgres.ledger: { dsn: \"postgres://app@db.test/orders\" }, every: 100ms } }\n",
    ),
    warning(
        Code::DetectionTooFine,
        "Alarms are looked at once a second, and CloudWatch itself takes tens of seconds. A detection within less than three looks \
         can hardly be decided.",
        "\nobjectives: { detection: 2s }\nalarms: [checkout-5xx]\n",
        "\nobjectives: { detection: 90s }\nalarms: [checkout-5xx]\n",
    ),
    warning(
        Code::LedgerUnjudged,
        "The probe writes entries and counts the lost ones, and no RPO says how many may be.",
        "\nprobes: { orders: { postgres.ledger: { dsn: \"postgres://app@db.test/orders\" } } }\n",
        "\nobjectives: { rto: 2m, rpo: 0s }\nprobes: { orders: { postgres.ledger: { dsn: \"postgres://app@db.test/orders\" } } }\n",
    ),
    error(
        Code::AskedTooOften,
        "Each kind of probe has a shortest spacing, set by what asking costs, here or there. Asked more often, the prober would \
         measure itself.",
        "\nprobes: { shop: { http: { url: http://shop.test/health }, every: 1ms } }\n",
        "\nprobes: { shop: { http: { url: http://shop.test/health }, every: 100ms } }\n",
    ),
    error(
        Code::TooManyPrograms,
        "A program that hangs is killed at its timeout, and until then the next ones are started. With this timeout and spacing \
         more than 16 of them would run at once, and starve the other probes.",
        "\nprobes: { cache: { command: { run: [sh, -c, \"true\"], timeout: 30s }, every: 1s } }\n",
        "\nprobes: { cache: { command: { run: [sh, -c, \"true\"], timeout: 5s }, every: 1s } }\n",
    ),
    error(
        Code::NothingWatched,
        "The steady state is shown, and recovery is confirmed, by a time of good answers in a row. With none, a service that is \
         down would count as well, and the first good answer of one that flaps as recovered.",
        "\nsteady_state: { for: 0s }\n",
        "\nsteady_state: { for: 10s }\n",
    ),
    error(
        Code::LooksTooShort,
        "The drill stops looking for recovery before the RTO is over: a recovery in between would still be in time, and is never \
         seen.",
        "\nobjectives: { rto: 5m }\nrecovery: { within: 2m }\n",
        "\nobjectives: { rto: 5m }\nrecovery: { within: 10m }\n",
    ),
    error(
        Code::AlarmUnnamed,
        "An alarm is given by its name in CloudWatch, and this one is empty.",
        "\nalarms: [\"\"]\n",
        "\nalarms: [checkout-5xx]\n",
    ),
    error(
        Code::AlarmTwice,
        "The same alarm is named twice. Mended by --fix where it stands twice in one list.",
        "\nalarms: [checkout-5xx, checkout-5xx]\n",
        "\nalarms: [checkout-5xx, checkout-latency]\n",
    ),
    error(
        Code::AlarmArn,
        "CloudWatch is asked for alarms by name, and would find none that is called like an ARN: the alarm would never fire, and a \
         guardrail would never stop the run. The name is what stands after `:alarm:`.",
        "\nalarms: [\"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-5xx\"]\n",
        "\nalarms: [checkout-5xx]\n",
    ),
    error(
        Code::TwoProbeKinds,
        "A probe asks one thing of one kind, so that its outages are those of one thing.",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health }, tcp: { address: \"shop.test:80\" } }\n",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health } }\n  port: { tcp: { address: \"shop.test:80\" } }\n",
    ),
    error(
        Code::NoProbeKind,
        "The probe does not say what it asks, and of whom: its kind is missing, such as `http` or `postgres.ledger`.",
        "\nprobes: { shop: { } }\n",
        "\nprobes: { shop: { http: { url: http://shop.test/health } } }\n",
    ),
    warning(
        Code::TtlTooLong,
        "The step gives the record a TTL longer than the RTO. Clients keep for that long what they were told, so that the way back, \
         and the next flip, takes longer than the service may be away. A record that is failed over has a TTL well below the RTO.",
        "\nobjectives: { rto: 2m }\ntargets: { web: { route53.record: { zone: shop.test, name: www.shop.test, type: A } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web, values: [192.0.2.10], ttl: 3600 } } }\n",
        "\nobjectives: { rto: 2m }\ntargets: { web: { route53.record: { zone: shop.test, name: www.shop.test, type: A } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web, values: [192.0.2.10], ttl: 30 } } }\n",
    ),
];
