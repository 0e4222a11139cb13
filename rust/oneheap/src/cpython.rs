//! The real interpreter: CPython 3.11 and later, by calls alone.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{CStr, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::time::Instant;

use pyo3_ffi::{
    Py_AtExit, Py_GetVersion, Py_IsInitialized, PyGILState_GetThisThreadState, PyInterpreterState,
    PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc, PyThreadState,
    PyThreadState_GetInterpreter,
};

use crate::interpreter::Interpreter;
use crate::limits::{LOOK_PERIOD, MAX_TIME_WITHOUT_CODE};
use crate::registered_states;
use crate::symbol::python_symbol;
use crate::thread_state::{self, Owner};

/// The thread state of the calling thread, or null.
type CurrentThreadState = unsafe extern "C" fn() -> *mut PyThreadState;
/// The main interpreter, or null.
type MainInterpreter = unsafe extern "C" fn() -> *mut PyInterpreterState;

/// The last minor version of Python 3 whose current thread state is one for the whole process.
const LAST_GLOBAL_MINOR: u32 = 11;

/// The CPython of this process. What the stable ABI lacks is looked up in the process, once, and never as a null.
pub struct CPython {
    /// A [`CurrentThreadState`]; null until all was found, and stored last.
    current: AtomicPtr<c_void>,
    /// The main interpreter. Its address is final: after its end no memory of Python's is used.
    main: AtomicPtr<PyInterpreterState>,
    /// The current thread state is that of whoever holds the GIL, not of the calling thread (3.11).
    current_is_global: AtomicBool,
    /// Where that is so: whether [`thread_state`] knows whose a state is.
    tells_owner: AtomicBool,
    /// What Python calls when it has ended.
    on_exit: extern "C" fn(),
}

impl CPython {
    pub const fn new(on_exit: extern "C" fn()) -> Self {
        Self {
            current: AtomicPtr::new(null_mut()),
            main: AtomicPtr::new(null_mut()),
            current_is_global: AtomicBool::new(false),
            tells_owner: AtomicBool::new(false),
            on_exit,
        }
    }

    /// Return whether the calling thread is attached to an interpreter that isn't the main one, or by a state that isn't its own.
    pub fn attached_to_other(&self) -> bool {
        if self.current.load(Ordering::Acquire).is_null() && !self.found() {
            return false;
        }
        // SAFETY: `found` has said yes, now or before.
        let interpreter = unsafe { self.current_interpreter() };
        if interpreter.is_null() {
            // SAFETY: as above.
            return unsafe { self.attached_by_other_state() };
        }
        interpreter != self.main.load(Ordering::Relaxed)
    }

    /// Return whether the calling thread is attached by another state than its own, where [`current_interpreter`](Self::current_interpreter)
    /// doesn't know (3.11).
    ///
    /// # Safety
    /// [`Interpreter::found`] has said yes.
    unsafe fn attached_by_other_state(&self) -> bool {
        if !self.tells_owner.load(Ordering::Relaxed) {
            return false;
        }
        // SAFETY: as the caller has seen.
        let state = unsafe { self.current_state() };
        if state.is_null() {
            return false;
        }
        let start = Instant::now();
        loop {
            let owner = thread_state::owner_of(state);
            // Before it is believed: a state that isn't current any more was another thread's, and its memory may be used for
            // something else by now.
            // SAFETY: as above.
            if unsafe { self.current_state() } != state {
                return false;
            }
            match owner {
                Owner::Caller => return true,
                Owner::Other => return false,
                Owner::CallerOrOther if start.elapsed() >= MAX_TIME_WITHOUT_CODE => return true,
                // Nothing but the calling thread changes its own state, so waiting decides.
                Owner::CallerOrOther => std::thread::sleep(LOOK_PERIOD),
            }
        }
    }

    /// Look up what is needed of the running Python. Two threads that do so at once store the same.
    fn look_up(&self) -> bool {
        // 3.13 made it public, under a new name.
        let current = python_symbol(c"PyThreadState_GetUnchecked")
            .or_else(|| python_symbol(c"_PyThreadState_UncheckedGet"));
        let (Some(current), Some(main)) = (current, python_symbol(c"PyInterpreterState_Main"))
        else {
            return false;
        };
        // SAFETY: the function of that name has this type in every CPython.
        let main = unsafe { std::mem::transmute::<NonNull<c_void>, MainInterpreter>(main) };
        // SAFETY: Python is initialised; the call reads one word.
        let main = unsafe { main() };
        if main.is_null() {
            return false;
        }
        self.main.store(main, Ordering::Relaxed);
        if minor_version() <= LAST_GLOBAL_MINOR {
            // SAFETY: reads a thread-local.
            let own = unsafe { PyGILState_GetThisThreadState() };
            // SAFETY: Python is initialised; the state is the calling thread's.
            let tells_owner = !own.is_null() && unsafe { thread_state::is_known(own) };
            self.tells_owner.store(tells_owner, Ordering::Relaxed);
            self.current_is_global.store(true, Ordering::Relaxed);
        }
        // Release: whoever sees this sees what is above.
        self.current.store(current.as_ptr(), Ordering::Release);
        true
    }

    /// The thread state of the calling thread, or null; on 3.11 that of whoever holds the GIL.
    ///
    /// # Safety
    /// [`Interpreter::found`] has said yes.
    #[inline]
    unsafe fn current_state(&self) -> *mut PyThreadState {
        let current = self.current.load(Ordering::Relaxed);
        // SAFETY: as the caller has seen, this is the function, which has this type in every CPython.
        let current = unsafe { std::mem::transmute::<*mut c_void, CurrentThreadState>(current) };
        // SAFETY: it reads one word, thread-local from 3.12 on, and may be called in any state.
        unsafe { current() }
    }

    /// The interpreter that the calling thread is attached to, or null.
    ///
    /// # Safety
    /// [`Interpreter::found`] has said yes.
    #[inline]
    unsafe fn current_interpreter(&self) -> *mut PyInterpreterState {
        // SAFETY: as the caller has seen.
        unsafe {
            let state = self.current_state();
            if state.is_null() {
                return null_mut();
            }
            self.interpreter_of(state)
        }
    }

    /// Return whether a current state that isn't null and isn't registered is the calling thread's, and of the main interpreter.
    ///
    /// # Safety
    /// [`Interpreter::found`] has said yes.
    #[inline(never)]
    unsafe fn is_in_main(&self, state: *mut PyThreadState) -> bool {
        // SAFETY: as the caller vouches.
        unsafe { self.interpreter_of(state) == self.main.load(Ordering::Relaxed) }
    }

    /// The interpreter of a current state that isn't null; null if it is another thread's.
    ///
    /// # Safety
    /// [`Interpreter::found`] has said yes.
    #[inline]
    unsafe fn interpreter_of(&self, state: *mut PyThreadState) -> *mut PyInterpreterState {
        // On 3.11 the word is global, and says only who holds the GIL. The thread's own state is compared with it,
        // never looked into before: another thread's state may be deleted at any time. (This trusts, as `PyGILState`
        // itself does, that nobody deletes the state of another thread that lives.)
        if self.current_is_global.load(Ordering::Relaxed) {
            // SAFETY: reads a thread-local; null once Python is ending.
            let own = unsafe { PyGILState_GetThisThreadState() };
            if own != state {
                return null_mut();
            }
        }
        // SAFETY: `state` is the calling thread's and current, so it lives.
        unsafe { PyThreadState_GetInterpreter(state) }
    }
}

impl Interpreter for CPython {
    /// `dlsym` takes the dynamic linker's lock, so only a thread that Python has seen looks up, and only while Python
    /// runs. An attached thread has been seen.
    fn found(&self) -> bool {
        // SAFETY: reads a flag; may be called at any time.
        if unsafe { Py_IsInitialized() } == 0 {
            return false;
        }
        if !self.current.load(Ordering::Acquire).is_null() {
            return true;
        }
        // SAFETY: Python is initialised; reads a thread-local.
        let is_seen = !unsafe { PyGILState_GetThisThreadState() }.is_null();
        is_seen && self.look_up()
    }

    #[inline]
    unsafe fn attached(&self) -> bool {
        // SAFETY: the caller has seen `found` say yes.
        let state = unsafe { self.current_state() };
        if state.is_null() {
            return false;
        }
        // On 3.11 another thread's state may be current, too.
        let is_known = if self.current_is_global.load(Ordering::Relaxed) {
            registered_states::is_own(state)
        } else {
            registered_states::is_registered(state)
        };
        // SAFETY: as above.
        is_known || unsafe { self.is_in_main(state) }
    }

    unsafe fn register_exit(&self) -> bool {
        // SAFETY: the thread is attached, and the callback calls nothing of Python's.
        unsafe { Py_AtExit(Some(self.on_exit)) == 0 }
    }

    #[inline]
    unsafe fn malloc(&self, bytes: usize) -> *mut u8 {
        // SAFETY: the thread is attached.
        unsafe { PyMem_Malloc(bytes).cast() }
    }

    #[inline]
    unsafe fn calloc(&self, bytes: usize) -> *mut u8 {
        // SAFETY: the thread is attached.
        unsafe { PyMem_Calloc(1, bytes).cast() }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, bytes: usize) -> *mut u8 {
        // SAFETY: the thread is attached, the block Python's.
        unsafe { PyMem_Realloc(block.cast(), bytes).cast() }
    }

    #[inline]
    unsafe fn free(&self, block: *mut u8) {
        // SAFETY: the thread is attached, the block Python's, and nobody uses it any more.
        unsafe { PyMem_Free(block.cast()) }
    }

    unsafe fn system_alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn system_alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn system_realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, bytes) }
    }

    unsafe fn system_free(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }

    fn abort(&self) -> ! {
        std::process::abort()
    }
}

/// The running Python's minor version: 11 for "3.11.7 (main, …".
fn minor_version() -> u32 {
    // SAFETY: a static C string.
    let version = unsafe { CStr::from_ptr(Py_GetVersion()) };
    parse_minor(version)
}

fn parse_minor(version: &CStr) -> u32 {
    let behind_major = version
        .to_bytes()
        .iter()
        .skip_while(|&&byte| byte != b'.')
        .skip(1);
    let digits = behind_major.take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_read_from_pythons_version_string() {
        assert_eq!(
            parse_minor(c"3.11.7 (main, Jan  1 2024, 00:00:00) [GCC 12.2.0]"),
            11
        );
        assert_eq!(parse_minor(c"3.13.0 experimental free-threading build"), 13);
        assert_eq!(parse_minor(c"3.9"), 9);
        assert_eq!(parse_minor(c"3.15.0a2"), 15);
    }
}
