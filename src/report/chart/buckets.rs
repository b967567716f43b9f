//! Samples in groups of neighbours, so that any number of them fits a drawing.

use crate::sample::{Class, Sample};

/// Neighbouring samples of one probe.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bucket {
    /// Seconds of the run.
    pub(super) from: f64,
    /// Seconds of the run.
    pub(super) to: f64,
    /// Samples that were served.
    pub(super) good: u32,
    /// Samples that were not.
    pub(super) bad: u32,
    /// Samples that say nothing: void or never sent.
    pub(super) void: u32,
    /// Least, median and largest response time of the served ones, in seconds.
    pub(super) latency: Option<(f64, f64, f64)>,
}

impl Bucket {
    /// Share of bad samples in eighths; any bad one shows.
    pub(super) fn level(&self) -> u32 {
        (self.bad * 8).div_ceil((self.good + self.bad).max(1))
    }

    /// Whether it says nothing of the service.
    pub(super) fn silent(&self) -> bool {
        self.good + self.bad == 0
    }
}

/// The samples due in `[from, to]`, which come in the order of their numbers, in at most about `most` groups.
/// Grouped by number, not by time: jitter leaves no gaps.
pub(super) fn buckets(samples: &[&Sample], every: f64, from: f64, to: f64, most: usize) -> Vec<Bucket> {
    let within: Vec<&Sample> =
        samples.iter().copied().filter(|sample| (from..=to).contains(&sample.scheduled.secs())).collect();
    let (Some(first), Some(last)) = (within.first(), within.last()) else {
        return Vec::new();
    };
    let per_group = (last.seq - first.seq + 1).div_ceil(most.max(1) as u32).max(1);
    let zero = first.scheduled.secs();
    within
        .chunk_by(|a, b| (a.seq - first.seq) / per_group == (b.seq - first.seq) / per_group)
        .filter_map(|group| {
            let number = (group.first()?.seq - first.seq) / per_group;
            let width = every * f64::from(per_group);
            Some(bucket(group, zero + width * f64::from(number), width))
        })
        .collect()
}

fn bucket(group: &[&Sample], from: f64, width: f64) -> Bucket {
    let count = |test: fn(Class) -> bool| group.iter().filter(|s| test(s.class)).count() as u32;
    let mut times: Vec<f64> = group
        .iter()
        .filter(|s| matches!(s.class, Class::Ok | Class::Slow))
        .map(|s| s.response_time().max(0.0))
        .collect();
    times.sort_by(f64::total_cmp);
    let latency = match (times.first(), times.get(times.len() / 2), times.last()) {
        (Some(&least), Some(&median), Some(&most)) => Some((least, median, most)),
        _ => None,
    };
    Bucket {
        from,
        to: from + width,
        good: count(Class::good),
        bad: count(Class::bad),
        void: count(|class| !class.counted()),
        latency,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::sample::Cause;

    fn sample(seq: u32, class: Class) -> Sample {
        let due = Moment::from_secs(f64::from(seq) * 0.1);
        let done = Moment::from_secs(f64::from(seq) * 0.1 + 0.004);
        Sample {
            probe: 0,
            seq,
            scheduled: due,
            sent: due,
            done,
            class,
            cause: Cause::None,
            ..Sample::default()
        }
    }

    #[test]
    fn every_sample_is_in_exactly_one_group() {
        let all: Vec<Sample> =
            (0..1003).map(|seq| sample(seq, if seq % 7 == 0 { Class::Timeout } else { Class::Ok })).collect();
        let borrowed: Vec<&Sample> = all.iter().collect();
        let groups = buckets(&borrowed, 0.1, 0.0, 200.0, 100);
        assert!(groups.len() <= 100);
        assert_eq!(groups.iter().map(|b| b.good + b.bad + b.void).sum::<u32>(), 1003);
        assert_eq!(groups.iter().map(|b| b.bad).sum::<u32>(), 144);
        assert!(groups.windows(2).all(|pair| (pair[0].to - pair[1].from).abs() < 1e-9));
    }

    #[test]
    fn one_bad_sample_among_many_shows() {
        let all: Vec<Sample> =
            (0..100).map(|seq| sample(seq, if seq == 50 { Class::Wrong } else { Class::Ok })).collect();
        let borrowed: Vec<&Sample> = all.iter().collect();
        let groups = buckets(&borrowed, 0.1, 0.0, 20.0, 1);
        assert_eq!(groups.iter().map(Bucket::level).collect::<Vec<_>>(), [1]);
    }
}
