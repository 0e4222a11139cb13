// What a process without a running Python offers: the functions of libpython that this crate links to, for tests and
// examples that run without one. Only the question whether Python runs may be asked.

macro_rules! refuse {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            panic!(concat!(stringify!($name), " was called, and Python is not running"))
        }
    )*};
}

#[unsafe(no_mangle)]
extern "C" fn Py_IsInitialized() -> core::ffi::c_int {
    0
}

refuse! {
    Py_AtExit Py_GetVersion PyGILState_GetThisThreadState PyThreadState_GetInterpreter PyThread_get_thread_ident
    PyMem_Malloc PyMem_Calloc PyMem_Realloc PyMem_Free
}
