//! A table of values by address.

use std::alloc::{GlobalAlloc, Layout, System};
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use crate::limits::MIN_TABLE_CAPACITY;

/// An address and its value; address 0 marks an unused place, which has none.
#[derive(Clone, Copy)]
struct Entry<V: Copy> {
    address: usize,
    value: MaybeUninit<V>,
}

/// Values by address, by open addressing with linear probing.
///
/// Its memory is the system's, whatever the global allocator is, so that it can grow under a lock: an attached thread that asks
/// Python for memory may let the GIL go to a thread that waits for that lock.
pub struct AddressTable<V: Copy> {
    /// `capacity` entries; null while the capacity is 0.
    entries: *mut Entry<V>,
    /// 0 or a power of two, and at least twice `length`, so that each search meets an unused place.
    capacity: usize,
    length: usize,
    /// Allocates zeroes of the system's; null if memory is out.
    allocate: unsafe fn(Layout) -> *mut u8,
}

/// # Safety
/// The layout has a size that is not zero.
unsafe fn allocate_zeroed(layout: Layout) -> *mut u8 {
    // SAFETY: as the caller vouches.
    unsafe { System.alloc_zeroed(layout) }
}

// SAFETY: the table owns its entries, which are plain numbers and values that may be sent.
unsafe impl<V: Copy + Send> Send for AddressTable<V> {}

/// The table can't grow, for memory is out. It is as it was.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfMemory;

impl<V: Copy> AddressTable<V> {
    /// An empty table, without memory.
    pub const fn new() -> Self {
        Self::with_allocator(allocate_zeroed)
    }

    /// An empty table whose memory comes from a function, which may fail in tests, and is the system's all the same.
    pub const fn with_allocator(allocate: unsafe fn(Layout) -> *mut u8) -> Self {
        Self {
            entries: null_mut(),
            capacity: 0,
            length: 0,
            allocate,
        }
    }

    /// Return how many addresses are in the table.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Set the value at an address, which is not 0.
    pub fn insert(&mut self, address: usize, value: V) -> Result<(), OutOfMemory> {
        if (self.length + 1) * 2 > self.capacity {
            self.grow()?;
        }
        let place = self.find(address);
        if self.get(place).address == 0 {
            self.length += 1;
        }
        let value = MaybeUninit::new(value);
        self.set(place, Entry { address, value });
        Ok(())
    }

    /// Remove an address, and return its value; none if it is not in the table.
    pub fn remove(&mut self, address: usize) -> Option<V> {
        if self.length == 0 {
            return None;
        }
        let place = self.find(address);
        let removed = self.get(place);
        if removed.address == 0 {
            return None;
        }
        self.length -= 1;
        self.close_gap(place);
        // SAFETY: a used place has a value.
        Some(unsafe { removed.value.assume_init() })
    }

    /// Move entries behind a place that is to be unused to where a search still finds them.
    fn close_gap(&mut self, mut gap: usize) {
        let mask = self.capacity - 1;
        let mut place = gap;
        loop {
            place = (place + 1) & mask;
            let entry = self.get(place);
            if entry.address == 0 {
                break;
            }
            // A search for it starts at or before the gap, and so would end there.
            let distance = place.wrapping_sub(self.home(entry.address)) & mask;
            if distance >= place.wrapping_sub(gap) & mask {
                self.set(gap, entry);
                gap = place;
            }
        }
        let unused = Entry {
            address: 0,
            value: MaybeUninit::uninit(),
        };
        self.set(gap, unused);
    }

    /// Where an address is, or the unused place where it belongs. The capacity is not 0.
    fn find(&self, address: usize) -> usize {
        let mut place = self.home(address);
        loop {
            let found = self.get(place).address;
            if found == address || found == 0 {
                return place;
            }
            place = (place + 1) & (self.capacity - 1);
        }
    }

    /// Where the search for an address starts. The capacity is not 0.
    fn home(&self, address: usize) -> usize {
        // Fibonacci hashing: the upper bits of the product depend on all bits of the address.
        let hash = (address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (hash >> 32) as usize & (self.capacity - 1)
    }

    fn get(&self, place: usize) -> Entry<V> {
        assert!(place < self.capacity);
        // SAFETY: within the entries, which were allocated as zeroes.
        unsafe { self.entries.add(place).read() }
    }

    fn set(&mut self, place: usize, entry: Entry<V>) {
        assert!(place < self.capacity);
        // SAFETY: within the entries, which are the table's own.
        unsafe { self.entries.add(place).write(entry) }
    }

    /// Doubles the capacity.
    fn grow(&mut self) -> Result<(), OutOfMemory> {
        let capacity = (self.capacity * 2).max(MIN_TABLE_CAPACITY);
        let layout = Layout::array::<Entry<V>>(capacity).map_err(|_| OutOfMemory)?;
        // SAFETY: the capacity is not 0, and an entry neither.
        let entries: *mut Entry<V> = unsafe { (self.allocate)(layout) }.cast();
        if entries.is_null() {
            return Err(OutOfMemory);
        }
        let mut grown = Self {
            entries,
            capacity,
            length: self.length,
            allocate: self.allocate,
        };
        for place in 0..self.capacity {
            let entry = self.get(place);
            if entry.address != 0 {
                let place = grown.find(entry.address);
                grown.set(place, entry);
            }
        }
        *self = grown;
        Ok(())
    }
}

impl<V: Copy> Drop for AddressTable<V> {
    fn drop(&mut self) {
        if let Ok(layout) = Layout::array::<Entry<V>>(self.capacity)
            && self.capacity > 0
        {
            // SAFETY: allocated by `grow` with this layout.
            unsafe { System.dealloc(self.entries.cast(), layout) };
        }
    }
}
