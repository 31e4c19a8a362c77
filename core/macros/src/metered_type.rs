//! `#[derive(Metered)]`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, DeriveInput, Error, GenericParam, Generics, Ident, LitStr, Path, Result, Token,
    parenthesized, token,
};

use crate::krate::Crate;
use crate::names;

/// What `#[metrics(..)]` says; several of them add up.
#[derive(Default)]
struct Args {
    /// Templates declared elsewhere.
    shared: Option<Path>,
    /// Templates declared here.
    own: Vec<Template>,
    name: Option<LitStr>,
    /// What stands in `labels(..)`.
    labels: Option<TokenStream>,
}

/// One metric, as in `templates!`.
struct Template {
    docs: Vec<Attribute>,
    field: Ident,
    /// Everything from the kind to `=`.
    kind: TokenStream,
    template: LitStr,
    /// The options, in their brackets.
    options: Option<proc_macro2::Group>,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let krate = Crate::of(&input.attrs)?;
    refuse_generics(&input.ident, &input.generics)?;
    let mut args = Args::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("metrics")) {
        attribute.parse_args_with(|input: ParseStream<'_>| args.parse(input))?;
    }
    let name = match &args.name {
        Some(name) => name.clone(),
        None => LitStr::new(&names::snake_case(&input.ident.to_string()), input.ident.span()),
    };
    check(&args, &name)?;
    let (metrics, declaration) = match &args.shared {
        Some(shared) => (quote!(#shared), TokenStream::new()),
        None => {
            let metrics =
                format_ident!("{}Metrics", input.ident.unraw(), span = input.ident.span());
            let declaration = declaration(&krate, input, &metrics, &args.own)?;
            (quote!(#metrics), declaration)
        }
    };
    let labels = args.labels.map(|labels| quote!(, labels(#labels)));
    let (ident, visibility) = (&input.ident, &input.vis);
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #declaration

        #[automatically_derived]
        impl #impl_generics #krate::Metered for #ident #type_generics #where_clause {
            type Metrics = #metrics;
            const METRICS: &'static #metrics = #krate::filled!(#metrics, #name #labels);
        }

        #[automatically_derived]
        #[allow(dead_code, reason = "generic code may use the constant of the trait alone")]
        impl #impl_generics #ident #type_generics #where_clause {
            /// The metrics of this type.
            #visibility const METRICS: &'static #metrics = <Self as #krate::Metered>::METRICS;
        }
    })
}

/// Declares the struct of templates of one type.
fn declaration(
    krate: &Crate,
    input: &DeriveInput,
    metrics: &Ident,
    templates: &[Template],
) -> Result<TokenStream> {
    if templates.is_empty() {
        let message = "no metrics: add `#[metrics(requests: Counter = \"endpoints.{}.requests\")]`, \
                       or the path of a struct that `templates!` made";
        return Err(Error::new(input.ident.span(), message));
    }
    let doc = format!("The metrics of [`{}`].", input.ident);
    let visibility = &input.vis;
    let fields = templates.iter().map(|Template { docs, field, kind, template, options }| {
        quote!(#(#docs)* #field: #kind = #template #options)
    });
    Ok(quote! {
        #krate::templates! {
            #[doc = #doc]
            #visibility struct #metrics {
                #(#fields),*
            }
        }
    })
}

/// Refuses types of which there are many under one name.
fn refuse_generics(ident: &Ident, generics: &Generics) -> Result<()> {
    let Some(parameter) =
        generics.params.iter().find(|parameter| !matches!(parameter, GenericParam::Lifetime(_)))
    else {
        return Ok(());
    };
    let message = format!(
        "a generic type cannot have metrics of its own: a static is shared by all instantiations of \
         `{ident}`; hold handles in the value instead, made by a registry: \
         `struct {ident}<..> {{ requests: Counter<'static>, .. }}` and \
         `requests: REGISTRY.counter(name)?`"
    );
    Err(Error::new_spanned(parameter, message))
}

/// Checks the templates, and their names once filled.
fn check(args: &Args, name: &LitStr) -> Result<()> {
    // What the name stands for in shared templates is checked with them.
    if let Err(reason) = names::check_metric(&name.value()) {
        return Err(Error::new(name.span(), reason));
    }
    for (index, Template { template, .. }) in args.own.iter().enumerate() {
        let (span, text) = (template.span(), template.value());
        match text.matches(names::PLACE).count() {
            1 => {}
            0 => return Err(Error::new(span, "a template needs a `{}`, where the name goes")),
            _ => return Err(Error::new(span, "a template has one `{}`, not two")),
        }
        if let Err(reason) = names::check_metric(&text.replace(names::PLACE, &name.value())) {
            return Err(Error::new(span, reason));
        }
        let before = args.own.iter().take(index);
        if before.into_iter().any(|other| other.template.value() == text) {
            return Err(Error::new(span, "two metrics have the same template"));
        }
    }
    Ok(())
}

impl Args {
    fn parse(&mut self, input: ParseStream<'_>) -> Result<()> {
        while !input.is_empty() {
            if input.peek(Token![#]) || is_field(input) {
                let template: Template = input.parse()?;
                if self.shared.is_some() {
                    return Err(mixed(template.field.span()));
                }
                self.own.push(template);
            } else if input.peek(Ident) && input.peek2(Token![=]) {
                let key: Ident = input.parse()?;
                input.parse::<Token![=]>()?;
                self.set_name(&key, input.parse()?)?;
            } else if input.peek(Ident) && input.peek2(token::Paren) {
                self.set_labels(input)?;
            } else {
                let path = input.call(Path::parse_mod_style)?;
                if self.shared.is_some() || !self.own.is_empty() {
                    return Err(mixed(syn::spanned::Spanned::span(&path)));
                }
                self.shared = Some(path);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    fn set_name(&mut self, key: &Ident, name: LitStr) -> Result<()> {
        if key != "name" {
            let message = "unknown argument; `metrics` takes `name = \"..\"`, `labels(..)`, and \
                           templates or the path of some";
            return Err(Error::new(key.span(), message));
        }
        if self.name.replace(name).is_some() {
            return Err(Error::new(key.span(), "`name` is given twice"));
        }
        Ok(())
    }

    fn set_labels(&mut self, input: ParseStream<'_>) -> Result<()> {
        let key: Ident = input.parse()?;
        let content;
        parenthesized!(content in input);
        if key != "labels" || self.labels.is_some() {
            return Err(Error::new(key.span(), "expected `labels(key = \"value\")`, once"));
        }
        self.labels = Some(content.parse()?);
        Ok(())
    }
}

fn is_field(input: ParseStream<'_>) -> bool {
    input.peek(Ident) && input.peek2(Token![:]) && !input.peek2(Token![::])
}

fn mixed(span: proc_macro2::Span) -> Error {
    Error::new(span, "a type has one set of templates: those that are listed, or those of a path")
}

impl Parse for Template {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let docs = input.call(Attribute::parse_outer)?;
        if let Some(other) = docs.iter().find(|attribute| !attribute.path().is_ident("doc")) {
            return Err(Error::new_spanned(other, "a metric has no attributes but its help"));
        }
        let field = input.parse()?;
        input.parse::<Token![:]>()?;
        let mut kind = TokenStream::new();
        while !input.is_empty() && !input.peek(Token![=]) && !input.peek(Token![,]) {
            kind.extend([input.parse::<proc_macro2::TokenTree>()?]);
        }
        input.parse::<Token![=]>()?;
        let template = input.parse()?;
        let options = if input.peek(token::Bracket) { Some(input.parse()?) } else { None };
        Ok(Self { docs, field, kind, template, options })
    }
}
