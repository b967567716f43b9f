//! The lab's contract: the same calls by the same SDK clients, against the lab and against moto, an
//! independent imitation of AWS that is arranged to the lab's world. Each row says what AWS answers,
//! and both are held to it; where moto is known to be wrong, the row says with what, and that it still
//! is: a newer moto that has learned better is noticed.

mod ec2;
mod ecs;
mod layers;
mod rds;
mod route53;
mod side;
mod sts;

use firedrill::lab::{Lab, Settings};

use self::side::{Side, Told};
use crate::support_moto::Moto;

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_and_moto_answer_alike() {
    let Some(moto) = Moto::start() else { return };
    moto.hold_tasks();
    let lab = Lab::start(Settings { seed: 21, ..Settings::default() }).expect("a lab");
    let mut real = Side::of("the lab", &lab.endpoint_url());
    real.zone = lab.values()["zone_id"].clone();
    let mut other = Side::of("moto", &moto.relay.url());
    // The lab as it is at first is the model, so it is copied before any row changes it.
    ec2::copy(&real, &other).await;
    rds::copy(&real, &other).await;
    ecs::arrange(&other).await;
    other.zone = route53::copy(&real, &other).await;
    layers::arrange(&other).await;

    let (in_the_lab, in_moto) = tokio::join!(every_row(&real), every_row(&other));
    assert_eq!(in_the_lab.rows, in_moto.rows, "both were asked the same");
    assert!(in_the_lab.rows.len() > 80, "only {} rows", in_the_lab.rows.len());
    let wrong = [in_the_lab.wrong, in_moto.wrong].concat();
    assert!(wrong.is_empty(), "{} answers differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The services share nothing here, so that what takes its time in one does not keep the others waiting.
async fn every_row(at: &Side) -> Told {
    // First, and alone: what the others stop or terminate changes what balancers and groups say.
    let mut layers = Told::by(at);
    layers::rows(at, &mut layers).await;
    let [mut sts, mut ec2, mut rds, mut ecs, mut route53] = [(); 5].map(|()| Told::by(at));
    tokio::join!(
        sts::rows(at, &mut sts),
        ec2::rows(at, &mut ec2),
        rds::rows(at, &mut rds),
        ecs::rows(at, &mut ecs),
        route53::rows(at, &mut route53),
    );
    [layers, ec2, rds, ecs, route53].into_iter().fold(sts, Told::and)
}
