//! A parameter of Systems Manager that stops a run: for whoever has AWS at hand and not this machine.
//!
//! There or not is what counts, as with the file: no such parameter, or one that says `go`, lets runs be; any
//! other value stops them. It is asked every second by a task of its own, and never by a step.

use std::time::Duration;

use tokio::task::JoinSet;

use super::first_line;
use crate::aws::{Aws, jittered, ssm};

/// The value that lets runs be.
pub const GO: &str = "go";
/// How often it is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long Systems Manager may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the parameter says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Runs may go on.
    Go,
    /// Every run is to stop: who or what says so.
    Stop(String),
    /// Nobody could read it: why.
    Unread(String),
}

/// Asks once what the parameter of this name says.
pub async fn ask(aws: &Aws, name: &str) -> Said {
    match tokio::time::timeout(PATIENCE, ssm::parameter(aws, name)).await {
        Ok(Ok(value)) => of(name, value.as_deref()),
        Ok(Err(fault)) => Said::Unread(fault.to_string()),
        Err(_) => Said::Unread(format!("Systems Manager did not answer within {} s", PATIENCE.as_secs())),
    }
}

fn of(name: &str, value: Option<&str>) -> Said {
    match value.map(|value| first_line(value.as_bytes())) {
        None => Said::Go,
        Some(line) if line == GO => Said::Go,
        Some(line) if line.is_empty() => Said::Stop(format!("the parameter {name}")),
        Some(line) => Said::Stop(format!("{line} (the parameter {name})")),
    }
}

/// What the journal notes of it, beside an order to stop.
pub fn news(said: &Said) -> String {
    match said {
        Said::Unread(why) => format!(
            "the parameter that stops this run cannot be read; a signal and `firedrill abort` stop it all the same: {why}"
        ),
        Said::Go | Said::Stop(_) => "the parameter that stops this run can be read again".to_owned(),
    }
}

/// Watches the environment's parameter, if it names one, until it says stop; `tell` hears of that, of its being
/// unreadable once, and of its being readable again. The watching ends with the set.
pub fn watch<T>(aws: Option<&Aws>, tell: T) -> JoinSet<()>
where
    T: Fn(Said) + Send + Sync + 'static,
{
    let mut tasks = JoinSet::new();
    let Some((aws, name)) = aws.and_then(|aws| Some((aws, aws.stop_parameter()?.to_owned()))) else {
        return tasks;
    };
    let aws = aws.for_watching();
    tasks.spawn(async move {
        let mut last = Said::Go;
        loop {
            let said = ask(&aws, &name).await;
            // Why it cannot be read may change from look to look; that it cannot is one piece of news.
            if std::mem::discriminant(&said) != std::mem::discriminant(&last) {
                tell(said.clone());
            }
            if matches!(said, Said::Stop(_)) {
                return;
            }
            last = said;
            tokio::time::sleep(jittered(EVERY)).await;
        }
    });
    tasks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_absence_and_go_let_runs_be() {
        assert_eq!(of("/drills/stop", None), Said::Go);
        assert_eq!(of("/drills/stop", Some(" go \n")), Said::Go);
        let stop = |text: &str| Said::Stop(text.to_owned());
        assert_eq!(of("/drills/stop", Some("")), stop("the parameter /drills/stop"));
        assert_eq!(of("/drills/stop", Some("GO")), stop("GO (the parameter /drills/stop)"));
        let said = of("/drills/stop", Some("the pager\u{1b}[2J, 3 am\nmore"));
        assert_eq!(said, stop("the pager [2J, 3 am (the parameter /drills/stop)"));
    }
}
