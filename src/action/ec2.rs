//! Actions on EC2 instances.

use crate::notation::decode::Spanned;
use crate::record;

record! {
    /// Terminates instances. Irreversible: what is on their instance stores and on volumes that are
    /// deleted on termination is gone. An Auto Scaling group replaces its own.
    pub struct TerminateInstances {
        /// The name of an `ec2.instance` target.
        pub target: Spanned<String>,
    }
}

record! {
    /// Stops instances. Undone by starting those that were running.
    pub struct StopInstances {
        /// The name of an `ec2.instance` target.
        pub target: Spanned<String>,
        /// Stops without giving the operating system time to shut down.
        pub force: bool = false,
    }
}

record! {
    /// Starts stopped instances. Undone by stopping those that were stopped.
    pub struct StartInstances {
        /// The name of an `ec2.instance` target, with `state: stopped`.
        pub target: Spanned<String>,
    }
}

record! {
    /// Reboots instances. There is nothing to undo.
    pub struct RebootInstances {
        /// The name of an `ec2.instance` target.
        pub target: Spanned<String>,
    }
}
