//! The keys of dictionaries on their way to JavaScript: a tree whose paths are the shapes of objects. JavaScript is told each
//! node once.

use pyo3_ffi::{PyObject, PyObject_Hash, PyUnicode_Compare};

use crate::limits::{MAX_SHAPE_CHILDREN, MAX_SHAPE_KEYS, MAX_SHAPE_NODES};
use crate::values::failure::Failure;
use crate::values::fallible;
use crate::values::handle::{Bound, Py};
use crate::values::text::units_of;

/// A node of the tree. Node 0 is the root.
struct Node {
    key: Option<Py>,
    parent: u32,
    depth: u32,
    /// The child that was taken last.
    last: u32,
    /// The first key that an object in the place of this node had last.
    nested: u32,
    /// Another string with the same characters, which is known in the message of that number only.
    alias: *mut PyObject,
    message: u32,
    hash: isize,
    children: Vec<u32>,
}

/// The tree of a thread, or of a message.
pub struct KeyTree {
    nodes: Vec<Node>,
    /// How many nodes JavaScript knows.
    told: usize,
    message: u32,
}

impl Default for KeyTree {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            told: 1,
            message: 0,
        }
    }
}

impl KeyTree {
    /// Begin a message: addresses of keys mean nothing any more. A tree that is full begins anew; return whether it does.
    pub fn begin(&mut self) {
        if self.nodes.len() >= MAX_SHAPE_NODES {
            *self = Self {
                message: self.message,
                ..Self::default()
            };
        }
        if self.nodes.is_empty() {
            self.nodes.push(Node {
                key: None,
                parent: 0,
                depth: 0,
                last: 0,
                nested: 0,
                alias: std::ptr::null_mut(),
                message: 0,
                hash: 0,
                children: Vec::new(),
            });
        }
        self.message = self.message.wrapping_add(1);
    }

    /// The node that the first key of an object in that place most likely has.
    #[inline]
    pub fn first_guess(&self, place: u32) -> u32 {
        self.nodes.get(place as usize).map_or(0, |it| it.nested)
    }

    /// The node that most likely comes after this one.
    #[inline]
    pub fn next_guess(&self, node: u32) -> u32 {
        self.nodes.get(node as usize).map_or(0, |it| it.last)
    }

    /// Return whether a node has this very key.
    #[inline]
    pub fn is_key(&self, node: u32, key: *mut PyObject) -> bool {
        node != 0
            && self.nodes.get(node as usize).is_some_and(|it| {
                it.key.as_ref().is_some_and(|own| own.as_ptr() == key)
                    || it.alias == key && it.message == self.message
            })
    }

    /// Find or add the key behind a node, and remember it as what comes next; 0 if there is no place for it. `place` is that of the
    /// object.
    ///
    /// # Safety
    /// The thread is attached, no exception is set, and the key is a plain `str`.
    #[cold]
    #[inline(never)]
    pub unsafe fn find(&mut self, node: u32, key: *mut PyObject, place: u32) -> u32 {
        // SAFETY: as the caller vouches: hashing and comparing plain strings runs no code, and doesn't fail.
        let child = unsafe { self.child(node, key) };
        if child != 0 {
            if node == 0 {
                self.nodes[place as usize].nested = child;
            } else {
                self.nodes[node as usize].last = child;
            }
        }
        child
    }

    /// # Safety
    /// As for [`find`](Self::find).
    unsafe fn child(&mut self, node: u32, key: *mut PyObject) -> u32 {
        // SAFETY: as the caller vouches.
        let hash = unsafe { PyObject_Hash(key) };
        let message = self.message;
        for index in 0..self.nodes[node as usize].children.len() {
            let child = self.nodes[node as usize].children[index];
            let found = &mut self.nodes[child as usize];
            let is_same = found.hash == hash
                && found.key.as_ref().is_some_and(|own| {
                    // SAFETY: as the caller vouches; both are plain strings.
                    own.as_ptr() == key || unsafe { PyUnicode_Compare(own.as_ptr(), key) } == 0
                });
            if is_same {
                found.alias = key;
                found.message = message;
                return child;
            }
        }
        let depth = self.nodes[node as usize].depth + 1;
        if self.nodes[node as usize].children.len() >= MAX_SHAPE_CHILDREN
            || self.nodes.len() >= MAX_SHAPE_NODES
            || depth > MAX_SHAPE_KEYS
            || self.nodes.try_reserve(1).is_err()
            || self.nodes[node as usize].children.try_reserve(1).is_err()
        {
            return 0;
        }
        // SAFETY: attached, and the key is live.
        let Some(own) = (unsafe { Bound::from_borrowed(key) }) else {
            return 0;
        };
        let id = self.nodes.len() as u32;
        self.nodes.push(Node {
            key: Some(own.into()),
            parent: node,
            depth,
            last: 0,
            nested: 0,
            alias: key,
            message,
            hash,
            children: Vec::new(),
        });
        self.nodes[node as usize].children.push(id);
        id
    }

    /// Return whether there are nodes that JavaScript doesn't know.
    pub fn has_untold(&self) -> bool {
        self.nodes.len() > self.told
    }

    /// How many nodes JavaScript knows.
    pub fn told(&self) -> usize {
        self.told
    }

    /// The keys that JavaScript doesn't know, each behind the number of its parent.
    ///
    /// # Safety
    /// The thread is attached, and no exception is set.
    pub unsafe fn untold(&self) -> Result<Vec<(u32, Vec<u16>)>, Failure> {
        let mut untold = fallible::vec_with_capacity(self.nodes.len() - self.told)?;
        for node in self.nodes.iter().skip(self.told) {
            let Some(key) = &node.key else { continue };
            // SAFETY: as the caller vouches; the node keeps the key alive.
            untold.push((node.parent, unsafe { units_of(key.as_ptr()) }?));
        }
        Ok(untold)
    }

    /// Note that JavaScript knows all nodes.
    pub fn tell(&mut self) {
        self.told = self.nodes.len().max(1);
    }
}
