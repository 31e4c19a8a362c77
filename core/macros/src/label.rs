//! `#[derive(Label)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, ExprLit, Fields, Lit, LitStr, Result, Variant,
};

use crate::krate::Crate;
use crate::names;

/// The enum whose variants are the values of a label.
struct Args {
    krate: Crate,
    /// Name of the label.
    name: LitStr,
    /// Values of the label, in the order of the variants.
    values: Vec<LitStr>,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(data) = &input.data else {
        return Err(Error::new(input.ident.span(), "only an enum can be a label"));
    };
    let args = args(input, data)?;
    let Args { krate, name, values } = &args;
    let variants = data.variants.iter().map(|variant| &variant.ident);
    let indices = 0..data.variants.len();
    let ident = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #krate::Label for #ident #type_generics #where_clause {
            const DIMENSION: #krate::metric::Dimension<'static> =
                #krate::metric::Dimension { name: #name, values: &[#(#values),*] };

            #[inline]
            fn index(self) -> ::core::primitive::usize {
                match self {
                    #(Self::#variants => #indices,)*
                }
            }
        }
    })
}

/// Reads the names and checks everything there is to check; hands back all errors together.
fn args(input: &DeriveInput, data: &syn::DataEnum) -> Result<Args> {
    let krate = Crate::of(&input.attrs)?;
    if data.variants.is_empty() {
        return Err(Error::new(input.ident.span(), "a label needs at least one value"));
    }
    let name = text(&input.attrs, "name")?.unwrap_or_else(|| {
        LitStr::new(&names::snake_case(&input.ident.to_string()), input.ident.span())
    });
    let mut errors = Errors::default();
    if let Err(reason) = names::check_label(&name.value()) {
        let message = format!("`{}` cannot be the name of a label: {reason}", name.value());
        errors.add(Error::new(name.span(), message));
    }
    let mut values: Vec<LitStr> = Vec::new();
    for (index, variant) in data.variants.iter().enumerate() {
        errors.check(plain(variant, index));
        match value(variant) {
            Ok(value) => {
                if values.iter().any(|other| other.value() == value.value()) {
                    let message = format!("two variants have the value `{}`", value.value());
                    errors.add(Error::new(value.span(), message));
                }
                values.push(value);
            }
            Err(error) => errors.add(error),
        }
    }
    errors.finish(Args { krate, name, values })
}

/// Several errors as one.
#[derive(Default)]
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            None => self.0 = Some(error),
        }
    }

    fn check(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.add(error);
        }
    }

    fn finish<T>(self, value: T) -> Result<T> {
        self.0.map_or(Ok(value), Err)
    }
}

/// Checks that a variant is nothing but its name and its place.
fn plain(variant: &Variant, index: usize) -> Result<()> {
    if !matches!(variant.fields, Fields::Unit) {
        let message = "a variant with fields has no fixed number of values; \
                       a label's variants have none";
        return Err(Error::new(variant.fields.span(), message));
    }
    match &variant.discriminant {
        Some((_, Expr::Lit(ExprLit { lit: Lit::Int(number), .. })))
            if number.base10_parse::<usize>().is_ok_and(|number| number == index) =>
        {
            Ok(())
        }
        Some((_, other)) => {
            let message = format!(
                "a label's discriminants are the positions 0, 1, 2, ...; write `{index}` or leave it out"
            );
            Err(Error::new(other.span(), message))
        }
        None => Ok(()),
    }
}

/// Returns the value that a variant stands for.
fn value(variant: &Variant) -> Result<LitStr> {
    let value = text(&variant.attrs, "rename")?.unwrap_or_else(|| {
        LitStr::new(&names::snake_case(&variant.ident.to_string()), variant.ident.span())
    });
    match names::check_value(&value.value()) {
        Ok(()) => Ok(value),
        Err(reason) => Err(Error::new(value.span(), reason)),
    }
}

/// Reads `#[label(key = "text")]`, the only argument there can be.
fn text(attributes: &[Attribute], key: &str) -> Result<Option<LitStr>> {
    let mut found = None;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("label")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident(key) {
                return Err(
                    meta.error(format!("unknown argument; here `label` takes `{key} = \"..\"`"))
                );
            }
            if found.is_some() {
                return Err(meta.error(format!("`{key}` is given twice")));
            }
            found = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    Ok(found)
}
