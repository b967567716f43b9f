//! firedrill: failover drills as code, with measured RTO, RPO and availability.

pub mod clock;
pub mod journal;
pub mod lab;
pub mod measure;
pub mod notation;
pub mod probe;
pub mod report;
pub mod run;
pub mod sample;
