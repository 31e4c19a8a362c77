//! `#[timed]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{Error, Expr, Result};

use crate::args::{Args, Form};
use crate::function::{Function, Returned, awaited};
use crate::record;

const FORM: Form = Form {
    attribute: "timed",
    kind: "Timer",
    keys: &["clock", "cancelled"],
    example: "MOTOR.loop_time, clock = CLOCK",
};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    record::expand(&FORM, arguments, item, |args, function, place| {
        let handle = &place.reference();
        let Some(clock) = &args.clock else { return Err(FORM.error("needs a clock")) };
        if function.is_async() {
            return Ok(asynchronous(args, function, handle, clock));
        }
        blocking(args, function, handle, clock)
    })
}

/// Times until the end of the function, in whatever way it ends.
fn blocking(
    args: &Args,
    function: &Function,
    handle: &TokenStream,
    clock: &Expr,
) -> Result<TokenStream> {
    if let Some(cancelled) = &args.cancelled {
        return Err(Error::new_spanned(cancelled, "only an `async fn` can be cancelled"));
    }
    let (krate, body) = (&args.krate, &function.body);
    let running = Ident::new("_running", Span::mixed_site());
    Ok(quote! {
        let #running = #krate::Timer::start(#handle, #clock);
        #body
    })
}

/// Times from the first poll to completion.
fn asynchronous(
    args: &Args,
    function: &Function,
    handle: &TokenStream,
    clock: &Expr,
) -> TokenStream {
    let krate = &args.krate;
    let attempt = Ident::new("_attempt", Span::mixed_site());
    let cancelled = match &args.cancelled {
        Some(cancelled) => quote!(#cancelled),
        None => quote!(#krate::Counter::noop()),
    };
    let start = quote! {
        let #attempt = #krate::instrument::Attempt::start(#handle, #clock, #cancelled);
    };
    let (output, body) = (Ident::new("output", Span::mixed_site()), awaited(krate, function));
    match function.returned() {
        // It ends only by being dropped.
        Returned::Never => {
            let body = &function.body;
            quote!(#start #body)
        }
        Returned::Unit => quote! {
            #start
            #body;
            #krate::instrument::Attempt::complete(#attempt);
        },
        Returned::Type(_) => quote! {
            #start
            let #output = #body;
            #krate::instrument::Attempt::complete(#attempt);
            #output
        },
    }
}
