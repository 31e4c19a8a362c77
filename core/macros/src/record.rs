//! What the attributes of functions have in common: where they record, and what becomes of a
//! mistake.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Ident, LitStr, Path, Result, parse_quote};

use crate::args::{Args, Form, Metric, Named};
use crate::function::Function;
use crate::krate::Crate;
use crate::names;

/// Where a function records.
pub(crate) struct Place {
    /// An expression for the handle.
    handle: TokenStream,
    /// The constant that holds a metric of its own.
    item: TokenStream,
}

impl Place {
    /// Returns an expression for the handle, by value.
    pub(crate) fn value(&self) -> &TokenStream {
        &self.handle
    }

    /// Returns an expression for a reference to the handle.
    pub(crate) fn reference(&self) -> TokenStream {
        let handle = &self.handle;
        quote_spanned!(handle.span()=> &(#handle))
    }
}

/// Expands an attribute: `body` returns the new body of the function.
///
/// A function whose attribute is wrong stays as it is, so that one mistake is one error.
pub(crate) fn expand(
    form: &Form,
    arguments: TokenStream,
    item: TokenStream,
    body: impl FnOnce(&Args, &Function, &Place) -> Result<TokenStream>,
) -> TokenStream {
    let attempt = || {
        let function: Function = syn::parse2(item.clone())?;
        let args = Args::read(form, arguments)?;
        let place = place(form, &args, &function)?;
        let function = function.with(&body(&args, &function, &place)?);
        let item = place.item;
        Ok(quote!(#function #item))
    };
    attempt().unwrap_or_else(|error: Error| {
        let error = error.into_compile_error();
        quote!(#item #error)
    })
}

fn place(form: &Form, args: &Args, function: &Function) -> Result<Place> {
    match &args.metric {
        Metric::Handle(handle) => {
            Ok(Place { handle: handle.to_token_stream(), item: TokenStream::new() })
        }
        Metric::Named(named) => named_place(form, &args.krate, named, function),
    }
}

/// Makes a constant beside the function, in an `impl` an associated one.
fn named_place(form: &Form, krate: &Crate, named: &Named, function: &Function) -> Result<Place> {
    let name = full_name(&named.name, function)?;
    let kind = Ident::new(form.kind, Span::call_site());
    let options = &named.options;
    let metric = quote!(#kind [#options]);
    let group = named.group.clone().unwrap_or_else(|| default_group(form, function));
    let (Some(constant), visibility) = (group.segments.last(), function.visibility()) else {
        return Err(Error::new_spanned(&group, "expected the name of a constant"));
    };
    let is_path_of_constant = match group.segments.first() {
        Some(first) if group.segments.len() == 2 => first.ident == "Self",
        _ => group.segments.len() == 1,
    };
    if !is_path_of_constant {
        let message = "expected the name of a constant, `GROUP` or `Self::GROUP`";
        return Err(Error::new_spanned(&group, message));
    }
    let constant = &constant.ident;
    let conditions = function.conditions();
    let help = named.help.clone().unwrap_or_else(|| LitStr::new("", Span::call_site()));
    let doc = format!("The metric `{}` of `{}`.", name.value(), function.name());
    let item = quote! {
        #(#conditions)*
        #[doc = #doc]
        #visibility const #constant: #krate::instrument::Single<#krate::__handle!(#metric)> =
            #krate::__single!(#name, #help; #metric);
    };
    Ok(Place { handle: quote!(*#group.metric()), item })
}

/// Returns the name of the metric, with the name of the function in the place of `{}`.
fn full_name(name: &LitStr, function: &Function) -> Result<LitStr> {
    let template = name.value();
    if template.matches(names::PLACE).count() > 1 {
        return Err(Error::new(name.span(), "a template has one `{}`, not two"));
    }
    let full = template.replace(names::PLACE, &function.name());
    match names::check_metric(&full) {
        Ok(()) => Ok(LitStr::new(&full, name.span())),
        Err(reason) => Err(Error::new(name.span(), reason)),
    }
}

/// Returns the name of the constant: `PASS_COUNTED` for `#[counted] fn pass`.
fn default_group(form: &Form, function: &Function) -> Path {
    let constant = format!("{}_{}", function.name(), form.attribute).to_uppercase();
    let constant = format_ident!("{constant}", span = function.signature.ident.span());
    if function.is_associated() { parse_quote!(Self::#constant) } else { parse_quote!(#constant) }
}
