//! `FD02xx`: names and references.

use super::{Lesson, error, warning};
use crate::notation::code::Code;

pub(super) const LESSONS: &[Lesson] = &[
    error(
        Code::UnknownVariable,
        "`${name}` refers to a variable that the file does not declare under `variables:`. A variable is declared so that \
         whoever runs the drill knows what to give it.",
        "\nprobes:\n  shop: { http: { url: \"${storefront}/health\" } }\n",
        "\nvariables: { storefront: { about: base URL that customers use, default: http://shop.test } }\nprobes:\n  shop: { http: { url: \"${storefront}/health\" } }\n",
    ),
    error(
        Code::VariableInItself,
        "The variable's default refers to the variable again, by itself or through others, so that it has no end.",
        "\nvariables: { base: { default: \"${base}/shop\" } }\nprobes:\n  shop: { http: { url: \"${base}/health\" } }\n",
        "\nvariables: { host: { default: shop.test }, base: { default: \"http://${host}/shop\" } }\nprobes:\n  shop: { http: { url: \"${base}/health\" } }\n",
    ),
    error(
        Code::ReferenceLeftOpen,
        "A `${` begins a reference, and its `}` is missing. `$${` stands for a literal `${`.",
        "\ntitle: \"costs ${price\"\n",
        "\ntitle: \"costs $${price\"\n",
    ),
    error(
        Code::UnknownSource,
        "What stands before the colon of a `${source:name}` says where the value comes from: `env` or `file`. Without a colon \
         it is a variable.",
        "\nowner: \"${vault:owner}\"\n",
        "\nvariables: { owner: { default: payments-sre } }\nowner: \"${owner}\"\n",
    ),
    error(
        Code::NoValueGiven,
        "The drill uses a variable that neither the environment nor the command line gives a value, and that has no default. \
         `check` lets it pass, since values are given to a run; `plan` and `run` do not.",
        "\nvariables: { storefront: { about: base URL } }\nprobes:\n  shop: { http: { url: \"${storefront}/health\" } }\n",
        "\nvariables: { storefront: { about: base URL, default: http://shop.test } }\nprobes:\n  shop: { http: { url: \"${storefront}/health\" } }\n",
    ),
    error(
        Code::EnvironmentVariable,
        "`${env:NAME}` takes the value of an environment variable of this process, and there is none of that name. `check` \
         does not look at it.",
        "\nowner: \"${env:FIREDRILL_NO_SUCH_VARIABLE}\"\n",
        "\nowner: \"${env:PATH}\"\n",
    ),
    error(
        Code::FileReference,
        "`${file:path}` takes the text of a file, and it cannot be read, or is no UTF-8 text. The path is relative to the file \
         that names it. `check` does not look at it.",
        "\nowner: \"${file:no-such-file}\"\n",
        "\nowner: \"${file:/proc/version}\"\n",
    ),
    error(
        Code::UnknownTarget,
        "An action is aimed at a target by its name under `targets:`, and no target has this one. Names are matched exactly.",
        "\ntargets: { web: { ec2.instance: { tags: { app: web } } } }\nsteps:\n  - { name: stop it, action: { ec2.stop_instances: { target: wbe } } }\n",
        "\ntargets: { web: { ec2.instance: { tags: { app: web } } } }\nsteps:\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::UnknownProbe,
        "A guardrail names a probe that the file does not declare: it would watch nothing, and never stop the run.",
        "\nstop_when:\n  - { probe: shpo, down_for: 5m }\n",
        "\nstop_when:\n  - { probe: shop, down_for: 5m }\n",
    ),
    error(
        Code::UnknownStep,
        "`after` and `measure_from` name steps of the file, and no step has this name. Names are matched exactly, capital \
         letters and blanks included.",
        "\nmeasure_from: stop-it\n",
        "\nmeasure_from: stop it\n",
    ),
    error(
        Code::UnknownAction,
        "Actions are called after AWS's API operations, `service.operation_in_snake_case`. `firedrill actions` lists them.",
        "\nsteps:\n  - { name: stop it, action: { ec2.stop_instance: { target: web } } }\n",
        "\nsteps:\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::UnknownProbeKind,
        "A probe's kind says what is asked of whom. `firedrill probes` lists the kinds.",
        "\nprobes:\n  shop: { https: { url: https://shop.test/health } }\n",
        "\nprobes:\n  shop: { http: { url: https://shop.test/health } }\n",
    ),
    error(
        Code::UnknownTargetKind,
        "A target's kind says what sort of resource is meant, `service.resource`. `firedrill actions NAME` says which kind an \
         action takes.",
        "\ntargets: { web: { ec2.instances: { tags: { app: web } } } }\n",
        "\ntargets: { web: { ec2.instance: { tags: { app: web } } } }\n",
    ),
    error(
        Code::NotAName,
        "Names of variables, targets, probes and environments stand in reports, metrics and on command lines: up to 64 letters, \
         digits, `-`, `_` and `.`, without blanks.",
        "\nprobes:\n  the shop: { http: { url: http://shop.test/health } }\n",
        "\nprobes:\n  the-shop: { http: { url: http://shop.test/health } }\n",
    ),
    error(
        Code::NotAnExperimentName,
        "The experiment's name becomes a folder, a metric's label and a part of links: lower-case letters, digits and `-`. The \
         wording for people is `title`.",
        "\nname: Reboot the RDS\n",
        "\nname: reboot-the-rds\ntitle: Reboot the RDS\n",
    ),
    error(
        Code::NotAStepName,
        "A step's name is one line of at most 100 characters: it is a line of the plan, of the live view and of the report.",
        "\nsteps:\n  - { name: \"\", action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: stop a web server, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    warning(
        Code::UnusedVariable,
        "The variable is declared, and nothing refers to it. Whoever runs the drill would look for a value that changes nothing, \
         or the reference to it was lost.",
        "\nvariables: { storefront: { about: base URL } }\n",
        "\nvariables: { storefront: { about: base URL, default: http://shop.test } }\nprobes:\n  shop: { http: { url: \"${storefront}/health\" } }\n",
    ),
    warning(
        Code::UnusedTarget,
        "The target is declared, and no step acts on it. Either the step is missing, or the file says more than it does.",
        "\ntargets:\n  web: { ec2.instance: { tags: { app: web } } }\n  database: { rds.instance: { id: orders } }\n",
        "\ntargets:\n  web: { ec2.instance: { tags: { app: web } } }\n",
    ),
    error(
        Code::WrongTargetKind,
        "Each action acts on one kind of resource, and the target that it is aimed at is of another.",
        "\ntargets: { web: { rds.instance: { id: orders } } }\n",
        "\ntargets: { web: { ec2.instance: { tags: { app: web } } } }\n",
    ),
    error(
        Code::ResourceId,
        "AWS never gave a resource of this kind such an id: an EC2 instance is `i-` and 8 or 17 hexadecimal digits; an RDS \
         identifier begins with a letter and has letters, digits and single hyphens; an ECS name has letters, digits, `-` and `_`. \
         What cannot exist cannot be found, and the drill would stop at its plan.",
        "\ntargets: { web: { ec2.instance: { id: i-0abc123 } } }\n",
        "\ntargets: { web: { ec2.instance: { id: i-0abc123def4567890 } } }\n",
    ),
    error(
        Code::Arn,
        "An ARN has six parts, `arn:partition:service:region:account:resource`, with the service that owns the resource, and an \
         account of 12 digits.",
        "\ntargets: { web: { ecs.service: { cluster: \"arn:aws:ec2:eu-west-1:123456789012:cluster/shop\", service: web } } }\nsteps:\n  - { name: stop it, action: { ecs.update_service: { target: web, desired_count: 0 } } }\n",
        "\ntargets: { web: { ecs.service: { cluster: \"arn:aws:ecs:eu-west-1:123456789012:cluster/shop\", service: web } } }\nsteps:\n  - { name: stop it, action: { ecs.update_service: { target: web, desired_count: 0 } } }\n",
    ),
    error(
        Code::HostedZone,
        "A hosted zone is named by its id, `Z` and capital letters and digits, or by its domain name. A URL or an ARN is neither.",
        "\ntargets: { web: { route53.record: { zone: \"https://shop.test/\", name: www.shop.test, type: A } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web, values: [192.0.2.10] } } }\n",
        "\ntargets: { web: { route53.record: { zone: shop.test, name: www.shop.test, type: A } } }\nsteps:\n  - { name: move it, action: { route53.flip_record: { target: web, values: [192.0.2.10] } } }\n",
    ),
    error(
        Code::AvailabilityZone,
        "An Availability Zone is its region and a letter, such as `eu-west-1a`. A region's name matches no resource, and a zone's \
         id (`euw1-az1`) is another name for it, which this key does not take.",
        "\ntargets: { web: { ec2.instance: { availability_zone: eu-west-1 } } }\n",
        "\ntargets: { web: { ec2.instance: { availability_zone: eu-west-1a } } }\n",
    ),
    error(
        Code::UnknownRunbook,
        "No runbook has this name, or there is no file of this path. A name is looked for in the folder `runbooks` beside this file and above it; a path counts from this file's folder.",
        "\nsteps:\n  - runbook: restor\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - runbook: restore\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::NotARunbook,
        "The file that the step names is there, and is of another kind. An experiment is run by `firedrill run`; only the steps of a `kind: Runbook` can stand in the place of a step.",
        "\nsteps:\n  - runbook: runbooks/drill.yaml\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - runbook: runbooks/restore.yaml\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::RunbookWrong,
        "The runbook that the step names has errors of its own, and so cannot be run from here either. `firedrill check` of its file tells all of them, each at its place.",
        "\nsteps:\n  - runbook: runbooks/broken.yaml\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - runbook: runbooks/restore.yaml\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
    error(
        Code::UnknownOutput,
        "`${output:name}` refers to what an earlier step prints, and no step of the file keeps an output of this name: `output: name` on the step that prints it.",
        "\nsteps:\n  - { name: ask, run: [date], output: when }\n  - { name: tell, manual: \"It is ${output:whne}\" }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
        "\nsteps:\n  - { name: ask, run: [date], output: when }\n  - { name: tell, manual: \"It is ${output:when}\" }\n  - { name: stop it, action: { ec2.stop_instances: { target: web } } }\n",
    ),
];
