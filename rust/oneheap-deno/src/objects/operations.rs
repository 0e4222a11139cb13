//! What is done with a Python object in one crossing: calls, attributes, items and comparisons.

use std::ptr::null_mut;

use pyo3_ffi::{
    PyCallable_Check, PyDict_New, PyDict_SetItem, PyErr_Occurred, PyObject, PyObject_Call,
    PyObject_GetAttr, PyObject_GetItem, PyTuple_New, PyTuple_SetItem,
};

use crate::boundary::status::Status;
use crate::objects::framed::{apply, framed, has_frame};
use crate::values::build::Builder;
use crate::values::failure::{Failure, owned};
use crate::values::fallible;
use crate::values::handle::{Bound, Py};
use crate::values::support::conversions;
use crate::values::value::FromPython;

/// An operation. `ffi/boundary/status.ts` has the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Operation {
    /// With the arguments, and keywords as alternating names and values.
    Call = 0,
    /// With the name before them.
    Method = 1,
    GetAttribute = 2,
    SetAttribute = 3,
    DeleteAttribute = 4,
    HasAttribute = 5,
    GetItem = 6,
    SetItem = 7,
    DeleteItem = 8,
    Contains = 9,
    Length = 10,
    Type = 11,
    IsCallable = 12,
    Is = 13,
    IsInstance = 14,
    Equals = 15,
    Compare = 16,
    Iterate = 17,
    /// The next element; nothing at the end.
    Next = 18,
    Enter = 19,
    Leave = 20,
}

impl Operation {
    /// The operation of that number.
    pub fn from_number(number: i32) -> Option<Self> {
        const ALL: [Operation; 21] = [
            Operation::Call,
            Operation::Method,
            Operation::GetAttribute,
            Operation::SetAttribute,
            Operation::DeleteAttribute,
            Operation::HasAttribute,
            Operation::GetItem,
            Operation::SetItem,
            Operation::DeleteItem,
            Operation::Contains,
            Operation::Length,
            Operation::Type,
            Operation::IsCallable,
            Operation::Is,
            Operation::IsInstance,
            Operation::Equals,
            Operation::Compare,
            Operation::Iterate,
            Operation::Next,
            Operation::Enter,
            Operation::Leave,
        ];
        ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// What a function of Python's returns that says -1 where it raises.
///
/// # Safety
/// The thread is attached.
unsafe fn checked(result: isize) -> Result<isize, Failure> {
    if result != -1 {
        return Ok(result);
    }
    // SAFETY: as the caller vouches.
    unsafe {
        match PyErr_Occurred().is_null() {
            true => Ok(result),
            false => Err(Failure::fetch()),
        }
    }
}

/// The values of a tape: `count` of them, and `keywords` pairs of names and values.
pub struct Arguments<'a, 'b> {
    pub values: &'a mut Builder<'b>,
    pub count: usize,
    pub keywords: usize,
}

/// Do an operation with an object and the values of a tape. `convert` makes of an object what JavaScript gets.
///
/// # Safety
/// The thread is attached, and no exception is set.
pub unsafe fn operate(
    operation: Operation,
    object: &Py,
    arguments: Arguments,
    convert: impl FnOnce(Bound) -> Result<FromPython, Failure>,
) -> Result<Option<FromPython>, Failure> {
    let Arguments {
        values,
        count,
        keywords,
    } = arguments;
    let object = object.as_ptr();
    let truth = |truth: isize| Ok(Some(FromPython::Bool(truth != 0)));
    // SAFETY: as the caller vouches; arguments are live, and results are owned and checked.
    unsafe {
        let functions = framed()?;
        let result = match operation {
            Operation::Call => match has_frame() {
                true => call(object, &[], values, count, keywords)?,
                false => call(functions.call, &[object], values, count, keywords)?,
            },
            Operation::Method => {
                let name = values.build()?;
                let count = count.saturating_sub(1);
                if has_frame() {
                    let method = owned(PyObject_GetAttr(object, name.as_ptr()))?;
                    call(method.as_ptr(), &[], values, count, keywords)?
                } else {
                    let before = [object, name.as_ptr()];
                    call(functions.call_method, &before, values, count, keywords)?
                }
            }
            Operation::GetAttribute => {
                let name = values.build()?;
                match has_frame() {
                    true => owned(PyObject_GetAttr(object, name.as_ptr()))?,
                    false => apply(functions.get_attribute, &[object, name.as_ptr()])?,
                }
            }
            Operation::SetAttribute => {
                let name = values.build()?;
                let value = values.build()?;
                let arguments = [object, name.as_ptr(), value.as_ptr()];
                apply(functions.set_attribute, &arguments)?;
                return Ok(None);
            }
            Operation::DeleteAttribute => {
                let name = values.build()?;
                apply(functions.delete_attribute, &[object, name.as_ptr()])?;
                return Ok(None);
            }
            Operation::HasAttribute => {
                let name = values.build()?;
                apply(functions.has_attribute, &[object, name.as_ptr()])?
            }
            Operation::GetItem => {
                let key = values.build()?;
                match has_frame() {
                    true => owned(PyObject_GetItem(object, key.as_ptr()))?,
                    false => apply(functions.get_item, &[object, key.as_ptr()])?,
                }
            }
            Operation::SetItem => {
                let key = values.build()?;
                let value = values.build()?;
                apply(functions.set_item, &[object, key.as_ptr(), value.as_ptr()])?;
                return Ok(None);
            }
            Operation::DeleteItem => {
                let key = values.build()?;
                apply(functions.delete_item, &[object, key.as_ptr()])?;
                return Ok(None);
            }
            Operation::Contains => {
                let value = values.build()?;
                apply(functions.contains, &[object, value.as_ptr()])?
            }
            Operation::Length => apply(functions.length, &[object])?,
            Operation::Type => apply(conversions()?.type_of, &[object])?,
            Operation::IsCallable => return truth(PyCallable_Check(object) as isize),
            Operation::Is => {
                let other = values.build()?;
                return truth((other.as_ptr() == object).into());
            }
            Operation::IsInstance => {
                let kind = values.build()?;
                apply(conversions()?.is_instance, &[object, kind.as_ptr()])?
            }
            Operation::Equals => {
                let other = values.build()?;
                apply(functions.equals, &[object, other.as_ptr()])?
            }
            Operation::Compare => {
                let other = values.build()?;
                apply(conversions()?.compare, &[object, other.as_ptr()])?
            }
            Operation::Iterate => apply(functions.iterate, &[object])?,
            Operation::Next => {
                let element = apply(functions.next_element, &[object])?;
                if element.as_ptr() == functions.end {
                    return Ok(None);
                }
                element
            }
            Operation::Enter => apply(conversions()?.enter, &[object])?,
            Operation::Leave => {
                let message = values.build()?;
                apply(conversions()?.leave, &[object, message.as_ptr()])?
            }
        };
        convert(result).map(Some)
    }
}

/// Call a function with the objects that come before, and the next values.
///
/// # Safety
/// The thread is attached, no exception is set, and the objects are live.
unsafe fn call(
    function: *mut PyObject,
    before: &[*mut PyObject],
    values: &mut Builder,
    count: usize,
    keywords: usize,
) -> Result<Bound, Failure> {
    // SAFETY: as the caller vouches; `PyTuple_SetItem` takes ownership of the references.
    unsafe {
        let mut arguments = fallible::vec_with_capacity(before.len() + count)?;
        arguments.extend(before.iter().filter_map(|&it| Bound::from_borrowed(it)));
        for _ in 0..count {
            arguments.push(values.build()?);
        }
        let tuple = Bound::from_owned(PyTuple_New(arguments.len() as isize))
            .ok_or_else(|| fallible::fetch(size_of::<usize>() * arguments.len()))?;
        for (index, argument) in arguments.into_iter().enumerate() {
            PyTuple_SetItem(tuple.as_ptr(), index as isize, argument.into_ptr());
        }
        let names = match keywords {
            0 => None,
            _ => Some(owned(PyDict_New())?),
        };
        for _ in 0..keywords {
            let dictionary = names.as_ref().ok_or(Status::Invalid)?;
            let name = values.build()?;
            let value = values.build()?;
            let status = PyDict_SetItem(dictionary.as_ptr(), name.as_ptr(), value.as_ptr());
            checked(status as isize)?;
        }
        let names = names.as_ref().map_or(null_mut(), Bound::as_ptr);
        owned(PyObject_Call(function, tuple.as_ptr(), names))
    }
}
