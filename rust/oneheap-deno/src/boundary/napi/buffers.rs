//! Buffers of Python objects: `python.borrow`, what releases the buffer of a `Borrowed`, and `Block.toPython`.

use std::ptr::null_mut;
use std::sync::Arc;

use napi_sys::{ValueType, napi_callback_info, napi_detach_arraybuffer, napi_env, napi_value};
use pyo3_ffi::PyObject;

use crate::boundary::napi::arguments::Conversion;
use crate::boundary::napi::env::Env;
use crate::boundary::napi::python::python;
use crate::boundary::napi::running::program;
use crate::boundary::status::{Status, safe_integer};
use crate::memory::block::pointer;
use crate::memory::element::Element;
use crate::memory::external_memory::ExternalMemory;
use crate::objects::borrow;
use crate::running::compiled::Mode;
use crate::running::run::Program;
use crate::runtime::attach::with_python;
use crate::runtime::pending_decrefs::before_own_decrefs;
use crate::values::exporter::{self, Export};
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::{Bound, Py};

/// `releaseBuffer(view)`: detach the buffer of a view over a Python object's memory, and release the object's buffer now, unless the
/// backing store has another user.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn release_buffer(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles. V8 frees the backing store here, unless it has further users.
    unsafe {
        let buffer = env.buffer_of(env.arguments::<1>(info)[0]);
        let bytes = env.array_buffer(buffer).map_or(0, |(_, bytes)| bytes);
        before_own_decrefs(|| napi_detach_arraybuffer(env.0, buffer));
        if let Some(external) = ExternalMemory::of_isolate() {
            external.track_freed(bytes as i64);
        }
    }
    // Attaching to Python drains what was pushed.
    let _ = with_python(|| ());
    null_mut()
}

/// `toPython(token, readonly, shape)`: return the address of a new Python object over a block's memory, which the caller owns, or why
/// there is none.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn to_python(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the token is used by this thread alone; the object is made attached.
    unsafe {
        let [token, readonly, shape] = env.arguments::<3>(info);
        let exported = env
            .token(token)
            .ok_or_else(|| Failure::from(Status::Invalid))
            .and_then(|mut token| {
                let readonly = env.number(readonly) == Some(1.0);
                Export::new(&mut token.as_mut().slot, extents(env, shape)?, readonly)
            });
        let object = exported.and_then(|export| python(|| exporter::object(export).map(Py::from)));
        match object {
            Ok(object) => {
                let address = object.as_ptr().expose_provenance();
                // The reference goes to the caller.
                std::mem::forget(object);
                env.double(address as f64)
            }
            Err(failure) => env.failure(failure),
        }
    }
}

/// `borrow(element, copy, source, scope, names, tape, text, objects)`: return an `ArrayBuffer` over the memory that an object exports. `source` is a reference,
/// the address of an object, or an expression to be evaluated in the scope, with the names.
///
/// # Safety
/// Called by Node-API; an address is that of a live object.
pub unsafe extern "C" fn borrow(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles, and as the caller vouches; borrowed attached.
    unsafe {
        let [element, copy, what, scope, names, tape, text, objects] = env.arguments::<8>(info);
        let element = env
            .number(element)
            .and_then(|number| Element::from_number(number as u8));
        let copy = env.number(copy) == Some(1.0);
        let source = match env.kind(what) {
            ValueType::napi_string => {
                let eval = env.double(f64::from(Mode::Eval as i32));
                let arguments = [eval, what, scope, names, tape, text, objects];
                program(env, arguments, Conversion::Waits).map(Exporter::Expression)
            }
            ValueType::napi_number => {
                let address = env.number(what).unwrap_or(0.0);
                Ok(Exporter::Address(pointer(address).expose_provenance()))
            }
            _ => env
                .handle(what)
                .map(Exporter::Object)
                .ok_or_else(|| Status::Invalid.into()),
        };
        let result =
            source.and_then(|source| python(|| borrow::borrow(&source.object()?, element, copy)));
        match result {
            Ok(borrowed) => env.borrowed(borrowed),
            Err(failure) => env.failure(failure),
        }
    }
}

/// Whose buffer is borrowed.
enum Exporter {
    Object(Arc<Py>),
    Address(usize),
    Expression(Program),
}

impl Exporter {
    /// The object.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and an address is that of a live object.
    unsafe fn object(self) -> Result<Bound, Failure> {
        let borrowed = |object: *mut PyObject| {
            // SAFETY: as the caller vouches.
            unsafe { Bound::from_borrowed(object) }.ok_or(Failure::Status(Status::Invalid))
        };
        match self {
            Self::Object(held) => borrowed(held.as_ptr()),
            Self::Address(address) => borrowed(std::ptr::with_exposed_provenance_mut(address)),
            // SAFETY: as the caller vouches.
            Self::Expression(program) => unsafe { program.run(|code| code()) },
        }
    }
}

/// Return the extents of a shape; none for undefined.
///
/// # Safety
/// The environment and the value are live.
unsafe fn extents(env: Env, shape: napi_value) -> Result<Option<Box<[isize]>>, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if env.kind(shape) == ValueType::napi_undefined {
            return Ok(None);
        }
        let length = env.array_length(shape);
        let mut extents = fallible::vec_with_capacity(length as usize)?;
        for index in 0..length {
            let extent = env
                .number(env.element(shape, index))
                .ok_or(Status::Invalid)?;
            extents.push(safe_integer(extent)? as isize);
        }
        Ok(Some(extents.into_boxed_slice()))
    }
}
