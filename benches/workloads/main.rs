//! What `benches/run.sh` measures inside the process: the pacer beside a bare thread, the least that asking
//! costs, the ledger's checker, and a stored run that is large enough to time a report.
//!
//! Every part prints one line of JSON. A stored run of the same build is the template for what is made up
//! here, so that these workloads always have the shape that this version writes.

mod exchange;
mod ledger;
mod numbers;
mod pacing;
mod stored;

use std::error::Error;
use std::path::Path;

type Outcome = Result<serde_json::Value, Box<dyn Error>>;

const USAGE: &str = "usage: workloads pacing RATE SECONDS | exchange ADDRESS RATE SECONDS | ledger TEMPLATE OPERATIONS | stored TEMPLATE DIR SAMPLES";

fn main() -> Result<(), Box<dyn Error>> {
    // `cargo bench` adds this.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let found = match words.as_slice() {
        ["pacing", rate, seconds] => pacing::run(rate.parse()?, seconds.parse()?),
        ["exchange", address, rate, seconds] => {
            exchange::run(address.parse()?, rate.parse()?, seconds.parse()?)
        }
        ["ledger", template, operations] => ledger::run(Path::new(template), operations.parse()?),
        ["stored", template, dir, samples] => {
            stored::run(Path::new(template), Path::new(dir), samples.parse()?)
        }
        _ => Err(USAGE.into()),
    }?;
    println!("{found}");
    Ok(())
}
