//! STS: who calls, and as whom.

use super::side::{Side, Told, code};

pub(super) async fn rows(at: &Side, told: &mut Told) {
    let sts = aws_sdk_sts::Client::new(&at.config());
    let who = sts.get_caller_identity().send().await.expect("an identity");
    told.row("GetCallerIdentity: account", "123456789012", who.account().unwrap_or_default());
    let arn = who.arn().unwrap_or_default();
    // moto's user is of the service `sts`, and is called moto.
    told.but_moto(
        "GetCallerIdentity: ARN",
        "arn:aws:iam::123456789012:user/firedrill",
        "arn:aws:sts::123456789012:user/moto",
        arn,
    );

    let assume = |role: &str| sts.assume_role().role_session_name("drill-7").role_arn(role);
    let keys = assume("arn:aws:iam::123456789012:role/drill").send().await.expect("keys for the role");
    let user = keys.assumed_role_user().map(|user| user.arn()).unwrap_or_default();
    let expected = "arn:aws:sts::123456789012:assumed-role/drill/drill-7";
    told.row("AssumeRole: ARN", expected, user);
    let keys = keys.credentials().expect("credentials");
    let config = at.config_with(keys.access_key_id(), keys.secret_access_key(), Some(keys.session_token()));
    let who = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.expect("an identity");
    told.row("GetCallerIdentity with the role's keys: ARN", expected, who.arn().unwrap_or_default());
    told.row(
        "GetCallerIdentity with the role's keys: account",
        "123456789012",
        who.account().unwrap_or("none"),
    );
    // moto gives keys for any role of any account.
    let foreign = assume("arn:aws:iam::999999999999:role/drill").send().await;
    told.but_moto("AssumeRole of another account", "AccessDenied", "accepted", code(&foreign));
}
