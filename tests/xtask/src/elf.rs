//! What an image takes: sizes of its sections, and names of its functions.

use std::fs;
use std::path::Path;

use object::elf::{SHF_ALLOC, SHF_WRITE};
use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags, SectionKind};

use crate::problem::{Outcome, Problem};

/// What a linked image takes of the chip, in bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Footprint {
    /// Code, constants, and the first values of variables.
    pub(crate) flash: u64,
    /// The part of `flash` that is not code.
    pub(crate) constants: u64,
    /// Variables; the stack is not known.
    pub(crate) ram: u64,
    /// The part of `ram` that is not zero at first, and so is in flash too.
    pub(crate) data: u64,
    /// Functions of `core::panicking`: there are some if the image can panic.
    pub(crate) panics: Vec<String>,
}

/// Reads an image.
pub(crate) fn footprint(image: &Path) -> Outcome<Footprint> {
    let bytes = fs::read(image).map_err(Problem::io(format!("cannot read {}", image.display())))?;
    let file = object::File::parse(&*bytes)
        .map_err(|error| Problem::new(format!("{}: {error}", image.display())))?;
    let mut footprint = Footprint::default();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        let flag = |flag: u32| sh_flags & u64::from(flag) != 0;
        if !flag(SHF_ALLOC) {
            continue;
        }
        let size = section.size();
        let filled = section.kind() != SectionKind::UninitializedData;
        if flag(SHF_WRITE) {
            footprint.ram += size;
            footprint.data += if filled { size } else { 0 };
        }
        if filled {
            footprint.flash += size;
            let code = section.kind() == SectionKind::Text;
            footprint.constants += if code { 0 } else { size };
        }
    }
    // `core` is the root of the path, so both ways to mangle names leave this as it is.
    let panicking = |name: &&str| name.contains("4core9panicking");
    let names = file.symbols().filter_map(|symbol| symbol.name().ok());
    footprint.panics = names.filter(panicking).map(str::to_owned).collect();
    Ok(footprint)
}
