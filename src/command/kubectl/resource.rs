//! The resources that a command of kubectl is about, as far as they can be told without a cluster.

use super::super::{Finding, clip, nearest};

/// The built-in kinds, as people write them.
const KINDS: &[&str] = &[
    "all",
    "configmap",
    "configmaps",
    "cm",
    "controllerrevision",
    "cronjob",
    "cronjobs",
    "cj",
    "crd",
    "crds",
    "customresourcedefinition",
    "daemonset",
    "daemonsets",
    "ds",
    "deployment",
    "deployments",
    "deploy",
    "endpoints",
    "ep",
    "endpointslice",
    "endpointslices",
    "event",
    "events",
    "ev",
    "horizontalpodautoscaler",
    "horizontalpodautoscalers",
    "hpa",
    "ingress",
    "ingresses",
    "ing",
    "ingressclass",
    "job",
    "jobs",
    "lease",
    "leases",
    "limitrange",
    "limitranges",
    "limits",
    "namespace",
    "namespaces",
    "ns",
    "networkpolicy",
    "networkpolicies",
    "netpol",
    "node",
    "nodes",
    "no",
    "persistentvolume",
    "persistentvolumes",
    "pv",
    "persistentvolumeclaim",
    "persistentvolumeclaims",
    "pvc",
    "pod",
    "pods",
    "po",
    "poddisruptionbudget",
    "poddisruptionbudgets",
    "pdb",
    "priorityclass",
    "priorityclasses",
    "pc",
    "replicaset",
    "replicasets",
    "rs",
    "replicationcontroller",
    "replicationcontrollers",
    "rc",
    "resourcequota",
    "resourcequotas",
    "quota",
    "role",
    "roles",
    "rolebinding",
    "rolebindings",
    "clusterrole",
    "clusterroles",
    "clusterrolebinding",
    "clusterrolebindings",
    "secret",
    "secrets",
    "service",
    "services",
    "svc",
    "serviceaccount",
    "serviceaccounts",
    "sa",
    "statefulset",
    "statefulsets",
    "sts",
    "storageclass",
    "storageclasses",
    "sc",
    "volumeattachment",
];

/// What `kubectl rollout` works on.
const ROLLED_OUT: &[&str] = &[
    "deployment",
    "deployments",
    "deploy",
    "daemonset",
    "daemonsets",
    "ds",
    "statefulset",
    "statefulsets",
    "sts",
];

/// The commands whose first word is a kind, or a kind and a name.
const ABOUT: &[&str] = &[
    "get",
    "describe",
    "delete",
    "edit",
    "label",
    "annotate",
    "patch",
    "scale",
    "autoscale",
    "expose",
    "wait",
];

/// Says what is wrong with the kinds that the words at `free` name.
pub(super) fn check(path: &str, words: &[&str], free: &[usize], findings: &mut Vec<Finding>) {
    let rollout = path.starts_with("rollout ");
    if !rollout && !ABOUT.contains(&path) {
        return;
    }
    let Some(at) = free.first() else { return };
    let Some(word) = words.get(*at).filter(|word| !word.contains("${")) else { return };
    for part in word.split(',') {
        let kind = part.split('/').next().unwrap_or_default().to_ascii_lowercase();
        // `deployments.apps`, and kinds that a cluster has been taught.
        if kind.contains('.') || kind.is_empty() {
            continue;
        }
        if rollout && KINDS.contains(&kind.as_str()) && !ROLLED_OUT.contains(&kind.as_str()) {
            findings.push(
                Finding::new(*at, format!("`kubectl {path}` does not work on a `{kind}`"))
                    .label("expected a deployment, a daemonset or a statefulset"),
            );
        } else if kind.len() > 3
            && !KINDS.contains(&kind.as_str())
            && let Some(near) = nearest(&kind, KINDS.iter().copied().filter(|kind| kind.len() > 3))
        {
            findings.push(
                Finding::new(*at, format!("no built-in kind is called `{}`", clip(&kind)))
                    .label(format!("did you mean `{near}`?"))
                    .warning(),
            );
        }
    }
}

/// Whether every quote and every bracket of a patch is closed; it may be JSON or YAML.
pub(super) fn closed(patch: &str) -> bool {
    let mut open = Vec::new();
    let mut quoted = false;
    let mut characters = patch.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if quoted => {
                characters.next();
            }
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' if open.pop() != Some(character) => return false,
            _ => {}
        }
    }
    !quoted && open.is_empty()
}
