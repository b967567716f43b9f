//! What RDS refuses, with AWS's codes and HTTP statuses.

use crate::lab::wire::Fault;

/// No such instance.
pub(super) fn no_instance(id: &str) -> Fault {
    Fault::new(404, "DBInstanceNotFound", format!("DBInstance {id} not found."))
}

/// No such cluster.
pub(super) fn no_cluster(id: &str) -> Fault {
    Fault::new(404, "DBClusterNotFoundFault", format!("DBCluster {id} not found."))
}

/// The instance's state forbids it.
pub(super) fn instance_state(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidDBInstanceState", message)
}

/// The cluster's state forbids it.
pub(super) fn cluster_state(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidDBClusterStateFault", message)
}

/// The parameters contradict each other or the resource.
pub(super) fn combination(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterCombination", message)
}

/// A parameter's value is wrong.
pub(super) fn value(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterValue", message)
}
