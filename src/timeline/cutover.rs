//! Who answered before the fault and who only after it, and the samples that prove when each lane
//! turned from the ones to the others.
//!
//! An answer's identity is whatever the probe kept as such: the record's values where a name server
//! was asked, else the server's own words or its address. This file finds samples; it makes no
//! numbers of them (`measure/cutover.rs` does).

use std::collections::BTreeSet;

use super::{Timeline, Track};
use crate::clock::Moment;
use crate::sample::{Mark, Sample};

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// From somebody who had answered before the fault.
    Old,
    /// From somebody who answered only after it.
    New,
}

/// The identities of either site, over all lanes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sites {
    old: BTreeSet<u16>,
    new: BTreeSet<u16>,
}

impl Sites {
    /// Who is who, given the fault. What was still in flight then may have been answered after it.
    pub fn of(timeline: &Timeline, fault: Moment) -> Sites {
        let mut sites = Sites::default();
        for track in &timeline.tracks {
            let before = answers(track, timeline.watched_until).filter(|sample| sample.done <= fault);
            sites.old.extend(before.map(|sample| sample.identity));
        }
        for track in &timeline.tracks {
            let seen = answers(track, timeline.watched_until).map(|sample| sample.identity);
            sites.new.extend(seen.filter(|identity| !sites.old.contains(identity)));
        }
        sites
    }

    /// The site of an identity that was seen.
    pub fn site(&self, identity: u16) -> Option<Site> {
        match identity {
            identity if self.old.contains(&identity) => Some(Site::Old),
            identity if self.new.contains(&identity) => Some(Site::New),
            _ => None,
        }
    }
}

/// The samples of a lane that somebody answered, until the end of observation.
pub fn answers(track: &Track, until: Moment) -> impl Iterator<Item = &Sample> {
    asked(track, until).filter(|sample| sample.identity != 0)
}

/// The samples of a lane that say something about who serves, until the end of observation.
pub fn asked(track: &Track, until: Moment) -> impl Iterator<Item = &Sample> {
    // A postscript to a sample that timed out is no sample of its own.
    track.valid.iter().filter(move |sample| sample.mark != Mark::Late && sample.scheduled < until)
}

/// The samples that prove when a lane turned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The last that shows that the new site had not served yet.
    pub before_new: Option<Sample>,
    /// The first answer from the new site.
    pub first_new: Option<Sample>,
    /// The last answer from the old site.
    pub last_old: Option<Sample>,
    /// The first after that that shows that the old site had stopped answering.
    pub after_old: Option<Sample>,
}

impl Turn {
    /// How a lane turned.
    ///
    /// A name server's answer counts whatever was expected of it, and its silence shows nothing: it
    /// may turn meanwhile. Traffic has moved when the new site *serves*; every sample that it did
    /// not serve shows that it had not, and every one that the old site did not answer that it had
    /// stopped.
    pub fn of(track: &Track, sites: &Sites, until: Moment) -> Turn {
        let names = track.facts.dns.is_some();
        let site = |sample: &Sample| sites.site(sample.identity);
        let turned = |sample: &&Sample| site(sample) == Some(Site::New) && (names || sample.class.good());
        let first_new = answers(track, until).filter(turned).min_by_key(|sample| sample.done).copied();
        let last_old = answers(track, until)
            .filter(|sample| site(sample) == Some(Site::Old))
            .max_by_key(|sample| sample.sent)
            .copied();
        let valid = || asked(track, until);
        let not_new = |sample: &&Sample| match names {
            true => site(sample) == Some(Site::Old),
            false => !turned(sample),
        };
        let before_new = valid()
            .filter(not_new)
            .filter(|sample| first_new.is_none_or(|first| sample.sent < first.done))
            .max_by_key(|sample| sample.sent)
            .copied();
        let not_old = |sample: &&Sample| match names {
            true => site(sample) == Some(Site::New),
            false => site(sample) != Some(Site::Old),
        };
        let after_old = last_old.and_then(|last| {
            valid().filter(not_old).filter(|sample| sample.sent > last.sent).min_by_key(|s| s.done).copied()
        });
        Turn { before_new, first_new, last_old, after_old }
    }

    /// Whether the lane had been with the old site and turned for good: nothing that was asked after the
    /// first new answer was answered by the old site.
    pub fn clean(&self) -> bool {
        matches!((self.first_new, self.last_old), (Some(new), Some(old)) if old.sent <= new.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Record;
    use crate::journal::fixture::{event, header, sample};
    use crate::run::event::{CallOutcome, DnsFacts, DnsRole, EventKind};
    use crate::sample::Class;

    /// A lane asked every second from 0 s: `a` and `b` name who answered, `A` and `B` who answered badly,
    /// `x` an error; the fault comes at 2.5 s.
    fn turn(text: &str, names: bool) -> (Turn, Timeline) {
        let samples = text.chars().enumerate().map(|(n, letter)| {
            let class =
                if letter.is_ascii_lowercase() && letter != 'x' { Class::Ok } else { Class::FailFast };
            let identity = match letter.to_ascii_lowercase() {
                'a' => 1,
                'b' => 2,
                _ => 0,
            };
            Sample { identity, ..sample(0, n as u32, n as f64, n as f64 + 0.1, class) }
        });
        let mut header = header();
        header.probes.truncate(1);
        header.probes[0].dns = names.then_some(DnsFacts {
            role: DnsRole::Authoritative,
            decides_cutover: false,
            this_resolver_only: false,
        });
        let (step, operation, resource) = ("fail over".to_owned(), "op".to_owned(), "db".to_owned());
        let sent = EventKind::CallSent {
            step: step.clone(),
            operation: operation.clone(),
            resource: resource.clone(),
        };
        let outcome = CallOutcome::Accepted;
        let back = EventKind::CallReturned { step, operation, resource, outcome, detail: None };
        let events = vec![event(2.5, sent), event(2.6, back)];
        let record =
            Record { header, events, samples: samples.collect(), chain_head: String::new(), cut: false };
        let timeline = Timeline::of(&record);
        let sites = Sites::of(&timeline, Moment::from_secs(2.5));
        let end = Moment::from_secs(1000.0);
        (Turn::of(&timeline.tracks[0], &sites, end), timeline)
    }

    fn seqs(turn: Turn) -> [Option<u32>; 4] {
        [turn.before_new, turn.first_new, turn.last_old, turn.after_old].map(|sample| sample.map(|s| s.seq))
    }

    #[test]
    fn the_four_samples_lie_around_the_turn() {
        for names in [true, false] {
            assert_eq!(seqs(turn("aaaabbb", names).0), [Some(3), Some(4), Some(3), Some(4)]);
            assert_eq!(seqs(turn("aaaaaaa", names).0), [Some(6), None, Some(6), None]);
        }
    }

    #[test]
    fn a_silent_name_server_may_turn_meanwhile_and_failing_traffic_has_not() {
        assert_eq!(seqs(turn("aaaxxbb", true).0), [Some(2), Some(5), Some(2), Some(5)]);
        assert_eq!(seqs(turn("aaaxxbb", false).0), [Some(4), Some(5), Some(2), Some(3)]);
    }

    #[test]
    fn traffic_has_moved_when_the_new_site_serves() {
        assert_eq!(seqs(turn("aaaABbb", false).0), [Some(4), Some(5), Some(3), Some(4)]);
        assert_eq!(seqs(turn("aaaABbb", true).0), [Some(3), Some(4), Some(3), Some(4)]);
    }

    #[test]
    fn a_server_that_goes_back_has_not_turned_for_good() {
        let (flapping, _) = turn("aaababb", true);
        assert!(!flapping.clean());
        assert_eq!(seqs(flapping), [Some(2), Some(3), Some(4), Some(5)]);
        assert!(turn("aaabbbb", true).0.clean());
        // Nobody was there before: nothing has turned.
        assert!(!turn("xxxbbbb", true).0.clean());
    }
}
