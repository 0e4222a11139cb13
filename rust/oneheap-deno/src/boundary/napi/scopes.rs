//! `PythonScope`: dictionaries to run code in.

use std::ptr::null_mut;
use std::sync::Arc;

use napi_sys::{napi_callback_info, napi_env, napi_value};
use pyo3_ffi::PyDict_Clear;

use crate::boundary::napi::env::Env;
use crate::boundary::napi::python::python;
use crate::boundary::status::Status;
use crate::objects::reference::{self, Reference};
use crate::running::run;
use crate::runtime::attach::with_python;
use crate::values::failure::Failure;
use crate::values::support::support;
use crate::values::value::FromPython;

/// `newScope()`: return a reference to a new dictionary to run code in, or why there is none.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn new_scope(env: napi_env, _info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the dictionary is made attached.
    unsafe {
        env.result(python(|| {
            let scope = run::new_scope(support()?).ok_or_else(|| Failure::fetch())?;
            Ok(FromPython::Object(scope.into(), 0))
        }))
    }
}

/// `getItem(scope, name)`: return the value of a variable; undefined if there is none.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn get_item(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the scope is read attached.
    unsafe {
        let [scope, name] = env.arguments::<2>(info);
        let found = env
            .handle(scope)
            .ok_or_else(|| Failure::from(Status::Invalid))
            .and_then(|scope| {
                let name = env.utf16(name)?;
                python(|| reference::variable(&scope, &name))
            });
        match found {
            Ok(None) => null_mut(),
            Ok(Some(value)) => env.result(Ok(value)),
            Err(failure) => env.failure(failure),
        }
    }
}

/// `disposeScope(scope)`: clear a scope, and decref its dictionary.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn dispose_scope(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles, of which nobody else uses this one now; cleared attached, and a scope is a dictionary.
    unsafe {
        let reference = env.reference(env.arguments::<1>(info)[0]);
        if let Some(scope) = reference.and_then(Reference::release) {
            let _ = with_python(move || {
                PyDict_Clear(scope.as_ptr());
                // Code that runs on another thread may have it too.
                drop(Arc::into_inner(scope).map(|scope| scope.into_bound()));
            });
        }
    }
    null_mut()
}
