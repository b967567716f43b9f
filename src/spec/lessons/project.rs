//! `FD06xx`: the project file.

use super::{Lesson, error};
use crate::notation::code::Code;

pub(super) const LESSONS: &[Lesson] = &[
    error(
        Code::LabDeclared,
        "`lab` is the region inside the process, and needs no entry. An environment of that name would make one believe that a \
         drill is harmless.",
        "\nenvironments:\n  lab: { region: eu-west-1 }\n  staging: { region: eu-west-1 }\n",
        "\nenvironments:\n  staging: { region: eu-west-1 }\n",
    ),
    error(
        Code::UnknownEnvironment,
        "The environment that was asked for is not declared in firedrill.yaml. `check` does not ask for any; `plan` and `run` do, \
         with --env.",
        "\nenvironments:\n  stagin: { region: eu-west-1 }\n",
        "\nenvironments:\n  staging: { region: eu-west-1 }\n",
    ),
    error(
        Code::AccountId,
        "An AWS account id has 12 digits; leading zeros count. Nothing is changed in an account that the environment does not name, \
         so that a slip here stops every drill.",
        "\nenvironments:\n  staging: { accounts: [\"12345\"] }\n",
        "\nenvironments:\n  staging: { accounts: [\"123456789012\"] }\n",
    ),
    error(
        Code::WindowNeverOpens,
        "The window has no day, or no time between `from` and `to`, or there is no window at all: nothing could ever be changed in \
         this environment.",
        "\nenvironments:\n  staging:\n    windows: [{ from: \"09:00\", to: \"09:00\" }]\n",
        "\nenvironments:\n  staging:\n    windows: [{ from: \"09:00\", to: \"17:00\" }]\n",
    ),
    error(
        Code::OptInForAll,
        "`opt_in` lets drills touch only what carries its tags. Without any tag it would allow everything, which is the opposite.",
        "\nenvironments:\n  staging: { opt_in: { tags: {} } }\n",
        "\nenvironments:\n  staging: { opt_in: { tags: { firedrill: allowed } } }\n",
    ),
    error(
        Code::LimitOutOfRange,
        "A limit in percent is from 1 to 100, and one in resources at least 1: another would refuse every drill, or none.",
        "\nenvironments:\n  staging: { limits: { percent: 0 } }\n",
        "\nenvironments:\n  staging: { limits: { percent: 30 } }\n",
    ),
    error(
        Code::FreezeBackwards,
        "The freeze ends before it begins, so that it would freeze nothing. Both days are included, the earlier one first.",
        "\nenvironments:\n  staging: { freeze: [2027-01-02..2026-12-20] }\n",
        "\nenvironments:\n  staging: { freeze: [2026-12-20..2027-01-02] }\n",
    ),
    error(
        Code::NotATimeZone,
        "A time zone is a name of the IANA database, such as `Europe/Berlin`. An offset or an abbreviation does not know when the \
         clocks change.",
        "\nenvironments:\n  staging: { time_zone: UTC+1 }\n",
        "\nenvironments:\n  staging: { time_zone: UTC }\n",
    ),
    error(
        Code::NotADate,
        "A date is written `2026-12-24`, and a range `2026-12-20..2027-01-02`. Other orders of day and month mean different days to \
         different readers.",
        "\nenvironments:\n  staging: { freeze: [24.12.2026] }\n",
        "\nenvironments:\n  staging: { freeze: [2026-12-24] }\n",
    ),
    error(
        Code::NotATimeOfDay,
        "A time of day is written with two digits each, from `00:00` to `24:00`, and in quotes, since some YAML readers take \
         `17:00` for 1020.",
        "\nenvironments:\n  staging:\n    windows: [{ from: \"9:00\", to: \"17:00\" }]\n",
        "\nenvironments:\n  staging:\n    windows: [{ from: \"09:00\", to: \"17:00\" }]\n",
    ),
    error(
        Code::RegionName,
        "A region is written as AWS's API does, such as `eu-west-1`: neither its title (`Ireland`), nor one of its zones \
         (`eu-west-1a`). Not judged where `endpoint_url` says that it is not AWS that is called.",
        "\nenvironments:\n  staging: { region: eu-west-1a }\n",
        "\nenvironments:\n  staging: { region: eu-west-1 }\n",
    ),
];
