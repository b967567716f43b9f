//! How the program is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let said = |name: &str| std::env::var(name).unwrap_or_default();
    let gnu = said("CARGO_CFG_TARGET_OS") == "linux" && said("CARGO_CFG_TARGET_ENV") == "gnu";
    if said("PROFILE") == "release" && gnu {
        // At a fixed address. The AWS SDK leaves 160,000 addresses that the loader would otherwise write at every start, into
        // 650 pages of memory: half of the time that `firedrill check` takes for a file. Libraries, heap and stack stay at
        // random addresses.
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
