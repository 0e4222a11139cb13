//! What the whole program records, as its main thread has found it in the environment.

use std::sync::atomic::{AtomicU32, Ordering};

/// By their numbers in `ffi/debug/environment.ts`: the frames of call sites, and those of leaks.
static SETTINGS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Set a setting, unless the value is negative, and return it; 0 for one that there isn't.
pub fn exchange(setting: u32, value: f64) -> f64 {
    let Some(known) = SETTINGS.get(setting as usize) else {
        return 0.0;
    };
    if value >= 0.0 {
        known.store(value as u32, Ordering::Relaxed);
    }
    f64::from(known.load(Ordering::Relaxed))
}
