//! Short runs of the program on the Python of this machine: `ONEHEAP_PYTHON` (an executable or a libpython), else
//! `python3`.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Prints the shared library of the Python that runs this, or nothing.
const FIND_LIBRARY: &str = "
import os, sysconfig
directory, multiarch = (sysconfig.get_config_var(name) or '' for name in ('LIBDIR', 'MULTIARCH'))
name = 'libpython{}.so.1.0'.format(sysconfig.get_config_var('LDVERSION'))
for place in (directory, os.path.join(directory, multiarch)):
    path = os.path.join(place, name)
    if os.path.exists(path):
        print(path)
        break
";

fn libpython() -> PathBuf {
    let python = std::env::var("ONEHEAP_PYTHON").unwrap_or_else(|_| "python3".into());
    if python.contains(".so") {
        return python.into();
    }
    let output = Command::new(&python).args(["-c", FIND_LIBRARY]).output();
    let output = output.unwrap_or_else(|error| panic!("{python}: {error}; set ONEHEAP_PYTHON"));
    let library = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    assert!(
        library.exists(),
        "{python} has no shared library; set ONEHEAP_PYTHON to a Python that has one"
    );
    library
}

fn stress(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stress"));
    command.args(arguments).env("PYTHONMALLOC", "debug");
    command.output().expect("the program starts")
}

/// Run a scenario and checks that it says that all went well.
fn passes(scenario: &str) {
    let library = libpython();
    let library = library.to_str().expect("a path in UTF-8");
    let output = stress(&[library, scenario, "--operations", "100000"]);
    let (said, errors) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert!(
        said.starts_with(scenario) && said.trim_end().ends_with("all contents right"),
        "{said}"
    );
}

#[test]
fn threads_attach_and_detach() {
    passes("plain");
}

#[test]
fn tracemalloc_starts_and_stops_meanwhile() {
    passes("tracemalloc");
}

#[test]
fn a_subinterpreter_works_meanwhile() {
    passes("subinterpreter");
}

#[test]
fn python_ends_and_starts_again_meanwhile() {
    passes("lives");
}

#[test]
fn wrong_arguments_are_answered_with_the_usage() {
    for (arguments, error) in [
        (&[][..], "LIBPYTHON is missing"),
        (&["libpython.so"], "SCENARIO is missing"),
        (&["libpython.so", "soak"], "there is no scenario `soak`"),
        (
            &["libpython.so", "plain", "--speed"],
            "there is no option `--speed`",
        ),
        (
            &["libpython.so", "plain", "--seed"],
            "`--seed` needs a number",
        ),
        (
            &["libpython.so", "plain", "--operations", "-1"],
            "--operations -1: invalid digit found in string",
        ),
        (
            &["libpython.so", "plain", "--threads", "0"],
            "--threads 0: 1 to 1024 are possible",
        ),
    ] {
        let output = stress(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            said.starts_with(&format!("stress: {error}\n\nusage: stress ")),
            "{said}"
        );
    }
}

#[test]
fn a_file_that_is_no_library_is_named() {
    let output = stress(&["/no/such/libpython.so", "plain"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/libpython.so"));
}
