//! The function below an attribute.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{
    AttrStyle, Attribute, Error, GenericArgument, PathArguments, Result, ReturnType, Signature,
    Token, Type, Visibility, braced, parse_quote,
};

use crate::krate::Crate;

/// A function or method with a body, which stays as it was written.
pub(crate) struct Function {
    /// Those inside the body too.
    attributes: Vec<Attribute>,
    visibility: Visibility,
    pub(crate) signature: Signature,
    /// What stands between the braces.
    pub(crate) body: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature: Signature = input
            .parse()
            .map_err(|error| Error::new(error.span(), "only a function can have this attribute"))?;
        if input.peek(Token![;]) {
            let message = "a method without a body does nothing yet; \
                           put the attribute on its implementations";
            return Err(Error::new(signature.ident.span(), message));
        }
        if let Some(constant) = &signature.constness {
            let message = "a `const fn` cannot record; there are no metrics at compile time";
            return Err(Error::new(constant.span, message));
        }
        let content;
        braced!(content in input);
        // `#![allow(..)]` inside says the same as `#[allow(..)]` before.
        attributes.extend(
            content
                .call(Attribute::parse_inner)?
                .into_iter()
                .map(|inner| Attribute { style: AttrStyle::Outer, ..inner }),
        );
        Ok(Self { attributes, visibility, signature, body: content.parse()? })
    }
}

impl Function {
    /// Returns the name, without `r#`.
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    pub(crate) fn visibility(&self) -> &Visibility {
        &self.visibility
    }

    pub(crate) fn is_async(&self) -> bool {
        self.signature.asyncness.is_some()
    }

    /// Returns the attributes that decide whether the function exists.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
    }

    /// Returns whether the signature tells that this stands in an `impl` or a trait.
    pub(crate) fn is_associated(&self) -> bool {
        self.signature.receiver().is_some()
            || mentions(self.signature.inputs.to_token_stream(), "Self")
            || mentions(self.signature.output.to_token_stream(), "Self")
    }

    /// Returns what the function returns.
    pub(crate) fn returned(&self) -> Returned {
        match &self.signature.output {
            ReturnType::Default => Returned::Unit,
            ReturnType::Type(_, returned) => match &**returned {
                Type::Never(_) => Returned::Never,
                Type::Tuple(tuple) if tuple.elems.is_empty() => Returned::Unit,
                other => Returned::Type(Box::new(inferable(other))),
            },
        }
    }

    /// Returns the function with another body.
    pub(crate) fn with(&self, body: &TokenStream) -> TokenStream {
        let Self { attributes, visibility, signature, .. } = self;
        quote! {
            #(#attributes)*
            #visibility #signature {
                #body
            }
        }
    }
}

/// What a function returns.
pub(crate) enum Returned {
    Unit,
    Never,
    /// A type that can stand in a body: `_` in the place of `impl Trait`.
    Type(Box<Type>),
}

/// Replaces what cannot be written in a body: `Result<impl Iterator, E>` becomes `Result<_, E>`.
fn inferable(returned: &Type) -> Type {
    if !mentions(returned.to_token_stream(), "impl") {
        return returned.clone();
    }
    let mut returned = returned.clone();
    if let Type::Path(path) = &mut returned
        && let Some(last) = path.path.segments.last_mut()
        && let PathArguments::AngleBracketed(arguments) = &mut last.arguments
    {
        for argument in &mut arguments.args {
            if let GenericArgument::Type(argument) = argument {
                *argument = inferable(argument);
            }
        }
        return returned;
    }
    parse_quote!(_)
}

/// Returns whether an identifier occurs among tokens.
fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

/// Returns an expression that runs the body of an `async fn` to its end, wherever it returns.
pub(crate) fn awaited(krate: &Crate, function: &Function) -> TokenStream {
    let body = &function.body;
    // An `async` block cannot say what it returns; a `return` that is never reached can.
    let hint = match function.returned() {
        Returned::Type(returned) => quote! {
            if false {
                return #krate::instrument::__private::nowhere::<#returned>();
            }
        },
        Returned::Unit | Returned::Never => TokenStream::new(),
    };
    quote! {
        async move {
            #hint
            #body
        }
        .await
    }
}
