//! The name of a declared metric as an interned string of defmt.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitStr, Result, Token, bracketed};

/// What `metrics!` hands over: `"motor", loops, [axis = "x"], [Fault]`; the last brackets are empty
/// unless it is a family.
pub(crate) struct Name {
    prefix: LitStr,
    field: Ident,
    labels: Vec<(Ident, LitStr)>,
    is_family: bool,
}

impl Parse for Name {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let prefix = input.parse()?;
        input.parse::<Token![,]>()?;
        let field = input.parse()?;
        input.parse::<Token![,]>()?;
        let (pairs, family);
        bracketed!(pairs in input);
        input.parse::<Token![,]>()?;
        bracketed!(family in input);
        let mut labels = Vec::new();
        while !pairs.is_empty() {
            let label = pairs.parse()?;
            pairs.parse::<Token![=]>()?;
            labels.push((label, pairs.parse()?));
            if !pairs.is_empty() {
                pairs.parse::<Token![,]>()?;
            }
        }
        // Which labels it has does not matter here.
        let is_family = !family.is_empty();
        family.parse::<TokenStream>()?;
        Ok(Self { prefix, field, labels, is_family })
    }
}

impl Name {
    /// Returns `motor.loops`, `motor.loops{axis=x}` or, for a family, `motor.faults{axis=x,`.
    fn text(&self) -> String {
        let mut text = format!("{}.{}", self.prefix.value(), self.field);
        let labels: Vec<String> =
            self.labels.iter().map(|(label, value)| format!("{label}={}", value.value())).collect();
        if self.is_family || !labels.is_empty() {
            text.push('{');
        }
        text += &labels.join(",");
        text += match (self.is_family, labels.is_empty()) {
            (true, false) => ",",
            (false, false) => "}",
            (_, true) => "",
        };
        text
    }

    /// Expands to a string of the `defmt` in scope.
    pub(crate) fn expand(&self) -> TokenStream {
        let text = self.text();
        quote!(defmt::intern!(#text))
    }
}

#[cfg(test)]
mod tests {
    use super::Name;

    /// A name that differs from the one of a text report would be another metric to whoever reads.
    #[test]
    fn names_carry_their_constant_labels() {
        for (input, expected) in [
            (r#""motor", loops, [], []"#, "motor.loops"),
            (r#""motor", loops, [axis = "x"], []"#, "motor.loops{axis=x}"),
            (
                r#""motor", loops, [axis = "x", side = "left",], []"#,
                "motor.loops{axis=x,side=left}",
            ),
            (r#""motor", faults, [], [Fault]"#, "motor.faults{"),
            (r#""motor", faults, [axis = "x"], [(a::Fault, Axis)]"#, "motor.faults{axis=x,"),
        ] {
            assert_eq!(syn::parse_str::<Name>(input).unwrap().text(), expected, "{input}");
        }
        for input in [r#""motor", loops, []"#, r#""motor" loops, [], []"#, "motor, loops, [], []"] {
            assert!(syn::parse_str::<Name>(input).is_err(), "{input}");
        }
    }
}
