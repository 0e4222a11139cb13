//! Finding symbols of the running Python that the stable ABI lacks.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

/// The address of a function or variable of the Python in this process, by its name; none if there is no such symbol.
///
/// For what the stable ABI lacks. A library that links Python's stable ABI gets everything else by plain linking. The
/// lookup takes the dynamic linker's lock.
///
/// # Examples
///
/// ```
/// # mod no_python { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/no_python.rs")); }
/// assert!(oneheap::python_symbol(c"no such symbol").is_none());
/// ```
pub fn python_symbol(name: &CStr) -> Option<NonNull<c_void>> {
    NonNull::new(look_up(name))
}

#[cfg(unix)]
fn look_up(name: &CStr) -> *mut c_void {
    // SAFETY: the name is a C string; `dlsym` may be called at any time.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// Windows looks symbols up in a module: the one that `Py_GetVersion` is in, `python3XX.dll`, which has them all.
#[cfg(windows)]
fn look_up(name: &CStr) -> *mut c_void {
    use std::ptr::null_mut;

    #[link(name = "kernel32", kind = "raw-dylib")]
    unsafe extern "system" {
        fn GetModuleHandleExW(flags: u32, address: *const c_void, module: *mut *mut c_void) -> i32;
        fn GetProcAddress(module: *mut c_void, name: *const std::ffi::c_char) -> *mut c_void;
    }
    const UNCHANGED_REFCOUNT: u32 = 0x2;
    const FROM_ADDRESS: u32 = 0x4;

    let mut module = null_mut();
    let inside = pyo3_ffi::Py_GetVersion as *const c_void;
    // SAFETY: the address is a function's; the handle is written on success only, and is not counted.
    let found =
        unsafe { GetModuleHandleExW(FROM_ADDRESS | UNCHANGED_REFCOUNT, inside, &mut module) };
    if found == 0 {
        return null_mut();
    }
    // SAFETY: the module is loaded as long as Python is linked; the name is a C string.
    unsafe { GetProcAddress(module, name.as_ptr()) }
}
