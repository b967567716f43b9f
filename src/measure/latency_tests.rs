use super::*;
use crate::journal::fixture::sample;
use crate::sample::Class;

#[test]
fn percentiles_hold_the_true_value() {
    let times: Vec<f64> = (1..=1000).map(|n| f64::from(n) * 1.2345e-3).collect();
    let latencies = Latencies::of_seconds(times.iter().copied()).unwrap();
    for (percentile, index) in [(50.0, 499), (95.0, 949), (99.0, 989), (99.9, 998), (100.0, 999)] {
        let found = latencies.percentile(percentile);
        assert!(found.contains(times[index]), "p{percentile}: {} is not in {found:?}", times[index]);
        assert!(found.hi.unwrap() - found.lo <= 0.002 * times[index], "{found:?}");
    }
    assert_eq!((latencies.count(), latencies.longest()), (1000, 1.2345));
}

#[test]
fn a_held_back_sample_is_charged_from_the_instant_it_was_due() {
    let mut late = sample(0, 0, 5.0, 5.01, Class::Ok);
    late.scheduled = crate::clock::Moment::from_secs(4.5);
    let latencies = Latencies::of([late].iter()).unwrap();
    assert!(latencies.percentile(50.0).contains(0.51));
}

#[test]
fn beyond_a_minute_only_the_maximum_is_exact() {
    let latencies = Latencies::of_seconds([90.0, 0.001].into_iter()).unwrap();
    assert_eq!(latencies.longest(), 90.0);
    assert!(latencies.percentile(99.0).contains(90.0), "{:?}", latencies.percentile(99.0));
    assert!(Latencies::of_seconds(std::iter::empty()).is_none());
}
