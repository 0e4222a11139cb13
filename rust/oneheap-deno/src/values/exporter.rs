//! `oneheap.Block`: the Python object that a block is to Python. It exports the block's memory as a buffer, and holds it.
//!
//! The type is made of a specification, with its own fields after those of `object`, whose size differs between builds. An
//! instance never changes, and refers to no other Python object, so it needs no collector and no lock.

use std::ffi::{CStr, c_int, c_uint, c_ulong, c_void};
use std::fmt::{self, Write};
use std::ptr::null_mut;

use pyo3_ffi::{
    Py_DecRef, Py_IncRef, Py_TPFLAGS_DEFAULT, Py_buffer, Py_tp_dealloc, Py_tp_doc, Py_tp_free,
    Py_tp_repr, PyBUF_F_CONTIGUOUS, PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_WRITABLE,
    PyBaseObject_Type, PyErr_NoMemory, PyErr_SetString, PyExc_BufferError, PyLong_AsSsize_t,
    PyObject, PyObject_GetAttrString, PyObject_Type, PyType_FromSpec, PyType_GenericAlloc,
    PyType_GetSlot, PyType_Slot, PyType_Spec, PyTypeObject, PyUnicode_FromStringAndSize,
};

use crate::boundary::status::Status;
use crate::memory::block::{Memory, Slot};
use crate::memory::element::Element;
use crate::memory::storage::shared_memory::ExportedMemory;
use crate::runtime::once_box::OnceBox;
use crate::values::failure::Failure;
use crate::values::fallible::{self, FallibleText};
use crate::values::handle::Bound;
use crate::values::support::BF_GETBUFFER;

/// `Py_TPFLAGS_DISALLOW_INSTANTIATION` and `Py_TPFLAGS_IMMUTABLETYPE` of Python's `object.h`, from 3.10 on.
const DISALLOW_INSTANTIATION: c_ulong = 1 << 7;
const IMMUTABLE_TYPE: c_ulong = 1 << 8;

const DOC: &CStr = c"Memory of a block that TypeScript allocated. Any function that takes a buffer takes it; nothing is copied.\n\nThe memory lives as long as this object or a buffer of it does.";

/// A hold on a block's memory for Python, and what Python is to see of it.
pub struct Export {
    shared: ExportedMemory<Memory>,
    element: Element,
    readonly: bool,
    shape: Box<[isize]>,
    strides: Box<[isize]>,
}

impl Export {
    /// Take a hold on the slot's memory, for Python to see as an array of one dimension, or of `shape`, in elements, whose
    /// product is the block's length. None if the slot is empty.
    pub fn new(
        slot: &mut Slot,
        shape: Option<Box<[isize]>>,
        readonly: bool,
    ) -> Result<Self, Failure> {
        let shared = slot.export().map_err(Status::from)?;
        let Memory { element, bytes, .. } = shared.memory();
        let length = bytes / element.bytes();
        let shape = shape.unwrap_or_else(|| Box::new([length as isize]));
        // One that is 0 makes up for any others, in whatever order they come.
        let product = match shape.contains(&0) {
            true => Some(0),
            false => shape
                .iter()
                .try_fold(1, |product: isize, &extent| product.checked_mul(extent)),
        };
        if product != Some(length as isize) {
            return Err(Status::Invalid.into());
        }
        let mut strides = fallible::copied(&shape)?.into_boxed_slice();
        let mut stride = element.bytes() as isize;
        for (dimension, extent) in shape.iter().enumerate().rev() {
            strides[dimension] = stride;
            // Without elements the other extents may be of any size.
            stride = stride.saturating_mul(*extent);
        }
        Ok(Self {
            shared,
            element,
            readonly,
            shape,
            strides,
        })
    }
}

/// The type, once it is made, and where an instance has its [`Export`].
struct Exporter {
    kind: *mut PyTypeObject,
    offset: usize,
}

// SAFETY: the type is Python's, never freed, and only attached threads do something with it; the rest never changes.
unsafe impl Sync for Exporter {}

static EXPORTER: OnceBox<Exporter> = OnceBox::new();

/// The type. The first call makes it.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn exporter() -> Result<&'static Exporter, Failure> {
    // SAFETY: as the caller vouches.
    EXPORTER.get_or_try_init(|| unsafe { make() })
}

/// Make the type.
///
/// # Safety
/// As for [`exporter`].
unsafe fn make() -> Result<Exporter, Failure> {
    // SAFETY: attached; `object` has the attribute.
    let size = unsafe {
        Bound::from_owned(PyObject_GetAttrString(
            (&raw mut PyBaseObject_Type).cast(),
            c"__basicsize__".as_ptr(),
        ))
        .map(|size| PyLong_AsSsize_t(size.as_ptr()))
        .ok_or_else(|| Failure::fetch())?
    };
    let offset = (size as usize).next_multiple_of(align_of::<Export>());
    let slot = |slot, pfunc: *mut c_void| PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(Py_tp_doc, DOC.as_ptr() as *mut c_void),
        slot(Py_tp_dealloc, dealloc as *mut c_void),
        slot(Py_tp_repr, repr as *mut c_void),
        slot(BF_GETBUFFER, get_buffer as *mut c_void),
        slot(0, null_mut()),
    ];
    let mut specification = PyType_Spec {
        name: c"oneheap.Block".as_ptr(),
        basicsize: (offset + size_of::<Export>()) as c_int,
        itemsize: 0,
        flags: (Py_TPFLAGS_DEFAULT | DISALLOW_INSTANTIATION | IMMUTABLE_TYPE) as c_uint,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: attached; what Python keeps of the specification (name, doc) is static, the rest it copies.
    let kind = unsafe { Bound::from_owned(PyType_FromSpec(&mut specification)) };
    let kind = kind.ok_or_else(|| {
        // SAFETY: attached, and the call set an exception.
        unsafe { Failure::fetch() }
    })?;
    Ok(Exporter {
        kind: kind.into_ptr().cast(),
        offset,
    })
}

/// The Python object that owns an export.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn object(export: Export) -> Result<Bound, Failure> {
    // SAFETY: attached; the new instance is written whole before anybody sees it, and has space for an `Export`.
    unsafe {
        let exporter = exporter()?;
        let object = Bound::from_owned(PyType_GenericAlloc(exporter.kind, 0))
            .ok_or_else(|| Failure::fetch())?;
        place(exporter, object.as_ptr()).write(export);
        Ok(object)
    }
}

/// The identity of the block that an object is of; none for other objects.
///
/// # Safety
/// The thread is attached.
pub unsafe fn identity(object: &Bound) -> Option<f64> {
    // SAFETY: attached; if there is no type, there is no instance.
    unsafe {
        let exporter = EXPORTER.get()?;
        let kind = Bound::from_owned(PyObject_Type(object.as_ptr()))?;
        if kind.as_ptr() != exporter.kind.cast() {
            return None;
        }
        let export = &*place(exporter, object.as_ptr());
        Some(export.shared.identity() as f64)
    }
}

/// Where an instance has its `Export`.
///
/// # Safety
/// The object is an instance of the type.
unsafe fn place(exporter: &Exporter, object: *mut PyObject) -> *mut Export {
    // SAFETY: the instance has that many bytes, as `make` has specified.
    unsafe { object.byte_add(exporter.offset).cast() }
}

/// The export of an instance that lives.
///
/// # Safety
/// The object is a live instance of the type.
unsafe fn export<'a>(object: *mut PyObject) -> &'a Export {
    // SAFETY: there is an instance, so there is the type; written by `object` and dropped by `dealloc`.
    unsafe { &*place(EXPORTER.get().unwrap_unchecked(), object) }
}

/// `tp_dealloc`: the last reference is gone.
///
/// # Safety
/// Called by Python, attached, once for each instance.
unsafe extern "C" fn dealloc(object: *mut PyObject) {
    type Free = unsafe extern "C" fn(*mut c_void);
    // SAFETY: the instance is whole, so there is its type, and nobody else refers to it. An instance of a type that was made so
    // holds its type.
    unsafe {
        let exporter = EXPORTER.get().unwrap_unchecked();
        place(exporter, object).drop_in_place();
        let free = PyType_GetSlot(exporter.kind, Py_tp_free);
        if !free.is_null() {
            std::mem::transmute::<*mut c_void, Free>(free)(object.cast());
        }
        Py_DecRef(exporter.kind.cast());
    }
}

/// `tp_repr`: `<oneheap.Block of 6 float64, shape (2, 3), read-only>`.
///
/// # Safety
/// Called by Python, attached, with a live instance.
unsafe extern "C" fn repr(object: *mut PyObject) -> *mut PyObject {
    // SAFETY: as Python vouches.
    let export = unsafe { export(object) };
    let mut text = FallibleText::default();
    // SAFETY: attached; the text is readable for its length.
    unsafe {
        if write_repr(export, &mut text).is_err() {
            return PyErr_NoMemory();
        }
        let text = text.as_bytes();
        PyUnicode_FromStringAndSize(text.as_ptr().cast(), text.len() as isize)
    }
}

/// Write what [`repr`] says.
fn write_repr(export: &Export, text: &mut FallibleText) -> fmt::Result {
    write!(text, "<oneheap.Block of {}, shape (", export.element.name())?;
    for (dimension, extent) in export.shape.iter().enumerate() {
        let separator = if dimension > 0 { ", " } else { "" };
        write!(text, "{separator}{extent}")?;
    }
    let comma = if export.shape.len() == 1 { "," } else { "" };
    let readonly = if export.readonly { ", read-only" } else { "" };
    write!(text, "{comma}){readonly}>")
}

/// `bf_getbuffer`: fills in a buffer as Python's documentation of the buffer protocol has it for contiguous memory. The
/// buffer refers to the instance, and so needs no `bf_releasebuffer`.
///
/// # Safety
/// Called by Python, attached, with a live instance.
unsafe extern "C" fn get_buffer(
    object: *mut PyObject,
    view: *mut Py_buffer,
    flags: c_int,
) -> c_int {
    // SAFETY: as Python vouches. The instance outlives the buffer, and never changes.
    let export = unsafe { export(object) };
    let requests = |flag: c_int| flags & flag == flag;
    let refusal = if requests(PyBUF_WRITABLE) && export.readonly {
        Some(c"this oneheap.Block was exported read-only")
    } else if requests(PyBUF_F_CONTIGUOUS) && !is_fortran_contiguous(&export.shape) {
        Some(c"this oneheap.Block is in C order, not in Fortran's")
    } else {
        None
    };
    // SAFETY: as Python vouches; the new buffer is the caller's to fill, and has a reference of its own.
    unsafe {
        if let Some(reason) = refusal {
            (*view).obj = null_mut();
            PyErr_SetString(PyExc_BufferError, reason.as_ptr());
            return -1;
        }
        let memory = export.shared.memory();
        let dimensions = if requests(PyBUF_ND) {
            export.shape.len()
        } else {
            1
        };
        // A buffer of no dimensions has one item, and no shape.
        let shaped = requests(PyBUF_ND) && dimensions > 0;
        Py_IncRef(object);
        view.write(Py_buffer {
            obj: object,
            buf: memory.pointer.as_ptr().cast(),
            len: memory.bytes as isize,
            itemsize: export.element.bytes() as isize,
            readonly: export.readonly.into(),
            ndim: dimensions as c_int,
            format: if requests(PyBUF_FORMAT) {
                export.element.format().as_ptr().cast_mut()
            } else {
                null_mut()
            },
            shape: if shaped {
                export.shape.as_ptr().cast_mut()
            } else {
                null_mut()
            },
            strides: if shaped && requests(PyBUF_STRIDES) {
                export.strides.as_ptr().cast_mut()
            } else {
                null_mut()
            },
            suboffsets: null_mut(),
            internal: null_mut(),
        });
    }
    0
}

/// Return whether an array of this shape in C order is in Fortran's order too.
fn is_fortran_contiguous(shape: &[isize]) -> bool {
    shape.contains(&0) || shape.iter().filter(|&&extent| extent > 1).count() <= 1
}
