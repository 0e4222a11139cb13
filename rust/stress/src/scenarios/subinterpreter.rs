//! A subinterpreter, isolated with a GIL of its own from Python 3.12 on, runs Python code and Rust code while the threads
//! work in the main one.
//!
//! It is made before they begin and ended after: under `PYTHONMALLOC=debug`, making one beside threads at work crashes
//! CPython 3.12 by itself (CPython 123134).

use std::ffi::{CStr, c_char, c_int};
use std::ptr::null_mut;

use fastrand::Rng;
use pyo3_ffi::{
    Py_EndInterpreter, Py_NewInterpreter, PyEval_RestoreThread, PyEval_SaveThread, PyThreadState,
    PyThreadState_Swap,
};

use crate::oracle::{self, Expected};
use crate::plan::Plan;
use crate::python::{self, Attachment};
use crate::threads::{self, Threads, expecting};
use crate::worker::Worker;

const CODE: &CStr = c"
table = {number: str(number) * 20 for number in range(500)}
assert all(text == str(number) * 20 for number, text in table.items())
";

pub fn run(plan: Plan) -> String {
    let mut main = python::start();
    let mut rounds = 0;
    // SAFETY: Python was started on this thread and ends below; no other thread is at work yet.
    unsafe {
        main.attach();
        oracle::install();
        main.detach();
        threads::run(plan, &mut main, |main, threads| {
            main.attach();
            let state = enter_subinterpreter();
            rounds = work_in_subinterpreter(state, &threads, Rng::with_seed(!plan.seed));
            leave_subinterpreter(state, main);
            main.detach();
        });
        python::finalise(main);
    }
    let checked = oracle::checked();
    format!(", {rounds} rounds in a subinterpreter, {checked} calls of PyMem checked")
}

/// Let the threads begin and works until they are done. Answers how many rounds there were.
///
/// # Safety
/// The thread is attached to a subinterpreter by `state`.
unsafe fn work_in_subinterpreter(state: *mut PyThreadState, threads: &Threads, random: Rng) -> u64 {
    let mut worker = Worker::new(random, threads.exchange);
    let mut rounds = 0;
    threads.begin();
    while threads.is_working() {
        // SAFETY: attached to the subinterpreter.
        unsafe { python::run(CODE) };
        expecting(Expected::NoCalls, || worker.stretch(u64::MAX));
        // SAFETY: attached to the subinterpreter.
        unsafe { PyEval_SaveThread() };
        expecting(Expected::NoCalls, || worker.stretch(u64::MAX));
        // SAFETY: what this thread has just saved.
        unsafe { PyEval_RestoreThread(state) };
        rounds += 1;
    }
    expecting(Expected::NoCalls, || drop(worker));
    rounds
}

/// CPython's `PyInterpreterConfig`.
#[repr(C)]
struct Config {
    use_main_obmalloc: c_int,
    allow_fork: c_int,
    allow_exec: c_int,
    allow_threads: c_int,
    allow_daemon_threads: c_int,
    check_multi_interp_extensions: c_int,
    gil: c_int,
}

const ISOLATED: Config = Config {
    use_main_obmalloc: 0,
    allow_fork: 0,
    allow_exec: 0,
    allow_threads: 1,
    allow_daemon_threads: 0,
    check_multi_interp_extensions: 1,
    gil: OWN_GIL,
};

/// CPython's `PyInterpreterConfig_OWN_GIL`.
const OWN_GIL: c_int = 2;

/// CPython's `PyStatus`.
#[repr(C)]
struct Status {
    kind: c_int,
    function: *const c_char,
    message: *const c_char,
    exit_code: c_int,
}

type NewFromConfig = unsafe extern "C" fn(*mut *mut PyThreadState, *const Config) -> Status;

/// From Python 3.12 on.
fn new_from_config() -> Option<NewFromConfig> {
    // SAFETY: the function has this type in every version that has it.
    unsafe { python::function(c"Py_NewInterpreterFromConfig") }
}

/// Make a subinterpreter and attach the thread to it. Its GIL is the main one's before 3.12.
///
/// # Safety
/// The thread is attached to the main interpreter.
unsafe fn enter_subinterpreter() -> *mut PyThreadState {
    let mut state = null_mut();
    match new_from_config() {
        Some(new) => {
            // SAFETY: attached; the config is whole.
            let status = unsafe { new(&mut state, &ISOLATED) };
            assert!(
                status.kind == 0 && status.exit_code == 0,
                "no subinterpreter: {:?}",
                status.reason()
            );
        }
        // SAFETY: attached.
        None => state = unsafe { Py_NewInterpreter() },
    }
    assert!(!state.is_null(), "no subinterpreter");
    state
}

impl Status {
    fn reason(&self) -> [Option<&CStr>; 2] {
        // SAFETY: each is null or a static C string.
        [self.function, self.message]
            .map(|text| (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }))
    }
}

/// End the subinterpreter and attach the thread to the main one again.
///
/// # Safety
/// The thread is attached to the subinterpreter by `state`, its only one, and came from the main one by `main`.
unsafe fn leave_subinterpreter(state: *mut PyThreadState, main: &Attachment) {
    // SAFETY: the caller's promise. Before 3.12 the GIL is still held after that, from then on it is not.
    unsafe {
        Py_EndInterpreter(state);
        match new_from_config() {
            Some(_) => PyEval_RestoreThread(main.state()),
            None => drop(PyThreadState_Swap(main.state())),
        }
    }
}
