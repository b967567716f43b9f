//! What is said of a name that the AWS CLI does not have: what was meant, or where it is.

use super::super::{Finding, clip, listed, nearest};
use super::table::{self, Opt};

/// No such service, or no such operation of the command `path`.
pub(super) fn command(at: usize, path: &str, word: &str) -> Finding {
    let message = match path {
        "" => format!("the AWS CLI has no service `{}`", clip(word)),
        path => format!("`aws {path}` has no operation `{}`", clip(word)),
    };
    let finding = Finding::new(at, message);
    let near = match path {
        "" => suggestion(word, table::services),
        path => suggestion(word, || table::below(path)),
    };
    if let Some(near) = near {
        return finding.label(format!("did you mean `{near}`?"));
    }
    let elsewhere = services_with(word);
    if !path.is_empty() && !elsewhere.is_empty() {
        return finding.label(format!("{} has it", listed(&elsewhere)));
    }
    finding.label(format!("not known to {}", table::source())).help(list_help(path))
}

/// The services that a drill calls: an operation that one of them lacks is looked for in the others.
const OFTEN: &[&str] = &[
    "acm",
    "apigateway",
    "apigatewayv2",
    "application-autoscaling",
    "arc-zonal-shift",
    "autoscaling",
    "backup",
    "cloudformation",
    "cloudfront",
    "cloudwatch",
    "dms",
    "docdb",
    "dynamodb",
    "ec2",
    "ecs",
    "efs",
    "eks",
    "elasticache",
    "elb",
    "elbv2",
    "events",
    "fis",
    "fsx",
    "globalaccelerator",
    "iam",
    "kafka",
    "kinesis",
    "kms",
    "lambda",
    "logs",
    "memorydb",
    "neptune",
    "opensearch",
    "organizations",
    "rds",
    "redshift",
    "route53",
    "route53-recovery-cluster",
    "route53-recovery-control-config",
    "route53resolver",
    "s3",
    "s3api",
    "s3control",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "stepfunctions",
    "sts",
    "wafv2",
];

/// Those of them that have an operation of this name, the first three.
fn services_with(operation: &str) -> Vec<String> {
    let has = |service: &&&str| table::find(&format!("{service} {operation}")).is_some();
    OFTEN.iter().filter(has).take(3).map(|service| format!("aws {service}")).collect()
}

/// How the CLI lists what there is.
fn list_help(path: &str) -> String {
    format!("`{}` lists what there is", format!("aws {path} help").replace("  ", " "))
}

/// A command line that ends before its operation.
pub(super) fn incomplete(at: usize, path: &str) -> Finding {
    match path {
        "" => {
            Finding::new(at, "`aws` alone does nothing").label("a service and an operation are needed here")
        }
        path if path.contains(' ') => Finding::new(at, format!("`aws {path}` alone does nothing"))
            .label("one of its commands is needed here"),
        path => {
            Finding::new(at, format!("`aws {path}` alone does nothing")).label("an operation is needed here")
        }
    }
}

/// No such option of the command `path`.
pub(super) fn option(at: usize, path: &str, name: &str, known: &[Opt]) -> Finding {
    let finding = Finding::new(at, format!("`aws {path}` has no option `{}`", clip(name)));
    let bare = name.trim_start_matches('-');
    let names = || {
        let locals = known.iter().filter(|option| !option.positional).map(|option| option.name);
        locals.collect::<Vec<_>>().into_iter()
    };
    match suggestion(bare, names) {
        Some(near) => finding.label(format!("did you mean `--{near}`?")),
        None => finding.label(format!("not known to {}", table::source())).help(list_help(path)),
    }
}

/// What was meant: the same letters written otherwise, the nearest name, or the shortest that has all the words.
fn suggestion<'k, I: Iterator<Item = &'k str>>(name: &str, known: impl Fn() -> I) -> Option<&'k str> {
    let letters = |text: &str| {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let wanted = letters(name);
    let words: Vec<&str> = name.split(['-', '_']).filter(|word| !word.is_empty()).collect();
    let has_all = |candidate: &str| words.iter().all(|word| candidate.split('-').any(|part| part == *word));
    known().find(|candidate| letters(candidate) == wanted).or_else(|| nearest(name, known())).or_else(|| {
        match words.len() {
            0 | 1 => None,
            _ => known().filter(|candidate| has_all(candidate)).min_by_key(|candidate| candidate.len()),
        }
    })
}
