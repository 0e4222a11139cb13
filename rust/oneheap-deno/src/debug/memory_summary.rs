//! What holds memory now, in a dozen lines, the largest first: for a program that is asked from outside, or ends.

use std::collections::HashMap;
use std::ffi::CStr;
use std::fmt::Write;
use std::ptr::null_mut;
use std::sync::mpsc::channel;

use pyo3_ffi::{
    PyDict_GetItemString, PyErr_Clear, PyList_GetItem, PyList_Size, PyLong_AsSize_t,
    PyLong_FromSize_t, PyObject, PyObject_CallFunctionObjArgs, PyTuple_GetItem,
    PyUnicode_AsUTF8AndSize,
};

use crate::limits::{MAX_SUMMARY_HOLDERS, SUMMARY_TIMEOUT};
use crate::memory::stats;
use crate::memory::tracking::call_stack::CallStack;
use crate::memory::tracking::ledger;
use crate::runtime::attach::AttachGuard;
use crate::runtime::{maintenance_thread, own_code, platform};
use crate::values::handle::Bound;

const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("memory_summary.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("memory_summary.py has a NUL"),
    };

/// Something that holds memory.
struct Holder {
    bytes: f64,
    count: f64,
    /// What it is: a place, or a type.
    what: String,
}

/// Write the summary of this process. What Python has is missing where the GIL isn't to be had in time.
pub fn summary(program: &str) -> String {
    let [
        blocks,
        bytes,
        peak,
        reclaimed,
        _,
        _,
        references,
        borrows,
        scopes,
    ] = stats::read();
    let mut text = String::new();
    let resident = in_units(platform::resident_bytes() as f64);
    let process = std::process::id();
    let _ = writeln!(text, "{program}, process {process}: {resident} resident");
    let (bytes, peak) = (in_units(bytes), in_units(peak));
    let _ = writeln!(text, "{bytes} in {blocks} blocks, {peak} at most");
    let _ = writeln!(
        text,
        "{references} references, {borrows} borrowed buffers, {scopes} scopes; {reclaimed} blocks were lost"
    );
    let mut holders = holders_of_ledger();
    if holders.is_empty() && blocks > 0.0 {
        text.push_str("Blocks have no places here: record call sites, by ONEHEAP_CALL_SITES=4\n");
    }
    match holders_of_python() {
        Some(mut of_python) => holders.append(&mut of_python),
        None => text.push_str("Python didn't answer in time: somebody keeps the GIL\n"),
    }
    holders.sort_by(|one, other| other.bytes.total_cmp(&one.bytes));
    for Holder { bytes, count, what } in holders.iter().take(MAX_SUMMARY_HOLDERS) {
        let _ = writeln!(text, "{:>10} in {count:.0}: {what}", in_units(*bytes));
    }
    text
}

/// Bytes as text.
fn in_units(bytes: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (bytes.max(1.0).log2() / 10.0).floor() as usize;
    let power = power.min(units.len() - 1);
    let digits = usize::from(power > 0);
    let size = bytes / 1024f64.powi(power as i32);
    format!("{size:.digits$} {}", units[power])
}

/// What the ledger has, by the innermost frames.
fn holders_of_ledger() -> Vec<Holder> {
    let mut sums: HashMap<String, (f64, f64)> = HashMap::new();
    for (stack, live) in ledger::live() {
        let Some([file, function, line]) = stack.lines().next() else {
            continue;
        };
        let sum = sums
            .entry(format!("{function} ({file}:{line})"))
            .or_default();
        sum.0 += live.bytes;
        sum.1 += live.count;
    }
    sums.into_iter()
        .filter(|(_, (bytes, _))| *bytes > 0.0)
        .map(|(what, (bytes, count))| Holder { bytes, count, what })
        .collect()
}

/// What Python has; none if it doesn't answer in time.
fn holders_of_python() -> Option<Vec<Holder>> {
    let (sender, receiver) = channel();
    let asked = maintenance_thread::builder().spawn(move || {
        let holders = AttachGuard::enter().ok().and_then(|_attached| {
            // SAFETY: attached, and no exception is set on a new thread.
            unsafe { ask_python() }
        });
        let _ = sender.send(holders);
    });
    asked.ok()?;
    receiver.recv_timeout(SUMMARY_TIMEOUT).ok().flatten()
}

/// Ask Python what holds memory.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn ask_python() -> Option<Vec<Holder>> {
    // SAFETY: as the caller vouches; each result is checked, and what is borrowed of the list is used while that lives.
    unsafe {
        let ask = || {
            let globals = Bound::from_owned(own_code::execute(SOURCE))?;
            let function = PyDict_GetItemString(globals.as_ptr(), c"holders".as_ptr());
            let limit = Bound::from_owned(PyLong_FromSize_t(2 * MAX_SUMMARY_HOLDERS))?;
            let list = Bound::from_owned(PyObject_CallFunctionObjArgs(
                function,
                limit.as_ptr(),
                null_mut::<PyObject>(),
            ))?;
            let all = 0..PyList_Size(list.as_ptr());
            Some(
                all.filter_map(|index| holder(PyList_GetItem(list.as_ptr(), index)))
                    .collect(),
            )
        };
        let asked = ask();
        if asked.is_none() {
            PyErr_Clear();
        }
        asked
    }
}

/// A holder of Python's; none where it is one of the ledger's, or of no place.
///
/// # Safety
/// The thread is attached, and the object is a tuple of `memory_summary.py`.
unsafe fn holder(tuple: *mut PyObject) -> Option<Holder> {
    // SAFETY: as the caller vouches; the text is copied while the tuple has it.
    unsafe {
        let number = |index| PyLong_AsSize_t(PyTuple_GetItem(tuple, index));
        let mut length = 0;
        let text = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(tuple, 2), &mut length);
        if text.is_null() {
            PyErr_Clear();
            return None;
        }
        let text = std::slice::from_raw_parts(text.cast::<u8>(), length as usize);
        let name = String::from_utf8_lossy(text);
        let line = number(3);
        if name == "<unknown>" || is_call_site(&name, line) {
            return None;
        }
        let what = if line > 0 {
            format!("Python, {name}:{line}")
        } else {
            format!("Python's {name}")
        };
        Some(Holder {
            bytes: number(0) as f64,
            count: number(1) as f64,
            what,
        })
    }
}

/// Return whether a place is one of TypeScript's: the ledger has what was allocated there.
fn is_call_site(file: &str, line: usize) -> bool {
    let line = line.to_string();
    CallStack::all().any(|stack| {
        stack
            .lines()
            .next()
            .is_some_and(|[known, _, number]| known == file && number == line)
    })
}
