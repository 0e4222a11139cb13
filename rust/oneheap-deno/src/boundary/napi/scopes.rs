//! `PythonScope`: modules to run code in.

use std::ptr::null_mut;
use std::sync::Arc;

use napi_sys::{ValueType, napi_callback_info, napi_env, napi_value};

use crate::boundary::napi::env::Env;
use crate::boundary::napi::python::python;
use crate::boundary::status::Status;
use crate::memory::stats::Counted;
use crate::objects::reference::Reference;
use crate::running::scope;
use crate::runtime::attach::with_python;
use crate::values::failure::Failure;
use crate::values::support::support;
use crate::values::value::Opaque;

/// `newScope(name)`: return a reference to a new module to run code in, or why there is none; undefined if there is a module of that
/// name. Without a name (undefined) it gets one.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn new_scope(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the module is made attached.
    unsafe {
        let [name] = env.arguments::<1>(info);
        let name = match env.kind(name) {
            ValueType::napi_undefined => Ok(None),
            _ => env.utf16(name).map(Some),
        };
        let made = name.and_then(|name| python(|| scope::new_scope(support()?, name.as_deref())));
        match made {
            Ok(None) => null_mut(),
            Ok(Some(scope)) => env
                .new_reference(Opaque::internal(scope), Some(Counted::scope()))
                .unwrap_or_else(|| env.failure(Status::OutOfMemory.into())),
            Err(failure) => env.failure(failure),
        }
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
                python(|| scope::variable(&scope, &name))
            });
        match found {
            Ok(None) => null_mut(),
            Ok(Some(value)) => env.result(Ok(value)),
            Err(failure) => env.failure(failure),
        }
    }
}

/// `disposeScope(scope)`: take a scope's module out of `sys.modules`, clear its variables, and decref it.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn dispose_scope(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles, of which nobody else uses this one now; cleared attached.
    unsafe {
        let reference = env.reference(env.arguments::<1>(info)[0]);
        if let Some(scope) = reference.and_then(Reference::release) {
            let _ = with_python(move || {
                scope::clear(&scope);
                // Code that runs on another thread may have it too.
                drop(Arc::into_inner(scope).map(|scope| scope.into_bound()));
            });
        }
    }
    null_mut()
}
