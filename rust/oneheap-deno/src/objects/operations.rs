//! What is done with a Python object in one crossing: calls, attributes, items and comparisons.

use std::ptr::null_mut;

use pyo3_ffi::{
    Py_EQ, PyCallable_Check, PyDict_New, PyDict_SetItem, PyErr_Clear, PyErr_ExceptionMatches,
    PyErr_Occurred, PyExc_AttributeError, PyIter_Next, PyObject, PyObject_Call,
    PyObject_CallFunctionObjArgs, PyObject_DelItem, PyObject_GetAttr, PyObject_GetItem,
    PyObject_GetIter, PyObject_RichCompareBool, PyObject_SetAttr, PyObject_SetItem, PyObject_Size,
    PySequence_Contains, PyTuple_New, PyTuple_SetItem,
};

use crate::boundary::status::Status;
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
    let number = |number: isize| Ok(Some(FromPython::Integer(number as i64)));
    let truth = |truth: isize| Ok(Some(FromPython::Bool(truth != 0)));
    // SAFETY: as the caller vouches; arguments are live, and results are owned and checked.
    unsafe {
        let result = match operation {
            Operation::Call => call(object, values, count, keywords)?,
            Operation::Method => {
                let name = values.build()?;
                let method = owned(PyObject_GetAttr(object, name.as_ptr()))?;
                call(method.as_ptr(), values, count.saturating_sub(1), keywords)?
            }
            Operation::GetAttribute => {
                let name = values.build()?;
                owned(PyObject_GetAttr(object, name.as_ptr()))?
            }
            Operation::SetAttribute => {
                let name = values.build()?;
                let value = values.build()?;
                let status = PyObject_SetAttr(object, name.as_ptr(), value.as_ptr());
                checked(status as isize)?;
                return Ok(None);
            }
            Operation::DeleteAttribute => {
                let name = values.build()?;
                checked(PyObject_SetAttr(object, name.as_ptr(), null_mut()) as isize)?;
                return Ok(None);
            }
            Operation::HasAttribute => {
                let name = values.build()?;
                let found = Bound::from_owned(PyObject_GetAttr(object, name.as_ptr()));
                if found.is_none() {
                    if PyErr_ExceptionMatches(PyExc_AttributeError) == 0 {
                        return Err(Failure::fetch());
                    }
                    PyErr_Clear();
                }
                return truth(found.is_some().into());
            }
            Operation::GetItem => {
                let key = values.build()?;
                owned(PyObject_GetItem(object, key.as_ptr()))?
            }
            Operation::SetItem => {
                let key = values.build()?;
                let value = values.build()?;
                checked(PyObject_SetItem(object, key.as_ptr(), value.as_ptr()) as isize)?;
                return Ok(None);
            }
            Operation::DeleteItem => {
                let key = values.build()?;
                checked(PyObject_DelItem(object, key.as_ptr()) as isize)?;
                return Ok(None);
            }
            Operation::Contains => {
                let value = values.build()?;
                return truth(checked(
                    PySequence_Contains(object, value.as_ptr()) as isize
                )?);
            }
            Operation::Length => return number(checked(PyObject_Size(object))?),
            Operation::Type => helper(conversions()?.type_of, &[object])?,
            Operation::IsCallable => return truth(PyCallable_Check(object) as isize),
            Operation::Is => {
                let other = values.build()?;
                return truth((other.as_ptr() == object).into());
            }
            Operation::IsInstance => {
                let kind = values.build()?;
                helper(conversions()?.is_instance, &[object, kind.as_ptr()])?
            }
            Operation::Equals => {
                let other = values.build()?;
                let equal = PyObject_RichCompareBool(object, other.as_ptr(), Py_EQ);
                return truth(checked(equal as isize)?);
            }
            Operation::Compare => {
                let other = values.build()?;
                helper(conversions()?.compare, &[object, other.as_ptr()])?
            }
            Operation::Iterate => owned(PyObject_GetIter(object))?,
            Operation::Next => match Bound::from_owned(PyIter_Next(object)) {
                Some(element) => element,
                None if PyErr_Occurred().is_null() => return Ok(None),
                None => return Err(Failure::fetch()),
            },
            Operation::Enter => helper(conversions()?.enter, &[object])?,
            Operation::Leave => {
                let message = values.build()?;
                helper(conversions()?.leave, &[object, message.as_ptr()])?
            }
        };
        convert(result).map(Some)
    }
}

/// Call a function of `conversions.py`.
///
/// # Safety
/// The thread is attached, no exception is set, and the objects are live.
unsafe fn helper(function: *mut PyObject, arguments: &[*mut PyObject]) -> Result<Bound, Failure> {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(null_mut());
    // SAFETY: as the caller vouches. A null ends the arguments.
    unsafe {
        owned(PyObject_CallFunctionObjArgs(
            function,
            argument(0),
            argument(1),
            null_mut::<PyObject>(),
        ))
    }
}

/// Call an object with the next values.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is live.
unsafe fn call(
    callable: *mut PyObject,
    values: &mut Builder,
    count: usize,
    keywords: usize,
) -> Result<Bound, Failure> {
    // SAFETY: as the caller vouches; `PyTuple_SetItem` takes ownership of the references.
    unsafe {
        let mut arguments = fallible::vec_with_capacity(count)?;
        for _ in 0..count {
            arguments.push(values.build()?);
        }
        let tuple = Bound::from_owned(PyTuple_New(count as isize))
            .ok_or_else(|| fallible::fetch(size_of::<usize>() * count))?;
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
        owned(PyObject_Call(callable, tuple.as_ptr(), names))
    }
}
