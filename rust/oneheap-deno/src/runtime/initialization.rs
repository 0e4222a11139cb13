//! `Py_InitializeEx` that returns why Python doesn't start, where CPython's own ends the process.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr::{NonNull, null_mut};

use oneheap::python_symbol;
use pyo3_ffi::{
    Py_DecRef, Py_InitializeEx, PyErr_Fetch, PyGILState_GetThisThreadState, PyObject,
    PyObject_GetAttrString, PyObject_Str, PyUnicode_AsUTF8AndSize,
};

/// `PyStatus`, the same in CPython 3.8 and later.
#[repr(C)]
struct PyStatus {
    kind: c_int,
    function: *const c_char,
    message: *const c_char,
    exit_code: c_int,
}

/// `PyStatus.kind` where nothing failed.
const STATUS_OK: c_int = 0;

/// `PyStatus.kind` where Python asks for the end of the process without an error.
const STATUS_EXIT: c_int = 2;

/// Room for a `PyConfig`, several times the size of the largest. Its fields are private to CPython but for the first.
#[repr(C, align(16))]
struct Config([c_int; CONFIG_INTS]);

const CONFIG_INTS: usize = 2048;

/// How each `PyConfig` of `_PyConfig_InitCompatConfig` begins: `_config_init`, `isolated`, `use_environment`, `dev_mode`,
/// `install_signal_handlers`, `use_hash_seed`.
const CONFIG_START: [c_int; 6] = [1, -1, -1, -1, 1, -1];

/// Where `install_signal_handlers` is among them.
const INSTALL_SIGNAL_HANDLERS: usize = 4;

type Address = NonNull<c_void>;
type ConfigFunction = unsafe extern "C" fn(*mut Config);
type InitializeFunction = unsafe extern "C" fn(*const Config) -> PyStatus;

/// The three functions that `Py_InitializeEx` consists of. The stable ABI lacks them.
struct Functions {
    init_config: ConfigFunction,
    initialize: InitializeFunction,
    clear_config: ConfigFunction,
}

impl Functions {
    fn find() -> Option<Self> {
        let init_config = python_symbol(c"_PyConfig_InitCompatConfig")?;
        let initialize = python_symbol(c"Py_InitializeFromConfig")?;
        let clear_config = python_symbol(c"PyConfig_Clear")?;
        // SAFETY: CPython declares the functions of these names with these signatures.
        unsafe {
            Some(Self {
                init_config: transmute::<Address, ConfigFunction>(init_config),
                initialize: transmute::<Address, InitializeFunction>(initialize),
                clear_config: transmute::<Address, ConfigFunction>(clear_config),
            })
        }
    }
}

/// Do what `Py_InitializeEx(0)` does, and leave the thread attached.
///
/// # Errors
/// Python's own message, where it refuses its configuration or can't start. It can't be started in this process again,
/// and this thread must not end: a half-made thread state may be its own.
///
/// # Safety
/// Python hasn't started, and nobody else starts it.
pub unsafe fn initialize() -> Result<(), String> {
    let mut config = Box::new(Config([0; CONFIG_INTS]));
    let functions = Functions::find().filter(|functions| {
        // SAFETY: there is space for any `PyConfig`.
        unsafe { (functions.init_config)(&mut *config) };
        config.0.starts_with(&CONFIG_START)
    });
    let Some(functions) = functions else {
        // A CPython whose configuration isn't known.
        // SAFETY: as the caller vouches.
        unsafe { Py_InitializeEx(0) };
        return Ok(());
    };
    config.0[INSTALL_SIGNAL_HANDLERS] = 0;
    // SAFETY: as the caller vouches; the configuration is initialized, and cleared once.
    let status = unsafe {
        let status = (functions.initialize)(&*config);
        (functions.clear_config)(&mut *config);
        status
    };
    if status.kind == STATUS_OK {
        return Ok(());
    }
    // SAFETY: the status is CPython's, and this thread has tried to start it.
    Err(unsafe { message(&status) })
}

/// What Python says: where it failed and why, and the exception behind it, if there is one.
///
/// # Safety
/// The status is one that this thread's start of Python failed with.
unsafe fn message(status: &PyStatus) -> String {
    let text = |string: *const c_char| {
        // SAFETY: a static string of CPython's, or null.
        (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) }.to_string_lossy())
    };
    let mut message = match (text(status.function), text(status.message)) {
        (Some(function), Some(message)) => format!("{function}: {message}"),
        (_, Some(message)) => message.into_owned(),
        _ if status.kind == STATUS_EXIT => format!("exit status {}", status.exit_code),
        _ => "it gives no reason".into(),
    };
    // SAFETY: on the thread that has tried to start Python.
    if let Some(exception) = unsafe { pending_exception() } {
        message.push_str(" (");
        message.push_str(&exception);
        message.push(')');
    }
    message
}

/// The exception that the start of Python ended with: its type and message. None if it failed before there could be one.
///
/// # Safety
/// This thread has tried to start Python, and nobody uses that.
unsafe fn pending_exception() -> Option<String> {
    // SAFETY: callable at any time. A thread state that is this thread's is its current one: nobody has detached it.
    if unsafe { PyGILState_GetThisThreadState() }.is_null() {
        return None;
    }
    let (mut kind, mut value, mut traceback) = (null_mut(), null_mut(), null_mut());
    // SAFETY: attached; the references that are fetched are kept for ever, as all that is left of this Python.
    // Deprecated from 3.12 on in favour of a function that 3.11 lacks.
    #[allow(deprecated)]
    unsafe {
        PyErr_Fetch(&mut kind, &mut value, &mut traceback);
        if kind.is_null() {
            return None;
        }
        let name = owned_text(PyObject_GetAttrString(kind, c"__name__".as_ptr()))?;
        let message = if value.is_null() {
            None
        } else {
            owned_text(PyObject_Str(value)).filter(|message| !message.is_empty())
        };
        Some(message.map_or(name.clone(), |message| format!("{name}: {message}")))
    }
}

/// The text of a `str`, whose reference is released. None if it is null or another object.
///
/// # Safety
/// The thread is attached, and owns the reference.
unsafe fn owned_text(object: *mut PyObject) -> Option<String> {
    if object.is_null() {
        return None;
    }
    let mut length = 0;
    // SAFETY: as the caller vouches; the bytes are copied before the object is released.
    unsafe {
        let bytes = PyUnicode_AsUTF8AndSize(object, &mut length);
        let text = (!bytes.is_null()).then(|| {
            let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize);
            String::from_utf8_lossy(bytes).into_owned()
        });
        Py_DecRef(object);
        text
    }
}
