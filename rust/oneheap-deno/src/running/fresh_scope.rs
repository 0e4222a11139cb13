//! What becomes of a fresh scope after its run: it is freed, unless something of it is used elsewhere.
//!
//! Functions refer to the scope that they are made in, and it to them; frames, exceptions and classes do as well. Python's
//! collector would free all that some time later, and until then a block in it stays borrowed; a full collection takes too long
//! to make one after each run. So this looks from the scope at what it reaches, and counts: an object with more references than
//! the objects found have to it is used elsewhere, and so is all that it refers to. What remains is garbage.
//!
//! What isn't looked at (modules, classes and functions of other modules, large containers) only makes for more references from
//! elsewhere: then everything stays as it is, for Python's collector. The analysis runs no Python code, so no other thread runs
//! meanwhile.

use std::collections::HashMap;
use std::ffi::CStr;
use std::ptr::null_mut;

use pyo3_ffi::{
    Py_None, Py_True, PyBool_FromLong, PyDict_Clear, PyDict_GetItemString, PyDict_New, PyDict_Next,
    PyDict_Type, PyErr_Clear, PyFrozenSet_Type, PyGC_Disable, PyGC_Enable, PyList_Append,
    PyList_GetItem, PyList_New, PyList_Size, PyList_Type, PyLong_AsSsize_t, PyModule_Type,
    PyObject, PyObject_Call, PyObject_CallFunctionObjArgs, PyObject_GC_IsTracked,
    PyObject_GetAttrString, PyObject_Size, PyObject_Type, PySet_Type, PyTuple_GetItem,
    PyTuple_Size, PyTuple_Type, PyType_IsSubtype, PyType_Type, PyTypeObject,
};

use crate::boundary::status::Status;
use crate::limits::{FIRST_GRAPH_ENTRIES, MAX_SCOPE_OBJECTS, MAX_SCOPE_REFERENCES};
use crate::runtime::once_box::OnceBox;
use crate::runtime::{own_code, state};
use crate::values::exporter;
use crate::values::fallible;
use crate::values::handle::Bound;
use crate::values::support::Support;

const SOURCE: &CStr =
    match CStr::from_bytes_with_nul(concat!(include_str!("fresh_scope.py"), "\0").as_bytes()) {
        Ok(source) => source,
        Err(_) => panic!("fresh_scope.py has a NUL"),
    };

/// References that are kept for the lifetime of the process.
struct Functions {
    /// `free(garbage, circular, may_be_seen)`
    free: *mut PyObject,
    /// `collect(watched, number)`
    collect: *mut PyObject,
    get_referents: *mut PyObject,
    getrefcount: *mut PyObject,
    getweakrefcount: *mut PyObject,
    /// What a class has as its `__module__`, whatever its metaclass returns.
    module_of: *mut PyObject,
    function_type: *mut PyObject,
    plain_types: Vec<*mut PyObject>,
    is_free_threaded: bool,
    /// What `getrefcount` returns for an object with one reference, less that one.
    uncounted: isize,
}

// SAFETY: the objects are never freed, and only attached threads do something with them.
unsafe impl Sync for Functions {}

static FUNCTIONS: OnceBox<Functions> = OnceBox::new();

/// Drop a fresh scope after its run, and free what it held, unless something of it is used elsewhere.
///
/// `may_be_garbage_elsewhere`: whether it is worth a young collection to find functions or frames that refer to the scope, and are
/// garbage that it doesn't refer to.
///
/// Code that got no objects as arguments, and made no functions, leaves nothing that matters: this needn't be called for it. `arguments` are values that
/// the scope had before its run: what they refer to lives by them.
///
/// # Safety
/// The thread is attached, no exception is set, and the scope is a dictionary to which the caller's is the only reference in Rust.
pub unsafe fn free(
    scope: Bound,
    support: &Support,
    may_be_garbage_elsewhere: bool,
    arguments: &[*mut PyObject],
) {
    // SAFETY: as the caller vouches; what goes wrong leaves the scope to Python's collector.
    unsafe {
        if !may_be_garbage_elsewhere && !has_containers(&scope, support, arguments) {
            return;
        }
        let Ok(functions) = FUNCTIONS.get_or_try_init(|| load().ok_or(Status::OutOfMemory)) else {
            return PyErr_Clear();
        };
        if functions
            .free_scope(scope, support, may_be_garbage_elsewhere)
            .is_none()
        {
            PyErr_Clear();
        }
    }
}

/// Return whether a scope has a variable that can refer to others, apart from modules and its arguments: one that Python's collector
/// knows.
///
/// # Safety
/// The thread is attached.
unsafe fn has_containers(scope: &Bound, support: &Support, arguments: &[*mut PyObject]) -> bool {
    let (mut position, mut name, mut value) = (0, null_mut(), null_mut());
    // SAFETY: as the caller vouches; no Python code runs in here, and what is borrowed is only looked at. Without a GIL another
    // thread that has the scope might change it, so there the question isn't asked.
    unsafe {
        if state::is_free_threaded() {
            return false;
        }
        while PyDict_Next(scope.as_ptr(), &mut position, &mut name, &mut value) != 0 {
            if value != support.builtins
                && !arguments.contains(&value)
                && PyObject_GC_IsTracked(value) != 0
                && type_of(value) != &raw mut PyModule_Type
            {
                return true;
            }
        }
    }
    false
}

/// The type of an object, which the object keeps alive.
///
/// # Safety
/// The thread is attached, and the object is live.
unsafe fn type_of(object: *mut PyObject) -> *mut PyTypeObject {
    // SAFETY: as the caller vouches. The call doesn't fail for an object.
    unsafe { Bound::from_owned(PyObject_Type(object)) }
        .map_or(null_mut(), |kind| kind.as_ptr().cast())
}

/// What is to be done to free a scope.
enum Verdict {
    /// Something else uses it.
    Used,
    /// Dropping it frees everything.
    Drop,
    /// Clearing it frees everything, and runs no Python code.
    Clear,
    /// There are other circles, or Python code runs when they are freed: lists of all the garbage, and of the circular part of it;
    /// and whether some of it has weak references, or may have finalisers.
    Circular(Bound, Bound, bool),
}

impl Functions {
    /// Free the scope if nothing uses it. None, with an exception set, if something went wrong.
    ///
    /// # Safety
    /// As for [`free`].
    unsafe fn free_scope(
        &self,
        scope: Bound,
        support: &Support,
        may_be_garbage_elsewhere: bool,
    ) -> Option<()> {
        // SAFETY: as the caller vouches; arguments are live, and results are owned.
        unsafe {
            if self.is_free_threaded {
                drop(scope);
                return self.collect_young();
            }
            let mut verdict = self.judge(&scope, support)?;
            if matches!(verdict, Verdict::Used) && may_be_garbage_elsewhere {
                self.collect_young()?;
                verdict = self.judge(&scope, support)?;
            }
            match verdict {
                Verdict::Used | Verdict::Drop => (),
                Verdict::Clear => PyDict_Clear(scope.as_ptr()),
                Verdict::Circular(garbage, circular, may_be_seen) => {
                    let flag = Bound::from_owned(PyBool_FromLong(may_be_seen.into()))?;
                    let rest = Bound::from_owned(PyObject_CallFunctionObjArgs(
                        self.free,
                        garbage.as_ptr(),
                        circular.as_ptr(),
                        flag.as_ptr(),
                        null_mut::<PyObject>(),
                    ))?;
                    drop((garbage, circular, scope));
                    if rest.as_ptr() != Py_None() {
                        Bound::from_owned(PyObject_Call(self.collect, rest.as_ptr(), null_mut()))?;
                    }
                }
            }
        }
        Some(())
    }

    /// Collects what became garbage just now, in some ten microseconds.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    unsafe fn collect_young(&self) -> Option<()> {
        // SAFETY: as the caller vouches; arguments are live, and results are owned.
        unsafe {
            let nothing = Bound::from_owned(PyList_New(0))?;
            let number = Bound::from_owned(PyBool_FromLong(0))?;
            Bound::from_owned(PyObject_CallFunctionObjArgs(
                self.collect,
                nothing.as_ptr(),
                number.as_ptr(),
                null_mut::<PyObject>(),
            ))
            .map(drop)
        }
    }

    /// Find out what uses the scope. Up to 3.11, making a list can collect garbage, and that runs Python code: not here.
    ///
    /// # Safety
    /// As for [`free`].
    unsafe fn judge(&self, scope: &Bound, support: &Support) -> Option<Verdict> {
        // SAFETY: as the caller vouches.
        unsafe {
            let was_enabled = PyGC_Disable() != 0;
            let verdict = Graph::of(self, scope, support).and_then(|graph| graph.judge(self));
            if was_enabled {
                PyGC_Enable();
            }
            verdict
        }
    }

    /// Call a function that counts.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and the object is live.
    unsafe fn count(function: *mut PyObject, object: *mut PyObject) -> Option<isize> {
        // SAFETY: as the caller vouches.
        unsafe {
            let count = PyObject_CallFunctionObjArgs(function, object, null_mut::<PyObject>());
            Some(PyLong_AsSsize_t(Bound::from_owned(count)?.as_ptr()))
        }
    }

    /// Return whether an object is to be looked at.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and both objects are live.
    unsafe fn worth_of(
        &self,
        object: *mut PyObject,
        scope: *mut PyObject,
        support: &Support,
    ) -> Worth {
        // SAFETY: as the caller vouches. None of this runs Python code: the types are the very built-in ones.
        unsafe {
            if PyObject_GC_IsTracked(object) == 0 {
                return Worth::Nothing;
            }
            let kind = type_of(object);
            let belongs = if kind == self.function_type.cast() {
                belongs_here(object, scope, support)
            } else if kind == &raw mut PyDict_Type {
                object != support.builtins && !is_of_module(object, support)
            } else if PyType_IsSubtype(kind, &raw mut PyType_Type) != 0 {
                let module =
                    PyObject_CallFunctionObjArgs(self.module_of, object, null_mut::<PyObject>());
                let module = Bound::from_owned(module);
                if module.is_none() {
                    PyErr_Clear();
                }
                module.is_some_and(|module| module.as_ptr() == support.main)
            } else {
                kind != &raw mut PyModule_Type
            };
            match belongs {
                true if is_large(object, kind) => Worth::TooMuch,
                true => Worth::Looking,
                false => Worth::Nothing,
            }
        }
    }
}

/// Return whether a container has more than is looked into.
///
/// # Safety
/// The thread is attached, and the object is live and of that type.
unsafe fn is_large(object: *mut PyObject, kind: *mut PyTypeObject) -> bool {
    let sized = [
        &raw mut PyList_Type,
        &raw mut PyTuple_Type,
        &raw mut PyDict_Type,
        &raw mut PySet_Type,
        &raw mut PyFrozenSet_Type,
    ];
    // SAFETY: as the caller vouches; the very built-in types are asked, which runs no Python code.
    sized.contains(&kind) && unsafe { PyObject_Size(object) } > MAX_SCOPE_REFERENCES
}

/// Return whether a function may be of the scope alone: it is defined there or in another dictionary that is no module's, as `exec` takes one,
/// or a call has made it, as decorators of other modules do.
///
/// # Safety
/// The thread is attached, no exception is set, and the object is a function.
unsafe fn belongs_here(function: *mut PyObject, scope: *mut PyObject, support: &Support) -> bool {
    // SAFETY: as the caller vouches. Both are attributes of every function, and reading them runs no Python code.
    unsafe {
        let attribute =
            |name: &CStr| Bound::from_owned(PyObject_GetAttrString(function, name.as_ptr()));
        let Some(globals) = attribute(c"__globals__") else {
            return false;
        };
        let globals = globals.as_ptr();
        globals == scope
            || type_of(globals) == &raw mut PyDict_Type && !is_of_module(globals, support)
            || attribute(c"__closure__").is_some_and(|it| it.as_ptr() != Py_None())
    }
}

/// Return whether a dictionary is a module's, or another scope's: unlike those that are passed to `exec`, these begin with their name and their
/// built-in functions, in either order.
///
/// # Safety
/// The thread is attached, and the object is a `dict`.
unsafe fn is_of_module(dictionary: *mut PyObject, support: &Support) -> bool {
    let (mut position, mut name, mut value) = (0, null_mut(), null_mut());
    let (mut has_name, mut has_builtins) = (false, false);
    for place in 0..FIRST_GRAPH_ENTRIES {
        // SAFETY: as the caller vouches; what is borrowed is only looked at.
        if unsafe { PyDict_Next(dictionary, &mut position, &mut name, &mut value) } == 0 {
            return false;
        }
        has_name |= place < 2 && name == support.name_name;
        has_builtins |= name == support.builtins_name;
        if has_name && has_builtins {
            return true;
        }
    }
    false
}

/// Whether an object that was found is looked at.
enum Worth {
    Looking,
    /// It may belong to the scope, but has too much in it.
    TooMuch,
    /// It refers to nothing, or is a module, or a module defines it.
    Nothing,
}

/// Add an element; none if memory is out.
fn push<T>(vec: &mut Vec<T>, element: T) -> Option<()> {
    vec.try_reserve(1).ok()?;
    vec.push(element);
    Some(())
}

/// The elements, of which there are at most `capacity`; none if memory is out.
fn collected<T>(capacity: usize, elements: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let mut vec = fallible::vec_with_capacity(capacity).ok()?;
    vec.extend(elements.take(capacity));
    Some(vec)
}

/// What a scope reaches.
struct Graph {
    /// Whether nothing was left out for being too much.
    is_complete: bool,
    /// The scope is the first.
    objects: Vec<*mut PyObject>,
    /// For each object, those of the objects that it refers to, as often as it does.
    edges: Vec<Vec<usize>>,
    /// For each object, the list of all that it refers to, which keeps that alive; none for what wasn't looked into.
    referents: Vec<Option<Bound>>,
    /// For each object, how many references there are to it, but for those that are held here.
    counts: Vec<isize>,
}

impl Graph {
    /// Look from the scope at what it reaches.
    ///
    /// # Safety
    /// As for [`free`]; no garbage is collected meanwhile.
    unsafe fn of(functions: &Functions, scope: &Bound, support: &Support) -> Option<Self> {
        let mut graph = Self {
            is_complete: true,
            objects: Vec::new(),
            edges: Vec::new(),
            referents: Vec::new(),
            counts: Vec::new(),
        };
        push(&mut graph.objects, scope.as_ptr())?;
        let mut places = HashMap::from([(scope.as_ptr().addr(), 0)]);
        // SAFETY: as the caller vouches; the lists keep alive what is found.
        unsafe {
            while graph.edges.len() < graph.objects.len() {
                let object = graph.objects[graph.edges.len()];
                let list = Bound::from_owned(PyObject_CallFunctionObjArgs(
                    functions.get_referents,
                    object,
                    null_mut::<PyObject>(),
                ))?;
                let length = PyList_Size(list.as_ptr());
                if length > MAX_SCOPE_REFERENCES {
                    graph.is_complete = false;
                    push(&mut graph.edges, Vec::new())?;
                    push(&mut graph.referents, None)?;
                    continue;
                }
                let mut edges = Vec::new();
                for index in 0..length {
                    let other = PyList_GetItem(list.as_ptr(), index);
                    if let Some(&place) = places.get(&other.addr()) {
                        push(&mut edges, place)?;
                        continue;
                    }
                    match functions.worth_of(other, scope.as_ptr(), support) {
                        Worth::Looking if graph.objects.len() < MAX_SCOPE_OBJECTS => {
                            let place = graph.objects.len();
                            places.try_reserve(1).ok()?;
                            places.insert(other.addr(), place);
                            push(&mut graph.objects, other)?;
                            push(&mut edges, place)?;
                        }
                        Worth::Looking | Worth::TooMuch => graph.is_complete = false,
                        Worth::Nothing => (),
                    }
                }
                push(&mut graph.edges, edges)?;
                push(&mut graph.referents, Some(list))?;
            }
            for &object in &graph.objects {
                let count = Functions::count(functions.getrefcount, object)?;
                push(&mut graph.counts, count - functions.uncounted)?;
            }
        }
        // The caller's reference.
        graph.counts[0] -= 1;
        // Each edge has a twin in a list.
        for &place in graph.edges.iter().flatten() {
            graph.counts[place] -= 1;
        }
        Some(graph)
    }

    /// What is to be done to free the scope.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and no garbage is collected meanwhile.
    unsafe fn judge(self, functions: &Functions) -> Option<Verdict> {
        let Some(used) = self.used() else {
            return Some(Verdict::Used);
        };
        if used[0] {
            return Some(Verdict::Used);
        }
        let garbage = collected(used.len(), (0..used.len()).filter(|&place| !used[place]))?;
        let circular = self.circular(&garbage, false)?;
        if circular.is_empty() {
            return Some(Verdict::Drop);
        }
        // SAFETY: as the caller vouches; the objects are live.
        unsafe {
            // What wasn't looked at may have any.
            let mut may_be_seen = !self.is_complete;
            for &place in &garbage {
                let count = Functions::count(functions.getweakrefcount, self.objects[place])?;
                may_be_seen |= count != 0;
            }
            if !may_be_seen
                && self.circular(&garbage, true)?.is_empty()
                && self.is_plain(&garbage, functions)
            {
                return Some(Verdict::Clear);
            }
            let garbage = self.list(&garbage)?;
            let circular = self.list(&circular)?;
            Some(Verdict::Circular(garbage, circular, may_be_seen))
        }
    }

    /// For each object whether something else than these uses it. None if the counts can't be right, or memory is out: nothing can be
    /// said then.
    fn used(&self) -> Option<Vec<bool>> {
        let objects = self.counts.len();
        let mut rest = fallible::copied(&self.counts).ok()?;
        for &place in self.edges.iter().flatten() {
            rest[place] -= 1;
        }
        if rest.iter().any(|&count| count < 0) {
            return None;
        }
        let mut used = collected(objects, rest.iter().map(|&count| count > 0))?;
        // Each object waits once.
        let mut waiting = collected(objects, (0..objects).filter(|&place| used[place]))?;
        while let Some(place) = waiting.pop() {
            for &other in &self.edges[place] {
                if !used[other] {
                    used[other] = true;
                    waiting.push(other);
                }
            }
        }
        Some(used)
    }

    /// Those of the garbage that are not freed where the scope is dropped, or cleared. None if memory is out.
    fn circular(&self, garbage: &[usize], is_cleared: bool) -> Option<Vec<usize>> {
        let objects = self.counts.len();
        let mut rest = fallible::copied(&self.counts).ok()?;
        let mut freed = collected(objects, rest.iter().map(|&count| count == 0))?;
        // Each object waits once.
        let freed_first = garbage.iter().copied().filter(|&at| freed[at]);
        let mut waiting = collected(objects, freed_first)?;
        if is_cleared && !freed[0] {
            freed[0] = true;
            waiting.push(0);
        }
        while let Some(place) = waiting.pop() {
            for &other in &self.edges[place] {
                rest[other] -= 1;
                if rest[other] == 0 && !freed[other] {
                    freed[other] = true;
                    waiting.push(other);
                }
            }
        }
        let others = garbage.iter().copied().filter(|&at| !freed[at]);
        collected(garbage.len(), others)
    }

    /// Return whether freeing the garbage runs no Python code.
    ///
    /// # Safety
    /// The thread is attached.
    unsafe fn is_plain(&self, garbage: &[usize], functions: &Functions) -> bool {
        let is_plain = |object| {
            // SAFETY: as the caller vouches; the lists keep the objects alive.
            unsafe {
                functions.plain_types.contains(&type_of(object).cast())
                    || Bound::from_borrowed(object)
                        .is_some_and(|it| exporter::identity(&it).is_some())
            }
        };
        garbage.iter().all(|&place| {
            self.referents[place].as_ref().is_some_and(|list| {
                // SAFETY: as the caller vouches; the list is only used here, and keeps its elements alive.
                unsafe {
                    (0..PyList_Size(list.as_ptr()))
                        .all(|index| is_plain(PyList_GetItem(list.as_ptr(), index)))
                }
            })
        })
    }

    /// Some of the objects as a Python list.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    unsafe fn list(&self, places: &[usize]) -> Option<Bound> {
        // SAFETY: as the caller vouches; the objects are live.
        unsafe {
            let list = Bound::from_owned(PyList_New(0))?;
            for &place in places {
                if PyList_Append(list.as_ptr(), self.objects[place]) != 0 {
                    return None;
                }
            }
            Some(list)
        }
    }
}

/// Run `fresh_scope.py`, and measure.
///
/// # Safety
/// The thread is attached, and no exception is set.
unsafe fn load() -> Option<Functions> {
    // SAFETY: attached; each result is checked before it is passed on, and what is kept is never freed.
    unsafe {
        let globals = Bound::from_owned(own_code::execute(SOURCE))?;
        let global = |name: &CStr| {
            Bound::from_borrowed(PyDict_GetItemString(globals.as_ptr(), name.as_ptr()))
        };
        let types = global(c"plain_types")?;
        let mut plain_types = Vec::new();
        for index in 0..PyTuple_Size(types.as_ptr()) {
            plain_types
                .push(Bound::from_borrowed(PyTuple_GetItem(types.as_ptr(), index))?.into_ptr());
        }
        let getrefcount = global(c"getrefcount")?.into_ptr();
        let alone = Bound::from_owned(PyDict_New())?;
        let uncounted = Functions::count(getrefcount, alone.as_ptr())? - 1;
        Some(Functions {
            free: global(c"free")?.into_ptr(),
            collect: global(c"collect")?.into_ptr(),
            get_referents: global(c"get_referents")?.into_ptr(),
            getrefcount,
            getweakrefcount: global(c"getweakrefcount")?.into_ptr(),
            module_of: global(c"module_of")?.into_ptr(),
            function_type: global(c"function_type")?.into_ptr(),
            plain_types,
            is_free_threaded: global(c"is_free_threaded")?.as_ptr() == Py_True(),
            uncounted,
        })
    }
}
