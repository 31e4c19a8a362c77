//! The example `timing_loop` for the RP2350: that it builds, what it takes, and that it counts with its own
//! compare-and-swap.

use std::fs;
use std::path::Path;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _};

use crate::elf;
use crate::places;
use crate::problem::{Outcome, Problem};
use crate::test::Log;
use crate::toolchain::{RP2350, Toolchain};

const NAME: &str = "timing_loop_rp2350";
/// The handler that increments a counter and records a time.
const HANDLER: &str = "SWI_IRQ_0";
/// Most bytes of flash; the README states kilobytes.
const FLASH: u64 = 14_000;

/// Builds it and looks at the image.
pub(crate) fn build(log: &Log) -> Outcome {
    let toolchain = Toolchain::find(RP2350)?;
    log.run(toolchain.cargo("build", &places::rp2350()).arg("--release"))?;
    let image = toolchain.artifact(NAME);
    let (flash, exclusive) = (elf::footprint(&image)?.flash, exclusive_loads(&image)?);
    log.note(&format!("{NAME}: {flash} bytes of flash, {exclusive} exclusive loads in {HANDLER}"))?;
    if flash > FLASH {
        return Err(Problem::new(format!("{NAME}: {flash} bytes of flash, the limit is {FLASH}")));
    }
    // Count, bucket and sum at least.
    if exclusive < 3 {
        return Err(Problem::new(format!(
            "{NAME}: {HANDLER} does not count with the core's atomics"
        )));
    }
    Ok(())
}

/// How many LDREX there are in the handler.
fn exclusive_loads(image: &Path) -> Outcome<usize> {
    let wrong = || Problem::new(format!("{}: there is no {HANDLER}", image.display()));
    let bytes = fs::read(image).map_err(Problem::io(format!("cannot read {}", image.display())))?;
    let file = object::File::parse(&*bytes).map_err(|_| wrong())?;
    let handler = file.symbols().find(|symbol| symbol.name() == Ok(HANDLER)).ok_or_else(wrong)?;
    let section = handler.section_index().and_then(|index| file.section_by_index(index).ok());
    let start = handler.address() & !1;
    let code = section.and_then(|section| section.data_range(start, handler.size()).ok().flatten());
    Ok(count_exclusive_loads(code.ok_or_else(wrong)?))
}

/// Counts in Thumb code: `LDREX` is 0xE85n, 0xtFii.
fn count_exclusive_loads(code: &[u8]) -> usize {
    let halves: Vec<u16> =
        code.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    let is_load = |pair: &&[u16]| pair[0] & 0xfff0 == 0xe850 && pair[1] & 0x0f00 == 0x0f00;
    halves.windows(2).filter(is_load).count()
}

#[cfg(test)]
mod tests {
    use super::count_exclusive_loads;

    /// A critical section would be taken for atomics if this failed.
    #[test]
    fn exclusive_loads_are_told_from_others() {
        // ldrex r1, [r0]; adds r1, #1; strex r2, r1, [r0]; ldr.w r1, [r0].
        let code =
            [0x50, 0xe8, 0x00, 0x1f, 0x01, 0x31, 0x40, 0xe8, 0x00, 0x12, 0xd0, 0xf8, 0x00, 0x10];
        assert_eq!(count_exclusive_loads(&code), 1);
        assert_eq!(count_exclusive_loads(&code[4..]), 0);
    }
}
