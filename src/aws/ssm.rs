//! Systems Manager, as far as it is looked at: the value of one parameter.

use super::{Aws, Fault, FaultKind};

pub(crate) const GET_PARAMETER: &str = "ssm:GetParameter";

/// The value of a parameter, by its name or ARN; `None` when there is none of that name. A `SecureString` stays
/// encrypted.
pub(crate) async fn parameter(aws: &Aws, name: &str) -> Result<Option<String>, Fault> {
    let answer = aws.ssm().get_parameter().name(name).with_decryption(false).send().await;
    match answer.map_err(|error| Fault::read(GET_PARAMETER, name, error)) {
        Ok(answer) => Ok(Some(answer.parameter.and_then(|found| found.value).unwrap_or_default())),
        Err(fault) if fault.kind == FaultKind::Absent => Ok(None),
        Err(fault) => Err(fault),
    }
}
