//! What a fresh scope reaches, and whether something else uses it.

use std::collections::HashMap;
use std::ptr::null_mut;

use pyo3_ffi::{
    PyList_Append, PyList_GetItem, PyList_New, PyList_Size, PyObject, PyObject_CallFunctionObjArgs,
};

use crate::limits::{MAX_SCOPE_OBJECTS, MAX_SCOPE_REFERENCES};
use crate::running::fresh_scope::functions::{Functions, Worth, type_of};
use crate::values::exporter;
use crate::values::fallible;
use crate::values::handle::Bound;
use crate::values::support::Support;

/// What is to be done to free a scope.
pub enum Verdict {
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

/// What a scope reaches.
pub struct Graph {
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
    /// As for [`free`](super::free); no garbage is collected meanwhile.
    pub unsafe fn of(functions: &Functions, scope: &Bound, support: &Support) -> Option<Self> {
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
    pub unsafe fn judge(self, functions: &Functions) -> Option<Verdict> {
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
