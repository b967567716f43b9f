//! How files are written: YAML with places, typed decoding that collects every error, units, and the codes and
//! certain fixes of what is wrong.
//!
//! A leaf: it knows nothing of experiments, actions or probes, which are declared with it.

pub mod code;
pub mod declare;
pub mod decode;
pub mod diagnostic;
pub mod fix;
pub mod mend;
pub mod problem;
pub mod shape;
pub mod units;
pub mod yaml;
