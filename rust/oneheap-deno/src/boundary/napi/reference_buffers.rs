//! The tiny buffers by which JavaScript owns references to Python objects.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

use napi_sys::{napi_env, napi_value};

use crate::boundary::napi::env::Env;
use crate::limits::MIN_REPORTED_BYTES;
use crate::memory::external_memory::ExternalMemory;
use crate::memory::stats::Counted;
use crate::memory::storage::slab::Slab;
use crate::objects::reference::Reference;
use crate::values::handle::Py;
use crate::values::value::Opaque;

/// The sizes of references' buffers, which JavaScript never looks into: they say whether the object can be called, which costs no call
/// to find out. `ffi/boundary/status.ts` has the same numbers.
#[derive(Clone, Copy)]
#[repr(i32)]
pub enum ReferenceBytes {
    Plain = 1,
    Callable = 2,
}

/// All references of JavaScript's to Python objects.
pub static REFERENCES: Slab<Reference> = Slab::new();

impl Env {
    /// Return the handle that a reference owns; none if it isn't a reference, or was decref'ed.
    ///
    /// # Safety
    /// The environment and the value are live.
    pub unsafe fn handle(self, value: napi_value) -> Option<Arc<Py>> {
        // SAFETY: as the caller vouches.
        unsafe {
            self.reference(value)
                .and_then(|reference| reference.held.clone())
        }
    }

    /// Return the record of a reference.
    ///
    /// # Safety
    /// The environment and the value are live; only JavaScript's thread uses the record, and this is the one use of it.
    pub unsafe fn reference<'a>(self, value: napi_value) -> Option<&'a mut Reference> {
        // SAFETY: as the caller vouches. What the slab has at the address is a record that lives as long as its buffer.
        unsafe {
            let (data, _) = self.array_buffer(value)?;
            REFERENCES.get(data.cast()).map(|mut it| it.as_mut())
        }
    }

    /// Return a buffer that owns a reference to an object, which is decref'ed after the buffer is collected; none if memory is out. The
    /// memory that the object exports is reported to V8 if it is much. The reference is `counted` as long as JavaScript has it.
    ///
    /// # Safety
    /// The environment is live.
    pub unsafe fn new_reference(
        self,
        opaque: Opaque,
        counted: Option<Counted>,
    ) -> Option<napi_value> {
        let Opaque {
            object,
            bytes,
            is_callable,
        } = opaque;
        let external = ExternalMemory::of_isolate();
        let retained = if bytes >= MIN_REPORTED_BYTES {
            bytes
        } else {
            0
        };
        if let Some(external) = &external {
            external.track_retained(retained as i64);
            external.sample_growth();
        }
        let record = Reference {
            held: Some(Arc::new(object)),
            retained,
            external,
            counted,
        };
        let Ok(record) = REFERENCES.insert(record) else {
            return None;
        };
        let address: *mut c_void = record.as_ptr().cast();
        let length = match is_callable {
            false => ReferenceBytes::Plain,
            true => ReferenceBytes::Callable,
        };
        // SAFETY: as the caller vouches; the record is larger than the buffer, and lives until the finalizer takes it.
        Some(unsafe { self.external(address, length as usize, drop_reference, address) })
    }
}

/// Drop the record of a reference, when V8 has collected its buffer.
///
/// # Safety
/// The hint is a record of [`REFERENCES`]; this runs once, on any thread.
unsafe extern "C" fn drop_reference(_env: napi_env, _data: *mut c_void, hint: *mut c_void) {
    if let Some(record) = NonNull::new(hint.cast::<Reference>()) {
        // SAFETY: as the caller vouches.
        drop(unsafe { REFERENCES.remove(record) });
    }
}
