//! Recording of call sites, for as long as somebody wants it.

use std::sync::{Mutex, PoisonError};

use crate::limits::MOMENT_PERIOD;
use crate::memory::tracking::duties::{is_recording, set_recording};
use crate::memory::tracking::ledger;

/// Who records, by thread of JavaScript.
struct Recorders {
    exact: u32,
    sampling: u32,
    /// Whether the thread that notes moments runs.
    has_thread: bool,
}

static RECORDERS: Mutex<Recorders> = Mutex::new(Recorders {
    exact: 0,
    sampling: 0,
    has_thread: false,
});

/// Begin or end one recording. All allocations are entered while nobody samples.
pub fn change(is_sampling: bool, begins: bool) {
    let mut recorders = RECORDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = if is_sampling {
        &mut recorders.sampling
    } else {
        &mut recorders.exact
    };
    *count = if begins {
        *count + 1
    } else {
        count.saturating_sub(1)
    };
    set_recording(
        recorders.exact + recorders.sampling > 0,
        recorders.sampling > 0,
    );
    let needs_thread = is_recording() && !recorders.has_thread;
    recorders.has_thread |= needs_thread;
    drop(recorders);
    if needs_thread {
        // Without one, the timeline has moments of allocations alone.
        let _ = std::thread::Builder::new()
            .name("oneheap-timeline".into())
            .spawn(note_moments);
    }
}

/// Note moments while somebody records: what Python allocates by itself makes the process grow too.
fn note_moments() {
    loop {
        std::thread::sleep(MOMENT_PERIOD);
        let mut recorders = RECORDERS.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_recording() {
            recorders.has_thread = false;
            return;
        }
        drop(recorders);
        ledger::note_moment();
    }
}
