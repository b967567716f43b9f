//! `FD01xx`: keys, types and values.

use super::{Lesson, error, told};
use crate::notation::code::Code;

pub(super) const LESSONS: &[Lesson] = &[
    error(
        Code::UnknownKey,
        "Nothing reads this key. It is mostly misspelt; passed over in silence, a drill would run without the timeout or \
         the guardrail that its author believes to be there. Mended by --fix where only one key can be meant.",
        "\nhypotesis: Checkout goes on.\n",
        "\nhypothesis: Checkout goes on.\n",
    ),
    error(
        Code::MissingKey,
        "A key that has no default is not there. `firedrill actions` and `firedrill probes` say which keys are required.",
        "\nprobes:\n  shop: { http: { method: GET } }\n",
        "\nprobes:\n  shop: { http: { method: GET, url: http://shop.test/health } }\n",
    ),
    error(
        Code::NoValue,
        "There is nothing after the colon. Whether the default was meant, or a value was lost, cannot be known.",
        "\nowner:\n",
        "\nowner: payments-sre\n",
    ),
    error(
        Code::WrongShape,
        "A list, a mapping or a single value stands where another of the three is expected. A single item of a list still \
         is a list: `[item]`, or a line that starts with `-`.",
        "\ncontrols: SOC2-A1.3\n",
        "\ncontrols: [SOC2-A1.3]\n",
    ),
    error(
        Code::NotABoolean,
        "Only `true` and `false` say yes or no. `yes`, `no`, `on` and `off` are booleans to some YAML readers and words to \
         others (the country code `no` among them), so that they are refused. Mended by --fix.",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, redirects: yes } }\n",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, redirects: true } }\n",
    ),
    error(
        Code::NotANumber,
        "A number is expected, and this is none, or it is outside of the range that has a meaning here.",
        "\ntargets: { web: { ec2.instance: { tags: { app: web }, at_most: few } } }\n",
        "\ntargets: { web: { ec2.instance: { tags: { app: web }, at_most: 3 } } }\n",
    ),
    error(
        Code::NotADuration,
        "A duration is a number and a unit, `ms`, `s`, `m`, `h` or `d`, or several of them: `1h30m`. It is never negative.",
        "\nobjectives: { rto: two minutes }\n",
        "\nobjectives: { rto: 2m }\n",
    ),
    error(
        Code::NoUnit,
        "A duration without a unit means seconds to one tool and milliseconds to the next. An RTO that is wrong by a factor \
         of a thousand still looks like an RTO, so the unit is written.",
        "\nobjectives: { rto: 90 }\n",
        "\nobjectives: { rto: 90s }\n",
    ),
    error(
        Code::NotAPercentage,
        "A share is a percentage from 0% to 100%, or a number from 0 to 1. `95` without its sign would be more than all.",
        "\nobjectives: { availability: 95 }\n",
        "\nobjectives: { availability: 95% }\n",
    ),
    error(
        Code::UnknownWord,
        "The value is one of a few words, and this is none of them. The message says which there are, or which one is near.",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, connection: pooled } }\n",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, connection: kept } }\n",
    ),
    error(
        Code::NotExactlyOne,
        "A mapping with exactly one key says which of several things is meant: one action, one kind of target. With none or \
         with two of them nobody knows which.",
        "\ntargets:\n  web: { ec2.instance: { tags: { app: web } }, rds.instance: { id: orders } }\n",
        "\ntargets:\n  web: { ec2.instance: { tags: { app: web } } }\n",
    ),
    error(
        Code::NotAUrl,
        "A URL has a scheme, `http://` or `https://`, and a host. Without the scheme it is not known whether TLS is spoken.",
        "\nprobes:\n  shop: { http: { url: shop.test/health } }\n",
        "\nprobes:\n  shop: { http: { url: https://shop.test/health } }\n",
    ),
    error(
        Code::NotAnAddress,
        "An address is `host:port`, and a DNS server is an IP address: it cannot be looked up by itself.",
        "\nprobes:\n  database: { tcp: { address: db.test } }\n",
        "\nprobes:\n  database: { tcp: { address: \"db.test:5432\" } }\n",
    ),
    error(
        Code::NotADsn,
        "A store's connection string is `scheme://user@host:port/database`, with the scheme of the probe's store. The \
         message does not repeat it, since it may hold a password.",
        "\nprobes:\n  orders: { postgres: { dsn: \"db.test:5432/orders\" } }\n",
        "\nprobes:\n  orders: { postgres: { dsn: \"postgres://app@db.test:5432/orders\" } }\n",
    ),
    error(
        Code::UnknownPercentile,
        "Latency is judged at p50, p90, p95, p99 and p99.9: those that reports show side by side.",
        "\nobjectives: { latency: { p98: 800ms } }\n",
        "\nobjectives: { latency: { p99: 800ms } }\n",
    ),
    error(
        Code::NotAList,
        "A program is a list: the program, then its arguments, each as it is. There is no shell in between, so that no quote, \
         blank or `$` in a value is ever taken for a command. For a shell, say so: `[sh, -c, \"…\"]`.",
        "\nsteps:\n  - { name: stop it, run: sh -c true }\n",
        "\nsteps:\n  - { name: stop it, run: [sh, -c, \"true\"] }\n",
    ),
    error(
        Code::NoProgram,
        "The list of a program and its arguments is empty, or its first word is.",
        "\nsteps:\n  - { name: stop it, run: [] }\n",
        "\nsteps:\n  - { name: stop it, run: [\"true\"] }\n",
    ),
    error(
        Code::EmptyList,
        "The list must name at least one: an empty one would match nothing, or leave nothing to do.",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, expect: { status: [] } } }\n",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, expect: { status: [200, 204] } } }\n",
    ),
    error(
        Code::ItemTwice,
        "The same item is named twice where each counts once. The second would be measured as if it were another. Mended by \
         --fix.",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, connection: [fresh, fresh] } }\n",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, connection: [fresh, kept] } }\n",
    ),
    error(
        Code::MissingKind,
        "A file says with `kind:` what it is. Without it a folder's other YAML files could not be told from experiments.",
        "\n# kind: is missing\nname: example\nsteps: []\n",
        "\nkind: Experiment\nname: example\nobjectives: { rto: 2m }\nprobes: { shop: { http: { url: http://shop.test/health } } }\nsteps: [{ name: stop it, run: [\"true\"] }]\n",
    ),
    error(
        Code::UnknownKind,
        "The file's `kind:` is none that firedrill knows. The word is matched exactly, capital letters included.",
        "\nkind: Experimant\nname: example\n",
        "\nkind: Experiment\nname: example\nobjectives: { rto: 2m }\nprobes: { shop: { http: { url: http://shop.test/health } } }\nsteps: [{ name: stop it, run: [\"true\"] }]\n",
    ),
    error(
        Code::NotAnExperiment,
        "The file as a whole is a list or a single value. An experiment is a mapping of keys.",
        "\n- kind: Experiment\n- name: example\n",
        "\nkind: Experiment\nname: example\nobjectives: { rto: 2m }\nprobes: { shop: { http: { url: http://shop.test/health } } }\nsteps: [{ name: stop it, run: [\"true\"] }]\n",
    ),
    error(
        Code::NotYet,
        "The language has a place for this, and this version does not read it yet. It is refused, not passed over, so that \
         nobody relies on an approval that is never asked for.",
        "\nschedule: { every: quarter }\n",
        "\ntitle: Every quarter\n",
    ),
    error(
        Code::NotAnArgument,
        "The value is not of the form that this key takes. The message says which forms there are.",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, expect: { status: ok } } }\n",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, expect: { status: 2xx } } }\n",
    ),
    error(
        Code::ZeroTime,
        "A timeout, a window or a limit of zero leaves no time for anything to happen in it: every answer would be too late.",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, timeout: 0s } }\n",
        "\nprobes:\n  shop: { http: { url: http://shop.test/health, timeout: 2s } }\n",
    ),
    told(
        Code::NotForeign,
        "`firedrill import` tells whose file it is by what stands in it, or is told with `--format`. This one has none of the \
         shapes it knows, or holds nothing of the kind: no method, no template, no procedure, no SLO.",
        "firedrill import values.yaml --format fis     (a Helm chart's values)",
        "aws fis get-experiment-template --id EXT1a2b3c > stop.json; firedrill import stop.json",
    ),
];
