//! Hooks in front of Python's `PyMem` domain.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_int, c_void};

use crate::python;

/// CPython's `PyMemAllocatorEx`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Allocator {
    pub context: *mut c_void,
    pub malloc: unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void,
    pub calloc: unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void,
    pub realloc: unsafe extern "C" fn(*mut c_void, *mut c_void, usize) -> *mut c_void,
    pub free: unsafe extern "C" fn(*mut c_void, *mut c_void),
}

/// CPython's `PYMEM_DOMAIN_MEM`.
pub const MEM_DOMAIN: c_int = 1;

/// CPython's `PYMEM_DOMAIN_OBJ`.
pub const OBJ_DOMAIN: c_int = 2;

type Access = unsafe extern "C" fn(c_int, *mut Allocator);

/// `PyMem_GetAllocator` and `PyMem_SetAllocator`.
fn functions() -> (Access, Access) {
    // SAFETY: both have this type in every CPython from 3.5 on.
    let (get, set) = unsafe {
        (
            python::function::<Access>(c"PyMem_GetAllocator"),
            python::function::<Access>(c"PyMem_SetAllocator"),
        )
    };
    get.zip(set).expect("CPython has both functions")
}

/// Put a hook in front of `PyMem`'s allocator, and return it. The hook's context becomes the original: see [`original`].
///
/// # Safety
/// The calling thread is attached, and no other thread is at work. The hook's functions stay where they are until
/// [`remove`].
pub unsafe fn install(hook: Allocator) -> *mut Allocator {
    // SAFETY: as the caller vouches.
    unsafe { install_in(MEM_DOMAIN, hook) }
}

/// Put a hook in front of the allocator of a domain, as [`install`] does.
///
/// # Safety
/// As for [`install`].
pub unsafe fn install_in(domain: c_int, mut hook: Allocator) -> *mut Allocator {
    let (get, set) = functions();
    // For as long as the process lives: Python keeps its address. Not by this library's allocator, which would have Python
    // call it back at its end: the library may be closed by then.
    // SAFETY: the struct has a size.
    let original: *mut Allocator = unsafe { System.alloc(Layout::new::<Allocator>()) }.cast();
    assert!(!original.is_null(), "memory is out");
    hook.context = original.cast();
    // SAFETY: attached; Python writes the one struct whole, and copies the other.
    unsafe {
        get(domain, original);
        set(domain, &mut hook);
    }
    original
}

/// Put the original back in the hook's place.
///
/// # Safety
/// The calling thread is attached, and no other thread is at work; the original is what [`install`] returned, and no other hook was
/// put in front since.
pub unsafe fn remove(original: *mut Allocator) {
    // SAFETY: as the caller vouches; Python copies it.
    unsafe { functions().1(MEM_DOMAIN, original) };
}

/// The allocator behind a hook, of the context that the hook's functions get.
///
/// # Safety
/// The context is that of a hook of [`install`].
pub unsafe fn original(context: *mut c_void) -> Allocator {
    // SAFETY: written before the hook was installed; nobody writes to it any more.
    unsafe { *context.cast::<Allocator>() }
}

/// End the process. Allocates nothing: this is inside of an allocation.
pub fn wrong(message: &'static str) -> ! {
    for part in ["stress: ", message, "\n"] {
        // SAFETY: the part is readable.
        unsafe { libc::write(libc::STDERR_FILENO, part.as_ptr().cast(), part.len()) };
    }
    std::process::abort()
}
