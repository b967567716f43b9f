//! How long things usually take: what a plan shows, and what an undo is given time for. Never a limit.
//!
//! From what AWS publishes and others have measured: a Multi-AZ failover 60 to 120 s and the standby's rejoining, an
//! Aurora failover under 60 s, a promotion several minutes, a record change up to 60 s to all name servers, an ECS
//! task 20 to 60 s to start. The lab's scaled timing has figures of its own.

use super::{Action, Undo};
use crate::run::event::Usual;

/// How fast the world is that an action acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As AWS is.
    Aws,
    /// As the lab is, where a minute takes a second or two.
    Scaled,
}

/// From and to, in seconds: on AWS, and in the lab.
struct Times {
    aws: (f64, f64),
    lab: (f64, f64),
}

impl Times {
    fn at(&self, pace: Pace) -> Usual {
        let (from, to) = match pace {
            Pace::Aws => self.aws,
            Pace::Scaled => self.lab,
        };
        Usual { from, to }
    }
}

const fn times(aws: (f64, f64), lab: (f64, f64)) -> Times {
    Times { aws, lab }
}

const START_INSTANCES: Times = times((10.0, 60.0), (0.6, 1.5));
const STOP_INSTANCES: Times = times((20.0, 60.0), (1.0, 2.5));
const START_DB_INSTANCE: Times = times((60.0, 600.0), (0.8, 2.0));
const STOP_DB_INSTANCE: Times = times((60.0, 300.0), (0.8, 2.0));
const DESIRED_COUNT: Times = times((30.0, 300.0), (1.0, 5.0));
const RECORD: Times = times((1.0, 60.0), (0.3, 1.5));

impl Action {
    /// How long it usually takes until a later step may begin.
    pub fn usual(&self, pace: Pace) -> Usual {
        let times = match self {
            Action::TerminateInstances(_) => times((30.0, 90.0), (2.5, 4.5)),
            Action::StopInstances(_) => STOP_INSTANCES,
            Action::StartInstances(_) => START_INSTANCES,
            Action::RebootInstances(_) => times((30.0, 120.0), (1.5, 3.5)),
            Action::RebootDbInstance(reboot) if reboot.force_failover => times((60.0, 300.0), (2.5, 6.0)),
            Action::RebootDbInstance(_) => times((60.0, 900.0), (9.0, 13.0)),
            Action::StopDbInstance(_) => STOP_DB_INSTANCE,
            Action::StartDbInstance(_) => START_DB_INSTANCE,
            Action::FailoverDbCluster(_) => times((8.0, 60.0), (0.8, 3.0)),
            Action::PromoteReadReplica(_) => times((180.0, 600.0), (1.7, 3.5)),
            Action::StopTask(_) => times((10.0, 60.0), (1.6, 4.0)),
            Action::UpdateService(_) => DESIRED_COUNT,
            Action::FlipRecord(_) => RECORD,
        };
        times.at(pace)
    }
}

impl Undo {
    /// How long it usually takes; of several resources, as of one, since they come back side by side.
    pub fn usual(&self, pace: Pace) -> Usual {
        let times = match self {
            Undo::StartInstances { .. } => START_INSTANCES,
            Undo::StopInstances { .. } => STOP_INSTANCES,
            Undo::StartDbInstances { .. } => START_DB_INSTANCE,
            Undo::StopDbInstances { .. } => STOP_DB_INSTANCE,
            Undo::DesiredCount { .. } => DESIRED_COUNT,
            Undo::RecordSets { .. } => RECORD,
        };
        times.at(pace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_undo_is_shorter_than_its_limit_at_either_pace() {
        let undo = Undo::StartDbInstances { ids: vec!["orders-db".to_owned()] };
        for (pace, to) in [(Pace::Aws, 600.0), (Pace::Scaled, 2.0)] {
            let usual = undo.usual(pace);
            assert_eq!(usual.to, to);
            assert!(usual.from <= usual.to && usual.to < undo.limit().as_secs_f64());
        }
    }
}
