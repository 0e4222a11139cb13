//! The heap on a simulated interpreter, and the deferred list under `loom`.

#[cfg(not(miri))]
mod deferred_list;
mod faults;
mod histories;
mod no_python;
mod simulated;
mod states;
