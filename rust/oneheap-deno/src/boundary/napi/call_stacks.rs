//! Call stacks of JavaScript that Python sees, and what is recorded by them.

use std::ptr::{null, null_mut};

use napi_sys::{napi_call_function, napi_callback_info, napi_env, napi_value};

use crate::boundary::exports;
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

/// The functions of Deno's FFI that are called within frames, by their numbers in `ffi/boundary/status.ts`.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum MemoryFunction {
    RawMalloc = 0,
    RawCalloc = 1,
    RawRealloc = 2,
    RawFree = 3,
    BlockAlloc = 4,
    BlockRealloc = 5,
    BlockFree = 6,
}

impl MemoryFunction {
    /// The function of a number; none for another one.
    fn from_number(number: f64) -> Option<Self> {
        const ALL: [MemoryFunction; 7] = [
            MemoryFunction::RawMalloc,
            MemoryFunction::RawCalloc,
            MemoryFunction::RawRealloc,
            MemoryFunction::RawFree,
            MemoryFunction::BlockAlloc,
            MemoryFunction::BlockRealloc,
            MemoryFunction::BlockFree,
        ];
        ALL.into_iter()
            .find(|function| f64::from(*function as u32) == number)
    }

    /// Call it.
    ///
    /// # Safety
    /// The arguments are those of the function, as TypeScript passes them.
    unsafe fn call(self, arguments: [f64; 5]) -> f64 {
        let [first, second, third, fourth, fifth] = arguments;
        // SAFETY: as the caller vouches.
        unsafe {
            match self {
                Self::RawMalloc => exports::oneheap_raw_malloc(first),
                Self::RawCalloc => exports::oneheap_raw_calloc(first, second),
                Self::RawRealloc => exports::oneheap_raw_realloc(first, second),
                Self::RawFree => {
                    exports::oneheap_raw_free(first);
                    0.0
                }
                Self::BlockAlloc => {
                    exports::oneheap_block_alloc(first, second, third, fourth as u8, fifth as u8)
                }
                Self::BlockRealloc => exports::oneheap_block_realloc(first, second, third as u8),
                Self::BlockFree => f64::from(exports::oneheap_block_free(first)),
            }
        }
    }
}

/// `callWithin(stack, weight, memoryFunction, ...args)`: call a function of Deno's FFI within the frames of a call stack, attached, and return its
/// result. JavaScript isn't between the frames and the function, so what unwinds the stack of C finds its way.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn call_within(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles; the arguments are TypeScript's own.
    unsafe {
        let values = match env.all_arguments(info) {
            Ok((_, values)) => values,
            Err(failure) => return env.failure(failure),
        };
        let [stack, weight, function, rest @ ..] = &values[..] else {
            return env.failure(Status::Invalid.into());
        };
        let Some(function) = env.number(*function).and_then(MemoryFunction::from_number) else {
            return env.failure(Status::Invalid.into());
        };
        let current = Current {
            stack: stack_at(env, *stack),
            weight: env.number(*weight).unwrap_or(1.0),
        };
        let mut arguments = [0.0; 5];
        for (argument, value) in arguments.iter_mut().zip(rest) {
            *argument = env.number(*value).unwrap_or(0.0);
        }
        let call = || function.call(arguments);
        let called = python(|| Ok(call_stack::within(current, call)));
        env.double(called.unwrap_or_else(|_: Failure| call()))
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
        let is_sampling = env.number(is_sampling) == Some(1.0);
        if env.number(begins) == Some(1.0) {
            recording::begin(is_sampling);
        } else {
            recording::end(is_sampling);
        }
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
