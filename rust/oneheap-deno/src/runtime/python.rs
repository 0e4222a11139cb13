//! Python in this process: starting it, asking whether it runs, and its orderly end.
//!
//! Python starts on a thread of its own that lives as long as the process, so it is Python's main thread, and no
//! Worker's end takes that away. The same thread frees what the deferred list piles up while nobody attaches, and
//! flushes Python's files when the process ends.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock};
use std::thread::Thread;
use std::time::Instant;

use oneheap::{AttachState, Counters, PyMemAllocator, python_symbol};
use pyo3_ffi::{
    Py_CompileString, Py_GetVersion, Py_IsInitialized, Py_file_input, PyDict_New,
    PyDict_SetItemString, PyErr_Clear, PyEval_EvalCode, PyEval_GetBuiltins, PyEval_RestoreThread,
    PyEval_SaveThread, PyGC_Disable, PyObject, PySys_GetObject, PyThreadState,
    PyUnicode_AsUTF8AndSize,
};

use crate::boundary::status::Status;
use crate::limits::THREAD_STACK_BYTES;
use crate::limits::{DEFERRED_PERIOD, EXIT_TIMEOUT, MAINTENANCE_TIMEOUT, MAX_DEFERRED_BYTES};
use crate::running::interruptible_run;
use crate::runtime::attach::{AttachGuard, detach_for};
use crate::runtime::initialization;
use crate::runtime::platform;
use crate::values::handle::{Bound, drain_pending_decrefs, has_pending_decrefs};

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

/// What an orderly end runs.
const BEFORE_EXIT: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("before_exit.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("before_exit.py has a NUL"),
    };

/// Python's own thread.
static MAINTENANCE_THREAD: OnceLock<Thread> = OnceLock::new();

/// What Python's own thread is to do about the deferred list. Others only raise it.
static DEFERRED: AtomicU8 = AtomicU8::new(SLEEP);

/// Nothing was put on the list of late, and the thread sleeps until it is woken.
const SLEEP: u8 = 0;
/// The thread looks at the list at the end of each period.
const WATCH: u8 = 1;
/// Enough waits to be freed at once.
const FREE: u8 = 2;

/// The process is ending; Python's own thread has one thing left to do.
static ENDING: Mutex<Option<SyncSender<()>>> = Mutex::new(None);

/// Tells Python's own thread to look at `ENDING`, which it needn't lock otherwise.
static ENDS: AtomicBool = AtomicBool::new(false);

/// Python's own thread releases objects, so finalisers may run on it.
static RELEASES: AtomicBool = AtomicBool::new(false);

/// A thread does what an orderly end runs.
static FINISHES: AtomicBool = AtomicBool::new(false);

/// Whether Python runs: neither before its start nor ending nor ended.
pub fn running() -> bool {
    started() && PyMemAllocator::attach_state() != AttachState::Finalised
}

/// Whether a Python has started and isn't ending. It may be a second one, after the end of the one whose memory this is.
pub fn started() -> bool {
    // SAFETY: callable at any time, on any thread.
    let initialized = unsafe { Py_IsInitialized() } != 0;
    initialized && !finalizing()
}

fn finalizing() -> bool {
    type IsFinalizing = unsafe extern "C" fn() -> c_int;
    static FUNCTION: OnceLock<Option<IsFinalizing>> = OnceLock::new();
    let function = FUNCTION.get_or_init(|| {
        let address =
            python_symbol(c"Py_IsFinalizing").or_else(|| python_symbol(c"_Py_IsFinalizing"))?;
        // SAFETY: both functions have this signature.
        Some(unsafe { std::mem::transmute::<NonNull<c_void>, IsFinalizing>(address) })
    });
    // SAFETY: callable at any time, on any thread.
    function.is_some_and(|function| unsafe { function() } != 0)
}

/// Whether this is a build of Python without a GIL.
pub fn is_free_threaded() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        // SAFETY: a static string.
        let version = unsafe { CStr::from_ptr(Py_GetVersion()) };
        version.to_string_lossy().contains("free-threading")
    })
}

/// A block was put on the deferred list, where `bytes` bytes wait now. Wakes Python's own thread if that doesn't know yet what
/// there is to do. May be called in any state of the thread: it takes no lock and allocates nothing.
fn on_deferred(bytes: usize) {
    let wanted = if bytes < MAX_DEFERRED_BYTES {
        WATCH
    } else {
        FREE
    };
    // Sequentially consistent, so that a thread that goes to sleep is not missed: see `Period::end`.
    if DEFERRED.load(Ordering::SeqCst) < wanted
        && DEFERRED.fetch_max(wanted, Ordering::SeqCst) < wanted
    {
        wake();
    }
}

/// Wakes Python's own thread, if it waits, to look for what there is to do.
pub fn wake() {
    if let Some(thread) = MAINTENANCE_THREAD.get() {
        thread.unpark();
    }
}

/// Frees a portion of the deferred list. The thread is attached.
pub fn drain() {
    PyMemAllocator::drain_deferred();
}

/// What is known of the Python that was started here: version, library, executable, prefix, and the path of this library,
/// each closed by a NUL.
pub fn description() -> Option<&'static [u8]> {
    Some(STARTED.get()?.as_ref().ok()?)
}

/// What the one start of the process came to: Python's description, or why it didn't start.
static STARTED: OnceLock<Result<Vec<u8>, Status>> = OnceLock::new();

/// What is known of a start that Python refused: its own words, then the name and the value of each environment variable
/// that it reads, each closed by a NUL.
pub fn refusal() -> Option<&'static [u8]> {
    Some(REFUSED.get()?)
}

/// Why Python refused to start, and with which environment.
static REFUSED: OnceLock<Vec<u8>> = OnceLock::new();

/// Starts Python, once per process; a thread that comes while another starts it waits for the outcome. `paths` is the
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
                return join(library);
            }
            launch(library.to_vec(), platform::wide(executable))
        })
    });
    started.as_ref().map(|_| is_first).map_err(|&code| code)
}

/// Somebody else has started Python; a thread of its own does the rest.
fn join(library: &[u8]) -> Result<Vec<u8>, Status> {
    let _attached = AttachGuard::enter()?;
    let thread = own_thread().spawn(keep).map_err(|_| Status::NoThread)?;
    let _ = MAINTENANCE_THREAD.set(thread.thread().clone());
    platform::at_exit(end_as_guest);
    Ok(describe(library))
}

fn own_thread() -> std::thread::Builder {
    std::thread::Builder::new()
        .name("oneheap-python".into())
        .stack_size(THREAD_STACK_BYTES)
}

/// Starts Python on a thread of its own and waits until it runs.
fn launch(library: Vec<u8>, executable: Vec<libc::wchar_t>) -> Result<Vec<u8>, Status> {
    let (sender, receiver) = sync_channel(1);
    let thread = own_thread()
        .spawn(move || {
            // SAFETY: Python hasn't started, and only the one caller of `STARTED` comes here.
            if let Err(words) = unsafe { initialize(executable) } {
                let _ = REFUSED.set(describe_refusal(&words));
                drop(sender);
                // A thread state that Python has half made may be this thread's, so it doesn't end.
                loop {
                    std::thread::park();
                }
            }
            let description = describe(&library);
            // SAFETY: attached by the start of Python.
            unsafe { PyEval_SaveThread() };
            let _ = sender.send(description);
            keep();
        })
        .map_err(|_| Status::NoThread)?;
    let description = receiver.recv().map_err(|_| Status::NoPython)?;
    let _ = MAINTENANCE_THREAD.set(thread.thread().clone());
    platform::at_exit(end);
    Ok(description)
}

/// Starts Python and leaves the thread attached; Python's words if it refuses to start.
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

/// Python's words and the variables that it reads, as `refusal` returns them.
fn describe_refusal(words: &str) -> Vec<u8> {
    let variables = std::env::vars_os()
        .map(|(name, value)| [name, value].map(|text| text.to_string_lossy().into_owned()))
        .filter(|[name, _]| platform::variable_name(name).starts_with("PYTHON"));
    let mut description = Vec::new();
    for text in std::iter::once(words.to_owned()).chain(variables.flatten()) {
        description.extend_from_slice(text.replace('\0', " ").as_bytes());
        description.push(0);
    }
    description
}

/// What Python's own thread does for the rest of the process.
fn keep() {
    // Before it can be woken.
    MAINTENANCE_THREAD.get_or_init(std::thread::current);
    PyMemAllocator::on_deferred(on_deferred);
    let mut period = Period::end();
    while !ENDS.load(Ordering::Acquire) {
        Period::wait(&period);
        if !is_due(&mut period) && !has_pending_decrefs() && !interruptible_run::interrupts_wait() {
            continue;
        }
        if free_waiting().is_err() {
            // Python has ended, or ends; nothing is left to do but to answer whoever ends the process.
            while !ENDS.load(Ordering::Acquire) {
                std::thread::park();
            }
        }
    }
    finish();
}

/// Runs what an orderly end runs in Python, once, and reports to the thread that ends the process.
fn finish() {
    if let Ok(_attached) = AttachGuard::enter() {
        if FINISHES.swap(true, Ordering::Relaxed) {
            return;
        }
        // SAFETY: attached; no exception is set, and nothing is held here.
        unsafe {
            PyGC_Disable();
            run(BEFORE_EXIT);
            drain_pending_decrefs();
        }
    }
    // Dropping the sender tells the thread that ends the process.
    drop(ENDING.lock().ok().and_then(|mut sender| sender.take()));
}

/// Raises the interrupts that wait, and frees all that waits: blocks on the deferred list, and references.
fn free_waiting() -> Result<(), Status> {
    while PyMemAllocator::has_deferred()
        || has_pending_decrefs()
        || interruptible_run::interrupts_wait()
    {
        // Detached again after each portion, so that others get at the GIL.
        let _attached = AttachGuard::enter()?;
        // Before what may run Python code.
        // SAFETY: attached.
        unsafe { interruptible_run::raise_listed() };
        drain();
        RELEASES.store(true, Ordering::Relaxed);
        // SAFETY: attached; no exception is set, and nothing is held here.
        unsafe { drain_pending_decrefs() };
        RELEASES.store(false, Ordering::Relaxed);
    }
    Ok(())
}

/// Whether Python's own thread is to free what is on the deferred list. Threads that attach free it themselves, so that is not so
/// while they do.
fn is_due(period: &mut Option<Period>) -> bool {
    match DEFERRED.load(Ordering::Acquire) {
        FREE => {
            // Before the list is looked at, so that what fills it once more wakes this thread once more.
            DEFERRED.store(WATCH, Ordering::SeqCst);
            *period = Some(Period::begin());
            return true;
        }
        WATCH if period.is_none() => *period = Some(Period::begin()),
        _ => {}
    }
    let Some(now) = period.as_ref().filter(|period| period.is_over()) else {
        return false;
    };
    let is_due = now.nobody_emptied_the_list() && PyMemAllocator::has_deferred();
    *period = if is_due || now.saw_something() {
        Some(Period::begin())
    } else {
        Period::end()
    };
    is_due
}

/// A while during which Python's own thread leaves the deferred list to threads that attach.
struct Period {
    start: Instant,
    /// What had been deferred and emptied when it began.
    counters: Counters,
}

impl Period {
    fn begin() -> Self {
        Self {
            start: Instant::now(),
            counters: PyMemAllocator::counters(),
        }
    }

    /// After a period in which nothing happened: none follows, unless a block comes just now. So a process that frees nothing wakes
    /// no thread, and one that does so in a loop wakes this one, by its clock, ten times a second.
    fn end() -> Option<Self> {
        DEFERRED.store(SLEEP, Ordering::SeqCst);
        // Either this sees the block, or who deferred it sees the store above and wakes this thread.
        fence(Ordering::SeqCst);
        if !PyMemAllocator::has_deferred() {
            return None;
        }
        DEFERRED.fetch_max(WATCH, Ordering::SeqCst);
        Some(Self::begin())
    }

    /// Sleeps until the period is over, or without one, or until somebody wakes the thread.
    fn wait(period: &Option<Self>) {
        match period {
            None => std::thread::park(),
            Some(period) => {
                std::thread::park_timeout(DEFERRED_PERIOD.saturating_sub(period.start.elapsed()));
            }
        }
    }

    fn is_over(&self) -> bool {
        self.start.elapsed() >= DEFERRED_PERIOD
    }

    fn nobody_emptied_the_list(&self) -> bool {
        PyMemAllocator::counters().emptied == self.counters.emptied
    }

    fn saw_something(&self) -> bool {
        PyMemAllocator::counters().deferred != self.counters.deferred
    }
}

/// The process ends. The thread that ends it may be attached, and won't need to be again.
extern "C" fn end() {
    let_go();
    conclude();
}

/// The process ends in which somebody else has started Python. They may be about to finalise it on this thread, attached as it
/// was; or they never do, as deno_python.
extern "C" fn end_as_guest() {
    let state = let_go();
    if conclude() && !state.is_null() {
        // SAFETY: the thread's own state, with which it was attached until now. Python doesn't end meanwhile.
        unsafe { PyEval_RestoreThread(state) };
    }
}

/// Lets go of Python, if it runs and the thread is attached: its state then, or null.
fn let_go() -> *mut PyThreadState {
    if !running() || PyMemAllocator::attach_state() != AttachState::Attached {
        return null_mut();
    }
    // SAFETY: attached to a live Python, so it can detach.
    unsafe { PyEval_SaveThread() }
}

/// Has Python's own thread flush Python's files and run its exit functions. Whether it has done so in time.
///
/// That thread may be releasing objects whose finalisers block, as a file's that flushes to a full pipe. Then another one does it,
/// though exit functions find that it isn't Python's main thread.
fn conclude() -> bool {
    let Some(thread) = MAINTENANCE_THREAD.get() else {
        return false;
    };
    let (sender, done): (SyncSender<()>, Receiver<()>) = sync_channel(1);
    if let Ok(mut ending) = ENDING.lock() {
        *ending = Some(sender);
    }
    ENDS.store(true, Ordering::Release);
    thread.unpark();
    let is_done = |time| done.recv_timeout(time) == Err(RecvTimeoutError::Disconnected);
    if is_done(MAINTENANCE_TIMEOUT) {
        return true;
    }
    if RELEASES.load(Ordering::Relaxed) && !FINISHES.load(Ordering::Relaxed) {
        // Without a thread it is Python's own alone, as before.
        let _ = own_thread().spawn(finish);
    }
    is_done(EXIT_TIMEOUT - MAINTENANCE_TIMEOUT)
}

/// Runs Python code for its effects; an error in it is dropped.
///
/// # Safety
/// The thread is attached.
unsafe fn run(code: &CStr) {
    // SAFETY: attached; what the code left goes with its globals.
    unsafe {
        drop(execute(code));
        PyErr_Clear();
    }
}

/// Runs Python code of this library's, and gives what it defined: a dictionary. None, with an exception set, if it raised.
///
/// # Safety
/// The thread is attached until the result is dropped, and no exception is set.
pub unsafe fn execute(code: &CStr) -> Option<Bound> {
    // SAFETY: attached; each result is checked before it is passed on.
    unsafe {
        let globals = Bound::from_owned(PyDict_New())?;
        let scope = globals.as_ptr();
        PyDict_SetItemString(scope, c"__builtins__".as_ptr(), PyEval_GetBuiltins());
        let name = c"<oneheap>".as_ptr();
        let compiled = Bound::from_owned(Py_CompileString(code.as_ptr(), name, Py_file_input))?;
        Bound::from_owned(PyEval_EvalCode(compiled.as_ptr(), scope, scope))?;
        Some(globals)
    }
}

/// Version, library, executable and prefix of the Python that runs, and this library's path. The thread is attached.
fn describe(library: &[u8]) -> Vec<u8> {
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
