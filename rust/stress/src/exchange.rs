//! Where threads leave what they own for each other.
//!
//! No lock is held while memory is allocated or freed: Python may be called then, and wait.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use fastrand::Rng;

use crate::value::Value;

/// A row of places, each empty or with one value.
pub struct Exchange {
    places: Vec<AtomicPtr<Value>>,
}

impl Exchange {
    pub fn new() -> Self {
        Self {
            places: (0..256).map(|_| AtomicPtr::new(null_mut())).collect(),
        }
    }

    /// Leave a value at some place, and take the one that was there.
    pub fn swap(&self, random: &mut Rng, value: Option<Value>) -> Option<Value> {
        let left = value.map_or(null_mut(), |value| Box::into_raw(Box::new(value)));
        let found = self.places[random.usize(..self.places.len())].swap(left, Ordering::AcqRel);
        // SAFETY: it was made by `into_raw` above, and whoever swaps it out owns it.
        (!found.is_null()).then(|| unsafe { *Box::from_raw(found) })
    }

    /// Take everything out.
    pub fn into_values(self) -> impl Iterator<Item = Value> {
        let found = self
            .places
            .into_iter()
            .map(AtomicPtr::into_inner)
            .filter(|found| !found.is_null());
        // SAFETY: as in `swap`.
        found.map(|found| unsafe { *Box::from_raw(found) })
    }
}
