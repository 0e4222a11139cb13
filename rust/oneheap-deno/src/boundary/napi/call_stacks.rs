//! Call stacks of JavaScript that Python sees, and what is recorded by them.

use std::ptr::{null, null_mut};

use napi_sys::{napi_call_function, napi_callback_info, napi_env, napi_value};

use crate::boundary::napi::env::Env;
use crate::boundary::napi::python::python;
use crate::boundary::status::{Status, safe_integer};
use crate::debug::{call_stack, recording, traced_memory};
use crate::memory::tracking::call_stack::{CallStack, Current};
use crate::memory::tracking::ledger;
use crate::values::failure::Failure;
use crate::values::value::FromPython;

/// `callStack(text)`: return the address of the call stack with those frames: for each, the innermost first, its file, its function and
/// its line, each closed by a NUL.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn call_stack(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the stack is made attached.
    unsafe {
        let [text] = env.arguments::<1>(info);
        let made = env
            .utf16(text)
            .and_then(|text| python(|| call_stack::call_stack(&text)));
        match made {
            Ok(stack) => env.double(stack.address() as f64),
            Err(failure) => env.failure(failure),
        }
    }
}

/// `callStackText(stack)`: return the text that a call stack was made of.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn call_stack_text(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        match stack_at(env, env.arguments::<1>(info)[0]) {
            Some(stack) => env.string(&stack.text),
            None => null_mut(),
        }
    }
}

/// `within(stack, weight, receiver, work, ...args)`: call a function of JavaScript's within the frames of a call stack, attached, and
/// return its result. Each allocation in there stands for `weight` of them. Where the thread can't attach, the function is called all the same.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn within(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles, which live until this returns. Where the function throws, the exception stays pending.
    unsafe {
        let values = match env.all_arguments(info) {
            Ok((_, values)) => values,
            Err(failure) => return env.failure(failure),
        };
        let [stack, weight, receiver, work, arguments @ ..] = &values[..] else {
            return env.failure(Status::Invalid.into());
        };
        let current = Current {
            stack: stack_at(env, *stack),
            weight: env.number(*weight).unwrap_or(1.0),
        };
        let call = || {
            let mut result = null_mut();
            let arguments_pointer = if arguments.is_empty() {
                null()
            } else {
                arguments.as_ptr()
            };
            napi_call_function(
                env.0,
                *receiver,
                *work,
                arguments.len(),
                arguments_pointer,
                &mut result,
            );
            result
        };
        let called = python(|| Ok(call_stack::within(current, call)));
        called.unwrap_or_else(|_: Failure| call())
    }
}

/// `setRecording(isSampling, begins)`: begin or end to enter allocations in the ledger.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn set_recording(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        let [is_sampling, begins] = env.arguments::<2>(info);
        recording::change(
            env.number(is_sampling) == Some(1.0),
            env.number(begins) == Some(1.0),
        );
    }
    null_mut()
}

/// `readLedger()`: return what is alive and what was allocated, as the bytes of doubles.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn read_ledger(env: napi_env, _info: napi_callback_info) -> napi_value {
    let bytes = ledger::read()
        .iter()
        .flat_map(|number| number.to_ne_bytes())
        .collect();
    // SAFETY: Node-API's own environment.
    unsafe { Env(env).result(Ok(FromPython::Bytes(bytes))) }
}

/// `readTraces()`: return a reference to what `tracemalloc` has, added up; null where it isn't started.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn read_traces(env: napi_env, _info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: read attached; the object is used there too.
    unsafe {
        let read = python(|| {
            let traces = traced_memory::read_traces()?;
            FromPython::extract(traces.into_bound())
        });
        env.result(read)
    }
}

/// The call stack that a number of JavaScript's is the address of.
///
/// # Safety
/// The environment and the value are live.
unsafe fn stack_at(env: Env, value: napi_value) -> Option<&'static CallStack> {
    // SAFETY: as the caller vouches.
    let address = unsafe { env.number(value) }?;
    safe_integer(address).ok().and_then(CallStack::at)
}
