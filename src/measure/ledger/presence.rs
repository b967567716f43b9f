//! Which numbers were there at the final read.

/// Ranges in ascending order that do not touch, however they were given.
pub(super) fn merged(ranges: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let mut sorted: Vec<(u32, u32)> = ranges.iter().copied().filter(|(first, last)| first <= last).collect();
    sorted.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
    for (first, last) in sorted {
        match out.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => out.push((first, last)),
        }
    }
    out
}

/// How many numbers the ranges hold.
pub(super) fn count(ranges: &[(u32, u32)]) -> u64 {
    ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
}

/// How many numbers two lists of merged ranges share.
pub(super) fn shared(one: &[(u32, u32)], other: &[(u32, u32)]) -> u64 {
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    let mut shared = 0;
    while let (Some((a, b)), Some((c, d))) = (one.peek(), other.peek()) {
        if let Some(more) = b.min(d).checked_sub(*a.max(c)) {
            shared += u64::from(more) + 1;
        }
        if b < d {
            one.next()
        } else {
            other.next()
        };
    }
    shared
}

/// Looks numbers up in merged ranges. Cheap when they come nearly in order, as samples do.
#[derive(Clone, Debug)]
pub(super) struct Presence<'a> {
    ranges: &'a [(u32, u32)],
    /// The first range that does not end before the number looked up last.
    at: usize,
}

impl<'a> Presence<'a> {
    pub(super) fn new(ranges: &'a [(u32, u32)]) -> Presence<'a> {
        Presence { ranges, at: 0 }
    }

    pub(super) fn has(&mut self, seq: u32) -> bool {
        while self.ranges.get(self.at).is_some_and(|(_, last)| *last < seq) {
            self.at += 1;
        }
        while self.at.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|(_, last)| *last >= seq)
        {
            self.at -= 1;
        }
        self.ranges.get(self.at).is_some_and(|(first, _)| *first <= seq)
    }
}

/// Numbers that come nearly in order, kept as ranges.
#[derive(Debug, Default)]
pub(super) struct Runs(Vec<(u32, u32)>);

impl Runs {
    pub(super) fn push(&mut self, seq: u32) {
        match self.0.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(seq) => *last = seq,
            _ => self.0.push((seq, seq)),
        }
    }

    pub(super) fn merged(self) -> Vec<(u32, u32)> {
        merged(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_in_any_order() {
        let ranges = merged(&[(7, 9), (0, 2), (3, 3), (20, 20)]);
        assert_eq!((ranges.as_slice(), count(&ranges)), ([(0, 3), (7, 9), (20, 20)].as_slice(), 8));
        let mut presence = Presence::new(&ranges);
        for seq in [20, 0, 8, 4, 7, 21, 3, 9, 10, 20] {
            assert_eq!(presence.has(seq), matches!(seq, 0..=3 | 7..=9 | 20), "{seq}");
        }
    }

    #[test]
    fn shared_numbers_are_counted_once() {
        assert_eq!(shared(&[(0, 10), (20, 30)], &[(5, 22), (29, 40)]), 6 + 3 + 2);
        assert_eq!(shared(&[(0, 10)], &[(11, 12)]), 0);
        assert_eq!(shared(&[], &[(1, 1)]), 0);
    }
}
