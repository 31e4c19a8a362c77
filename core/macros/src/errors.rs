//! `#[errors]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Type};

use crate::args::Form;
use crate::function::{Returned, awaited};
use crate::record;

const FORM: Form =
    Form { attribute: "errors", kind: "Counter", keys: &["by"], example: "MOTOR.errors" };

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    record::expand(&FORM, arguments, item, |args, function, place| {
        let returned = match function.returned() {
            Returned::Type(returned) if !matches!(*returned, Type::Infer(_)) => returned,
            _ => {
                let message = "`errors` needs a function that returns a `Result`";
                let signature = &function.signature;
                return Err(match &signature.output {
                    syn::ReturnType::Default => Error::new(signature.ident.span(), message),
                    output => Error::new_spanned(output, message),
                });
            }
        };
        let (krate, handle) = (&args.krate, place.value());
        let counter = Ident::new("counter", Span::mixed_site().located_at(handle.span()));
        let result = Ident::new("result", Span::mixed_site());
        let call = if function.is_async() {
            awaited(krate, function)
        } else {
            let body = &function.body;
            quote!(#krate::instrument::__private::call(move || -> #returned { #body }))
        };
        let borrowed = quote_spanned!(handle.span()=> &#counter);
        // Points at the return type if that is no `Result`.
        let mut referenced = result.clone();
        referenced.set_span(result.span().located_at(returned.span()));
        let reference = quote_spanned!(returned.span()=> &#referenced);
        let count = match &args.by {
            Some(by) => quote!(#krate::instrument::count_error_by(#borrowed, #reference, #by);),
            None => quote!(#krate::instrument::count_error(#borrowed, #reference);),
        };
        Ok(quote! {
            let #counter = #handle;
            let #result = #call;
            #count
            #result
        })
    })
}
