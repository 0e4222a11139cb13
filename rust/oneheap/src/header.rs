//! Where an allocation lies within the memory that Python or the system allocated: all layout rules.
//!
//! Both align to [`BASE_ALIGN`]. A *base* is the address they return, a *pointer* what the allocator returns.
//!
//! - Alignments up to [`MAX_HEADERLESS_ALIGN`] need no header. A base of Python's is handed out as it is, one of the system's
//!   [`SYSTEM_OFFSET`] further on, so the pointer modulo [`BASE_ALIGN`] decides the origin.
//! - Larger ones have a word in front of the pointer that holds the distance to the base, and the origin in its lowest
//!   bit (distances are multiples of 16).

use std::alloc::Layout;

/// What every allocator behind `PyMem` aligns blocks of 16 bytes and more to, and what the system is asked for.
pub const BASE_ALIGN: usize = 16;

/// The least that Python is asked for: enough for [`BASE_ALIGN`] to hold, and for the link of the deferred list.
pub const MIN_BYTES: usize = 16;

/// The largest alignment that both `base` and `base + SYSTEM_OFFSET` satisfy.
const MAX_HEADERLESS_ALIGN: usize = 8;

/// How far behind its base an unheaded block of the system's starts.
const SYSTEM_OFFSET: usize = 8;

/// The bit of the header word that says that the base is the system's.
const SYSTEM_BIT: usize = 1;

/// The allocator of a block, which frees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    Python,
    System,
}

/// Return whether pointers of this layout have a header word in front of them.
#[inline]
pub fn has_header(layout: Layout) -> bool {
    layout.align() > MAX_HEADERLESS_ALIGN
}

/// Return whether a base is aligned as [`write_header`] needs it. Python's allocators do so, a hook in front of them might not.
#[inline]
pub fn is_aligned_base(base: *mut u8) -> bool {
    base.addr().is_multiple_of(BASE_ALIGN)
}

/// Return how many bytes to ask of Python for `layout`; `None` if there are no so many.
#[inline]
pub fn python_bytes(layout: Layout) -> Option<usize> {
    if has_header(layout) {
        return layout.size().checked_add(layout.align());
    }
    Some(layout.size().max(MIN_BYTES))
}

/// What to ask of the system for `layout`; `None` if there are no so many bytes.
#[inline]
pub fn system_layout(layout: Layout) -> Option<Layout> {
    let extra = if has_header(layout) {
        layout.align()
    } else {
        SYSTEM_OFFSET
    };
    Layout::from_size_align(layout.size().checked_add(extra)?, BASE_ALIGN).ok()
}

/// The pointer to hand out for `base`.
///
/// # Safety
/// `base` is aligned to [`BASE_ALIGN`] and starts a block of as many bytes as [`python_bytes`] or [`system_layout`] said
/// for `layout` and `origin`.
#[inline]
pub unsafe fn write_header(base: *mut u8, layout: Layout, origin: Origin) -> *mut u8 {
    if !has_header(layout) {
        return match origin {
            Origin::Python => base,
            // SAFETY: the block has SYSTEM_OFFSET bytes more than the layout's size.
            Origin::System => unsafe { base.add(SYSTEM_OFFSET) },
        };
    }
    // From 16 up to the alignment, because base and alignment are multiples of 16: the header word fits in front, and
    // the size behind.
    let distance = layout.align() - (base.addr() & (layout.align() - 1));
    let tag = match origin {
        Origin::Python => 0,
        Origin::System => SYSTEM_BIT,
    };
    // SAFETY: `base..base + distance + size` lies within the block, and the word in front of the pointer is aligned.
    unsafe {
        let pointer = base.add(distance);
        pointer.cast::<usize>().sub(1).write(distance | tag);
        pointer
    }
}

/// The origin and the base of a pointer: undoes [`write_header`].
///
/// # Safety
/// `pointer` comes from [`write_header`] with a layout of the same alignment, and its block is live.
#[inline]
pub unsafe fn origin_of(pointer: *mut u8, layout: Layout) -> (Origin, *mut u8) {
    if !has_header(layout) {
        if is_aligned_base(pointer) {
            return (Origin::Python, pointer);
        }
        // SAFETY: `write_header` went this far from the base of a block of the system's.
        return (Origin::System, unsafe { pointer.sub(SYSTEM_OFFSET) });
    }
    // SAFETY: `write_header` wrote the word.
    let word = unsafe { pointer.cast::<usize>().sub(1).read() };
    let origin = if word & SYSTEM_BIT == 0 {
        Origin::Python
    } else {
        Origin::System
    };
    // SAFETY: `write_header` went this far from the base.
    (origin, unsafe { pointer.sub(word & !SYSTEM_BIT) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [usize; 9] = [1, 7, 8, 15, 16, 17, 100, 4096, 5000];
    const MAX_ALIGN: usize = 4096;
    const MAX_BLOCK_BYTES: usize = 5000 + MAX_ALIGN;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    fn alignments() -> impl Iterator<Item = usize> {
        (0..=MAX_ALIGN.ilog2()).map(|bit| 1 << bit)
    }

    fn bytes(layout: Layout, origin: Origin) -> usize {
        match origin {
            Origin::Python => python_bytes(layout).unwrap(),
            Origin::System => system_layout(layout).unwrap().size(),
        }
    }

    #[test]
    fn a_pointer_is_aligned_within_its_block_and_leads_back_to_its_base() {
        let mut memory = vec![0u128; (MAX_BLOCK_BYTES + MAX_ALIGN) / 16];
        let memory: *mut u8 = memory.as_mut_ptr().cast();
        for origin in [Origin::Python, Origin::System] {
            for align in alignments() {
                for size in SIZES {
                    for offset in (0..MAX_ALIGN).step_by(if cfg!(miri) { 1008 } else { 16 }) {
                        let layout = layout(size, align);
                        let bytes = bytes(layout, origin);
                        // SAFETY: within the memory.
                        let base = unsafe { memory.add(offset) };
                        // SAFETY: the base is a multiple of 16, and as much memory lies behind.
                        let pointer = unsafe { write_header(base, layout, origin) };
                        assert_eq!(pointer.addr() % align, 0);
                        assert!(pointer >= base && pointer.addr() + size <= base.addr() + bytes);
                        // SAFETY: within the block, as just seen.
                        unsafe { pointer.write_bytes(0xFF, size) };
                        // SAFETY: just placed.
                        assert_eq!(unsafe { origin_of(pointer, layout) }, (origin, base));
                    }
                }
            }
        }
    }

    #[test]
    fn python_is_asked_for_at_least_16_bytes_so_that_the_origin_shows() {
        assert_eq!(python_bytes(layout(1, 1)), Some(16));
        assert_eq!(python_bytes(layout(16, 8)), Some(16));
        assert_eq!(python_bytes(layout(17, 8)), Some(17));
    }

    #[test]
    fn alignments_up_to_8_cost_python_no_header() {
        assert_eq!(python_bytes(layout(100, 8)), Some(100));
        assert_eq!(python_bytes(layout(100, 16)), Some(116));
        assert_eq!(system_layout(layout(100, 8)), Some(layout(108, 16)));
        assert_eq!(system_layout(layout(100, 4096)), Some(layout(4196, 16)));
    }

    #[test]
    fn sizes_beyond_the_address_space_have_no_place() {
        for align in alignments() {
            let largest = layout(isize::MAX as usize + 1 - align, align);
            assert_eq!(system_layout(largest), None);
        }
    }
}
