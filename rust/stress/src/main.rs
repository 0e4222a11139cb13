//! The program: opens the libpython it is given, then the stress library that lies beside it, and runs the plan there.
//!
//! It links no Python, so one build serves every version.

mod plan;

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use plan::{Plan, Scenario};

const USAGE: &str = "\
usage: stress LIBPYTHON SCENARIO [--operations N] [--threads N] [--seed N]

  LIBPYTHON       a shared library of CPython 3.11 or later
  SCENARIO        plain           threads attach and detach at random and exchange what they own
                  tracemalloc     the same while tracemalloc starts and stops
                  subinterpreter  the same while an isolated subinterpreter is at work
                  lives           the same while Python is finalised and started again
  --operations N  of all threads together; 5000000 unless given
  --threads N     at least 1; 8 unless given
  --seed N        1 unless given

Set PYTHONMALLOC=debug, so that Python checks each block it gets back.";

/// The library's function that runs the plan and returns the exit code.
type Run = unsafe extern "C" fn(Plan) -> i32;

fn main() -> ExitCode {
    let outcome = parse(std::env::args().skip(1)).map_err(|error| format!("{error}\n\n{USAGE}"));
    match outcome.and_then(|(python, plan)| run(&python, plan)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("stress: {error}");
            ExitCode::from(2)
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(PathBuf, Plan), String> {
    let python = arguments.next().ok_or("LIBPYTHON is missing")?;
    let scenario: Scenario = arguments.next().ok_or("SCENARIO is missing")?.parse()?;
    let mut plan = Plan {
        scenario,
        operations: 5_000_000,
        threads: 8,
        seed: 1,
    };
    while let Some(option) = arguments.next() {
        let field = match option.as_str() {
            "--operations" => &mut plan.operations,
            "--threads" => &mut plan.threads,
            "--seed" => &mut plan.seed,
            _ => return Err(format!("there is no option `{option}`")),
        };
        let value = arguments
            .next()
            .ok_or_else(|| format!("`{option}` needs a number"))?;
        *field = u64::from_str(&value).map_err(|error| format!("{option} {value}: {error}"))?;
    }
    if !(1..=1024).contains(&plan.threads) {
        return Err(format!(
            "--threads {}: 1 to 1024 are possible",
            plan.threads
        ));
    }
    Ok((python.into(), plan))
}

fn run(python: &Path, plan: Plan) -> Result<u8, String> {
    // Its symbols must be there for the library's references.
    open(python)?;
    let library = open(&library()?)?;
    // SAFETY: the handle is open, the name a C string.
    let entry = unsafe { libc::dlsym(library, c"oneheap_stress".as_ptr()) };
    if entry.is_null() {
        return Err("liboneheap_stress.so has no entry: build it anew".into());
    }
    // SAFETY: the library was built with this program, and its function has this type.
    let entry = unsafe { std::mem::transmute::<*mut c_void, Run>(entry) };
    // SAFETY: libpython is open, Python is not started, and this is the process's main thread.
    let code = unsafe { entry(plan) };
    Ok(u8::try_from(code).unwrap_or(u8::MAX))
}

/// Where the stress library lies: in cargo's `deps`, whose copy is always as new as the program, or beside the program.
fn library() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let places = ["deps/liboneheap_stress.so", "liboneheap_stress.so"];
    let found = places
        .map(|name| program.with_file_name(name))
        .into_iter()
        .find(|path| path.exists());
    found.ok_or_else(|| format!("liboneheap_stress.so is not beside {}", program.display()))
}

/// Open a shared library for the rest of the process's lifetime.
fn open(path: &Path) -> Result<*mut c_void, String> {
    let name = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: a C string; the libraries' constructors do nothing unusual.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if !handle.is_null() {
        return Ok(handle);
    }
    // SAFETY: after a failed `dlopen` on this thread there is an error message.
    let error = unsafe { CStr::from_ptr(libc::dlerror()) };
    Err(error.to_string_lossy().into_owned())
}
