//! Who is at this machine, for the journal.

use crate::interlock::approval::Person;

/// `sre@bastion (process 4711)`.
pub fn am_i() -> String {
    let Person { user, host, .. } = Person::here(None);
    format!("{user}@{host} (process {})", std::process::id())
}
