//! The functions of Node-API by which JavaScript runs Python code and deals with Python objects.
//!
//! Each takes JavaScript's values apart, does its work in Python, and makes JavaScript's values of what came of it. Neither
//! side's part reaches into the other's, so that Python's can be done on another thread.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::Arc;

use napi_sys::{
    ValueType, napi_add_env_cleanup_hook, napi_callback_info, napi_detach_arraybuffer, napi_env,
    napi_get_array_length, napi_get_element, napi_value,
};
use pyo3_ffi::{PyDict_Clear, PyObject};

use crate::boundary::napi::Env;
use crate::boundary::napi::conversion::Conversion;
use crate::boundary::status::{Status, safe_integer};
use crate::memory::block::pointer;
use crate::memory::element::Element;
use crate::memory::external_memory::ExternalMemory;
use crate::objects::borrow;
use crate::objects::exporter::{self, Export};
use crate::objects::reference::{self, Reference};
use crate::running::async_exception;
use crate::running::compiled::Mode;
use crate::running::completion_queue::{CompletionQueue, Entry};
use crate::running::interruptible_run::{InterruptibleRun, carry_out_interrupts};
use crate::running::pool;
use crate::running::run::{self, Program};
use crate::runtime::attach::{AttachGuard, delete_thread_state, with_python};
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::{Bound, Py, before_own_decrefs};
use crate::values::support::support;
use crate::values::value::FromPython;

/// `execute(mode, source, scope, names)`: runs code and waits for it.
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
        let arguments = env.arguments::<4>(info);
        let outcome = program(env, arguments, Conversion::Waits).and_then(|program| {
            python(|| {
                program
                    .run(|code| code())
                    .and_then(|object| FromPython::extract(object))
            })
        });
        env.outcome(outcome)
    }
}

/// `start(inbox, run, mode, source, scope, names)`: has code run on a thread of its own; what came of it goes to the inbox.
/// Undefined, or why it can't be.
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
        let [at, run, mode, source, scope, names] = env.arguments::<6>(info);
        let arguments = [mode, source, scope, names];
        let submitted = program(env, arguments, Conversion::Detached).and_then(|program| {
            let inbox = inbox(env, at)?;
            let run = env.number(run).ok_or(Status::Invalid)? as u32;
            let turn = InterruptibleRun::new();
            inbox.expect(Entry::new(run, turn.clone()));
            let receiver = inbox.clone();
            let leaves_objects = program.scope.is_some();
            let submitted = pool::submit(move || {
                let run_attached = || {
                    let _attached = AttachGuard::enter_in_turn()?;
                    python(|| {
                        // What somebody else has set for this thread is not for this code.
                        async_exception::discard();
                        program
                            .run(|code| turn.take(code))
                            .and_then(|object| FromPython::extract(object))
                    })
                };
                let outcome = run_attached();
                let refers_to_objects = matches!(
                    outcome,
                    Ok(FromPython::Object(..) | FromPython::Block(..)) | Err(Failure::Raised(_))
                );
                if leaves_objects || refers_to_objects {
                    delete_thread_state();
                }
                receiver.put(run, outcome);
                carry_out_interrupts();
            });
            submitted
                .inspect_err(|_| inbox.forget(run))
                .map_err(Failure::from)
        });
        match submitted {
            Ok(()) => null_mut(),
            Err(failure) => env.failure(failure),
        }
    }
}

/// `inbox()`: the address of a new inbox, which lives as long as JavaScript's thread.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn new_completion_queue(
    env: napi_env,
    _info: napi_callback_info,
) -> napi_value {
    let inbox = Arc::into_raw(Arc::<CompletionQueue>::default());
    // SAFETY: the environment is live. The hook runs on this thread, when no JavaScript runs any more.
    unsafe {
        napi_add_env_cleanup_hook(env, Some(close_inbox), inbox.cast_mut().cast());
        Env(env).double(inbox.expose_provenance() as f64)
    }
}

/// JavaScript's thread ends.
///
/// # Safety
/// The argument is an inbox of [`new_inbox`]; this runs once.
unsafe extern "C" fn close_inbox(inbox: *mut c_void) {
    // SAFETY: as the caller vouches.
    unsafe { Arc::from_raw(inbox.cast::<CompletionQueue>()) }.close();
}

/// `wait_handle(inbox)`: what `oneheap_wait` is to be called with, once. The same one until it is.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn wait_handle(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        let Ok(inbox) = inbox(env, env.arguments::<1>(info)[0]) else {
            return null_mut();
        };
        let address = Arc::as_ptr(&inbox).expose_provenance();
        if inbox.wait_handle() {
            // Whoever waits with the wait_handle takes over this count.
            std::mem::forget(inbox);
        }
        env.double(address as f64)
    }
}

/// Waits until there is something in the inbox that a wait_handle is for.
///
/// # Safety
/// The wait_handle is one of [`wait_handle`], and used once.
pub unsafe fn wait(wait_handle: f64) {
    let Ok(address) = safe_integer(wait_handle) else {
        return;
    };
    let inbox: *const CompletionQueue = std::ptr::with_exposed_provenance(address);
    if !inbox.is_null() {
        // SAFETY: as the caller vouches.
        unsafe { Arc::from_raw(inbox) }.wait();
    }
}

/// `ended(inbox)`: the number of the run whose outcome is to be taken next; undefined if none has ended.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn next_completion(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        match inbox(env, env.arguments::<1>(info)[0]).map(|inbox| inbox.next()) {
            Ok(Some(run)) => env.double(f64::from(run)),
            _ => null_mut(),
        }
    }
}

/// `take(inbox)`: what came of the run that `ended` tells.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn take_result(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        match inbox(env, env.arguments::<1>(info)[0]).map(|inbox| inbox.take()) {
            Ok(Some(outcome)) => env.outcome(outcome),
            _ => null_mut(),
        }
    }
}

/// `interrupt(inbox, run)`: has a run raise `KeyboardInterrupt`, if it hasn't ended. Waits for nothing.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn interrupt_run(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        let [at, run] = env.arguments::<2>(info);
        if let (Ok(inbox), Some(run)) = (inbox(env, at), env.number(run)) {
            inbox.interrupt(run as u32);
        }
    }
    null_mut()
}

/// `scope()`: a reference to a new dictionary to run code in, or why there is none.
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
        env.outcome(python(|| {
            let scope = run::new_scope(support()?).ok_or_else(|| Failure::fetch())?;
            Ok(FromPython::Object(scope.into(), 0))
        }))
    }
}

/// `variable(scope, name)`: what a scope has by that name; undefined if nothing.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn get_item(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the scope is asked attached.
    unsafe {
        let [scope, name] = env.arguments::<2>(info);
        let found = env
            .held(scope)
            .ok_or_else(|| Failure::from(Status::Invalid))
            .and_then(|scope| {
                let name = env.utf16(name)?;
                python(|| reference::variable(&scope, &name))
            });
        match found {
            Ok(None) => null_mut(),
            Ok(Some(answer)) => env.outcome(Ok(answer)),
            Err(failure) => env.failure(failure),
        }
    }
}

/// `disposeScope(scope)`: clears a scope, and releases its dictionary.
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

/// `adopt(address)`: a reference that takes over one to the object at an address.
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
            Some(object) => env.new_reference(object.into(), 0),
            None => null_mut(),
        }
    }
}

/// `share(address)`: a reference beside others to the object at an address, or why there is none.
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
        let outcome = python(|| {
            Bound::from_borrowed(pointer(address).cast())
                .map(|object| FromPython::Object(object.into(), 0))
                .ok_or(Failure::Status(Status::Invalid))
        });
        env.outcome(outcome)
    }
}

/// `address(reference)`: where the object is; undefined if the reference was let go.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn address(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles.
    unsafe {
        match env.held(env.arguments::<1>(info)[0]) {
            Some(held) => env.double(held.as_ptr().expose_provenance() as f64),
            None => null_mut(),
        }
    }
}

/// `call.apply(reference, arguments)`: calls an object.
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
        let outcome = env.all_arguments(info).and_then(|(receiver, given)| {
            let callable = env.held(receiver).ok_or(Status::Invalid)?;
            let mut arguments = fallible::vec_with_capacity(given.len())?;
            for argument in given {
                arguments.push(env.argument(argument, Conversion::Waits)?);
            }
            python(|| reference::call(&callable, arguments))
        });
        env.outcome(outcome)
    }
}

/// `attribute(reference, name)`: an attribute of an object.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn get_attr(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the object is asked attached.
    unsafe {
        let [object, name] = env.arguments::<2>(info);
        let outcome = env
            .held(object)
            .ok_or_else(|| Failure::from(Status::Invalid))
            .and_then(|object| {
                let name = env.utf16(name)?;
                python(|| reference::attribute(&object, &name))
            });
        env.outcome(outcome)
    }
}

/// `string(reference)`: an object as `str()` has it.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn str(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own environment.
    if !unsafe { env.has_stack() } {
        return null_mut();
    }
    // SAFETY: Node-API's own handles; the object is asked attached.
    unsafe {
        let outcome = match env.held(env.arguments::<1>(info)[0]) {
            Some(object) => python(|| reference::string(&object)),
            None => Err(Status::Invalid.into()),
        };
        env.outcome(outcome)
    }
}

/// `release(reference)`: lets go of an object now.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn decref(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles, of which nobody else has this one now; let go attached.
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

/// `giveBack(view)`: detaches the buffer of a view over a Python object's memory, and releases that now if nobody else uses it.
///
/// # Safety
/// Called by Node-API.
pub unsafe extern "C" fn release_buffer(env: napi_env, info: napi_callback_info) -> napi_value {
    let env = Env(env);
    // SAFETY: Node-API's own handles. V8 lets go of the memory here, unless it has further users.
    unsafe {
        let buffer = env.buffer_of(env.arguments::<1>(info)[0]);
        let bytes = env.array_buffer(buffer).map_or(0, |(_, bytes)| bytes);
        before_own_decrefs(|| napi_detach_arraybuffer(env.0, buffer));
        if let Some(external) = ExternalMemory::of_isolate() {
            external.release(bytes as i64);
        }
    }
    // Attaching to Python does it.
    let _ = with_python(|| ());
    null_mut()
}

/// `export(token, readonly, shape)`: the address of a new Python object over a block's memory, which the caller owns, or why
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

/// `borrow(element, copy, what, scope, names)`: an `ArrayBuffer` over the memory that an object exports. `what` is a reference,
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
        let [element, copy, what, scope, names] = env.arguments::<5>(info);
        let element = env
            .number(element)
            .and_then(|number| Element::from_number(number as u8));
        let copy = env.number(copy) == Some(1.0);
        let source = match env.kind(what) {
            ValueType::napi_string => {
                let eval = env.double(f64::from(Mode::Eval as i32));
                let arguments = [eval, what, scope, names];
                program(env, arguments, Conversion::Waits).map(Exporter::Expression)
            }
            ValueType::napi_number => {
                let address = env.number(what).unwrap_or(0.0);
                Ok(Exporter::Address(pointer(address).expose_provenance()))
            }
            _ => env
                .held(what)
                .map(Exporter::Object)
                .ok_or_else(|| Status::Invalid.into()),
        };
        let outcome =
            source.and_then(|source| python(|| borrow::borrow(&source.object()?, element, copy)));
        match outcome {
            Ok(outcome) => env.borrowed(outcome),
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

/// Does something in Python. What keeps this thread from it is a failure too.
fn python<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    with_python(work).unwrap_or_else(|code| Err(code.into()))
}

/// Code to run, of the arguments mode, source, scope (or undefined) and names (or undefined): an array of names and values
/// in turn.
///
/// # Safety
/// The environment and the arguments are live.
unsafe fn program(
    env: Env,
    arguments: [napi_value; 4],
    conversion: Conversion,
) -> Result<Program, Failure> {
    let [mode, source, scope, names] = arguments;
    // SAFETY: as the caller vouches.
    unsafe {
        let mode = match env.number(mode) {
            Some(0.0) => Mode::Run,
            Some(1.0) => Mode::Eval,
            _ => return Err(Status::Invalid.into()),
        };
        let source = env.utf16(source)?;
        let scope = match env.kind(scope) {
            ValueType::napi_undefined => None,
            _ => Some(env.held(scope).ok_or(Status::Invalid)?),
        };
        let length = array_length(env, names) / 2;
        let mut pairs = fallible::vec_with_capacity(length as usize)?;
        for index in 0..length {
            let name = env.utf16(element(env, names, 2 * index))?;
            let value = env.argument(element(env, names, 2 * index + 1), conversion)?;
            pairs.push((name, value));
        }
        Ok(Program {
            mode,
            source,
            scope,
            names: pairs,
        })
    }
}

/// How many elements an array has; 0 for what isn't one.
///
/// # Safety
/// The environment and the value are live.
unsafe fn array_length(env: Env, array: napi_value) -> u32 {
    let mut length = 0;
    // SAFETY: as the caller vouches; the result is written, or stays as it is.
    unsafe {
        if env.kind(array) == ValueType::napi_object {
            napi_get_array_length(env.0, array, &mut length);
        }
    }
    length
}

/// An element of an array.
///
/// # Safety
/// The environment and the value are live.
unsafe fn element(env: Env, array: napi_value, index: u32) -> napi_value {
    let mut element = null_mut();
    // SAFETY: as the caller vouches; the result is written, or stays null.
    unsafe { napi_get_element(env.0, array, index, &mut element) };
    element
}

/// A shape: an array of extents, or undefined.
///
/// # Safety
/// The environment and the value are live.
unsafe fn extents(env: Env, shape: napi_value) -> Result<Option<Box<[isize]>>, Failure> {
    // SAFETY: as the caller vouches.
    unsafe {
        if env.kind(shape) == ValueType::napi_undefined {
            return Ok(None);
        }
        let length = array_length(env, shape);
        let mut extents = fallible::vec_with_capacity(length as usize)?;
        for index in 0..length {
            let extent = env
                .number(element(env, shape, index))
                .ok_or(Status::Invalid)?;
            extents.push(safe_integer(extent)? as isize);
        }
        Ok(Some(extents.into_boxed_slice()))
    }
}

/// The inbox at an address that [`new_inbox`] gave.
///
/// # Safety
/// The environment and the value are live, and the address is one of this thread's inboxes.
unsafe fn inbox(env: Env, address: napi_value) -> Result<Arc<CompletionQueue>, Status> {
    // SAFETY: as the caller vouches; the inbox lives as long as JavaScript's thread, and this counts one more who has it.
    unsafe {
        let address = safe_integer(env.number(address).ok_or(Status::Invalid)?)?;
        let inbox: *const CompletionQueue = std::ptr::with_exposed_provenance(address);
        if inbox.is_null() {
            return Err(Status::Invalid);
        }
        Arc::increment_strong_count(inbox);
        Ok(Arc::from_raw(inbox))
    }
}
