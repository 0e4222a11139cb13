//! `python.run` and `python.eval`, `python.runAsync` and `python.evalAsync`.

use std::ptr::null_mut;
use std::sync::Arc;

use napi_sys::{ValueType, napi_callback_info, napi_env, napi_value};

use crate::boundary::napi::arguments::Conversion;
use crate::boundary::napi::completions::queue_at;
use crate::boundary::napi::env::Env;
use crate::boundary::napi::python::python;
use crate::boundary::napi::tapes;
use crate::boundary::status::Status;
use crate::debug::call_stack;
use crate::memory::tracking;
use crate::running::async_exception;
use crate::running::compiled::Mode;
use crate::running::completion_queue::Entry;
use crate::running::interruptible_run::{InterruptibleRun, carry_out_interrupts};
use crate::running::own_functions;
use crate::running::pool;
use crate::running::run::Program;
use crate::runtime::attach::{AttachGuard, delete_thread_state};
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::Py;
use crate::values::value::FromPython;
use crate::values::walk::Options;

/// `run(mode, source, scope, names, tape, text, objects, toJs)`: run code and wait for its result.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn run(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the code runs attached.
    unsafe {
        let [mode, source, scope, names, tape, text, objects, to_js] = env.arguments::<8>(info);
        let arguments = [mode, source, scope, names, tape, text, objects];
        let options = env.number(to_js).map(|it| Options::from_number(it as u32));
        let result = program(env, arguments, Conversion::Waits).and_then(|program| {
            python(|| {
                let object = program.run(|code| code())?;
                match options {
                    Some(options) => tapes::convert(&object, options),
                    None => FromPython::extract(object),
                }
            })
        });
        env.result(result)
    }
}

/// `newFunction(source, scope)`: return an internal reference to the value of an expression that is a function, compiled in a scope or, without
/// one, in a fresh one.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn new_function(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the code runs attached.
    unsafe {
        let [source, scope] = env.arguments::<2>(info);
        let made = env.utf16(source).and_then(|source| {
            let program = Program {
                mode: Mode::Eval,
                source,
                scope: env.scope(scope)?,
                names: Vec::new(),
                tape: None,
            };
            python(|| program.run(|code| code()).map(Py::from))
        });
        match made {
            Ok(function) => env.internal_reference(function),
            Err(failure) => env.failure(failure),
        }
    }
}

/// `ownFunction(name)`: return an internal reference to a function of this library's own in Python.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn own_function(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the function is looked up attached.
    unsafe {
        let [name] = env.arguments::<1>(info);
        let found = env
            .utf16(name)
            .and_then(|name| python(|| own_functions::own_function(&name)));
        match found {
            Ok(function) => env.internal_reference(function),
            Err(failure) => env.failure(failure),
        }
    }
}

/// `runAsync(queue, run, mode, source, scope, names, tape, text, objects, toJs)`: run code on a thread of its own; its result goes to the completion queue.
/// Return undefined, or why the code can't run.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn run_async(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the code runs attached.
    unsafe {
        let [
            at,
            run,
            mode,
            source,
            scope,
            names,
            tape,
            text,
            objects,
            to_js,
        ] = env.arguments::<10>(info);
        let arguments = [mode, source, scope, names, tape, text, objects];
        let options = env.number(to_js).map(|it| Options::from_number(it as u32));
        let submitted = program(env, arguments, Conversion::Detached).and_then(|program| {
            let queue = queue_at(env, at)?;
            let run = env.number(run).ok_or(Status::Invalid)? as u32;
            let interruptible = InterruptibleRun::new();
            queue.expect(Entry::new(run, interruptible.clone()));
            let receiver = queue.clone();
            let leaves_objects = program.scope.is_some();
            let current = tracking::call_stack::current();
            let submitted = pool::submit(move || {
                let run_attached = || {
                    let _attached = AttachGuard::enter_in_turn()?;
                    python(|| {
                        // What somebody else has set for this thread is not for this code.
                        async_exception::discard();
                        call_stack::within(current, || {
                            let object = program.run(|code| interruptible.take(code))?;
                            match options {
                                Some(options) => tapes::convert_detached(&object, options),
                                None => FromPython::extract(object),
                            }
                        })
                    })
                };
                let result = run_attached();
                let refers_to_objects = matches!(
                    result,
                    Ok(FromPython::Object(_) | FromPython::Block(..) | FromPython::Converted(_))
                        | Err(Failure::Raised(_))
                );
                if leaves_objects || refers_to_objects {
                    delete_thread_state();
                }
                receiver.put(run, result);
                carry_out_interrupts();
            });
            submitted
                .inspect_err(|_| queue.remove_run(run))
                .map_err(Failure::from)
        });
        match submitted {
            Ok(()) => null_mut(),
            Err(failure) => env.failure(failure),
        }
    }
}

impl Env {
    /// Return the scope of a reference; none for undefined.
    ///
    /// # Safety
    /// The environment and the value are live.
    unsafe fn scope(self, scope: napi_value) -> Result<Option<Arc<Py>>, Failure> {
        // SAFETY: as the caller vouches.
        unsafe {
            match self.kind(scope) {
                ValueType::napi_undefined => Ok(None),
                _ => Ok(Some(self.handle(scope).ok_or(Status::Invalid)?)),
            }
        }
    }
}

/// Return the code to run, of the arguments mode, source, scope (or undefined) and names (or undefined): an array of alternating names
/// and values, in which undefined is a value of the tape that follows, with its text and its objects.
///
/// # Safety
/// The environment and the arguments are live.
pub unsafe fn program(
    env: Env,
    arguments: [napi_value; 7],
    conversion: Conversion,
) -> Result<Program, Failure> {
    let [mode, source, scope, names, tape, text, objects] = arguments;
    // SAFETY: as the caller vouches.
    unsafe {
        let mode = match env.number(mode) {
            Some(0.0) => Mode::Run,
            Some(1.0) => Mode::Eval,
            _ => return Err(Status::Invalid.into()),
        };
        let source = env.utf16(source)?;
        let scope = env.scope(scope)?;
        let length = env.array_length(names) / 2;
        let mut pairs = fallible::vec_with_capacity(length as usize)?;
        for index in 0..length {
            let name = env.utf16(env.element(names, 2 * index))?;
            let value = env.argument(env.element(names, 2 * index + 1), conversion)?;
            pairs.push((name, value));
        }
        Ok(Program {
            mode,
            source,
            scope,
            names: pairs,
            tape: match env.kind(tape) {
                ValueType::napi_undefined => None,
                _ => Some(Box::new(env.tape(tape, text, objects, conversion)?)),
            },
        })
    }
}
