//! Shapes: lists of keys that both sides know by a number. JavaScript tells each key once, as a node of a tree; a shape is
//! the path to a node.

use std::cell::RefCell;
use std::rc::Rc;

use pyo3_ffi::{Py_None, PyDict_New, PyDict_SetItem, PyObject};

use crate::limits::{MAX_SHAPE_KEYS, MAX_SHAPE_NODES};
use crate::values::failure::Failure;
use crate::values::handle::{Bound, Py};

/// A node of the tree.
struct Node {
    parent: u32,
    depth: u32,
    key: Py,
    /// Made at the first use.
    shape: Option<Rc<Shape>>,
}

/// A list of keys.
pub struct Shape {
    keys: Vec<Py>,
    /// A dictionary of these keys. A copy of it has its final size.
    template: Py,
}

impl Shape {
    /// The keys.
    pub fn keys(&self) -> &[Py] {
        &self.keys
    }

    /// The dictionary to copy.
    pub fn template(&self) -> *mut PyObject {
        self.template.as_ptr()
    }
}

/// The shapes that a thread's JavaScript has told. Node 0, the root, is not in the list.
pub struct Shapes(RefCell<Vec<Node>>);

/// There is no such node.
pub struct NoSuchNode;

impl Shapes {
    /// None yet.
    pub const fn new() -> Self {
        Self(RefCell::new(Vec::new()))
    }

    /// Forget all nodes.
    pub fn clear(&self) {
        let nodes = self.0.take();
        drop(nodes);
    }

    /// Add a node: a key behind another node.
    pub fn add(&self, parent: u32, key: Bound) -> Result<(), NoSuchNode> {
        let mut nodes = self.0.borrow_mut();
        let depth = match parent {
            0 => 1,
            _ => nodes.get(parent as usize - 1).ok_or(NoSuchNode)?.depth + 1,
        };
        if depth > MAX_SHAPE_KEYS || nodes.len() >= MAX_SHAPE_NODES || nodes.try_reserve(1).is_err()
        {
            return Err(NoSuchNode);
        }
        nodes.push(Node {
            parent,
            depth,
            key: key.into(),
            shape: None,
        });
        Ok(())
    }

    /// The shape of a node; the root has none.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    #[inline]
    pub unsafe fn get(&self, node: u32) -> Result<Option<Rc<Shape>>, Failure> {
        if node == 0 {
            return Ok(None);
        }
        if let Some(Node {
            shape: Some(shape), ..
        }) = self.0.borrow().get(node as usize - 1)
        {
            return Ok(Some(shape.clone()));
        }
        // SAFETY: as the caller vouches.
        unsafe { self.make(node) }.map(Some)
    }

    /// Make the shape of a node.
    ///
    /// # Safety
    /// As for [`get`](Self::get).
    #[cold]
    unsafe fn make(&self, node: u32) -> Result<Rc<Shape>, Failure> {
        let invalid = || Failure::Status(crate::boundary::status::Status::Invalid);
        let mut keys = Vec::new();
        {
            let nodes = self.0.borrow();
            let mut at = node;
            while at != 0 {
                let node = nodes.get(at as usize - 1).ok_or_else(invalid)?;
                // SAFETY: attached; the node keeps the key alive.
                keys.push(unsafe { Bound::from_borrowed(node.key.as_ptr()) }.ok_or_else(invalid)?);
                at = node.parent;
            }
        }
        keys.reverse();
        // SAFETY: as the caller vouches; results are checked. The keys are plain strings, which run no code.
        let template = unsafe {
            let template = Bound::from_owned(PyDict_New()).ok_or_else(|| Failure::fetch())?;
            for key in &keys {
                if PyDict_SetItem(template.as_ptr(), key.as_ptr(), Py_None()) != 0 {
                    return Err(Failure::fetch());
                }
            }
            template
        };
        let shape = Rc::new(Shape {
            keys: keys.into_iter().map(Py::from).collect(),
            template: template.into(),
        });
        if let Some(node) = self.0.borrow_mut().get_mut(node as usize - 1) {
            node.shape = Some(shape.clone());
        }
        Ok(shape)
    }
}
