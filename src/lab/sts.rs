//! STS: who a caller is, and keys for a role.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::SignedDuration;

use super::wire::{Answer, Call, Fault, Identities, Params, Protocol, Service, Xml};
use super::world::{ACCOUNT, World};

/// How long keys last when nothing else is asked for, in seconds.
const DURATION: u64 = 3600;

/// The region's STS.
pub(crate) struct Sts {
    world: World,
    identities: Arc<Identities>,
    issued: AtomicU64,
}

impl Sts {
    pub(crate) fn new(world: World, identities: Arc<Identities>) -> Sts {
        Sts { world, identities, issued: AtomicU64::new(0) }
    }

    fn identity(&self, caller: &str) -> Xml {
        let user = match caller.contains(":assumed-role/") {
            true => format!("{}:{}", role_id(&self.world), caller.rsplit('/').next().unwrap_or_default()),
            false => self.world.pace.id("AIDA", "user").to_uppercase(),
        };
        let mut xml = Xml::new();
        xml.leaf("Arn", caller).leaf("UserId", user).leaf("Account", ACCOUNT);
        xml
    }

    /// Keys for a role of the lab's account; any other account's role may not be assumed.
    fn assume_role(&self, call: &Call) -> Result<Xml, Fault> {
        let role = call.params.required("RoleArn")?;
        let session = call.params.required("RoleSessionName")?;
        let name =
            role.strip_prefix(&format!("arn:aws:iam::{ACCOUNT}:role/")).filter(|name| !name.is_empty());
        let Some(name) = name else {
            let message = format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}",
                call.caller
            );
            return Err(Fault::new(403, "AccessDenied", message));
        };
        let lasts = duration(&call.params)?;
        let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{}/{session}", last(name));
        let number = self.issued.fetch_add(1, Ordering::Relaxed).to_string();
        let key = self.world.pace.id("ASIA", &format!("key {number}")).to_uppercase();
        self.identities.add(&key, arn.clone());
        let now = self.world.clock.wall(self.world.clock.now());
        let expires = now.checked_add(SignedDuration::from_secs(lasts)).unwrap_or(now);
        let mut xml = Xml::new();
        xml.node("AssumedRoleUser", |xml| {
            xml.leaf("AssumedRoleId", format!("{}:{session}", role_id(&self.world))).leaf("Arn", arn);
        });
        xml.node("Credentials", |xml| {
            xml.leaf("AccessKeyId", &key);
            xml.leaf("SecretAccessKey", self.world.pace.id("", &format!("secret {number}")));
            xml.leaf("SessionToken", self.world.pace.id("", &format!("token {number}")));
            xml.leaf("Expiration", format!("{expires:.0}"));
        });
        Ok(xml)
    }
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn role_id(world: &World) -> String {
    world.pace.id("AROA", "role").to_uppercase()
}

fn duration(params: &Params) -> Result<i64, Fault> {
    let asked = params.number("DurationSeconds")?.unwrap_or(DURATION);
    let valid = i64::try_from(asked).ok().filter(|seconds| (900..=43_200).contains(seconds));
    valid.ok_or_else(|| {
        let message = format!("DurationSeconds {asked} is not between 900 and 43200");
        Fault::new(400, "ValidationError", message)
    })
}

impl Service for Sts {
    fn protocol(&self) -> Protocol {
        Protocol::Query { namespace: "https://sts.amazonaws.com/doc/2011-06-15/" }
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        let answer = match call.operation.as_str() {
            "GetCallerIdentity" => self.identity(&call.caller),
            "AssumeRole" => self.assume_role(call)?,
            _ => return Ok(None),
        };
        Ok(Some(Answer::Xml(answer)))
    }
}
