//! Thread states that live for as long as they are registered, and belong to the main interpreter: a thread whose current state is one
//! of them is attached, which one call of Python's shows instead of two or three.

use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3_ffi::PyThreadState;

use crate::limits::REGISTERED_STATES;

/// Each state at the one place that its address gives. One that is replaced by another thread's is looked up as any other state.
static STATES: [AtomicPtr<PyThreadState>; REGISTERED_STATES] =
    [const { AtomicPtr::new(null_mut()) }; REGISTERED_STATES];

thread_local! {
    /// The calling thread's registered state. Where the current state is one for the whole process (3.11), only this tells whose it is.
    static OWN: Cell<*mut PyThreadState> = const { Cell::new(null_mut()) };
}

fn place(state: *mut PyThreadState) -> &'static AtomicPtr<PyThreadState> {
    // States are some hundred bytes long, and often next to each other.
    let address = state.addr();
    &STATES[(address >> 8 ^ address >> 14) % REGISTERED_STATES]
}

/// Return whether a current state is registered: then the thread whose current state it is, is attached to the main interpreter.
///
/// Relaxed: a thread whose current state it is has registered it itself.
#[inline]
pub fn is_registered(state: *mut PyThreadState) -> bool {
    place(state).load(Ordering::Relaxed) == state
}

/// Return whether a state is the calling thread's registered one.
#[inline]
pub fn is_own(state: *mut PyThreadState) -> bool {
    OWN.get() == state
}

/// Register a state.
///
/// # Safety
/// It is the calling thread's, of the main interpreter, and lives until [`unregister`] is called on this thread, or Python ends.
pub unsafe fn register(state: *mut PyThreadState) {
    clear_in_children();
    OWN.set(state);
    place(state).store(state, Ordering::Relaxed);
}

/// Unregister the calling thread's state, before it is deleted.
pub fn unregister(state: *mut PyThreadState) {
    if is_own(state) {
        OWN.set(null_mut());
    }
    let _ = place(state).compare_exchange(state, null_mut(), Ordering::Relaxed, Ordering::Relaxed);
}

/// Have a child of `fork` begin without registered states: Python deletes those of the threads that aren't in it, and another state may
/// come to be where one was.
fn clear_in_children() {
    extern "C" fn clear() {
        for place in &STATES {
            place.store(null_mut(), Ordering::Relaxed);
        }
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        #[cfg(all(unix, not(miri)))]
        // SAFETY: the function only stores to atomics, and this library is never unloaded.
        unsafe {
            libc::pthread_atfork(None, None, Some(clear));
        }
        #[cfg(not(all(unix, not(miri))))]
        let _ = clear;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_at(address: usize) -> *mut PyThreadState {
        std::ptr::without_provenance_mut(address)
    }

    #[test]
    fn a_state_is_registered_until_it_is_unregistered_and_own_on_its_thread_alone() {
        let state = state_at(0x5000);
        assert!(!is_registered(state) && !is_own(state));
        // SAFETY: nothing looks into it.
        unsafe { register(state) };
        assert!(is_registered(state) && is_own(state));
        let elsewhere = std::thread::spawn(move || {
            let state = state_at(0x5000);
            (is_registered(state), is_own(state))
        });
        assert_eq!(elsewhere.join().unwrap(), (true, false));
        unregister(state);
        assert!(!is_registered(state) && !is_own(state));
    }

    #[test]
    fn a_state_at_the_place_of_another_replaces_it_and_is_not_unregistered_with_it() {
        let first = state_at(0x9000);
        let second = (1..).map(|step| state_at(0x9000 + step * 0x1000));
        let second = second
            .into_iter()
            .find(|&other| std::ptr::eq(place(first), place(other)))
            .unwrap();
        // SAFETY: nothing looks into them.
        unsafe {
            register(first);
            register(second);
        }
        assert!(!is_registered(first) && is_registered(second));
        unregister(first);
        assert!(is_registered(second));
        unregister(second);
    }

    #[test]
    #[cfg(all(unix, not(miri)))]
    fn a_child_of_fork_has_no_registered_states() {
        let state = state_at(0xD000);
        // SAFETY: nothing looks into it.
        unsafe { register(state) };
        // SAFETY: the child only looks at an atomic, and ends at once.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: as above.
            unsafe { libc::_exit(i32::from(is_registered(state))) };
        }
        let mut status = 0;
        // SAFETY: waits for the child of this process; the status is written.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status));
        assert_eq!(libc::WEXITSTATUS(status), 0);
        assert!(is_registered(state));
        unregister(state);
    }
}
