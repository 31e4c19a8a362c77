//! `#[metered]`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::args::Form;
use crate::record;

const FORM: Form =
    Form { attribute: "metered", kind: "Meter", keys: &[], example: "MOTOR.commands" };

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    record::expand(&FORM, arguments, item, |args, function, place| {
        let (krate, body, handle) = (&args.krate, &function.body, place.reference());
        Ok(quote! {
            #krate::Meter::mark(#handle);
            #body
        })
    })
}
