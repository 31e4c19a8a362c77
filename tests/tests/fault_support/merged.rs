//! What somebody knows who hears no device, only what gateways know.

use std::collections::BTreeMap;

use tapes_core::wire::Origin;
use tapes_std::fleet::{Limits, State};
use tapes_tests::noise::Noise;

use super::board::Life;
use super::gateway::{Gateway, Sum, counts, origins};

/// A state that is merged from those of gateways.
#[derive(Debug, Default)]
pub(crate) struct Aggregate {
    state: State,
    shown: BTreeMap<(Origin, u32), Sum>,
}

impl Aggregate {
    /// Merges what some gateways know, in any order, some of it twice.
    pub(crate) fn take(&mut self, gateways: &[Gateway; 2], noise: &mut Noise) {
        for _ in 0..noise.below(4) {
            let gateway = &gateways[noise.index(2)];
            self.state.merge(gateway.fleet.state(), &Limits::default());
        }
    }

    /// Panics if a total went back or is above what gateways heard.
    pub(crate) fn look(&mut self, gateways: &[Gateway; 2], lives: &[Life], what: &str) {
        for origin in origins(lives) {
            for (id, name) in counts() {
                let sum = self.sum(origin, id);
                let most = Gateway::most(gateways, lives, origin, id);
                assert!(!sum.exceeds(&most), "{what}: {origin} {name} merged: {sum:?} of {most:?}");
                let before = self.shown.insert((origin, id), sum.clone()).unwrap_or_default();
                assert!(!before.exceeds(&sum), "{what}: {origin} {name} merged fell: {before:?}");
            }
        }
    }

    /// Panics unless everything that either gateway surely heard is there.
    pub(crate) fn is_exact(&mut self, gateways: &[Gateway; 2], lives: &[Life], what: &str) {
        for gateway in gateways {
            self.state.merge(gateway.fleet.state(), &Limits::default());
        }
        for origin in origins(lives) {
            for (id, name) in counts() {
                let sum = self.sum(origin, id);
                for gateway in gateways {
                    let least = gateway.least(lives, origin, id);
                    assert!(
                        !least.exceeds(&sum),
                        "{what}: {origin} {name}: {sum:?}, not {least:?}"
                    );
                }
            }
        }
    }

    fn sum(&self, origin: Origin, id: u32) -> Sum {
        let mut sum = Sum::default();
        let Some(data) = self.state.origin(origin) else { return sum };
        for (_, epoch) in data.epochs() {
            epoch.values().filter(|(key, ..)| key.id == id).for_each(|(.., value)| sum.add(value));
        }
        sum
    }
}

/// Panics unless merging is associative, commutative and idempotent for these states.
pub(crate) fn assert_laws(a: &State, b: &State, c: &State, what: &str) {
    let merged = |states: &[&State]| {
        let mut sum = State::default();
        states.iter().for_each(|state| sum.merge(state, &Limits::default()));
        sum
    };
    let (ab, bc) = (merged(&[a, b]), merged(&[b, c]));
    let all = content(&merged(&[a, b, c]));
    assert_eq!(content(&ab), content(&merged(&[b, a])), "{what}: not commutative");
    assert_eq!(all, content(&merged(&[&ab, c])), "{what}: not associative");
    assert_eq!(all, content(&merged(&[a, &bc])), "{what}: not associative");
    assert_eq!(all, content(&merged(&[c, &bc, &ab, a, &ab])), "{what}: not idempotent");
}

/// Returns all records and entries of a state, in one order.
fn content(state: &State) -> Vec<String> {
    let mut lines = Vec::new();
    for (origin, data) in state.origins() {
        for (key, epoch) in data.epochs() {
            for (metric, ingest, record) in epoch.records() {
                lines.push(format!("{origin} {key} {metric:?} {ingest:?} {record:?}"));
            }
            for (id, entry) in epoch.dictionary().iter() {
                lines.push(format!("{origin} {key} {id} {:?}", entry.body()));
            }
        }
    }
    lines.sort();
    lines
}
