//! Drawing the victims: the same seed, target and candidates give the same victims.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

use super::target::Pick;

/// How many of `candidates` are picked.
pub(super) fn wanted(pick: Pick, candidates: usize) -> usize {
    match pick {
        Pick::All => candidates,
        Pick::Count(count) => count as usize,
        Pick::Percent(percent) => (candidates * percent as usize).div_ceil(100),
    }
}

/// Draws `count` of the items. They are sorted by key first, so that the order in which AWS
/// listed them does not matter; `name` keeps two targets of one run from drawing in step. With
/// `zone`, the draw goes round the zones.
pub(super) fn draw<T>(
    mut items: Vec<T>,
    count: usize,
    seed: u64,
    name: &str,
    key: impl Fn(&T) -> String,
    zone: Option<&dyn Fn(&T) -> String>,
) -> Vec<T> {
    items.sort_by_key(&key);
    if count >= items.len() {
        return items;
    }
    let mut rng = ChaCha8Rng::from_seed(mixed(seed, name));
    items.shuffle(&mut rng);
    if let Some(zone) = zone {
        items = round_robin(items, zone);
    }
    items.truncate(count);
    items.sort_by_key(&key);
    items
}

/// One of each zone in turn; the zones in the order in which the shuffle shows them first.
fn round_robin<T>(items: Vec<T>, zone: &dyn Fn(&T) -> String) -> Vec<T> {
    let mut turns: BTreeMap<String, usize> = BTreeMap::new();
    let mut keyed: Vec<(usize, T)> = items
        .into_iter()
        .map(|item| {
            let turn = turns.entry(zone(&item)).or_default();
            *turn += 1;
            (*turn, item)
        })
        .collect();
    keyed.sort_by_key(|(turn, _)| *turn);
    keyed.into_iter().map(|(_, item)| item).collect()
}

fn mixed(seed: u64, name: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(name.as_bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ids(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("i-{i:02}")).collect()
    }

    fn drawn(items: Vec<String>, count: usize, seed: u64) -> Vec<String> {
        draw(items, count, seed, "victims", Clone::clone, None)
    }

    #[test]
    fn a_seed_repeats_whatever_the_order_of_the_list() {
        let mut backwards = ids(20);
        backwards.reverse();
        assert_eq!(drawn(ids(20), 5, 7), drawn(backwards, 5, 7));
        let different: BTreeSet<_> = (0..20).map(|seed| drawn(ids(20), 5, seed)).collect();
        assert!(different.len() > 15, "seeds hardly matter: {}", different.len());
    }

    #[test]
    fn every_candidate_is_drawn_by_some_seed() {
        let seen: BTreeSet<_> = (0..200).flat_map(|seed| drawn(ids(4), 1, seed)).collect();
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn percent_rounds_up_and_all_is_all() {
        assert_eq!(wanted(Pick::Percent(30), 2), 1);
        assert_eq!(wanted(Pick::Percent(30), 10), 3);
        assert_eq!(wanted(Pick::Percent(1), 1), 1);
        assert_eq!(wanted(Pick::All, 9), 9);
    }

    #[test]
    fn a_spread_draw_takes_from_every_zone() {
        let zone = |id: &String| if id.as_str() < "i-18" { "a".to_owned() } else { "b".to_owned() };
        for seed in 0..50 {
            let two = draw(ids(20), 2, seed, "victims", Clone::clone, Some(&zone));
            let zones: BTreeSet<_> = two.iter().map(zone).collect();
            assert_eq!(zones.len(), 2, "seed {seed} drew {two:?}");
        }
    }
}
