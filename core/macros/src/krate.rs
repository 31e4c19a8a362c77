//! The path of `tapes_core`, for crates that know it under another name.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Attribute, Path, Result};

/// The path under which what is generated finds `tapes_core`.
#[derive(Default)]
pub(crate) struct Crate(Option<Path>);

impl Crate {
    /// Returns a path that was given.
    pub(crate) fn at(path: Path) -> Self {
        Self(Some(path))
    }

    /// Reads `#[tapes(crate = path)]` among the attributes of a derive.
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("tapes")) {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("crate") {
                    return Err(meta.error("unknown argument; `tapes` takes `crate = path`"));
                }
                if found.0.is_some() {
                    return Err(meta.error("`crate` is given twice"));
                }
                found.0 = Some(meta.value()?.call(Path::parse_mod_style)?);
                Ok(())
            })?;
        }
        Ok(found)
    }
}

impl ToTokens for Crate {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.0 {
            Some(path) => path.to_tokens(tokens),
            None => quote!(::tapes_core).to_tokens(tokens),
        }
    }
}
