//! The operations of ECS: what is refused and what is answered.

use serde_json::{Value, json};

use super::{CLUSTER, Ecs, SERVICE, State, Status, Task, seconds};
use crate::lab::elbv2;
use crate::lab::wire::{Fault, arn};
use crate::lab::world::HTTP_PORT;

/// The tags of the service and, since it propagates them, of its tasks.
const TAGS: [(&str, &str); 2] = [("app", SERVICE), ("firedrill:opt-in", "true")];
/// How many tasks a list holds, and a description takes, at most.
const LARGEST_PAGE: usize = 100;

/// Carries out an operation; nothing when the lab's ECS has none of this name.
pub(super) fn dispatch(ecs: &Ecs, operation: &str, input: &Value) -> Result<Option<Value>, Fault> {
    let answer = match operation {
        "ListClusters" => json!({ "clusterArns": [cluster_arn()] }),
        "DescribeClusters" => describe_clusters(ecs, input),
        "ListServices" => {
            in_cluster(input)?;
            json!({ "serviceArns": [service_arn()] })
        }
        "DescribeServices" => describe_services(ecs, input)?,
        "ListTasks" => list_tasks(ecs, input)?,
        "DescribeTasks" => describe_tasks(ecs, input)?,
        "StopTask" => stop_task(ecs, input)?,
        "UpdateService" => update_service(ecs, input)?,
        _ => return Ok(None),
    };
    Ok(Some(answer))
}

fn cluster_arn() -> String {
    arn("ecs", &format!("cluster/{CLUSTER}"))
}

fn service_arn() -> String {
    arn("ecs", &format!("service/{CLUSTER}/{SERVICE}"))
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterException", message)
}

/// What an ARN or a name ends with.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn text<'a>(input: &'a Value, name: &str) -> Option<&'a str> {
    input.get(name).and_then(Value::as_str)
}

fn names(input: &Value, name: &str) -> Vec<String> {
    let values = input.get(name).and_then(Value::as_array).into_iter().flatten();
    values.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Refuses a call that is about another cluster. Without one, it is about the cluster `default`.
fn in_cluster(input: &Value) -> Result<(), Fault> {
    if last(text(input, "cluster").unwrap_or("default")) == CLUSTER {
        return Ok(());
    }
    Err(Fault::new(400, "ClusterNotFoundException", "Cluster not found."))
}

/// The tags, when the call includes them: ECS tells them only then.
fn with_tags(mut described: Value, input: &Value) -> Value {
    if names(input, "include").iter().any(|name| name == "TAGS") {
        let tags: Vec<Value> =
            TAGS.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        described["tags"] = json!(tags);
    }
    described
}

fn missing(arn: String) -> Value {
    json!({ "arn": arn, "reason": "MISSING" })
}

fn count(state: &State, wanted: impl Fn(&Task) -> bool) -> usize {
    state.tasks.iter().filter(|task| wanted(task)).count()
}

fn running(task: &Task) -> bool {
    task.last == Status::Running
}

fn pending(task: &Task) -> bool {
    matches!(task.last, Status::Provisioning | Status::Pending)
}

fn describe_clusters(ecs: &Ecs, input: &Value) -> Value {
    let state = ecs.state();
    let mut wanted = names(input, "clusters");
    if wanted.is_empty() {
        wanted.push("default".to_owned());
    }
    let (known, unknown): (Vec<String>, Vec<String>) =
        wanted.into_iter().partition(|name| last(name) == CLUSTER);
    let clusters: Vec<Value> = known
        .iter()
        .map(|_| {
            json!({
                "clusterArn": cluster_arn(),
                "clusterName": CLUSTER,
                "status": "ACTIVE",
                "registeredContainerInstancesCount": 0,
                "runningTasksCount": count(&state, running),
                "pendingTasksCount": count(&state, pending),
                "activeServicesCount": 1,
            })
        })
        .collect();
    let failures: Vec<Value> =
        unknown.iter().map(|name| missing(arn("ecs", &format!("cluster/{}", last(name))))).collect();
    json!({ "clusters": clusters, "failures": failures })
}

fn describe_services(ecs: &Ecs, input: &Value) -> Result<Value, Fault> {
    in_cluster(input)?;
    let wanted = names(input, "services");
    if wanted.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    let state = ecs.state();
    let (known, unknown): (Vec<String>, Vec<String>) =
        wanted.into_iter().partition(|name| last(name) == SERVICE);
    let services: Vec<Value> = known.iter().map(|_| with_tags(service(&state), input)).collect();
    let failures: Vec<Value> = unknown
        .iter()
        .map(|name| missing(arn("ecs", &format!("service/{CLUSTER}/{}", last(name)))))
        .collect();
    Ok(json!({ "services": services, "failures": failures }))
}

fn service(state: &State) -> Value {
    let current = |task: &Task| task.deployment == state.deployment;
    let settled = count(state, |task| running(task) && current(task)) >= state.desired;
    let events: Vec<Value> = state
        .events
        .iter()
        .take(100)
        .enumerate()
        .map(|(index, (at, message))| {
            let id = format!("event-{}", state.events.len() - index);
            json!({ "id": id, "createdAt": seconds(*at), "message": message })
        })
        .collect();
    json!({
        "serviceArn": service_arn(),
        "serviceName": SERVICE,
        "clusterArn": cluster_arn(),
        "status": "ACTIVE",
        "desiredCount": state.desired,
        "runningCount": count(state, running),
        "pendingCount": count(state, pending),
        "launchType": "FARGATE",
        "schedulingStrategy": "REPLICA",
        "loadBalancers": [{
            "targetGroupArn": elbv2::target_group_arn(SERVICE),
            "containerName": SERVICE,
            "containerPort": HTTP_PORT,
        }],
        "taskDefinition": task_definition(),
        "deployments": [{
            "id": format!("ecs-svc/{:019}", state.deployment),
            "status": "PRIMARY",
            "taskDefinition": task_definition(),
            "desiredCount": state.desired,
            "runningCount": count(state, |task| running(task) && current(task)),
            "pendingCount": count(state, |task| pending(task) && current(task)),
            "createdAt": seconds(state.deployed),
            "updatedAt": seconds(state.deployed),
            "rolloutState": if settled { "COMPLETED" } else { "IN_PROGRESS" },
        }],
        "events": events,
    })
}

fn task_definition() -> String {
    arn("ecs", &format!("task-definition/{SERVICE}:1"))
}

fn list_tasks(ecs: &Ecs, input: &Value) -> Result<Value, Fault> {
    in_cluster(input)?;
    if text(input, "serviceName").is_some_and(|name| last(name) != SERVICE) {
        return Err(Fault::new(400, "ServiceNotFoundException", "Service not found."));
    }
    let wanted = match text(input, "desiredStatus").unwrap_or("RUNNING") {
        "RUNNING" | "PENDING" => true,
        "STOPPED" => false,
        other => return Err(invalid(format!("desiredStatus {other} is not RUNNING, PENDING or STOPPED."))),
    };
    let other_family = text(input, "family").is_some_and(|family| family != SERVICE);
    let state = ecs.state();
    let matching: Vec<&Task> =
        state.tasks.iter().filter(|task| task.desired == wanted && !other_family).collect();
    let size = page_size(input)?;
    // The token is the task after which the next page starts.
    let start = match text(input, "nextToken") {
        None => 0,
        Some(token) => {
            let position = matching.iter().position(|task| token == format!("after-{}", task.id));
            position.ok_or_else(|| invalid("Invalid token."))? + 1
        }
    };
    let page: Vec<&&Task> = matching.iter().skip(start).take(size).collect();
    let mut answer = json!({ "taskArns": page.iter().map(|task| task.arn()).collect::<Vec<_>>() });
    if let Some(task) = page.last().filter(|_| start + page.len() < matching.len()) {
        answer["nextToken"] = json!(format!("after-{}", task.id));
    }
    Ok(answer)
}

fn page_size(input: &Value) -> Result<usize, Fault> {
    let Some(size) = input.get("maxResults").filter(|size| !size.is_null()) else { return Ok(LARGEST_PAGE) };
    let size = size.as_u64().and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| (1..=LARGEST_PAGE).contains(size));
    size.ok_or_else(|| invalid("maxResults must be between 1 and 100."))
}

fn describe_tasks(ecs: &Ecs, input: &Value) -> Result<Value, Fault> {
    in_cluster(input)?;
    let wanted = names(input, "tasks");
    if wanted.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if wanted.len() > LARGEST_PAGE {
        return Err(invalid("Tasks cannot have more than 100 elements."));
    }
    let mut state = ecs.state();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for name in &wanted {
        match state.find(last(name)) {
            Some(found) => tasks.push(with_tags(task(found), input)),
            None => failures.push(missing(arn("ecs", &format!("task/{CLUSTER}/{}", last(name))))),
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

fn task(task: &Task) -> Value {
    let mut described = json!({
        "taskArn": task.arn(),
        "clusterArn": cluster_arn(),
        "taskDefinitionArn": task_definition(),
        "group": format!("service:{SERVICE}"),
        "startedBy": format!("ecs-svc/{:019}", task.deployment),
        "availabilityZone": task.zone,
        "launchType": "FARGATE",
        "connectivity": "CONNECTED",
        "healthStatus": "UNKNOWN",
        "lastStatus": task.last.name(),
        "desiredStatus": if task.desired { "RUNNING" } else { "STOPPED" },
        "createdAt": seconds(task.created),
        "containers": [{
            "name": SERVICE,
            "taskArn": task.arn(),
            "lastStatus": task.last.name(),
            "networkInterfaces": [{ "privateIpv4Address": task.address.to_string() }],
        }],
        "version": 1,
    });
    let times = [("startedAt", task.started), ("stoppingAt", task.stopping), ("stoppedAt", task.stopped)];
    for (name, at) in times {
        if let Some(at) = at {
            described[name] = seconds(at);
        }
    }
    if let Some((code, reason)) = &task.stop {
        described["stopCode"] = json!(code);
        described["stoppedReason"] = json!(reason);
    }
    described
}

fn stop_task(ecs: &Ecs, input: &Value) -> Result<Value, Fault> {
    in_cluster(input)?;
    let id = last(text(input, "task").ok_or_else(|| invalid("Task cannot be empty."))?).to_owned();
    if ecs.state().find(&id).is_none() {
        return Err(invalid("The referenced task was not found."));
    }
    let reason = text(input, "reason").unwrap_or("Task stopped by user");
    ecs.begin_stop(&id, "UserInitiated", reason.to_owned(), false);
    let mut state = ecs.state();
    let stopped = state.find(&id).ok_or_else(|| invalid("The referenced task was not found."))?;
    Ok(json!({ "task": task(stopped) }))
}

fn update_service(ecs: &Ecs, input: &Value) -> Result<Value, Fault> {
    in_cluster(input)?;
    if text(input, "service").is_none_or(|name| last(name) != SERVICE) {
        return Err(Fault::new(400, "ServiceNotFoundException", "Service not found."));
    }
    let desired = match input.get("desiredCount").filter(|count| !count.is_null()) {
        None => None,
        Some(count) => {
            let count = count.as_u64().and_then(|count| usize::try_from(count).ok());
            let wrong = || invalid("desiredCount must be between 0 and 20 in the lab.");
            Some(count.filter(|count| *count <= 20).ok_or_else(wrong)?)
        }
    };
    let now = ecs.now();
    let mut state = ecs.state();
    if let Some(desired) = desired {
        state.desired = desired;
    }
    if input.get("forceNewDeployment") == Some(&json!(true)) {
        state.deployment += 1;
        state.deployed = now;
    }
    Ok(json!({ "service": service(&state) }))
}
