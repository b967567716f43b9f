//! firedrill: failover drills as code, with measured RTO, RPO and availability.
//!
//! This page is the architecture. Data flows one way, and each stage's output is a value:
//!
//! ```text
//! file ──► spec ──► plan ──► run ──► journal ──► timeline ──► measure ──► verdict ──► report
//!          typed    targets  events  + samples   samples in   intervals   pass, fail,  text, JSON,
//!          + places found    (data)  on disk     order        [lo, hi]    inconclusive HTML, …
//! ```
//!
//! - [`notation`]: YAML with places, typed decoding that collects every error, units. A leaf.
//! - [`spec`]: what a file says; [`action`], [`probe`] and [`aws::find`] declare the parts they own.
//! - [`command`]: whether a line of `aws`, `kubectl` or `terraform` names what there is. Pure, tables built in.
//! - [`plan`]: an experiment and the targets as found become ordered steps, each with its undo.
//! - [`interlock`]: what an environment demands before anything in it is changed, held against a plan.
//! - [`run`]: the conductor is a synchronous state machine (something happened in, decisions out);
//!   the engine is the one loop where samples, steps, signals and time meet. It emits
//!   [`run::event`]s and nothing else.
//!   What people do is asked by [`run::people`], answered at the terminal or by letters in the run's folder.
//! - [`journal`]: events and samples on disk, the only truth. A report is always computed from them,
//!   also straight after a live run.
//! - [`timeline`], [`measure`], [`verdict`]: pure. They do no I/O and read no clock.
//! - [`lookout`]: what guardrails are told from outside the run, by CloudWatch and Prometheus.
//! - [`lab`]: an AWS region with a real data plane, on loopback. It imports [`clock`] and nothing else of
//!   the program, so that it cannot share its mistakes.
//! - [`cli`]: one file per verb; the only place that prints.
//!
//! What is absent, on purpose: actions and probes never print. Only [`aws`] builds clients, and a
//! mutating call can be made only through its guard, which announces it to the journal first. Only
//! [`clock`] reads a clock, and the wall clock once per run. Only `notation/yaml.rs` names the YAML
//! crate. Events hold no references, so a stored journal reads back as exactly what was emitted.

pub mod action;
pub mod aws;
pub mod calibrate;
pub mod cli;
pub mod clock;
pub mod command;
pub mod interlock;
pub mod journal;
pub mod lab;
pub mod lookout;
pub mod measure;
pub mod notation;
pub mod plan;
pub mod probe;
pub mod program;
pub mod redact;
pub mod report;
pub mod run;
pub mod sample;
pub mod spec;
pub mod timeline;
pub mod verdict;
pub mod watch;
pub mod words;
