//! Whose a thread state of CPython 3.11 is.
//!
//! There the current thread state is one word for the whole process: that of whoever holds the GIL. A thread that is attached by
//! another state than its `PyGILState` one, as in a subinterpreter, has to be distinguished from one that isn't attached while another thread
//! is. Nothing in Python's API says which; the state itself does.

use std::ffi::c_ulong;
use std::mem::{offset_of, size_of};

use pyo3_ffi::{PyThread_get_thread_ident, PyThreadState};

/// The beginning of CPython 3.11's `PyThreadState`, which is the same in all its releases.
#[repr(C)]
#[derive(Clone, Copy)]
struct Beginning {
    links: [usize; 3],
    numbers: [i32; 7],
    /// The C stack frame in which the state runs Python code, or, if it runs none, a place within the state.
    frame: usize,
    trace: [usize; 4],
    exception: [usize; 4],
    dictionary: usize,
    gilstate_counter: i32,
    asynchronous_exception: usize,
    /// The thread that made the state.
    thread_id: c_ulong,
}

/// More than the size of a thread state, and less than the distance to anybody's stack.
const MAX_STATE_BYTES: usize = 1024;

/// Return whether thread states look as expected, as the calling thread's own shows.
///
/// # Safety
/// Python runs, and `own` is the state that `PyGILState` has of the calling thread, not null.
pub unsafe fn is_known(own: *mut PyThreadState) -> bool {
    let thread_id = own
        .cast::<u8>()
        .wrapping_add(offset_of!(Beginning, thread_id));
    // SAFETY: within the state, which is longer in all releases and lives for as long as the thread; nobody writes this word.
    let thread_id = unsafe { thread_id.cast::<c_ulong>().read() };
    // SAFETY: may be called at any time.
    thread_id == unsafe { PyThread_get_thread_ident() }
}

/// Who is attached by a thread state.
#[derive(Debug, PartialEq, Eq)]
pub enum Owner {
    /// The calling thread.
    Caller,
    /// Another thread.
    Other,
    /// The calling thread, or another one that is about to run code by a state that the calling thread made.
    CallerOrOther,
}

/// Return who is attached by `state`, the current one of the process.
///
/// A state of another thread may be deleted at any time; nobody else can delete the calling thread's. A state that can't be read is
/// another thread's.
pub fn owner_of(state: *mut PyThreadState) -> Owner {
    let Some(beginning) = read(state.addr()) else {
        return Owner::Other;
    };
    let runs_code = beginning.frame.wrapping_sub(state.addr()) >= MAX_STATE_BYTES;
    if runs_code {
        return if is_on_stack(beginning.frame) {
            Owner::Caller
        } else {
            Owner::Other
        };
    }
    // SAFETY: may be called at any time.
    if beginning.thread_id != unsafe { PyThread_get_thread_ident() } {
        return Owner::Other;
    }
    // `_xxsubinterpreters` runs code, on any thread, by the state that was made with the interpreter.
    Owner::CallerOrOther
}

/// Copy the beginning of a thread state that may be freed meanwhile; none if there is no memory at that address.
#[cfg(target_os = "linux")]
fn read(address: usize) -> Option<Beginning> {
    use std::mem::MaybeUninit;

    let mut beginning = MaybeUninit::<Beginning>::uninit();
    let bytes = size_of::<Beginning>();
    let local = libc::iovec {
        iov_base: beginning.as_mut_ptr().cast(),
        iov_len: bytes,
    };
    let remote = libc::iovec {
        iov_base: std::ptr::without_provenance_mut(address),
        iov_len: bytes,
    };
    // SAFETY: the kernel writes to the local memory, which is that long, and reads the other without a fault.
    let copied = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    // SAFETY: all of it was written; every field may have any value.
    (copied == bytes as isize).then(|| unsafe { beginning.assume_init() })
}

/// Elsewhere there is no such call that was tested.
#[cfg(not(target_os = "linux"))]
fn read(_address: usize) -> Option<Beginning> {
    None
}

/// Return whether an address is on the calling thread's stack, above this call.
#[cfg(target_os = "linux")]
// In a frame of its own, below the caller's: inlined, what it compares with could lie above the caller's variables.
#[inline(never)]
fn is_on_stack(address: usize) -> bool {
    use std::mem::MaybeUninit;

    let here = 0u8;
    // The common case, and the cheap one. Stacks grow down.
    if address < (&raw const here).addr() {
        return false;
    }
    let (mut low, mut size) = (std::ptr::null_mut(), 0);
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: the attributes are made by the first call, and destroyed once.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return false;
        }
        libc::pthread_attr_getstack(attributes.as_ptr(), &mut low, &mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
    }
    address.wrapping_sub(low.addr()) < size
}

#[cfg(not(target_os = "linux"))]
fn is_on_stack(_address: usize) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn the_words_are_where_cpython_3_11_has_them() {
        assert_eq!(offset_of!(Beginning, frame), 56);
        assert_eq!(offset_of!(Beginning, thread_id), 152);
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn memory_that_is_not_there_is_not_read() {
        let memory = [0x5A5A_5A5Ausize; 64];
        let address = (&raw const memory).addr();
        assert_eq!(read(address).map(|read| read.frame), Some(0x5A5A_5A5A));
        assert!(read(0).is_none());
        assert!(read(usize::MAX - 4096).is_none());
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn an_address_is_on_the_stack_of_the_thread_whose_it_is_alone() {
        let local = 0u8;
        let address = (&raw const local).addr();
        assert!(is_on_stack(address));
        let elsewhere = std::thread::spawn(move || {
            let own = 0u8;
            is_on_stack((&raw const own).addr()) && !is_on_stack(address)
        });
        assert!(elsewhere.join().unwrap());
        let on_heap = Box::new(0u8);
        assert!(!is_on_stack((&raw const *on_heap).addr()));
    }
}
