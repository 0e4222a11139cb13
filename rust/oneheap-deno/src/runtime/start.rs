//! Starting Python in this process, or joining one that runs.
//!
//! Python starts on a thread of its own that lives as long as the process, so it is Python's main thread, and no
//! Worker's end takes that away: the maintenance thread.

use std::ffi::{CStr, c_char, c_int};
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;

use oneheap::python_symbol;
use pyo3_ffi::{
    Py_GetVersion, Py_IsInitialized, PyErr_Clear, PyEval_SaveThread, PyObject, PySys_GetObject,
    PyUnicode_AsUTF8AndSize,
};

use crate::boundary::status::Status;
use crate::runtime::attach::{AttachGuard, detach_for};
use crate::runtime::initialization;
use crate::runtime::maintenance::maintenance_loop;
use crate::runtime::maintenance_thread;
use crate::runtime::own_code::run;
use crate::runtime::platform;
use crate::runtime::shutdown;

/// Python's `threading` has to learn here which thread is the main one. Signals stay Deno's: `_signal` takes SIGINT for
/// Python when it is imported first, whoever does that, so it is imported here, and SIGINT given back. Output is
/// line-buffered: Deno's own lines and Python's come in the order in which they were written.
const AFTER_START: &CStr = c"
import _signal, sys, threading
if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
for stream in (sys.stdout, sys.stderr):
    if stream is not None:
        stream.reconfigure(line_buffering=True)
";

/// What is known of the Python that was started here: version, library, executable, prefix, and the path of this library,
/// each closed by a NUL.
pub fn description() -> Option<&'static [u8]> {
    Some(STARTED.get()?.as_ref().ok()?)
}

/// What the one start of the process came to: Python's description, or why it didn't start.
static STARTED: OnceLock<Result<Vec<u8>, Status>> = OnceLock::new();

/// What is known of a start that Python refused: its own message, then the name and the value of each environment variable
/// that it reads, each closed by a NUL.
pub fn start_error() -> Option<&'static [u8]> {
    Some(REFUSED.get()?)
}

/// Why Python refused to start, and with which environment.
static REFUSED: OnceLock<Vec<u8>> = OnceLock::new();

/// Start Python, once per process; a thread that comes while another starts it waits for the result. `paths` is the
/// library and the executable, each closed by a NUL. Returns whether it was this call that started it.
pub fn start(paths: &[u8]) -> Result<bool, Status> {
    let mut is_first = false;
    // Detached meanwhile: a thread that waits here for another must not keep the GIL from it.
    let started = detach_for(|| {
        STARTED.get_or_init(|| {
            is_first = true;
            let mut parts = paths.split(|&byte| byte == 0);
            let (Some(library), Some(executable)) = (parts.next(), parts.next()) else {
                return Err(Status::Invalid);
            };
            // SAFETY: callable at any time.
            if unsafe { Py_IsInitialized() } != 0 {
                return join_running(library);
            }
            start_on_thread(library.to_vec(), platform::wide(executable))
        })
    });
    started.as_ref().map(|_| is_first).map_err(|&status| status)
}

/// Somebody else has started Python; a thread of its own does the rest.
fn join_running(library: &[u8]) -> Result<Vec<u8>, Status> {
    let _attached = AttachGuard::enter()?;
    let thread = maintenance_thread::builder()
        .spawn(maintenance_loop)
        .map_err(|_| Status::NoThread)?;
    maintenance_thread::set(thread.thread().clone());
    platform::at_exit(shutdown::end_as_guest);
    Ok(python_description(library))
}

/// Start Python on a thread of its own and wait until it runs.
fn start_on_thread(library: Vec<u8>, executable: Vec<libc::wchar_t>) -> Result<Vec<u8>, Status> {
    let (sender, receiver) = sync_channel(1);
    let thread = maintenance_thread::builder()
        .spawn(move || {
            // SAFETY: Python hasn't started, and only the one caller of `STARTED` comes here.
            if let Err(message) = unsafe { initialize(executable) } {
                let _ = REFUSED.set(start_error_description(&message));
                drop(sender);
                // A thread state that Python has half made may be this thread's, so it doesn't end.
                loop {
                    std::thread::park();
                }
            }
            let description = python_description(&library);
            // SAFETY: attached by the start of Python.
            unsafe { PyEval_SaveThread() };
            let _ = sender.send(description);
            maintenance_loop();
        })
        .map_err(|_| Status::NoThread)?;
    let description = receiver.recv().map_err(|_| Status::NoPython)?;
    maintenance_thread::set(thread.thread().clone());
    platform::at_exit(shutdown::end);
    Ok(description)
}

/// Start Python and leave the thread attached; Python's message if it refuses to start.
///
/// # Safety
/// Python hasn't started, and nobody else starts it.
unsafe fn initialize(executable: Vec<libc::wchar_t>) -> Result<(), String> {
    if let Some(utf8_mode) = python_symbol(c"Py_UTF8Mode") {
        // SAFETY: an `int` of the stable ABI, read when Python starts.
        unsafe { utf8_mode.cast::<c_int>().write(1) };
    }
    if executable.len() > 1 {
        // Python keeps the pointer for as long as it runs.
        let program_name = Vec::leak(executable);
        // SAFETY: NUL-terminated and never freed. Deprecated in favour of a call that the stable ABI lacks.
        #[allow(deprecated)]
        unsafe {
            pyo3_ffi::Py_SetProgramName(program_name.as_ptr())
        };
    }
    // SAFETY: as the caller vouches.
    unsafe { initialization::initialize() }?;
    // SAFETY: the thread is attached now.
    unsafe { run(AFTER_START) };
    Ok(())
}

/// Python's message and the variables that it reads, as [`start_error`] returns them.
fn start_error_description(message: &str) -> Vec<u8> {
    let variables = std::env::vars_os()
        .map(|(name, value)| [name, value].map(|text| text.to_string_lossy().into_owned()))
        .filter(|[name, _]| platform::variable_name(name).starts_with("PYTHON"));
    let mut description = Vec::new();
    for text in std::iter::once(message.to_owned()).chain(variables.flatten()) {
        description.extend_from_slice(text.replace('\0', " ").as_bytes());
        description.push(0);
    }
    description
}

/// Version, library, executable and prefix of the Python that runs, and this library's path. The thread is attached.
fn python_description(library: &[u8]) -> Vec<u8> {
    // SAFETY: a static string.
    let version = unsafe { CStr::from_ptr(Py_GetVersion()) }.to_bytes();
    let version = version
        .split(|&byte| byte == b' ')
        .next()
        .unwrap_or(version);
    let mut description = Vec::new();
    for part in [
        version,
        library,
        &system_string(c"executable"),
        &system_string(c"prefix"),
        &platform::own_path(),
    ] {
        description.extend_from_slice(part);
        description.push(0);
    }
    description
}

/// A string of Python's `sys`, empty if it is none. The thread is attached.
fn system_string(name: &CStr) -> Vec<u8> {
    let mut length = 0;
    // SAFETY: attached; the object is borrowed from `sys`, which keeps it.
    let text: *const c_char = unsafe {
        let object: *mut PyObject = PySys_GetObject(name.as_ptr());
        if object.is_null() {
            null_mut()
        } else {
            PyUnicode_AsUTF8AndSize(object, &mut length)
        }
    };
    if text.is_null() {
        // SAFETY: attached.
        unsafe { PyErr_Clear() };
        return Vec::new();
    }
    // SAFETY: valid for its length as long as `sys` keeps the string; copied at once.
    unsafe { std::slice::from_raw_parts(text.cast::<u8>(), length as usize) }.to_vec()
}
