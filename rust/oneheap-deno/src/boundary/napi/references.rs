//! `PyObjectRef`: references to Python objects, and what is done by them.

use std::ptr::null_mut;
use std::sync::Arc;

use napi_sys::{napi_callback_info, napi_env, napi_value};

use crate::boundary::napi::arguments::Conversion;
use crate::boundary::napi::env::Env;
use crate::boundary::napi::python::python;
use crate::boundary::napi::tapes;
use crate::boundary::status::Status;
use crate::memory::block::pointer;
use crate::objects::operations::{self, Arguments, Operation};
use crate::objects::reference::{self, Reference};
use crate::running::fresh_scope;
use crate::running::run::Nested;
use crate::runtime::attach::with_python;
use crate::values::build::CACHE;
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::Bound;
use crate::values::value::{FromPython, Opaque};
use crate::values::walk::Options;

/// `fromOwnedPointer(address)`: return a reference that takes ownership of one to the object at an address.
///
/// # Safety
/// Called by Node-API, with the address of a live object, to which the caller has a reference.
pub unsafe extern "C" fn from_owned_pointer(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles, and as the caller vouches. The object isn't looked at here.
    unsafe {
        let address = env.number(env.arguments::<1>(info)[0]).unwrap_or(0.0);
        match Bound::from_owned(pointer(address).cast()) {
            Some(object) => env.owned_reference(object.into()),
            None => null_mut(),
        }
    }
}

/// `fromBorrowedPointer(address)`: return a new reference to the object at an address, or why there is none.
///
/// # Safety
/// Called by Node-API, with the address of a live object.
pub unsafe extern "C" fn from_borrowed_pointer(
    env: napi_env,
    info: napi_callback_info,
) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles, and as the caller vouches; the reference is counted attached.
    unsafe {
        let address = env.number(env.arguments::<1>(info)[0]).unwrap_or(0.0);
        let result = python(|| {
            Bound::from_borrowed(pointer(address).cast())
                .map(|object| FromPython::Object(Opaque::of(object)))
                .ok_or(Failure::Status(Status::Invalid))
        });
        env.result(result)
    }
}

/// `address(reference)`: return the address of the object; undefined if the reference was decref'ed.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn address(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        match env.handle(env.arguments::<1>(info)[0]) {
            Some(held) => env.double(held.as_ptr().expose_provenance() as f64),
            None => null_mut(),
        }
    }
}

/// `call(...args)`: call the object of the reference that is the receiver.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn call(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; called attached.
    unsafe {
        let result = env.all_arguments(info).and_then(|(receiver, values)| {
            let callable = env.handle(receiver).ok_or(Status::Invalid)?;
            let mut arguments = fallible::vec_with_capacity(values.len())?;
            for argument in values {
                arguments.push(env.argument(argument, Conversion::Waits)?);
            }
            python(|| reference::call(&callable, arguments))
        });
        env.result(result)
    }
}

/// `operate(reference, tape, text, objects, toJs)`: do what the tape's header says with an object and the values of the tape. Return its
/// result, converted as a whole where there are options for that; undefined if there is none.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn operate(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the object is used attached, and the tape before JavaScript goes on.
    unsafe {
        let [object, tape, text, objects, to_js] = env.arguments::<5>(info);
        let options = env.number(to_js).map(|it| Options::from_number(it as u32));
        let operated = env
            .handle(object)
            .ok_or_else(|| Failure::from(Status::Freed))
            .and_then(|object| {
                let mut tape = env.tape(tape, text, objects, Conversion::Waits)?;
                let [operation, count, keywords] = tape.purpose();
                let operation = Operation::from_number(operation).ok_or(Status::Invalid)?;
                let count = usize::try_from(count).map_err(|_| Status::Invalid)?;
                let keywords = usize::try_from(keywords).map_err(|_| Status::Invalid)?;
                python(|| {
                    CACHE.with(|cache| {
                        let mut values = tape.builder(cache);
                        let arguments = Arguments {
                            values: &mut values,
                            count,
                            keywords,
                        };
                        operations::operate(operation, &object, arguments, |result| match options {
                            Some(options) => tapes::convert(&result, options),
                            None => FromPython::extract(result),
                        })
                    })
                })
            });
        match operated {
            Ok(None) => null_mut(),
            Ok(Some(value)) => env.result(Ok(value)),
            Err(failure) => env.failure(failure),
        }
    }
}

/// `str(reference)`: return an object as `str()` has it.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn str(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the object is used attached.
    unsafe {
        let result = match env.handle(env.arguments::<1>(info)[0]) {
            Some(object) => python(|| reference::string(&object)),
            None => Err(Status::Invalid.into()),
        };
        env.result(result)
    }
}

/// `releaseException(reference)`: release an exception that was held, and what the run that it has ended has left.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn release_exception(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles, of which nobody else has this one now; released attached.
    unsafe {
        let reference = env.reference(env.arguments::<1>(info)[0]);
        let held = reference.and_then(Reference::release);
        if let Some(held) = held.and_then(Arc::into_inner) {
            let _ = with_python(move || fresh_scope::release_exception(held.into_bound()));
        }
    }
    null_mut()
}

/// `decrefAll(references)`: decref the objects of many references now, in their order.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn decref_all(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles, of which nobody else has these now; decref'ed attached.
    unsafe {
        let [references] = env.arguments::<1>(info);
        let held = (0..env.array_length(references))
            .filter_map(|index| env.reference(env.element(references, index)))
            .filter_map(Reference::release)
            // Code that runs on another thread may have it too. What goes beyond memory here is decref'ed later, one by one.
            .filter_map(Arc::into_inner);
        let mut all = match fallible::vec_with_capacity(env.array_length(references) as usize) {
            Ok(all) => all,
            Err(failure) => return env.failure(failure),
        };
        all.extend(held);
        let _ = with_python(move || all.into_iter().for_each(|held| drop(held.into_bound())));
    }
    null_mut()
}

/// `decref(reference)`: decref an object now.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn decref(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles, of which nobody else has this one now; decref'ed attached.
    unsafe {
        let reference = env.reference(env.arguments::<1>(info)[0]);
        let held = reference.and_then(Reference::release);
        // Code that runs on another thread may have it too.
        if let Some(held) = held.and_then(Arc::into_inner) {
            let _ = with_python(move || drop(held.into_bound()));
        }
    }
    null_mut()
}
