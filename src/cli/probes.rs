//! `firedrill probes`: what can watch.

use std::io::{self, Write};

use clap::Args;

use super::reference;
use crate::notation::units;
use crate::probe::Probe;

/// What to describe.
#[derive(Args, Clone, Debug)]
pub struct ProbesArgs {
    /// One probe kind, to be described in full; without it, all are listed.
    pub name: Option<String>,
}

/// Lists the probe kinds, or prints everything about one. Gives the exit code.
pub fn probes(name: Option<&str>, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let all = Probe::reference();
    let Some(name) = name else {
        reference::list("The kinds of probe", &all, out)?;
        writeln!(out, "\n`firedrill probes NAME` says more.")?;
        return Ok(0);
    };
    match all.iter().find(|one| one.name == name) {
        Some(one) => {
            let every = units::show(Probe::usual_spacing(name));
            let beside = [format!(
                "Beside the kind stand `every`, the spacing of its samples (default {every}), `edge_every`, a closer \
                 spacing while an outage is on, to date its end (those samples count nowhere else), `sentinel`, an \
                 idle connection held beside the probe to date its loss (http and tcp; default false), and \
                 `must_stay_up`, for what the fault may not touch (default false)."
            )];
            reference::page(one, &beside, &example(name), out)?;
            Ok(0)
        }
        None => reference::no_such("probe", name, Probe::NAMES, err),
    }
}

/// The probes of an experiment that uses the kind.
pub fn example(name: &str) -> String {
    let (own, arguments) = match name {
        "tcp" => ("port", "address: db.example.com:5432"),
        "dns" => ("www", "name: www.example.com, expect: [192.0.2.10]"),
        "grpc" => ("checkout", "address: checkout.example.com:50051, service: shop.Checkout"),
        "tls" => ("certificate", "address: shop.example.com:443, expires_in: 14d"),
        "command" => ("cache", "run: [redis-cli, ping], expect: { stdout_contains: PONG }"),
        "prometheus" => (
            "alive",
            "url: http://prometheus.example.com:9090, query: \"up{job=\\\"shop\\\"}\", expect: { above: 0 }",
        ),
        "cloudwatch" => (
            "errors",
            "namespace: AWS/ApplicationELB, metric: HTTPCode_ELB_5XX_Count, statistic: Sum, expect: { below: 5 }",
        ),
        "postgres" => ("writer", "dsn: \"${orders_dsn}\", role: writer"),
        "postgres.ledger" => ("orders", "dsn: \"${orders_dsn}\""),
        "mysql" => ("writer", "dsn: \"mysql://app@orders.example.com/orders\", role: writer"),
        "mysql.ledger" => ("orders", "dsn: \"mysql://app@orders.example.com/orders\""),
        "redis" => ("cache", "dsn: \"redis+sentinel://sentinel.example.com:26379/orders\", role: master"),
        "redis.ledger" => {
            ("carts", "dsn: \"redis://carts.example.com\", wait: { replicas: 1, timeout: 900ms }")
        }
        "dynamodb.ledger" => ("orders", "table: orders, read_from: eu-central-1"),
        "s3.ledger" => ("uploads", "bucket: uploads-eu, replica: { bucket: uploads-us, region: us-east-1 }"),
        "http.ledger" => ("entries", "url: http://checkout.example.com/entries"),
        _ => ("storefront", "url: http://shop.example.com/health, expect: { status: 200 }"),
    };
    let every = units::show(Probe::usual_spacing(name));
    format!("probes:\n  {own}:\n    {name}: {{ {arguments} }}\n    every: {every}\n")
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;

    use super::*;
    use crate::spec::{Given, load};

    #[test]
    fn every_example_is_a_right_experiment() {
        let folder = tempfile::tempdir().expect("a folder");
        let values =
            IndexMap::from([("orders_dsn".to_owned(), "postgres://u:hunter22@db/orders".to_owned())]);
        for name in Probe::NAMES {
            let path = folder.path().join("x.yaml");
            let rest = "kind: Experiment\nname: x\nsteps: [{ name: s, run: [\"true\"] }]\nvariables: { orders_dsn: { secret: true } }\n";
            std::fs::write(&path, format!("{rest}{}", example(name))).expect("written");
            let given = Given { values: values.clone(), complete: true, ..Given::default() };
            let loaded = load(&path, &given).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(loaded.experiment.probes[0].probe.name(), *name);
            assert!(!loaded.experiment.probes[0].probe.summary().contains("hunter22"));
        }
    }

    #[test]
    fn one_kind_is_described_in_full() {
        let mut out = Vec::new();
        assert_eq!(probes(Some("http"), &mut out, &mut Vec::new()).expect("written"), 0);
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains("connect_timeout  (default 900ms)"), "{text}");
        assert!(text.contains("url  (required)"), "{text}");
    }
}
