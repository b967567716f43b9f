//! Who is at this machine, for the journal.

/// `sre@bastion (process 4711)`, as far as the system tells.
pub fn am_i() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = set("USER").or_else(|| set("LOGNAME")).unwrap_or_else(|| "somebody".to_owned());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => set("HOSTNAME").unwrap_or_else(|| "this machine".to_owned()),
        host => host.to_owned(),
    };
    format!("{user}@{host} (process {})", std::process::id())
}
